"""Reading an archive. Nothing of it is believed before all of it was checked."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, Select, Table, select
from sqlalchemy.exc import DBAPIError

from results.archive import plain_file
from results.archive.chosen import rows_at_once
from results.archive.plausible import implausible, oversized
from results.database import migrations
from results.database.connect import connect, open_unchecked
from results.database.dialects import rows_as_dicts
from results.database.integrity import corruptions, other_columns
from results.database.url import sqlite_url
from results.errors import ArchiveError, BadArchiveError, DatabaseError
from results.garbage_collection import without_cycle_collection
from results.records import Row
from results.run_columns import problem_of_metric
from results.schema import revisions
from results.schema.archive_note import ArchiveNote, archive_note, content_sha256, is_archive
from results.schema.bounds import MOMENT
from results.schema.tables import (
    IMPORT_MARKS,
    TAGS,
    attempts,
    epoch_metrics,
    evaluation_configs,
    files,
    metrics,
    runs,
    sweeps,
)
from sweep_plugins.file_path import problem_of_path
from sweep_plugins.plain_text import LONGEST_ERROR, LONGEST_TRACEBACK, shortened
from sweep_plugins.tag_name import problem_of_tag
from sweep_plugins.url_secrets import without_secrets

_LOCAL = IMPORT_MARKS | {attempts.c.driver_id}
"""Columns that mean nothing in another database."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What configs mean, which those who make them know.

    `check_run` and `check_evaluation` raise ValueError, with the reason, for a row that is not what
    its config says; `complete_run` gives a row that passed with all that follows from its config.
    """

    check_run: Callable[[Row], None]
    complete_run: Callable[[Row], Row]
    check_evaluation: Callable[[Row], None]


class Archive:
    """A sweep database file, checked, in one consistent view.

    Its rows are dicts by column name; a sweep's number is the archive's own. Without a `meaning`
    configs are taken as they are.
    """

    def __init__(self, path: Path, connection: Connection, meaning: Meaning | None = None) -> None:
        self.path = path
        self._connection = connection
        self._meaning = meaning
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
            note = ArchiveNote.model_validate(dict(row), strict=True)
        except ValueError:
            problem = f"its table {archive_note.name} has not one row with a time and a hash"
            raise self.bad(problem) from None
        if note.created_at not in MOMENT:
            raise self.bad(f"it was written at {note.created_at:g} s, which is no time")
        return note

    @without_cycle_collection()
    def check(self) -> None:
        """Raises BadArchiveError unless every row can be believed."""
        bounded = partial(corruptions, bounded=True)
        for problems in (other_columns, oversized, bounded, implausible):
            problem = next(problems(self._connection), None)
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
        for table in TAGS:
            for tag in self._connection.scalars(select(table.c.tag).distinct()):
                if (problem := problem_of_tag(tag)) is not None:
                    raise self.bad(problem)
        for table in (metrics, epoch_metrics):
            for name in self._connection.scalars(select(table.c.name).distinct()):
                if (problem := problem_of_metric(name)) is not None:
                    raise self.bad(f"{table.c.name}: {name!r:.120} {problem}")
        for path in self._connection.scalars(select(files.c.path).distinct()):
            if (problem := problem_of_path(path)) is not None:
                raise self.bad(f"the path {path!r:.120} of a file: {problem}")
        if self._meaning is not None:
            self._check_configs(self._meaning)

    def _check_configs(self, meaning: Meaning) -> None:
        try:
            for batch in self.batches(evaluation_configs):
                for row in batch:
                    meaning.check_evaluation(row)
            for batch in self.batches(runs):
                for row in batch:
                    meaning.check_run(row)
        except ValueError as error:
            raise self.bad(str(error)) from None

    def batches(
        self, table: Table, where: Any = None, order: Any = None, *, at_once: int | None = None
    ) -> Iterator[list[Row]]:
        """The rows of a table, some thousand at once, in the order of its key or in `order`."""
        names, parts = self.tuples(table, where, order, at_once=at_once)
        for part in parts:
            yield [dict(zip(names, row, strict=True)) for row in part]

    def tuples(
        self, table: Table, where: Any = None, order: Any = None, *, at_once: int | None = None
    ) -> tuple[list[str], Iterator[list[tuple[Any, ...]]]]:
        """The names of the columns, and the same rows as tuples."""
        columns = [column for column in table.columns if column not in _LOCAL]
        query = select(*columns).order_by(*([order] if order is not None else table.primary_key))
        if where is not None:
            query = query.where(where)
        names = [column.name for column in columns]
        return names, self._parts(query, at_once or rows_at_once(table))

    def _parts(self, query: Select[Any], size: int) -> Iterator[list[tuple[Any, ...]]]:
        try:
            result = self._connection.execute(query, execution_options={"yield_per": size})
            for part in result.partitions():
                yield list(map(tuple, part))
        except DBAPIError as error:
            raise self.bad(str(error.orig)) from error

    def runs_with_attempts(self) -> Iterator[tuple[Row, list[Row]]]:
        """Every run with its attempts, in order of their ids and numbers."""
        by_run = itemgetter("run_id")
        rows = (row for batch in self.batches(attempts) for row in batch)
        tried = groupby(rows, key=by_run)
        run_id, found = next(tried, (None, iter(())))
        for run in (row for batch in self.batches(runs) for row in batch):
            if self._meaning is not None:
                run = self._meaning.complete_run(run)
            run = _bounded(run)
            if run["run_id"] == run_id:
                yield run, list(map(_bounded, found))
                run_id, found = next(tried, (None, iter(())))
            else:
                yield run, []

    def bad(self, problem: str) -> BadArchiveError:
        """The error that says what is wrong with this archive."""
        return BadArchiveError(self.path, problem)


def _bounded(row: Row) -> Row:
    """The row with its errors and places as the store keeps them: short, and without secrets."""
    texts = {key: row[key] for key in _KEPT if row.get(key) is not None}
    return row | {key: _as_kept(text, _KEPT[key]) for key, text in texts.items()}


def _as_kept(text: str, most: int) -> str:
    return shortened(without_secrets(shortened(text, 2 * most)), most)


_KEPT = {"error": LONGEST_ERROR, "traceback": LONGEST_TRACEBACK, "storage": LONGEST_ERROR}


@contextmanager
def open_archive(path: Path, meaning: Meaning | None = None) -> Iterator[Archive]:
    """What `export` wrote, or any other sweep database file, for as long as the block runs.

    The whole content is checked: by the rules of the tables, for what training can give at all,
    and, with a `meaning`, whether ids are those of their configs. Nothing of the file is changed;
    of one with an older schema a copy is upgraded.

    Raises BadArchiveError if it is no such file, or a row breaks a rule, refers to nothing, or
    contradicts another: the message names table, column and row. Raises ArchiveError if it has
    the schema of another version, and no upgrade leads from there.
    """
    try:
        path = path.resolve()
    except (OSError, RuntimeError) as error:  # a loop of links, until Python 3.13
        raise BadArchiveError(path, f"it cannot be read ({error})") from None
    problem = plain_file.why_not(path)
    if problem is not None:
        raise BadArchiveError(path, problem)
    with tempfile.TemporaryDirectory(prefix="sweep-import-") as folder:
        try:
            database = connect(sqlite_url(_newest(path, Path(folder))), "read")
        except DatabaseError as error:
            raise ArchiveError(f"nothing was imported: {error}") from None
        with closing(database), database.reading() as connection:
            try:
                plain_file.limit(cast(sqlite3.Connection, connection.connection.driver_connection))
                archive = Archive(path, connection, meaning)
                archive.check()
            except (DBAPIError, sqlite3.Error, UnicodeError) as error:
                raise BadArchiveError(path, str(getattr(error, "orig", error))) from error
            yield archive


def _newest(path: Path, folder: Path) -> Path:
    """The file, or an upgraded copy of it in this folder. Raises DatabaseError."""
    if migrations.current(sqlite_url(path)) not in revisions.REVISIONS[:-1]:
        return path
    target = folder / path.name
    try:
        plain_file.copy(path, target)
        with (
            closing(open_unchecked(sqlite_url(target), "write")) as database,
            database.upgrading() as connection,
        ):
            migrations.run_steps(connection)
    except (sqlite3.Error, DatabaseError) as error:
        said = str(error).removeprefix(f"{target}: ")
        raise DatabaseError(f"a copy of {path} cannot be upgraded: {said}") from error
    return target
