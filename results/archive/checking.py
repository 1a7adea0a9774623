"""Checking the content of an archive by the rules of the tables, before anything is written.

The constraints themselves are asked: each batch of rows goes through tables made from the same
definitions, in a private temporary SQLite database. What constraints cannot say, because it is
between tables or about the text of a value, is checked here.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError
from sqlalchemy import CheckConstraint, MetaData, TextClause
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from results.archive.layout import SWEEP, ArchivedColumn, ArchivedTable
from results.schema.json_columns import JSON_KINDS
from results.schema.tables import (
    metadata,
    sweeps,
)

if TYPE_CHECKING:
    from results.archive.reading import Archive

_ID = "^[0-9a-f]{16}$"
_ID_COLUMNS = ("run_id", "evaluation_id")


_OF_DONE_RUNS = ("epochs", "evaluations", "probes", "blocks")


def check_content(archive: Archive) -> None:
    """Raises BadArchiveError, with file, row and column, unless every row can be believed."""
    with closing(sqlite3.connect("", isolation_level=None)) as scratch:
        check = _ContentCheck(archive, scratch)
        for entry in archive.tables():
            check.file(entry)
        check.sweep_names()


class _ContentCheck:
    """One pass over the files, in an order in which what is referred to comes first."""

    def __init__(self, archive: Archive, scratch: sqlite3.Connection) -> None:
        self._archive = archive
        self._rules = _Rules(scratch)
        self._known: dict[str, set[Any]] = {}
        self._sweep_numbers: dict[str, int] = {}
        # State and attempt by run; and the runs whose attempt of that number is not yet found.
        self._runs: dict[str, tuple[str, int]] = {}
        self._to_find: dict[str, str] = {}

    def file(self, entry: ArchivedTable) -> None:
        columns = self._archive.columns(entry.name)
        self._rules.begin(entry, columns)
        first_row = 1
        last: tuple[Any, ...] | None = None
        for batch in self._archive.batches(entry.name):
            place = _Place(self._archive, entry.file, first_row)
            for column in columns:
                _check_values(column, batch[column.name], place)
            self._check_references(entry, batch, place)
            rows = [column.to_pylist() for column in batch.columns]
            values = dict(zip(batch.schema.names, rows, strict=True))
            for column in columns:
                if column.json:
                    _check_json(column, values[column.name], place)
            if entry.table is sweeps:
                for name in values["name"]:
                    self._sweep_numbers.setdefault(name, len(self._sweep_numbers) + 1)
            if SWEEP in values:
                # The table has a sweep's number for its name.
                values[SWEEP] = [self._sweep_numbers[name] for name in values[SWEEP]]
            last = _check_order(entry, values, last, place)
            self._rules.check(list(_zip(values, *(c.name for c in columns))), place)
            self._remember(entry, values, place)
            first_row += batch.num_rows
        if entry.name == "attempts" and self._to_find:
            run_id, state = next(iter(self._to_find.items()))
            raise self._archive.bad(
                f"runs.parquet: run {run_id} is {state}, and has no such attempt"
            )

    def sweep_names(self) -> None:
        """The manifest is what a person reads first: it must name the sweeps that are there."""
        if tuple(self._sweep_numbers) != self._archive.sweeps:
            raise self._archive.bad("manifest.json names other sweeps than sweeps.parquet")

    def _check_references(self, entry: ArchivedTable, batch: Any, place: _Place) -> None:
        for column in entry.columns:
            if not column.kept.foreign_keys:
                continue
            known = self._known["name" if column.name == SWEEP else column.name]
            for value in pc.unique(batch[column.name]).to_pylist():
                if value not in known:
                    row = pc.index(batch[column.name], value).as_py()
                    raise place.bad(row, f"{column.name} {value!r} is in no other file")

    def _remember(self, entry: ArchivedTable, values: dict[str, list[Any]], place: _Place) -> None:
        if len(entry.key) == 1:
            self._known.setdefault(entry.key[0], set()).update(values[entry.key[0]])
        if entry.name == "runs":
            for run_id, state, attempt in _zip(values, "run_id", "state", "attempt"):
                self._runs[run_id] = (state, attempt)
                if state in ("done", "running"):
                    self._to_find[run_id] = state
        elif entry.name == "attempts":
            found = _zip(values, "run_id", "attempt", "state")
            for row, (run_id, number, state) in enumerate(found):
                self._check_attempt(run_id, number, state, place, row)
        elif entry.name in _OF_DONE_RUNS:
            for run_id in dict.fromkeys(values["run_id"]):
                if self._runs[run_id][0] != "done":
                    row = values["run_id"].index(run_id)
                    state = self._runs[run_id][0]
                    raise place.bad(row, f"run {run_id} is {state}: only done runs have results")

    def _check_attempt(self, run_id: str, number: int, state: str, place: _Place, row: int) -> None:
        run_state, newest = self._runs[run_id]
        if state in ("done", "running") and (run_state, newest) != (state, number):
            raise place.bad(
                row,
                f"attempt {number} is {state}, and run {run_id} is {run_state}, attempt {newest}",
            )
        if run_state != "done" and number > newest:
            raise place.bad(row, f"attempt {number} comes after the last of run {run_id}, {newest}")
        if state == run_state and number == newest:
            self._to_find.pop(run_id, None)


class _Place:
    """A batch of a file, for saying which row is meant."""

    def __init__(self, archive: Archive, file: str, first_row: int) -> None:
        self._archive = archive
        self._file = file
        self._first_row = first_row

    def bad(self, row: int, problem: str) -> Exception:
        """The error about a row of the batch, counted from 0."""
        return self._archive.bad(f"{self._file}, row {self._first_row + row}: {problem}")


class _Rules:
    """The tables' own constraints, by a private SQLite database."""

    def __init__(self, scratch: sqlite3.Connection) -> None:
        self._scratch = scratch
        self._dialect = sqlite.dialect()
        self._tables = MetaData()
        for table in metadata.tables.values():
            table.to_metadata(self._tables)

    def begin(self, entry: ArchivedTable, columns: Sequence[ArchivedColumn]) -> None:
        """Makes the table; its rows will have these columns."""
        # References are not SQLite's to check: it could not say which one of a row is broken.
        self._entry = entry
        self._columns = columns
        self._table = table = self._tables.tables[entry.name]
        self._scratch.execute(self._sql(CreateTable(table)))
        for index in table.indexes:
            if index.unique:
                self._scratch.execute(self._sql(CreateIndex(index)))
        preparer = self._dialect.identifier_preparer
        names = ", ".join(preparer.quote(column.kept.name) for column in columns)
        marks = ", ".join("?" for _ in columns)
        self._insert = f"INSERT INTO {preparer.format_table(table)} ({names}) VALUES ({marks})"

    def check(self, rows: list[tuple[Any, ...]], place: _Place) -> None:
        """Raises BadArchiveError if a row breaks a constraint."""
        execute = self._scratch.execute
        execute("BEGIN")
        try:
            self._scratch.executemany(self._insert, rows)
        except sqlite3.IntegrityError:
            execute("ROLLBACK")
            for index, row in enumerate(rows):
                try:
                    execute(self._insert, row)
                except sqlite3.IntegrityError as error:
                    raise place.bad(index, self._explain(error, row)) from None
            raise
        # Files in order of their key need no memory of earlier rows to find a second one.
        execute("COMMIT" if self._entry.of_sweeps else "ROLLBACK")

    def _sql(self, statement: Any) -> str:
        return str(statement.compile(dialect=self._dialect))

    def _explain(self, error: sqlite3.IntegrityError, row: tuple[Any, ...]) -> str:
        values = {c.kept.name: v for c, v in zip(self._columns, row, strict=True)}
        kind, _, subject = str(error).partition(" constraint failed: ")
        if kind == "CHECK":
            return self._broken_rule(values) or str(error)
        names = " and ".join(part.rpartition(".")[2] for part in subject.split(", "))
        if kind == "NOT NULL":
            return f"{names} is empty"
        if kind == "UNIQUE":
            return f"{names} stands in an earlier row too"
        return str(error)

    def _broken_rule(self, values: dict[str, Any]) -> str | None:
        """Of the check constraints that the row breaks, the one about the fewest columns."""
        constraints = [*self._table.constraints]
        for column in self._table.columns:
            constraints += column.constraints
        rules = {
            str(constraint.sqltext): [
                name for name in values if re.search(rf"\b{name}\b", str(constraint.sqltext))
            ]
            for constraint in constraints
            if isinstance(constraint, CheckConstraint)
            and isinstance(constraint.sqltext, TextClause)
        }
        for rule, names in sorted(rules.items(), key=lambda item: (len(item[1]), item[0])):
            row = ", ".join(f'? AS "{name}"' for name in names)
            query = f"SELECT NOT ({rule}) FROM (SELECT {row})"
            ((broken,),) = self._scratch.execute(query, [values[name] for name in names])
            if broken:
                given = ", ".join(f"{name} is {values[name]!r}" for name in names)
                return f"{given}, and the rule is: {rule}"
        return None


