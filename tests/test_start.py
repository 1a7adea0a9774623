"""What the program looks at before it imports anything of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import multistep_sweep

RECORD = "multistep_sweep-0.1.0.dist-info/RECORD"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The packages and their RECORD, as pip leaves them."""
    lines = ["multistep_sweep.py,sha256=x,4", "../../../bin/sweep,sha256=x,9", f"{RECORD},,"]
    for name in ("multistep_sweep.py", "results/__init__.py", "results/errors.py"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("ours")
        lines.append(f"{name},sha256=x,4")
    lines.append("results/__pycache__/errors.cpython-311.pyc,,")
    record = tmp_path / RECORD
    record.parent.mkdir()
    record.write_text("\n".join(lines))
    monkeypatch.setattr(multistep_sweep, "__file__", str(tmp_path / "multistep_sweep.py"))
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ending:
        multistep_sweep.refuse_overwritten_files()
    assert ending.value.code == 3
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_files_as_they_were_installed_are_taken(installed: Path) -> None:
    assert len(multistep_sweep._recorded_sizes(str(installed))) == 4
    multistep_sweep.refuse_overwritten_files()


@pytest.mark.parametrize("name", ["results/__init__.py", "results/errors.py"])
def test_a_file_that_another_project_replaced_is_named(
    installed: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (installed / name).write_text("another project's")
    assert f"{installed / name} has been replaced or edited since" in refused(capsys)


def test_a_file_that_the_other_project_took_along_is_named(
    installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (installed / "results/__init__.py").unlink()
    assert f"{installed / 'results/__init__.py'} is missing since" in refused(capsys)


def test_without_a_record_nothing_is_known(installed: Path) -> None:
    (installed / "results/__init__.py").unlink()
    shutil.copytree((installed / RECORD).parent, installed / "multistep_sweep-9.9.dist-info")
    multistep_sweep.refuse_overwritten_files()  # which of the two is ours?
    shutil.rmtree(installed / "multistep_sweep-9.9.dist-info")
    (installed / RECORD).unlink()
    multistep_sweep.refuse_overwritten_files()


@pytest.mark.parametrize(
    ("path", "searched"),
    [
        ("{root}:", False),
        (":{root}", False),
        ("{here}::{root}", True),
        (".:{root}", True),
    ],
)
def test_an_empty_entry_of_pythonpath_is_not_the_current_folder(
    path: str, searched: bool, tmp_path: Path
) -> None:
    """As `export PYTHONPATH=$PYTHONPATH:/lib` makes it where the variable was not set."""
    root = Path(__file__).parents[1]
    (tmp_path / "program.py").write_text(
        "import os, sys, multistep_sweep as m; m.find_own_modules_first()\n"
        "print(os.getcwd() in sys.path, '' in os.environ['PYTHONPATH'].split(os.pathsep))\n"
    )
    here = tmp_path / "here"
    here.mkdir()
    done = subprocess.run(
        [sys.executable, tmp_path / "program.py"],
        cwd=here, env={"PYTHONPATH": path.format(root=root, here=here)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.split() == [str(searched), "False"], done.stderr
