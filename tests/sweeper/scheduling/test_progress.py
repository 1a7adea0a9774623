from __future__ import annotations

import io
import sys

import pytest

from results.records import OtherDriver
from sweeper.scheduling import progress
from sweeper.scheduling.progress import (
    LiveProgress,
    Progress,
    format_duration,
    format_rate,
    format_seconds,
    in_brief,
    make_progress,
)

RESULT = {"test_accuracy": 90.0}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


@pytest.fixture
def stream():
    return io.StringIO()


@pytest.fixture
def plain(stream, clock):
    return Progress(stream)


def lines(stream) -> list[str]:
    return stream.getvalue().splitlines()


def test_plain_progress_begins_and_ends_with_counts(plain, stream, clock):
    with plain.following("mine", done=10, total=30):
        clock.now += 60
    assert lines(stream) == [
        "mine: 10 of 30 done before",
        "mine: 10 of 30 done, 0 running, 0 failed",
    ]


def test_plain_progress_reports_the_end_even_after_an_interrupt(plain, stream):
    def interrupted():
        with plain.following("mine", done=0, total=3):
            plain.finished("a", RESULT)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert lines(stream)[-1] == "mine: 1 of 3 done, 0 running, 0 failed"


def test_progress_counts_include_rate_and_time_left(plain, clock):
    with plain.following("mine", done=10, total=30):
        assert plain.counts() == "10 of 30 done, 0 running, 0 failed"
        plain.running(2)
        clock.now += 30
        plain.finished("a", RESULT)
        plain.failed("b", "12ab", "ValueError")
        # One of the twenty in half a minute: two a minute, and eighteen more to come.
        assert plain.counts() == "11 of 30 done, 2 running, 1 failed, 2.0 a minute, 9:00 left"


@pytest.mark.parametrize(
    ("per_hour", "said"),
    [(2.54, "2.5 an hour"), (90.0, "1.5 a minute"), (85154.8, "23.7 a second")],
)
def test_a_rate_has_the_unit_that_people_would_take(per_hour, said):
    assert format_rate(per_hour) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.00668, "7 ms"), (21.78, "21.8 s"), (59.96, "1:00"), (77.2, "1:17"), (7400, "2:03:20")],
)
def test_a_duration_has_the_unit_that_people_would_take(seconds, said):
    assert format_duration(seconds) == said


def test_of_a_long_error_its_beginning_and_its_end_are_told(plain, stream):
    assert in_brief("short") == "short"
    with plain.following("mine", done=0, total=1):
        plain.failed("b", "12ab", f"ValueError: first {'x' * 1500} last")
    told = next(line for line in lines(stream) if "FAILED" in line)
    assert "FAILED b: ValueError: first xxx" in told
    assert told.endswith("xxx last (sweep show 12ab)")
    assert len(told) < 400


def test_failures_alone_have_no_rate(plain, clock):
    with plain.following("mine", done=10, total=30, failed=1):
        clock.now += 0.01
        plain.failed("b", "12ab", "ValueError")
        assert plain.counts() == "10 of 30 done, 0 running, 2 failed"


def test_plain_progress_does_not_end_with_the_line_that_it_has_just_printed(plain, stream, clock):
    with plain.following("mine", done=1, total=9):
        plain.running(1)
    assert lines(stream)[1:] == ["mine: 1 of 9 done, 1 running, 0 failed"]
    with plain.following("mine", done=1, total=9):
        clock.now += 5
        plain.running(2)
        plain.running(0)
    assert [line.partition(" done, ")[2] for line in lines(stream)[-2:]] == [
        "2 running, 0 failed",
        "0 running, 0 failed",
    ]


def test_plain_progress_prints_few_lines_for_quick_runs(plain, stream, clock):
    with plain.following("mine", done=0, total=100):
        for number in range(100):
            clock.now += 0.1
            plain.finished(f"run {number}", RESULT)
    shown = [line for line in lines(stream) if "; done " in line]
    assert [line.rpartition("; ")[2] for line in shown] == [
        "done run 0: test accuracy 90.00 %",
        "done run 50: test accuracy 90.00 %",
    ]
    assert lines(stream)[-1].startswith("mine: 100 of 100 done, 0 running")


def test_plain_progress_tells_at_once_that_runs_have_started_and_then_what_changes(
    plain, stream, clock
):
    with plain.following("mine", done=1, total=9):
        plain.running(0)
        assert len(lines(stream)) == 1
        plain.running(1)
        assert lines(stream)[1:] == ["mine: 1 of 9 done, 1 running, 0 failed"]
        clock.now += 1
        plain.running(2)
        plain.finished("a", RESULT)
        assert lines(stream)[2].endswith("; done a: test accuracy 90.00 %")
        clock.now += 4
        plain.running(3)
        assert len(lines(stream)) == 3
        clock.now += 1
        plain.running(3)
        assert lines(stream)[3].startswith("mine: 2 of 9 done, 3 running, 0 failed")
        for _ in range(1199):
            clock.now += 0.25
            plain.running(3)
        assert len(lines(stream)) == 4
        clock.now += 0.25
        plain.running(3)
        assert len(lines(stream)) == 5  # after five minutes, though nothing has changed


