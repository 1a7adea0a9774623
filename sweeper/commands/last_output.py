"""The last lines that attempts wrote, beside the reasons why they failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from sweep_plugins.plain_text import shortened
from sweeper.commands.bounded_reading import read_within_seconds

LAST_LINES = 20
"""Where a run is shown in full; `sweep logs` shows all."""

LONGEST = 500
"""Characters of a line."""

MOST_ATTEMPTS = 50
"""That have lines; one whose attempt wrote nothing takes no place of another's."""

_ENDED_BADLY = ("failed", "lost")


def last_output(
    attempts: Iterable[Mapping[str, Any]], lines: int, most: int = MOST_ATTEMPTS
) -> dict[tuple[str, int], Sequence[str]]:
    """The last lines of those attempts that failed or were lost, by run id and number.

    What cannot be read now is left out.

    Args:
        attempts: rows as those of `Queries.attempt_rows`.
        lines: how many of each.
        most: attempts that have lines; those after them are left out.
    """
    asked = [
        attempt
        for attempt in attempts
        if attempt["state"] in _ENDED_BADLY
        and attempt["storage"] is not None
        and attempt["imported_from"] is None
    ]
    found: dict[tuple[str, int], Sequence[str]] = {}
    if asked:
        read_within_seconds(_read, asked, lines, most, found)
    return dict(found)


def _read(
    attempts: Iterable[Mapping[str, Any]],
    count: int,
    most: int,
    found: dict[tuple[str, int], Sequence[str]],
) -> None:
    from sweeper.logs.ranks import rank_of
    from sweeper.logs.reading import attempt_folder, last_lines
    from trainers.errors import StorageError
    from trainers.storage import open_folder

    for attempt in attempts:
        if len(found) >= most:
            return
        run_id, number = attempt["run_id"], attempt["attempt"]
        with suppress(StorageError):
            folder = attempt_folder(open_folder(attempt["storage"]), run_id, number)
            # Of several processes, of that which is to blame.
            if lines := last_lines(folder, count, rank_of(attempt["error"])):
                found[run_id, number] = [shortened(line, LONGEST) for line in lines]
