"""What becomes of one run of an archive, given what the database knows of it.

Pure functions over rows; `results.archive.merging_runs` reads and writes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from results.archive.merged import Conflict, ConflictKind, Difference
from results.records import Row
from results.run_columns import RUN_COLUMNS
from results.schema.tables import CODE_OF_ATTEMPTS

RESULT = tuple(column.name for column in RUN_COLUMNS if column.reproducible)
"""Columns in which two trainings of one run agree. Times, say, always differ."""

STILL_RUNNING = "the run was still running when its archive was written"
"""The error of attempts closed by an import. An archive that knows how one ended completes it."""

_KEPT_HERE = ("attempt", "created_at", "retried_after")
"""Columns of a run that a result from elsewhere does not bring along."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to write about a run, and what to take of its epochs and measurements.

    `fate` is what becomes of the run's own row, in the words of `Counts`; `last_attempt` is its
    new attempt number, if it rises without a result. Rows of attempts have their numbers here.
    """

    fate: Literal["inserted", "completed", "already_here", "left_out"]
    row: Row | None = None
    last_attempt: int | None = None
    new_attempts: Sequence[Row] = ()
    completed_attempts: Sequence[Row] = ()
    attempts_already_here: int = 0
    attempts_left_out: int = 0
    epochs: Literal["inserted", "already_here", "left_out"] = "left_out"
    evaluations: bool = False
    conflict: Conflict | None = None


def decide(
    run: Row, tried: Sequence[Row], here: Row | None, tried_here: Sequence[Row], exported_at: float
) -> Decision:
    """What becomes of `run` of an archive, with its attempts `tried`, at `exported_at` (seconds).

    `here` is the run as the database has it, if it does, with its attempts `tried_here`.
    """
    if here is None:
        return Decision(
            "inserted",
            row=run | {"state": "queued"} if run["state"] == "running" else run,
            new_attempts=[_closed(attempt, exported_at) for attempt in tried],
            epochs="inserted",
            evaluations=True,
        )
    matched = [_find(attempt, tried_here) for attempt in tried]
    known = sum(found is not None for found in matched)
    stays = Decision(
        "already_here", attempts_already_here=known, attempts_left_out=len(tried) - known
    )
    if run["config"] != here["config"]:
        return _left_out(stays, "config", run, here, ("config",))
    if here["state"] == "done":
        return _into_done_run(stays, run, here)
    if here["state"] == "running":
        # Its driver holds it by the attempt's number, which no other process may raise.
        news = run["state"] == "done" or known < len(tried)
        return _left_out(stays, "running", run, here, ()) if news else stays
    return _joined(run, tried, here, tried_here, matched, exported_at)


def _into_done_run(stays: Decision, run: Row, here: Row) -> Decision:
    """Done is final: only measurements of the same network can still be added."""
    if run["state"] != "done":
        return stays
    differ = [name for name in RESULT if run[name] != here[name]]
    if not differ:
        return replace(stays, epochs="already_here", evaluations=True)
    same_network = "weights_sha256" not in differ and here["weights_sha256"] is not None
    return replace(
        _left_out(stays, "result", run, here, differ), epochs="left_out", evaluations=same_network
    )


def _left_out(
    stays: Decision, kind: ConflictKind, run: Row, here: Row, columns: Sequence[str]
) -> Decision:
    differences = tuple(Difference(name, here[name], run[name]) for name in columns)
    conflict = Conflict(kind, run["run_id"], None, differences)
    return replace(stays, fate="left_out", conflict=conflict)


def _joined(
    run: Row,
    tried: Sequence[Row],
    here: Row,
    tried_here: Sequence[Row],
    matched: Sequence[Row | None],
    exported_at: float,
) -> Decision:
    """A run without a result here: its attempts from both sides, and the archive's result.

    Attempts of the archive that are not known here come after those that are, with new numbers.
    """
    last = max((here["attempt"], *(attempt["attempt"] for attempt in tried_here)))
    number_here: dict[int, int] = {}
    new: list[Row] = []
    completed: list[Row] = []
    for attempt, found in zip(tried, matched, strict=True):
        last += found is None
        number = number_here[attempt["attempt"]] = found["attempt"] if found else last
        closed = _closed(attempt, exported_at) | {"attempt": number}
        if found is None:
            new.append(closed)
        elif found["error"] == STILL_RUNNING != closed["error"]:
            completed.append(closed)
    done = run["state"] == "done"
    result = {name: value for name, value in run.items() if name not in _KEPT_HERE}
    return Decision(
        "completed" if done else "already_here",
        row=result | {"attempt": number_here[run["attempt"]]} if done else None,
        last_attempt=last if new and not done else None,
        new_attempts=new,
        completed_attempts=completed,
        attempts_already_here=len(tried) - len(new) - len(completed),
        # What both reported so far of a run that neither finished may be of different attempts.
        epochs="inserted" if done else "left_out",
        evaluations=done,
    )


def _find(attempt: Row, among: Sequence[Row]) -> Row | None:
    """The same execution, whatever its number, and whether or not it had ended by then.

    It began at the same moment, and what both say of its provenance agrees: the end of an
    attempt adds to that, and changes nothing. What ended here without a result made none there.
    """
    for other in among:
        if other["started_at"] != attempt["started_at"]:
            continue
        if attempt["state"] == "done" != other["state"] and other["error"] != STILL_RUNNING:
            continue
        if _agree(other["provenance"], attempt["provenance"]) and _agree(
            _code_of(other), _code_of(attempt)
        ):
            return other
    return None


def _agree(ours: Row, theirs: Row) -> bool:
    return all(ours[key] == theirs[key] for key in ours.keys() & theirs.keys())


def _code_of(attempt: Row) -> Row:
    return {c.name: attempt[c.name] for c in CODE_OF_ATTEMPTS if attempt[c.name] is not None}


def _closed(attempt: Row, exported_at: float) -> Row:
    """The attempt; one that was open ended, for all that is known here, with the export."""
    if attempt["state"] != "running":
        return attempt
    return attempt | {
        "state": "interrupted",
        "finished_at": max(exported_at, attempt["started_at"]),
        "error": STILL_RUNNING,
    }
