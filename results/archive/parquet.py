"""Writing sweeps as a folder of Parquet files, one a table, for other programs.

The columns are those of `results.schema.tables`, so that a new one is written without a change
here; only the number of a sweep is its name instead. Nothing reads the folder back.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import JSON, Boolean, Column, Connection, Float, Integer, String, Table

from results.archive.atomic import atomic_path, sync_folder
from results.archive.chosen import ARCHIVED, Chosen
from results.errors import ArchiveError
from results.json_values import to_json
from results.schema.tables import attempts, sweeps

_UNITS = {
    r"(.+_)?accuracy|generalization_gap": "percent",
    r".+_at": "seconds since 1970-01-01 00:00 UTC",
    r"(.+_)?seconds": "seconds",
    r"images_per_second": "images a second",
    r"parameters": "count",
    r"level": "pixel units after scaling to [0, 1]",
}
_LEFT_OUT = {sweeps.c.id, attempts.c.driver_id}

SUMS = "SHA256SUMS"


def export(connection: Connection, folder: Path, names: Sequence[str] = ()) -> dict[str, int]:
    """Writes these sweeps, or the whole database if none is named, into a new folder.

    Returns the rows by table. The same content gives the same bytes. The folder appears under its
    name when it is complete, with a file SHA256SUMS as `sha256sum -c` reads it. `connection` and
    `names` as in `results.archive.writing.export`.

    Raises UnknownSweepError; ArchiveExistsError if the target exists already; ArchiveError if the
    folder cannot be written, or the database holds a value of the wrong type.
    """
    chosen = Chosen(connection, names)
    counts = {}
    with atomic_path(folder) as partial:
        partial.mkdir()
        for table in ARCHIVED:
            counts[table.name] = _write(partial / f"{table.name}.parquet", table, chosen)
        _write_sums(partial)
        sync_folder(partial)
    return counts


def _write_sums(folder: Path) -> None:
    lines = []
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.name}\n")
    with (folder / SUMS).open("x") as file:
        file.write("".join(lines))
        file.flush()
        os.fsync(file.fileno())


def _write(path: Path, table: Table, chosen: Chosen) -> int:
    columns = [column for column in table.columns if column not in _LEFT_OUT]
    schema = pa.schema([_field(column) for column in columns])
    count = 0
    with path.open("xb") as file:
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            for rows in chosen.batches(table):
                found = dict(zip(table.columns, zip(*rows, strict=True), strict=True))
                arrays = [_array(column, found[column], chosen) for column in columns]
                writer.write_batch(pa.record_batch(arrays, schema=schema))
                count += len(rows)
        file.flush()
        os.fsync(file.fileno())
    return count


def _field(column: Column[Any]) -> Any:
    """The column as an Arrow field, which says its unit, and whether its text is JSON."""
    notes = {}
    for names, unit in _UNITS.items():
        if re.fullmatch(names, column.name):
            notes["unit"] = unit
    if isinstance(column.type, JSON):
        notes["content"] = "JSON"
    name = "sweep" if _is_sweep(column) else column.name
    return pa.field(name, _type(column), bool(column.nullable), notes or None)


def _type(column: Column[Any]) -> Any:
    if _is_sweep(column) or isinstance(column.type, String | JSON):
        return pa.string()
    if isinstance(column.type, Boolean):
        return pa.bool_()
    if isinstance(column.type, Integer):
        return pa.int64()
    if isinstance(column.type, Float):
        return pa.float64()
    raise TypeError(f"{column} has a type that has no place in Parquet: {column.type!r}")


def _array(column: Column[Any], values: Sequence[Any], chosen: Chosen) -> Any:
    if _is_sweep(column):
        values = [chosen.names[number] for number in values]
    elif isinstance(column.type, JSON):
        values = [None if value is None else to_json(value) for value in values]
    try:
        return pa.array(values, type=_type(column))
    except (pa.ArrowException, UnicodeError, OverflowError) as error:
        raise ArchiveError(
            f"{column} holds a value that is no {_type(column)} ({error}): repair"
            " it in the database, then export again"
        ) from error


def _is_sweep(column: Column[Any]) -> bool:
    return any(key.references(sweeps) for key in column.foreign_keys)
