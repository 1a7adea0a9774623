"""Bad input is cheap, writes nothing, and no name leads out of the home."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import databases
from command_line import PROGRAM, finished_home, sweep
from sweeper.spec.spec import SWEEP_NAME
from wrong_specs import WRONG

MOST_MEGABYTES = 200
MEASURE = """
import os, resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""

SPEC = """
model: zerosnet
depth: 20
dataset: digits
trainer: fake_trainers:quick
training: {epochs: 2}
grid:
  seed: [0, 1]
evaluations: [{noise: gaussian, std: 0.1}]
"""


def content(folder: Path) -> dict[str, str | None]:
    """Every path below the folder, with the hash of what a file holds."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else None
        for path in folder.rglob("*")
    }


def stored(home: Path) -> dict[str, list[str]]:
    """Every row of its database."""
    return databases.content(f"sqlite:///{home}/sweep.db")


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a sweep `known` that is done."""
    return finished_home(tmp_path_factory.mktemp("asked"), f"{SPEC}name: known\n")


CHOSEN = list(WRONG)[:: len(WRONG) // 8][:8]
"""In a process of their own; sweeper/spec/test_bad_specs.py reads them all."""


def test_the_suite_has_at_least_200_wrong_specs():
    assert len({str(content) for content, _, _ in WRONG.values()}) == len(WRONG) >= 200
    assert len(CHOSEN) == 8


@pytest.mark.parametrize("case", CHOSEN)
@pytest.mark.slow
def test_a_wrong_spec_fails_cheaply_and_leaves_the_database_unchanged(case, asked, tmp_path):
    text, (line, column), _ = WRONG[case]
    spec = tmp_path / "wrong.yaml"
    spec.write_bytes(text.encode() if isinstance(text, str) else text)
    before = content(asked)
    command = [PROGRAM, "run", "wrong.yaml", "--home", str(asked)]
    # By way of a small process: the memory of one that has torch would count as the child's.
    measured = subprocess.run(
        [sys.executable, "-S", "-c", MEASURE, *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    code, memory = map(int, measured.stdout.splitlines()[-1].split())
    assert code == 2
    assert measured.stdout.count("\n") == 1
    assert measured.stderr.startswith(f"error: wrong.yaml:{line}:{column}: ")
    assert measured.stderr.count("\n") == 1
    assert memory / (1 if sys.platform == "linux" else 1024) < MOST_MEGABYTES * 1024
    assert content(asked) == before
    assert content(tmp_path).keys() == {"wrong.yaml"}


HOSTILE_NAMES = [
    "../../etc/x", "../x", "..", ".", "/etc/x", "~", "~root/x", "a/b", "a\\b", "C:\\x", "", " ",
    "a b", "a\nb", "a\r", "a\tb", "\x1b[2J", "\u202e", "é", "%2e%2e%2fx", "$HOME", "`id`",
    ".hidden", "-rf", "--home", "x" * 101, "x" * 5000, "a\0b", "file:///etc/x", "http://x", "sqlite:///x",
]  # fmt: skip
ODD_NAMES = ["CON", "nul.txt", "name.", "a..b", "x" * 100, "1", "2020.01.01", "null", "a-_-.b"]
"""That a sweep may have."""


@pytest.fixture
def somewhere(tmp_path: Path) -> Iterator[Path]:
    """A current folder so deep that a name which leads out of it stays in the test's own."""
    folder = tmp_path / "a" / "b" / "c" / "d"
    folder.mkdir(parents=True)
    with chdir(folder):
        yield tmp_path


@pytest.mark.parametrize("name", [name for name in HOSTILE_NAMES if name and "\0" not in name])
@pytest.mark.slow
def test_commands_refuse_hostile_names_without_writing(name, asked, somewhere):
    before = stored(asked), content(asked / "runs"), content(somewhere)
    for command in (
        ["resume", "--executor=inline"],
        ["status"],
        ["retry"],
        ["cancel"],
        ["report"],
        ["compare"],
        ["plot"],
        ["show"],
        ["export", "--output=archive"],
    ):
        said = sweep(*command, f"--home={asked}", "--", name)
        assert said.exit_code == 2, (command, said.stderr)
        assert said.stderr.startswith("error: ")
        assert said.stdout == ""
    for option in ("--run", "--where", "--metric"):
        asking = "retry" if option == "--run" else "report"
        assert sweep(asking, f"{option}={name}", f"--home={asked}").exit_code == 2
    assert (stored(asked), content(asked / "runs"), content(somewhere)) == before


@settings(max_examples=25, deadline=None)
@given(st.one_of(st.text(max_size=20), st.from_regex(r"[A-Za-z0-9./~\\-]{1,12}", fullmatch=True)))
@pytest.mark.slow
def test_names_in_a_spec_cannot_escape_the_home(name):
    run_under(name)


@pytest.mark.parametrize("name", HOSTILE_NAMES + ODD_NAMES)
@pytest.mark.slow
def test_hostile_names_in_a_spec_cannot_escape_the_home(name):
    run_under(name)


def run_under(name: str) -> None:
    """A sweep of this name is refused, or writes in its home and nowhere else."""
    with TemporaryDirectory() as folder:
        here = Path(folder) / "a" / "b" / "c" / "d"
        here.mkdir(parents=True)
        with chdir(here):
            Path("s.yaml").write_text(f"{SPEC}name: {json.dumps(name)}\n", encoding="utf-8")
            before = content(Path(folder))
            said = sweep("run", "s.yaml", "--executor", "inline", "--home", "home")
            written = content(Path(folder)).keys() - before.keys()
            if SWEEP_NAME.fullmatch(name):
                assert said.exit_code == 0, said.stderr
                assert written
                assert all(path.startswith("a/b/c/d/home") for path in written)
            else:
                assert said.exit_code == 2
                assert said.stderr.startswith("error: s.yaml:"), said.stderr
                assert not written
            assert before.items() <= content(Path(folder)).items()


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.slow
def test_outputs_of_a_sweep_are_written_only_where_requested(name, somewhere):
    Path("s.yaml").write_text(f"{SPEC}name: {json.dumps(name)}\n")
    assert sweep("run", "s.yaml", "--executor", "inline", "--home", "home").exit_code == 0
    before = content(somewhere)

    def written(*arguments: str) -> set[str]:
        said = sweep(*arguments, "--home", "home")
        assert said.exit_code == 0, said.stderr
        here = f"{Path.cwd().relative_to(somewhere)}/"
        return {path.removeprefix(here) for path in content(somewhere).keys() - before.keys()}

    figures = written("plot", name, "roots")
    assert figures == {"figures", f"figures/{name}", f"figures/{name}/roots.png"}
    page = written("report", name, "--html", "page.html") - figures
    assert page == {"page.html"}
    archive = written("export", name, "--output", "archive") - figures - page
    assert all(path.startswith("archive") for path in archive)
    said = sweep("import", "archive", "--home", "another")
    assert said.exit_code == 0, said.stderr
    here = f"{Path.cwd().relative_to(somewhere)}/"
    assert all(
        path.removeprefix(here).startswith(("another", "archive", "figures", "page.html"))
        for path in content(somewhere).keys() - before.keys()
    )


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "/etc/passwd", "~", "digits/../..", "digits\n", "digits\0"]
)
def test_paths_are_refused_as_dataset_or_trainer(path, somewhere):
    Path("s.yaml").write_text(SPEC)
    before = content(somewhere)
    for key in ("dataset", "trainer", "model", "precision"):
        change = f"{key}={json.dumps(path)}"
        said = sweep("run", "s.yaml", "--executor", "inline", "--set", change)
        assert said.exit_code == 2, said.stderr
        assert said.stderr.startswith(f"error: --set {key}=")
    assert content(somewhere) == before


@pytest.mark.parametrize(
    "path", ["missing.yaml", "x" * 5000, "a/" * 3000 + "s.yaml", ".", "/dev/null", "a\nb.yaml", "~"]
)
def test_a_path_that_is_no_spec_file_is_one_error_message(path, somewhere):
    said = sweep("run", path, "--executor", "inline")
    assert said.exit_code == 2
    assert said.stderr.startswith("error: ")
    assert said.stderr.count("\n") == 1
    assert len(said.stderr) < 1500
    assert not Path(".sweep").exists()


def test_a_spec_file_name_of_invalid_utf8_is_shown_and_refused(somewhere):
    path = os.fsdecode(b"\xff\xfe.yaml")
    Path(path).write_text(SPEC)
    said = sweep("run", path, "--executor", "inline")
    assert said.exit_code == 2
    assert said.stderr.startswith("error: \\xff\\xfe.yaml: '\\\\xff\\\\xfe' is not a name")
