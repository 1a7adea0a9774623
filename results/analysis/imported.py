"""What an archive brought, and how numbers say so.

Whatever is made of runs has MARKS, in every format for programs; tables for people have a column of
them where it says anything.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from results.metrics import counted
from results.records import RunRow

MARKS = ("imported", "measured_elsewhere")
"""Of done runs: how many an archive brought, and how many others have measurements from one."""


def marks_of(rows: Iterable[RunRow], evaluations: Container[str] | None = None) -> dict[str, int]:
    """MARKS of the done runs among these; only measurements of these evaluations count, or all."""
    done = [row for row in rows if row["state"] == "done"]
    own = [row for row in done if not row.get("imported")]
    measured = sum(has_measurements_of_others(row, evaluations) for row in own)
    return dict(zip(MARKS, (len(done) - len(own), measured), strict=True))


def has_measurements_of_others(row: RunRow, evaluations: Container[str] | None = None) -> bool:
    """Whether an archive brought one to a run that was trained here."""
    return not row.get("imported") and any(
        evaluation.get("imported") and (evaluations is None or evaluation["name"] in evaluations)
        for evaluation in row["evaluations"]
    )


def imported_note(imported: int, measured_elsewhere: int = 0) -> str:
    """How many runs an archive brought, and how many others have measurements from one; or ""."""
    parts = [f"{counted(imported, 'run')} imported"] if imported else []
    if measured_elsewhere:
        parts.append(f"{counted(measured_elsewhere, 'run')} with imported measurements")
    return ", ".join(parts)


def note_about(rows: Iterable[RunRow], evaluations: Container[str] | None = None) -> str:
    """The same about the done runs among these."""
    return imported_note(**marks_of(rows, evaluations))
