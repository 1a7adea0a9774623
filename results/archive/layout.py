"""What an archive consists of: one Parquet file a table, with that table's columns.

The columns are those of `results.schema.tables`, so that a new one travels without a change here.
Numbers that mean nothing in another database are left out: a sweep is called by its name, and a
driver not at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import pyarrow as pa
from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, Integer, String, Table

from results.schema import tables

FORMAT: Final = "sweep archive"
FORMAT_VERSION = 1
MANIFEST = "manifest.json"
README = "README.txt"

SWEEP = "sweep"
"""The column that holds a sweep's name where the table has its number."""

_UNITS = {
    r"(.+_)?accuracy|generalization_gap": "percent",
    r".+_at": "seconds since 1970-01-01 00:00 UTC",
    r"(.+_)?seconds": "seconds",
    r"images_per_second": "images a second",
    r"parameters": "count",
    r"level": "pixel units after scaling to [0, 1]",
}

# Rows with text can take kilobytes each, rows of numbers some tens of bytes.
_ROWS_WITH_TEXT = 2_000
_ROWS_OF_NUMBERS = 50_000

NAMED_AT_ONCE = 1_000
"""So many keys can be named in a query: SQLite takes 32,766 parameters."""


@dataclass(frozen=True)
class ArchivedColumn:
    """A column of a file, and the column of the table that it keeps."""

    name: str
    kept: Column[Any]

    @property
    def json(self) -> bool:
        """Whether it holds JSON, written as text."""
        return isinstance(self.kept.type, JSON)

    @cached_property
    def arrow(self) -> Any:
        """Its type in the file; raises TypeError if archives know none for it."""
        if self.name == SWEEP or isinstance(self.kept.type, String | JSON):
            return pa.string()
        if isinstance(self.kept.type, Boolean):
            return pa.bool_()
        if isinstance(self.kept.type, Integer):
            return pa.int64()
        if isinstance(self.kept.type, Float):
            return pa.float64()
        raise TypeError(f"{self.kept} has a type that archives do not know: {self.kept.type!r}")

    @property
    def unit(self) -> str | None:
        """The unit of its numbers, if they have one."""
        found = (unit for names, unit in _UNITS.items() if re.fullmatch(names, self.name))
        return next(found, None)

    @property
    def bits(self) -> int:
        """How large a whole number the table can hold on every kind of database."""
        return 64 if isinstance(self.kept.type, BigInteger) else 32

    @property
    def may_be_left_out(self) -> bool:
        """Whether a row without it can be stored."""
        return bool(self.kept.nullable or self.kept.server_default is not None)

    @property
    def field(self) -> Any:
        """The column as an Arrow field, which says its unit."""
        notes = {}
        if self.unit is not None:
            notes["unit"] = self.unit
        if self.json:
            notes["content"] = "JSON"
        return pa.field(self.name, self.arrow, bool(self.kept.nullable), notes or None)


@dataclass(frozen=True)
class ArchivedTable:
    """A file of an archive: the table it keeps, and what a reader is told about it."""

    table: Table
    about: str
    since: str = "0001"
    """The first schema that has the table: archives of older ones lack the file."""

    @property
    def name(self) -> str:
        """The table's name in the database."""
        return self.table.name

    @property
    def file(self) -> str:
        """The name of its Parquet file."""
        return f"{self.name}.parquet"

    @cached_property
    def columns(self) -> tuple[ArchivedColumn, ...]:
        """The columns that an archive keeps, in the order of the table."""
        return tuple(
            ArchivedColumn(SWEEP if _refers_to_sweep(column) else column.name, column)
            for column in self.table.columns
            if column not in _LOCAL
        )

    @cached_property
    def schema(self) -> Any:
        """The Arrow schema of its file."""
        return pa.schema([column.field for column in self.columns])

    @cached_property
    def key(self) -> tuple[str, ...]:
        """The columns that no two rows of the file share."""
        if self.table is tables.sweeps:
            return (tables.sweeps.c.name.name,)
        return tuple(c.name for c in self.columns if c.kept.primary_key)

    @property
    def of_sweeps(self) -> bool:
        """Whether its rows stand sweep by sweep, in the order of the sweeps' file."""
        return self.table is tables.sweeps or SWEEP in self.key

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The columns whose values rise from row to row; none for the sweeps themselves."""
        if not self.of_sweeps:
            return self.key
        return tuple(c.name for c in self.columns if c.name in (SWEEP, "version", "position"))

    @property
    def rows_at_once(self) -> int:
        """How many rows are worked on, and stored as one row group."""
        has_text = any(isinstance(c.kept.type, JSON) for c in self.columns)
        return _ROWS_WITH_TEXT if has_text else _ROWS_OF_NUMBERS


_LOCAL = {tables.sweeps.c.id, tables.attempts.c.driver_id}


def _refers_to_sweep(column: Column[Any]) -> bool:
    return any(key.references(tables.sweeps) for key in column.foreign_keys)


ARCHIVED = {
    entry.name: entry
    for entry in (
        ArchivedTable(tables.evaluation_configs, "what each evaluation measures"),
        ArchivedTable(
            tables.runs, "one row a run: its config, its scheme's properties, state and results"
        ),
        ArchivedTable(
            tables.attempts,
            "one row an execution of a run: how it ended, on which host, device and versions",
        ),
        ArchivedTable(tables.epochs, "one row an epoch of a done run"),
        ArchivedTable(tables.evaluations, "one row a measurement of a done run"),
        ArchivedTable(
            tables.probes,
            "one row a value of a probe: a quantity, in a layer, after an epoch of a done run",
            since="0004",
        ),
        ArchivedTable(
            tables.blocks,
            "one row a block with learned coefficients of a done run, and its scheme's properties",
            since="0004",
        ),
        ArchivedTable(tables.sweeps, "the sweeps"),
        ArchivedTable(tables.sweep_specs, "every version of every sweep's spec"),
        ArchivedTable(tables.sweep_runs, "which runs a sweep consists of, in its order"),
        ArchivedTable(tables.sweep_evaluations, "which evaluations a sweep asks for, in its order"),
    )
}
"""The files of an archive by table; what a row refers to stands in an earlier file."""
