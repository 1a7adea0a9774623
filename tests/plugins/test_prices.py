"""What an addition costs, as CONTRIBUTING.md says: one file and one entry, in a copy."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from extending import EXAMPLES, write_plankton, write_specs

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
PRICES = re.findall(
    r"^\| (an? \w+) \| `([\w/]+)/NAME\.py` \| `([A-Z]+)` in `([\w/.]+)` \|$", PAGE, re.M
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages with the examples of docs/extending.md among their own modules."""
    copy = tmp_path_factory.mktemp("copy")
    for package in ("sweeper", "trainers", "results", "sweep_plugins"):
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    for kind, room, registry, table in PRICES:
        example = EXAMPLES[f"{kind[0].upper()}{kind[1:]}"]
        ((path, text),) = (item for item in example.files.items() if item[0].endswith(".py"))
        module = f"{room.replace('/', '.')}.{Path(path).stem}"
        text = text.replace(f"sweep_example.{Path(path).stem}", module)
        (copy / room / Path(path).name).write_text(text)
        name, attribute = re.findall(r'^(\w+) = "[\w.]+:(\w+)"$', example.toml, re.M)[0]
        source = (copy / table).read_text()
        opened = re.search(rf"^{registry}: .*?\{{", source, re.M | re.S)
        assert opened is not None, f"{registry} is not in {table}"
        entry = f'\n    "{name}": "{module}:{attribute}",'
        (copy / table).write_text(source[: opened.end()] + entry + source[opened.end() :])
    return copy


def test_the_documented_price_list_covers_every_kind_of_addition() -> None:
    assert len(PRICES) == 7


def test_every_file_that_uses_a_table_is_in_the_price_list() -> None:
    named = {
        str(path.relative_to(ROOT))
        for path in ROOT.glob("results/**/*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        and node.module == "results.schema.tables"
        and any(alias.name == "blocks" for alias in node.names)
    }
    assert "results/store/result_schema.py" in named
    assert named <= set(re.findall(r"`([\w/.]+\.py)`", PAGE))


@pytest.mark.long
def test_a_sweep_uses_the_documented_additions(copy: Path, tmp_path: Path) -> None:
    write_specs(tmp_path)
    write_plankton(tmp_path / ".sweep" / "data")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(copy), os.environ["PYTHONPATH"]]),
    }

    commands = [
        ["run", "plankton.yaml", "--executor", "inline"],
        ["report", "plankton", "--group-by", "model,trainer"],
        ["plot", "plankton", "accuracy_by_time"],
        ["slowest", "plankton"],
    ]
    program = (
        "from sweeper.cli import app\n"
        f"for arguments in {commands}: print('>'), app(arguments, standalone_mode=False)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    _, _, report, plot, slowest = done.stdout.split(">\n")
    assert "salt_and_pepper[0.1]" in report
    assert "nearest_mean" in report
    assert "accuracy_by_time.png" in plot
    assert "plain" in slowest


def test_the_documented_additions_keep_the_import_rules(copy: Path) -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
