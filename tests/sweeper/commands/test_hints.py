"""The commands that sentences name, as they can be pasted."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from command_line import sweep
from results.store.store import Store
from saved_specs import save_spec
from sweeper.commands.hints import on_lines, with_options
from sweeper.commands.logs import _wrote_nothing
from sweeper.home import Home
from sweeper.spec.spec import spec_from_text


def test_each_quoted_command_gets_the_options() -> None:
    said = "no run: 'sweep report --group-by run_id' lists them, or 'sweep plan'; see 'sweep specs'"
    assert with_options(said, " --home x") == (
        "no run: 'sweep report --group-by run_id --home x' lists them, or 'sweep plan --home x';"
        " see 'sweep specs'"
    )
    assert with_options("unknown sweep 'sweepers'", " --home x") == "unknown sweep 'sweepers'"


def test_what_was_cancelled_is_queued_again_by_the_command_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = "name: s\nmodel: zerosnet\ndataset: digits\ndepth: 8\ngrid: {seed: [0, 1]}\n"
    with Store.open(Home.at(tmp_path / "a lab").database) as store:
        save_spec(store, spec_from_text(spec, "s.yaml"))
        first, second = (run.run_id for run in store.pending("s"))
    said = sweep("cancel", "--run", first, "--run", second[:8], "--home", "a lab").stderr
    hint = f"sweep retry --run {first} --run {second[:8]} --home 'a lab'"
    assert said == f"2 runs cancelled; `{hint}` queues them again\n"
    assert sweep(*shlex.split(hint)[1:]).stderr.startswith("2 runs queued again")
    missing = sweep("show", "zz", "--home", "a lab").stderr
    assert "'sweep report --group-by run_id --home 'a lab''" in missing


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        ({"state": "running", "error": None}, "has written nothing yet"),
        ({"state": "done", "error": None}, "wrote nothing"),
        (
            {"state": "interrupted", "error": "it had not begun: its driver ended"},
            "wrote nothing (interrupted: it had not begun: its driver ended)",
        ),
    ],
)
def test_an_empty_log_is_explained(attempt: dict[str, str | None], said: str) -> None:
    assert _wrote_nothing(attempt) == said


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_a_command_on_several_lines_is_one_for_a_shell(width: int) -> None:
    command = "sweep resume a_sweep --home 'with blank' --db sqlite:///a.db --slots 2"
    lines = on_lines(command, width)
    assert max(map(len, lines)) <= max(width, len("  sqlite:///a.db \\"))
    typed = "\n".join(lines).replace("sweep", "printf '%s\\n'", 1)
    said = subprocess.run(["sh", "-c", typed], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines() == shlex.split(command)[1:]
