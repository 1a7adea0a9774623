"""Merging what the attempts of an archive say of code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Set
from typing import Final

from sqlalchemy import Connection, select

from results.archive.reading import Archive
from results.database.dialects import insert_rows, is_one_of
from results.records import Row
from results.schema.tables import CODE_OF_ATTEMPTS, code_states

_KEY: Final = code_states.c.sha256
_ROWS_AT_ONCE = 100
"""Each can take tens of kilobytes."""


class CodeStates:
    """What was brought of the archive's `code_states`; `tally` is raised by what became of them."""

    def __init__(self, connection: Connection, archive: Archive, tally: Counter[str]) -> None:
        self._connection = connection
        self._archive = archive
        self._tally = tally
        self._brought: set[str] = set()

    def bring(self, attempts: Iterable[Row]) -> None:
        """Adds what these attempts refer to, unless it is here: to be called before they are."""
        named = {row[column.name] for row in attempts for column in CODE_OF_ATTEMPTS} - {None}
        new = named - self._brought
        self._brought |= new
        here = self._here(new)
        self._tally["already_here"] += len(here)
        missing = is_one_of("sqlite", _KEY, new - here)
        for rows in self._archive.batches(code_states, missing, at_once=_ROWS_AT_ONCE):
            names = list(rows[0])
            values = [tuple(row.values()) for row in rows]
            insert_rows(self._connection, code_states, names, values)
            self._tally["inserted"] += len(rows)

    def count_the_others(self) -> None:
        """Those that no attempt which was added refers to."""
        for rows in self._archive.batches(code_states, at_once=_ROWS_AT_ONCE):
            others = {row[_KEY.name] for row in rows} - self._brought
            here = self._here(others)
            self._tally["already_here"] += len(here)
            self._tally["left_out"] += len(others) - len(here)

    def _here(self, keys: Set[str]) -> set[str]:
        these = is_one_of(self._connection.dialect.name, _KEY, keys)
        return set(self._connection.scalars(select(_KEY).where(these)))