def test_progress_prints_every_failure_and_retry(plain, stream):
    with plain.following("mine", done=0, total=9):
        plain.finished("a", RESULT)
        for number in range(3):
            plain.failed(f"b{number}", "12ab", "ValueError: no")
            plain.again(f"c{number}", "node died")
    text = stream.getvalue()
    for number in range(3):
        assert f"; FAILED b{number}: ValueError: no (sweep show 12ab)\n" in text
        assert f"; trying c{number} again: node died\n" in text
    assert lines(stream)[-1] == "mine: 1 of 9 done, 0 running, 3 failed"


def test_progress_prints_each_reason_for_waiting_runs_once(plain, stream):
    with plain.following("mine", done=0, total=9):
        for notes in ({"12ab": "disk away"}, {"12ab": "disk away"}, {}, {"12ab": "disk away"}):
            plain.running(1, notes)
    assert stream.getvalue().count("; 12ab waits: disk away\n") == 2


def test_progress_prints_other_drivers_when_they_change(plain, stream):
    with plain.following("mine", done=0, total=9):
        for drivers in ([OtherDriver("a", 1, 2)], [OtherDriver("a", 1, 2)], [], []):
            plain.others(drivers)
        plain.others([OtherDriver("a", 1, 2), OtherDriver("b", 3, 1)])
    assert [line for line in lines(stream) if "other drivers" in line] == [
        "mine: 0 of 9 done, 0 running, 0 failed; waiting for runs of other drivers: " + text
        for text in ("2 with a (process 1)", "2 with a (process 1), 1 with b (process 3)")
    ]


@pytest.mark.parametrize("make", [Progress, LiveProgress])
def test_progress_prints_text_from_elsewhere_on_one_line_of_bounded_length(make):
    stream = io.StringIO()
    progress = make(stream)
    with progress.following("mine", done=0, total=9):
        progress.failed("a", "12ab", "\x1b[2Jred\u202e\nmine: 9 of 9 done" + "x" * 1_000_000)
    text = stream.getvalue().replace("\n", "")  # of which rich makes several
    assert r"\x1b[2Jred\u202e mine: 9 of 9 done" in text
    assert len(text) < 6_000


@pytest.mark.parametrize("make", [Progress, LiveProgress])
def test_progress_prints_what_the_driver_waits_for_at_any_time(make):
    stream = io.StringIO()
    progress = make(stream)
    progress.waiting("the database is away")
    with progress.following("mine", done=0, total=9):
        progress.waiting("the disk is away")
        progress.taken("run 1")
    text = stream.getvalue()
    assert all(said in text for said in ("the database is away", "the disk is away", "run 1"))


def test_progress_counts_a_run_without_accuracy_as_done(plain, stream):
    with plain.following("mine", done=0, total=1):
        plain.finished("a", None)
    assert lines(stream)[1].endswith("; done a")


def test_live_progress_prints_failures_and_survives_markup():
    stream = io.StringIO()
    live = LiveProgress(stream)
    with live.following("mine", done=1, total=4):
        live.running(1)
        live.finished("quiet", RESULT)
        live.failed("lambda [red]x[/]", "12ab", "KeyError: '[/nothing]'")
        live.again("d", "node died")
    text = stream.getvalue()
    assert "FAILED lambda [red]x[/]: KeyError: '[/nothing]' (sweep show 12ab)" in text
    assert "trying d again: node died" in text
    assert "quiet" not in text
    assert "2 of 4 done, 1 running, 1 failed" in text


@pytest.mark.parametrize(
    ("out", "err", "kind"),
    [
        (True, True, LiveProgress),
        (False, True, Progress),
        (True, False, Progress),
        (False, False, Progress),
    ],
)
def test_live_progress_needs_a_terminal_on_both_streams(out, err, kind, monkeypatch):
    for name, is_terminal in (("stdout", out), ("stderr", err)):
        fake = io.StringIO()
        monkeypatch.setattr(fake, "isatty", lambda answer=is_terminal: answer)
        monkeypatch.setattr(sys, name, fake)
    monkeypatch.setenv("TERM", "xterm")
    assert type(make_progress()) is kind


@pytest.mark.parametrize("term", ["dumb", "unknown"])
def test_a_terminal_that_cannot_go_back_gets_plain_lines(term, monkeypatch):
    monkeypatch.setenv("TERM", term)
    for name in ("stdout", "stderr"):
        fake = io.StringIO()
        monkeypatch.setattr(fake, "isatty", lambda: True)
        monkeypatch.setattr(sys, name, fake)
    assert type(make_progress()) is Progress


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0:00"),
        (6.6, "0:07"),
        (59.6, "1:00"),
        (77, "1:17"),
        (3599.4, "59:59"),
        (3599.6, "1:00:00"),
        (7400, "2:03:20"),
        (360_000, "100:00:00"),
    ],
)
def test_seconds_are_formatted_as_readable_durations(seconds, shown):
    assert format_seconds(seconds) == shown


def test_progress_counts_no_run_as_running_that_has_ended(plain):
    with plain.following("mine", done=0, total=2):
        plain.running(2)
        plain.finished("a", RESULT)
        plain.finished("b", RESULT)
        assert plain.counts().startswith("2 of 2 done, 0 running, 0 failed")


def test_a_failure_says_the_command_with_the_options_that_find_its_home(stream, clock):
    progress = Progress(stream, " --home elsewhere")
    with progress.following("mine", done=0, total=2):
        progress.failed("a", "12ab", "ValueError")
    assert "(sweep show 12ab --home elsewhere)" in stream.getvalue()
