"""Reading an archive. Nothing of it is believed before all of it was checked."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from results.archive.checking import check_content
from results.archive.layout import ARCHIVED, MANIFEST, ArchivedColumn, ArchivedTable
from results.archive.manifest import ColumnEntry, FileEntry, Manifest, read_manifest
from results.errors import BadArchiveError

#: A row of a file, by column name, with its JSON read.
Row = dict[str, Any]


class Archive:
    """A folder that `export` wrote, whole and checked.

    Rows are dicts by column name: those of the table, and `sweep`, a name, in place of a sweep's
    number. Every method raises BadArchiveError if a file changed after the archive was opened.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self._stamps: dict[str, tuple[int, int, int]] = {}

    @classmethod
    def open(cls, folder: Path, *, revisions: Sequence[str]) -> Self:
        """Checks everything about the archive: files against the manifest, content by the rules.

        `revisions` are the schemas that this program knows, oldest first. An archive of an older
        one may lack columns that a row can do without, which stay empty, and files of tables that
        its schema had not.

        Raises NewerArchiveError if a newer version wrote it. Raises BadArchiveError if a file is
        missing or not what the manifest says, or if a row breaks a constraint of the tables,
        refers to nothing, or contradicts another: the message names file, row and column.
        """
        archive = cls(folder, read_manifest(folder, revisions))
        files = {entry.name: entry for entry in archive.manifest.files}
        schema = archive.manifest.schema_revision
        known = {entry.file for entry in ARCHIVED.values()}
        needed = {
            entry.file
            for entry in ARCHIVED.values()
            if entry.since not in revisions[revisions.index(schema) + 1 :]
        }
        if len(files) != len(archive.manifest.files) or not needed <= files.keys() <= known:
            raise archive.bad(f"{MANIFEST} does not list each of the {len(needed)} files once")
        older = schema != revisions[-1]
        for table in archive.tables():
            archive._check_file(table, files[table.file], older=older)
        check_content(archive)
        return archive

    @property
    def sweeps(self) -> tuple[str, ...]:
        """The names of its sweeps, the one created first in front."""
        return self.manifest.sweeps

    @property
    def exported_at(self) -> float:
        """When it was written, in seconds since the epoch."""
        return self.manifest.created_at.timestamp()

    def tables(self) -> list[ArchivedTable]:
        """The tables whose files it has, in their order: all, unless an older version wrote it."""
        present = {file.name for file in self.manifest.files}
        return [entry for entry in ARCHIVED.values() if entry.file in present]

    def columns(self, table: str) -> tuple[ArchivedColumn, ...]:
        """The columns of a table's file: all, unless an older version wrote it."""
        (entry,) = (file for file in self.manifest.files if file.name == ARCHIVED[table].file)
        present = {column.name for column in entry.columns}
        return tuple(c for c in ARCHIVED[table].columns if c.name in present)

    def batches(self, table: str, at_once: int | None = None) -> Iterator[Any]:
        """The file of a table as Arrow record batches of `at_once` rows, in its order.

        None if the archive's schema had no such table.
        """
        entry = ARCHIVED[table]
        if entry not in self.tables():
            return
        with self._parquet(entry) as file:
            for batch in file.iter_batches(at_once or entry.rows_at_once):
                batch.validate(full=True)
                yield batch

    def rows(self, table: str) -> Iterator[Row]:
        """The rows of a table's file, in its order."""
        for batch in self.batches(table):
            yield from self.as_rows(table, batch)

    def as_rows(self, table: str, batch: Any) -> list[Row]:
        """An Arrow record batch of this table's file as rows."""
        json_columns = [column.name for column in self.columns(table) if column.json]
        rows: list[Row] = batch.to_pylist()
        for name in json_columns:
            for row in rows:
                if row[name] is not None:
                    row[name] = json.loads(row[name])
        return rows

    def runs_with_attempts(self) -> Iterator[tuple[Row, list[Row]]]:
        """Every run with its attempts, in order of their ids and numbers."""
        by_run = itemgetter("run_id")
        tried = groupby(self.rows("attempts"), key=by_run)
        run_id, attempts = next(tried, (None, iter(())))
        for run in self.rows("runs"):
            if run["run_id"] == run_id:
                yield run, list(attempts)
                run_id, attempts = next(tried, (None, iter(())))
            else:
                yield run, []

    def bad(self, problem: str) -> BadArchiveError:
        """The error that says what is wrong with this archive."""
        return BadArchiveError(self.folder, problem)

    def _check_file(self, table: ArchivedTable, expected: FileEntry, *, older: bool) -> None:
        path = self.folder / table.file
        try:
            with path.open("rb") as file:
                self._stamps[table.name] = _stamp(file.fileno())
                size = os.fstat(file.fileno()).st_size
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            raise self.bad(f"{table.file} is missing") from None
        except OSError as error:
            raise self.bad(f"{table.file} cannot be read ({error.strerror})") from error
        if size != expected.bytes:
            raise self.bad(
                f"{table.file} has {size} bytes, and {expected.bytes} were written: copy it again"
            )
        if sha256 != expected.sha256:
            raise self.bad(f"{table.file} was changed after it was written: copy it again")
        with self._parquet(table) as parquet:
            found = [(field.name, str(field.type)) for field in parquet.schema_arrow]
            rows = parquet.metadata.num_rows
        if found != [(column.name, column.type) for column in expected.columns]:
            raise self.bad(f"{table.file} has other columns than {MANIFEST} says")
        if rows != expected.rows:
            raise self.bad(f"{table.file} has {rows} rows, and {MANIFEST} says {expected.rows}")
        self._check_columns(table, expected.columns, older=older)

    def _check_columns(
        self, table: ArchivedTable, columns: Sequence[ColumnEntry], *, older: bool
    ) -> None:
        known: Mapping[str, ArchivedColumn] = {column.name: column for column in table.columns}
        for column in columns:
            if column.name not in known:
                raise self.bad(f"{table.file} has a column {column.name!r}, which nobody knows")
            if column.type != str(known[column.name].arrow):
                raise self.bad(
                    f"{table.file}: {column.name} is {column.type}, where"
                    f" {known[column.name].arrow} is expected"
                )
        present = {column.name for column in columns}
        if len(present) != len(columns):
            raise self.bad(f"{table.file} has two columns of one name")
        missing = known.keys() - present
        for name in sorted(missing):
            if not (older and known[name].may_be_left_out):
                raise self.bad(f"{table.file} lacks the column {name!r}")

    @contextmanager
    def _parquet(self, table: ArchivedTable) -> Iterator[Any]:
        path = self.folder / table.file
        try:
            with path.open("rb") as file:
                if _stamp(file.fileno()) != self._stamps[table.name]:
                    raise self.bad(f"{table.file} changed while it was read: import again")
                with pq.ParquetFile(file) as parquet:
                    yield parquet
        except (pa.ArrowException, OSError) as error:
            raise self.bad(f"{table.file} cannot be read as Parquet ({error})") from error


def _stamp(descriptor: int) -> tuple[int, int, int]:
    """What differs once somebody has written the file, or put another in its place."""
    found = os.fstat(descriptor)
    return found.st_ino, found.st_size, found.st_mtime_ns
