from __future__ import annotations

import time

import pytest

from sweeper.commands import bounded_reading
from sweeper.commands.last_output import last_output


@pytest.fixture
def attempt(tmp_path):
    folder = tmp_path / "0123456789abcdef" / "2"
    folder.mkdir(parents=True)
    lines = [f"2026-01-02T03:04:05Z line {number}\n" for number in range(9)]
    (folder / "log-0.txt").write_text("".join(lines) + f"2026-01-02T03:04:05Z {'x' * 9_000}\n")
    return {
        "run_id": "0123456789abcdef",
        "attempt": 2,
        "state": "failed",
        "storage": str(tmp_path),
        "imported_from": None,
        "error": None,
    }


def test_the_last_lines_are_shortened(attempt):
    (lines,) = last_output([attempt], 3).values()
    assert lines[:2] == ["line 7", "line 8"]
    assert len(lines[2]) < 600


def test_of_several_processes_they_are_those_of_the_one_that_the_error_is_of(attempt, tmp_path):
    log = tmp_path / "0123456789abcdef" / "2" / "log-rank1-0.txt"
    log.write_text("2026-01-02T03:04:05Z the last words of rank 1\n")
    for error in ("rank 1 of 2: killed", "its worker was lost 3 times: rank 1 of 2: killed"):
        assert list(last_output([attempt | {"error": error}], 3).values()) == [
            ["the last words of rank 1"]
        ]
    assert last_output([attempt | {"error": "rank 7 of 8: killed"}], 3) == {}
    (lines,) = last_output([attempt | {"error": "it is no rank 1 of 2"}], 3).values()
    assert lines[0] == "line 7"


@pytest.mark.parametrize(
    "change",
    [
        {"state": "done"},
        {"state": "running"},
        {"storage": None},
        {"imported_from": "archive.db"},
        {"attempt": 1},
        {"storage": "nosuchscheme://host/runs"},
    ],
)
def test_of_others_there_are_none(attempt, change):
    assert last_output([{**attempt, **change}], 3) == {}


def test_those_that_wrote_nothing_take_no_place(attempt):
    silent = [{**attempt, "attempt": number} for number in range(3, 9)]
    assert list(last_output([*silent, attempt], 3, most=1)) == [("0123456789abcdef", 2)]
    assert last_output([attempt, *silent], 3, most=0) == {}


def test_nobody_waits_long_for_a_storage_that_is_away(attempt, monkeypatch):
    monkeypatch.setattr(bounded_reading, "SECONDS", 0.05)
    monkeypatch.setattr("sweeper.logs.reading.last_lines", lambda *_: time.sleep(60))
    started = time.monotonic()
    assert last_output([attempt], 3) == {}
    assert time.monotonic() - started < 30
