"""A sweep and a run while they are watched, as lines of text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from results.records import (
    STATES,
    DriverStatus,
    Failure,
    RunningRun,
    RunProgress,
    SweepStatus,
)
from sweeper.commands.epoch_lines import EpochLines
from sweeper.commands.progress_lines import Watched, watched_lines

WIDE, LONG = 80, 10


def status(**more: Any) -> SweepStatus:
    counts = dict.fromkeys(STATES, 0) | more.pop("counts", {"done": 12, "running": 2, "queued": 16})
    given: dict[str, Any] = {
        "sweep": "s", "runs": sum(counts.values()), "counts": counts, "failures": [], "faults": [],
        "drivers": [], "train_seconds": 1.0, "rate_per_hour": 120.0, "seconds_left": 540.0,
        "last_finished_at": None,
    }  # fmt: skip
    return SweepStatus(**(given | more))


def running(number: int = 1, **more: Any) -> RunningRun:
    given: dict[str, Any] = {
        "run_id": f"{number:016x}",
        "label": f"zerosnet (1/3, 5/9, 1/9; 16/9), depth 32, seed {number}",
        "attempt": 1, "seconds": 60.0, "epochs": 160, "epoch": 40,
        "values": {"test_accuracy": 91.25, "train_loss": 0.25},
    }  # fmt: skip
    return RunningRun(**(given | more))


def test_a_sweep_has_its_counts_its_rate_and_its_running_runs() -> None:
    """As docs/watching.md shows it."""
    page = (Path(__file__).parents[3] / "docs" / "watching.md").read_text()
    (block,) = re.findall(r"^```\n(.*?)^```$", page, re.M | re.S)
    runs = [running(1), running(2, epoch=None, values={}, attempt=2)]
    lines = watched_lines(Watched(status(), runs), WIDE, LONG)
    assert lines == block.splitlines()
    assert max(map(len, lines)) == WIDE


@pytest.mark.parametrize("width", [1, 5, 12, 20, 30, 40, 60, 79, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    failures = [Failure(f"{n:016x}", "label", "error " * 20, 1, finished_at=n) for n in range(9)]
    hostile = running(3, label="a\x1b[2Jb" + "c" * 300, values={"m" * 100: 1e30, "f1": None})
    watched = Watched(status(failures=failures), [running(1), running(2), hostile])
    lines = watched_lines(watched, width, 2)
    assert max(map(len, lines)) <= max(width, 3)
    assert "\x1b" not in "".join(lines)
    if width >= 20:
        shown = sum(line.startswith("0000000") for line in lines)
        assert 1 <= shown <= 2
        assert any(line.startswith(f"and {3 - shown} more") for line in lines)
        assert sum(line.startswith("failed 0") for line in lines) == 3
    if width >= 40:
        assert any("test_accuracy" in line for line in lines[3:5])
    if width >= 100:
        assert lines[-6] == "failed 00000000 label"
        assert lines[-5].startswith("  error error")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_two_settings_look_alike(width: int) -> None:
    common = "(fit:train, " + ", ".join(f"option{n} {n}" for n in range(20)) + ")"
    short = [f"lr {lr}, width {wide}, seed 0" for lr in (0.1, 0.01) for wide in (8, 16)]
    runs = [running(n, short=name, label=f"{name} {common}") for n, name in enumerate(short)]
    lines = watched_lines(Watched(status(), runs), width, LONG)
    assert [name in line for name, line in zip(short, lines[4:], strict=True)] == [True] * 4
    assert max(map(len, lines)) <= width


def test_what_has_no_room_in_a_column_is_on_a_line_below() -> None:
    short = [f"encoder.width {wide}, {'decoder.depth 12, ' * 2}seed 0" for wide in (8, 16)]
    runs = [running(n, short=name, label=f"{name} (fit:train)") for n, name in enumerate(short)]
    lines = watched_lines(Watched(status(), runs), WIDE, 3)
    assert lines[3].split() == ["run", "epoch", "test_accuracy", "train_loss", "running", "left"]
    assert lines[5] == f"  {short[0]} (fit:train)"
    assert lines[6] == "and 1 more"
    networks = [running(n, label=f"zerosnet (1/3, {n}; 1), depth 32, seed 0") for n in (1, 2)]
    lines = watched_lines(Watched(status(), networks), WIDE, LONG)
    assert lines[5::2] == [f"  {run.label}" for run in networks]


def test_why_a_run_failed_is_seen_whatever_it_is_called() -> None:
    failed = Failure("f" * 16, "lr 0.1, " * 20, "ValueError: no such column: 'age'", 1)
    lines = watched_lines(Watched(status(failures=[failed]), []), WIDE, LONG)
    assert lines[-1] == "  ValueError: no such column: 'age'"
    assert re.fullmatch(r"failed ffffffff lr 0.1, .*[.]{3}", lines[-2])


def test_named_metrics_are_shown_in_their_order() -> None:
    run = running(values={"f1": 0.5, "auc": None, "loss": 0.123456789, "zeta": 1.0})
    lines = watched_lines(Watched(status(), [run]), WIDE, LONG, ["loss", "auc", "none"])
    assert lines[3].split()[2:5] == ["loss", "auc", "none"]
    assert lines[4].split()[-6:] == ["0.123457", "not", "finite", "-", "1:00", "3:00"]
    lines = watched_lines(Watched(status(), [run]), 120, LONG)
    assert lines[3].split() == ["run", "epoch", "auc", "f1", "loss", "running", "left"]


def test_what_stands_still_is_said() -> None:
    waiting = Watched(status(counts={"done": 1, "queued": 2}, rate_per_hour=None), [])
    advice = ["nothing is running; to go on:", "sweep resume s --home a"]
    assert watched_lines(waiting, WIDE, LONG, home=" --home a")[-2:] == advice
    driven = Watched(waiting.status, [], is_driven=True)
    assert "nothing is running; to go on:" not in watched_lines(driven, WIDE, LONG)
    gone = DriverStatus("host", 1, 2, 0.0, gone=True)
    left = Watched(status(counts={"running": 2}, drivers=[gone]), [running(1), running(2)])
    assert watched_lines(left, 30, LONG, home=" --home elsewhere")[-4:] == [
        "2 runs with a driver that is", "gone; to go on:",
        "sweep resume s --home \\", "  elsewhere",
    ]  # fmt: skip
    assert not waiting.is_over
    over = Watched(status(counts={"done": 3, "failed": 1}, seconds_left=0.0), [])
    assert over.is_over
    assert watched_lines(over, WIDE, LONG)[0] == "s: 3 of 4 done, 0 running, 1 failed"
    nothing = Watched(status(counts={}), [])
    assert watched_lines(nothing, WIDE, LONG)[1].startswith("####")


def progress(*epochs: int, **more: Any) -> RunProgress:
    given: dict[str, Any] = {
        "run_id": "r", "label": "fit:train, seed 0", "state": "running", "attempt": 1, "epochs": 20,
        "error": None, "reported": {epoch: {"f1": epoch / 10} for epoch in epochs},
    }  # fmt: skip
    return RunProgress(**(given | more))


def test_each_epoch_is_a_line_once() -> None:
    lines = EpochLines(None)
    assert lines.new_lines(progress(1, 2)) == [
        "run r: fit:train, seed 0", "epoch  1/20  f1 0.1", "epoch  2/20  f1 0.2",
    ]  # fmt: skip
    assert lines.since == 2
    assert lines.new_lines(progress(2)) == []
    assert lines.new_lines(progress(2, 3)) == ["epoch  3/20  f1 0.3"]
    assert lines.new_lines(progress(3, state="done")) == ["done"]


def test_epochs_that_an_attempt_did_again_are_shown_where_they_differ() -> None:
    lines = EpochLines(None)
    lines.new_lines(progress(*range(1, 8)))
    assert lines.new_lines(progress(7, state="queued")) == []
    # It went on at epoch 5: the last one that was shown is gone.
    assert lines.new_lines(progress(attempt=2)) == ["attempt 2"]
    assert lines.since == 0
    again = progress(1, 2, 3, 4, 5, attempt=2)
    again.reported[5] = {"f1": 0.55}
    assert lines.new_lines(again) == ["epoch  5/20  f1 0.55"]
    assert lines.new_lines(progress(*range(1, 9), attempt=2))[-1] == "epoch  8/20  f1 0.8"
    assert lines.since == 8


def test_no_value_is_cut_and_named_metrics_come_in_their_order() -> None:
    reported = {1: {"loss": 1 / 3, "a_long_name_of_a_metric": 12.5, "f1": None}}
    one = progress(epochs=160, reported=reported)
    (_, line) = EpochLines(40).new_lines(one)
    assert line.splitlines() == [
        "epoch   1/160  loss 0.333333",
        "               a_long_name_of_a_... 12.5",
        "               f1 not finite",
    ]
    (_, line) = EpochLines(40, ["f1", "loss", "none", "f1"]).new_lines(one)
    assert line.split() == [
        "epoch", "1/160", "f1", "not", "finite", "loss", "0.333333", "none", "-",
    ]  # fmt: skip


def test_of_a_long_run_the_last_epochs_are_shown_and_lines_fit() -> None:
    lines = EpochLines(12)
    found = lines.new_lines(progress(*range(1, 101), epochs=None, state="failed", error="no\nmore"))
    assert found[1] == "80 epochs before"
    assert found[2:4] == ["epoch    81\n  f1 8.1", "epoch    82\n  f1 8.2"]
    assert len(found) == 2 + 20 + 1
    assert found[-1] == "failed: n..."
