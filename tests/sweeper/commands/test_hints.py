"""The commands that sentences name, as they can be pasted."""

from __future__ import annotations

import shlex
import subprocess

import pytest

from sweeper.commands.hints import on_lines, with_options


def test_each_quoted_command_gets_the_options() -> None:
    said = "no run: 'sweep report --group-by run_id' lists them, or 'sweep plan'; see 'sweep specs'"
    assert with_options(said, " --home x") == (
        "no run: 'sweep report --group-by run_id --home x' lists them, or 'sweep plan --home x';"
        " see 'sweep specs'"
    )
    assert with_options("unknown sweep 'sweepers'", " --home x") == "unknown sweep 'sweepers'"


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_a_command_on_several_lines_is_one_for_a_shell(width: int) -> None:
    command = "sweep resume a_sweep --home 'with blank' --db sqlite:///a.db --slots 2"
    lines = on_lines(command, width)
    assert max(map(len, lines)) <= max(width, len("  sqlite:///a.db \\"))
    typed = "\n".join(lines).replace("sweep", "printf '%s\\n'", 1)
    said = subprocess.run(["sh", "-c", typed], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines() == shlex.split(command)[1:]
