"""Wrong trainers fail their own runs; tests/hostile has many more of them, on Ray too."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import sweep
from wrong_runs import check, with_right_ones, write_spec

KINDS = (
    "raises", "raises_what_has_no_text", "calls_sys_exit_0", "raises_keyboard_interrupt",
    "recurses_without_end", "returns_an_object", "is_a_generator", "reports_a_name_with_sql",
    "reports_a_name_that_is_a_column", "returns_100_000_metrics", "replaces_functions_of_python",
    "makes_a_folder_of_its_result", "forks_and_both_return", "changes_the_folder",
    "removes_its_attempt", "changes_umask_and_limits", "sets_variables", "ignores_signals",
)  # fmt: skip


def test_wrong_trainers_fail_their_own_runs_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # This process may have had such a run before, in other surroundings.
    monkeypatch.setattr("wrong_trainers._before", {})
    kinds = with_right_ones(list(KINDS))
    home = tmp_path / "home"
    spec = str(write_spec(tmp_path, kinds))
    said = sweep("run", spec, "--executor", "inline", "--home", str(home))
    assert said.exit_code == 1
    check(home, kinds)
