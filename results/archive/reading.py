"""Reading an archive. Nothing of it is believed before all of it was checked."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, select
from sqlalchemy.exc import DBAPIError

from results.archive.chosen import rows_at_once
from results.database.connect import connect
from results.database.dialects import rows_as_dicts
from results.database.integrity import corruptions
from results.database.url import sqlite_url
from results.errors import ArchiveError, BadArchiveError, DatabaseError
from results.records import Row
from results.schema.archive_note import ArchiveNote, archive_note, content_sha256, is_archive
from results.schema.tables import IMPORT_MARKS, attempts, runs, sweeps

_MAGIC = b"SQLite format 3\0"
_LOCAL = IMPORT_MARKS | {attempts.c.driver_id}
"""Columns that mean nothing in another database."""


class Archive:
    """A sweep database file, checked, in one consistent view.

    Its rows are dicts by column name; a sweep's number is the archive's own.
    """

    def __init__(self, path: Path, connection: Connection) -> None:
        self.path = path
        self._connection = connection
        order = (sweeps.c.created_at, sweeps.c.name)
        self.sweep_rows = rows_as_dicts(connection.execute(select(sweeps).order_by(*order)))
        """The sweeps, the one created first in front."""
        self._note = self._read_note()
        self.exported_at = self._note.created_at if self._note else path.stat().st_mtime
        """When it was written, in seconds since the epoch."""
        self.content_sha256 = ""
        """Of all that it says, once it was checked."""

    @property
    def sweeps(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(row["name"] for row in self.sweep_rows)

    def _read_note(self) -> ArchiveNote | None:
        """None of a database that no export made."""
        if not is_archive(self._connection):
            return None
        try:
            (row,) = self._connection.execute(select(archive_note)).mappings()
            return ArchiveNote.model_validate(dict(row), strict=True)
        except ValueError:
            problem = f"its table {archive_note.name} has not one row with a time and a hash"
            raise self.bad(problem) from None

    def check(self) -> None:
        """Raises BadArchiveError unless every row can be believed."""
        problem = next(corruptions(self._connection), None)
        if problem is not None:
            raise self.bad(problem)
        for name in self.sweeps:
            if not name.isprintable():
                raise self.bad(
                    f"the name {name!r} of a sweep has characters that cannot be printed"
                )
        # This reads every text, which may turn out not to be UTF-8.
        self.content_sha256 = content_sha256(self._connection)
        if self._note and self._note.content_sha256 != self.content_sha256:
            raise self.bad("its content was changed after it was written: copy it again")

    def batches(
        self, table: Table, where: Any = None, order: Any = None, *, at_once: int | None = None
    ) -> Iterator[list[Row]]:
        """The rows of a table, some thousand at once, in the order of its key or in `order`."""
        columns = [column for column in table.columns if column not in _LOCAL]
        query = select(*columns).order_by(*([order] if order is not None else table.primary_key))
        if where is not None:
            query = query.where(where)
        size = at_once or rows_at_once(table)
        try:
            result = self._connection.execute(query, execution_options={"yield_per": size})
            names = tuple(result.keys())
            for part in result.partitions():
                yield [dict(zip(names, row, strict=True)) for row in part]
        except DBAPIError as error:
            raise self.bad(str(error.orig)) from error

    def runs_with_attempts(self) -> Iterator[tuple[Row, list[Row]]]:
        """Every run with its attempts, in order of their ids and numbers."""
        by_run = itemgetter("run_id")
        rows = (row for batch in self.batches(attempts) for row in batch)
        tried = groupby(rows, key=by_run)
        run_id, found = next(tried, (None, iter(())))
        for run in (row for batch in self.batches(runs) for row in batch):
            if run["run_id"] == run_id:
                yield run, list(found)
                run_id, found = next(tried, (None, iter(())))
            else:
                yield run, []

    def bad(self, problem: str) -> BadArchiveError:
        """The error that says what is wrong with this archive."""
        return BadArchiveError(self.path, problem)


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """What `export` wrote, or any other sweep database file, for as long as the block runs.

    The whole content is checked by the rules of the tables. Nothing of the file is changed.

    Raises BadArchiveError if it is no such file, or a row breaks a rule, refers to nothing, or
    contradicts another: the message names table, column and row. Raises ArchiveError if it has
    the schema of another version.
    """
    try:
        path = path.resolve()
    except (OSError, RuntimeError) as error:  # a loop of links, until Python 3.13
        raise BadArchiveError(path, f"it cannot be read ({error})") from None
    _require_sqlite(path)
    try:
        database = connect(sqlite_url(path), "read")
    except DatabaseError as error:
        raise ArchiveError(f"nothing was imported: {error}") from None
    with closing(database), database.reading() as connection:
        try:
            archive = Archive(path, connection)
            archive.check()
        except (DBAPIError, sqlite3.Error, UnicodeError) as error:
            raise BadArchiveError(path, str(getattr(error, "orig", error))) from error
        yield archive


def _require_sqlite(path: Path) -> None:
    if path.exists() and not path.is_file():
        raise BadArchiveError(path, "it is no file")
    try:
        with path.open("rb") as file:
            start = file.read(len(_MAGIC))
    except OSError as error:
        raise BadArchiveError(path, f"it cannot be read ({error.strerror})") from None
    if start != _MAGIC:
        raise BadArchiveError(path, "it is no SQLite file; name one that 'sweep export' wrote")
