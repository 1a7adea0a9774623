"""Files and folders among a command's arguments, as a user and a shell may write them."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import typer
from typer.testing import CliRunner

from command_line import finished_home, sweep
from sweeper.cli import app
from sweeper.commands import COMMANDS

SPEC = """\
model: zerosnet
depth: 20
dataset: digits
trainer: fake_trainers:quick
training: {epochs: 1}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of one run that is done."""
    return finished_home(tmp_path_factory.mktemp("done"), SPEC)


def path_parameters() -> Iterator[tuple[str, Any]]:
    """Of every command: "command parameter", and what typer is told of it."""
    for name in COMMANDS.own:
        command = COMMANDS.shipped(name)
        functions: list[Any] = [command]
        if isinstance(command, typer.Typer):
            functions = [entry.callback for entry in command.registered_commands]
        for function in functions:
            hints = get_type_hints(function, include_extras=True)
            for parameter in inspect.signature(function).parameters:
                annotation, *told = get_args(hints[parameter]) or [hints[parameter]]
                if Path in (annotation, *get_args(annotation)):
                    yield f"{name} {function.__name__} {parameter}", told[0]


def test_every_path_is_read_by_one_rule_that_expands_the_users_folder():
    found = dict(path_parameters())
    assert len(found) > 20
    for where, told in found.items():
        assert told.parser is not None, f"{where}: declare it by path_option or path_argument"
        assert told.parser("~/x") == Path.home() / "x", where


def test_tilde_is_the_users_folder_wherever_a_command_writes_or_reads(home, tmp_path, monkeypatch):
    user = tmp_path / "user"
    user.mkdir()
    (user / "s.yaml").write_text(SPEC)
    monkeypatch.setenv("HOME", str(user))
    here = tmp_path / "here"
    here.mkdir()
    with chdir(here):
        for command in (
            ["report", "--output=~/report.txt"],
            ["report", "--html=~/page.html"],
            ["plot", "s", "roots", "--output=~/figures"],
            ["export", "--output=~/archive.db"],
            ["export", "--format=parquet", "--output=~/archive"],
            ["plan", "~/s.yaml", "--output=~/plan.txt"],
            ["import", "~/archive.db", "--db=sqlite:///~/other.db"],
        ):
            said = sweep(*command, f"--home={home}")
            assert said.exit_code == 0, said.stderr
        assert sweep("init", "~/specs").exit_code == 0
        assert list(here.iterdir()) == []
    assert {path.name for path in user.iterdir()} >= {
        "report.txt", "page.html", "figures", "archive.db", "archive", "plan.txt", "other.db",
        "specs",
    }  # fmt: skip


def test_an_unknown_users_folder_is_refused_by_its_name(home):
    said = sweep("report", "--output=~no_such_user/x", f"--home={home}")
    assert said.exit_code == 2
    assert said.stderr.startswith("error: ~no_such_user/x is no path: ")


def test_a_file_is_no_folder_for_figures(home, tmp_path):
    (tmp_path / "page.html").touch()
    said = sweep("plot", "s", "roots", f"--output={tmp_path}/page.html", f"--home={home}")
    assert said.exit_code == 2
    assert (
        said.stderr
        == f"error: --output {tmp_path}/page.html is no folder: name one for the figures\n"
    )


def test_a_home_that_is_a_file_is_named(tmp_path):
    (tmp_path / "s.yaml").write_text(SPEC)
    said = sweep("run", f"{tmp_path}/s.yaml", "--executor=inline", f"--home={tmp_path}/s.yaml")
    assert said.exit_code == 3
    assert "s.yaml cannot be made (File exists): check --home and --db" in said.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["report", "--home"],
        ["report", "--output"],
        ["report", "--html"],
        ["report", "--db"],
        ["report", "--group-by"],
        ["report", "--columns=seed", "--rows"],
        ["plot", "s", "--output"],
        ["run", "quickstart", "--ray-address"],
        ["run", "quickstart", "--executor=inline", "--storage"],
        ["init"],
        ["plan"],
    ],
    ids=" ".join,
)
def test_an_empty_text_is_not_taken_for_the_default(command, home, tmp_path):
    *_, option = command
    others = [] if "--home" in command or command == ["init"] else [f"--home={home}"]
    with chdir(tmp_path):
        said = sweep(*command, "", *others)
    assert said.exit_code == 2
    assert "is it a variable that is not set?" in said.stderr
    if option not in ("init", "plan", "--group-by", "--rows"):
        assert f"'{option}'" in said.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_empty_variable_of_the_environment_is_not_set(home):
    assert sweep("report", f"--home={home}", SWEEP_DB="", SWEEP_STORAGE="").exit_code == 0


@pytest.mark.skipif(sys.platform == "darwin", reason="file names are UTF-8 there")
def test_a_home_whose_name_is_not_utf8_keeps_all_that_a_sweep_needs(tmp_path):
    home = os.fsdecode(os.fsencode(tmp_path) + b"/h\xff")
    (tmp_path / "s.yaml").write_text(SPEC)
    run = ["run", str(tmp_path / "s.yaml"), "--executor=inline", f"--home={home}"]
    for command in (
        run,
        [*run, "--set=training.epochs=2"],
        ["report"],
        ["plot", "s", "roots", f"--output={home}/figures"],
        ["export", f"--output={home}/archive.db"],
        ["import", f"{home}/archive.db", f"--home={home}/another"],
        ["status", f"--home={home}/another"],
    ):
        said = sweep(*command, *([] if "another" in command[-1] else [f"--home={home}"]))
        assert said.exit_code == 0, said.stderr
    assert {"sweep.db", "runs", "figures", "archive.db", "another"} <= set(os.listdir(home))


def test_a_current_folder_that_was_deleted_is_an_error_that_says_so(home, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for command in (["run", "quickstart", "--executor=inline"], ["status", f"--home={home}"]):
        said = CliRunner().invoke(app, command)
        assert said.exit_code == 3
        assert said.stderr == (
            "error: the current folder cannot be found (No such file or directory);"
            " change to one that exists\n"
        )


@pytest.mark.parametrize("command", [["plot", "s", "roots"], ["report", "--html=page.html"]])
def test_drawing_takes_no_notice_of_a_backend_for_windows(command, home, tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "module://of_a_notebook")
    with chdir(tmp_path):
        assert sweep(*command, f"--home={home}").exit_code == 0
    assert os.environ["MPLBACKEND"] == "agg"


IMPORT = """
from sweeper.commands.matplotlib_settings import import_matplotlib
from sweeper.errors import RequestError
try:
    import_matplotlib()
    print(__import__("matplotlib").get_backend())
except RequestError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (b"backend: nonsense\n", "agg"),
        (b"font.family: \xff\n", "matplotlib cannot read its file of settings: 'utf-8' codec"),
    ],
    ids=["bad value", "not UTF-8"],
)
def test_matplotlib_is_imported_whatever_backend_a_notebook_has_chosen(settings, said, tmp_path):
    (tmp_path / "matplotlibrc").write_bytes(settings)
    done = subprocess.run(
        [sys.executable, "-c", IMPORT],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "module://of_a_notebook"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.startswith(said), done.stderr
