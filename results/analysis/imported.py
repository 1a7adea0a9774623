"""How a table says that some of its numbers came with an archive."""

from __future__ import annotations

from collections.abc import Iterable

from results.metrics import counted
from results.records import RunRow


def imported_note(imported: int, measured_elsewhere: int = 0) -> str:
    """How many runs an archive brought, and how many others have measurements from one; or ""."""
    parts = [f"{counted(imported, 'run')} imported"] if imported else []
    if measured_elsewhere:
        parts.append(f"{counted(measured_elsewhere, 'run')} with imported measurements")
    return ", ".join(parts)


def note_about(rows: Iterable[RunRow]) -> str:
    """The same about the done runs among these."""
    done = [row for row in rows if row["state"] == "done"]
    own = [row for row in done if not row.get("imported")]
    measured = sum(any(e.get("imported") for e in row["evaluations"]) for row in own)
    return imported_note(len(done) - len(own), measured)