def _zip(values: dict[str, list[Any]], *names: str) -> Iterator[tuple[Any, ...]]:
    return zip(*(values[name] for name in names), strict=True)


def _check_values(column: ArchivedColumn, values: Any, place: _Place) -> None:
    """That text, ids and numbers can be kept by every kind of database."""

    def refuse(broken: Any, problem: str) -> None:
        row = pc.index(pc.fill_null(broken, False), True).as_py()
        if row >= 0:
            shown = str(values[row].as_py())[:80]
            raise place.bad(row, f"{column.name} is {shown!r}: {problem}")

    if not column.kept.nullable:
        refuse(pc.is_null(values), "it may not be empty")
    if column.arrow == pa.string():
        refuse(pc.match_substring(values, "\0"), "text has no NUL")
        if column.name in _ID_COLUMNS:
            good = pc.match_substring_regex(values, _ID)
            refuse(pc.invert(good), "an id is 16 hex digits")
        if column.kept is sweeps.c.name:
            printable = pa.array(
                [name is None or name.isprintable() for name in values.to_pylist()], pa.bool_()
            )
            refuse(pc.invert(printable), "a name has only printable characters")
    elif column.arrow == pa.float64():
        refuse(pc.invert(pc.is_finite(values)), "a number that is not finite is an empty cell")
    elif column.arrow == pa.int64() and column.bits < 64:
        most = 2 ** (column.bits - 1) - 1
        out = pc.or_(pc.greater(values, most), pc.less(values, -most - 1))
        refuse(out, f"a whole number here has at most {column.bits} bits")


def _check_json(column: ArchivedColumn, texts: Sequence[str | None], place: _Place) -> None:
    kind = JSON_KINDS.get(column.kept)
    for row, text in enumerate(texts):
        if text is None:
            continue
        try:
            value = json.loads(text, parse_constant=_refuse_constant)
            if value is None:
                raise ValueError("null is an empty cell")
            if kind is not None:
                kind.validate_python(value, strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            at = "".join(f"[{part!r}]" for part in first["loc"])
            raise place.bad(row, f"{column.name}{at}: {first['msg']}") from None
        except (ValueError, RecursionError) as error:
            raise place.bad(row, f"{column.name} is not JSON ({error})") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _check_order(
    entry: ArchivedTable,
    values: dict[str, list[Any]],
    last: tuple[Any, ...] | None,
    place: _Place,
) -> tuple[Any, ...] | None:
    """That rows are in their order, and so that none stands twice; returns the last one's place."""
    if not entry.order:
        return None
    for row, found in enumerate(_zip(values, *entry.order)):
        if last is not None and not last < found:
            shown = ", ".join(f"{n} {v!r}" for n, v in zip(entry.order, found, strict=True))
            again = "stands in an earlier row too" if found == last else "is not in order"
            raise place.bad(row, f"{shown} {again}")
        last = found
    return last
