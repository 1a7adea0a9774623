"""Writing sweeps as an archive."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection, Select, or_, select

from results.archive.layout import ARCHIVED, MANIFEST, README, SWEEP, ArchivedTable
from results.archive.manifest import ColumnEntry, FileEntry, Manifest, is_archive
from results.archive.readme import readme_text
from results.archive.staging import whole_folder, write_durably
from results.errors import ArchiveError, UnknownSweepError
from results.json_values import to_json
from results.schema.tables import (
    evaluation_configs,
    evaluations,
    runs,
    sweep_evaluations,
    sweep_runs,
    sweeps,
)


def export(
    connection: Connection,
    folder: Path,
    names: Sequence[str] = (),
    *,
    schema: str,
    replace: bool = False,
) -> Manifest:
    """Writes these sweeps, or the whole database if none is named, as the archive `folder`.

    A sweep goes with its runs, whatever their state, and with everything measured of them; the
    whole database includes runs that are in no sweep. Weights and checkpoints stay where they
    are. The same content gives the same bytes of the Parquet files. The folder appears under its
    name when it is complete; what is there is replaced only if it is an archive and `replace`.

    `connection` is one consistent view, and `schema` the revision of its tables. Memory is
    bounded by a few thousand rows, however many there are.

    Raises UnknownSweepError; ArchiveExistsError if something is in the way; ArchiveError if the
    folder cannot be written, or the database holds a value of the wrong type.
    """
    chosen = _chosen_sweeps(connection, names)
    created_at = datetime.now(UTC)
    with whole_folder(folder, is_archive if replace else None) as partial:
        files = [
            _write_table(partial, entry, _batches(connection, entry, chosen, whole=not names))
            for entry in ARCHIVED.values()
        ]
        manifest = Manifest(
            created_at=created_at.replace(microsecond=created_at.microsecond // 1000 * 1000),
            program=f"sweep {version('sweep')}",
            schema_revision=schema,
            sweeps=tuple(chosen.values()),
            files=tuple(files),
        )
        write_durably(partial / README, readme_text(manifest).encode())
        write_durably(partial / MANIFEST, manifest.to_json().encode())
    return manifest


def _chosen_sweeps(connection: Connection, names: Sequence[str]) -> dict[int, str]:
    """Names by number, the sweep created first in front: an import creates them in this order."""
    found = {
        row.name: row.id
        for row in sorted(
            connection.execute(select(sweeps.c.id, sweeps.c.name, sweeps.c.created_at)),
            key=lambda row: (row.created_at, row.name),
        )
    }
    for name in names:
        if name not in found:
            raise UnknownSweepError(name, found)
    return {number: name for name, number in found.items() if not names or name in names}


def _batches(
    connection: Connection, entry: ArchivedTable, chosen: dict[int, str], *, whole: bool
) -> Iterator[Sequence[Any]]:
    """The rows of a file, as tuples in the order of its columns."""
    for query in _queries(entry, chosen, whole=whole):
        result = connection.execute(query, execution_options={"yield_per": entry.rows_at_once})
        yield from result.partitions()


def _queries(entry: ArchivedTable, chosen: dict[int, str], *, whole: bool) -> Iterator[Select[Any]]:
    table = entry.table
    if entry.of_sweeps:
        # One by one in our own order: databases differ in how they compare names.
        number = sweeps.c.id if table is sweeps else table.c.sweep_id
        order = [table.c[name] for name in entry.order if name != SWEEP]
        query = select(*(sweeps.c.name if c.name == SWEEP else c.kept for c in entry.columns))
        if table is not sweeps:
            query = query.join(sweeps)
        for sweep_id in chosen:
            yield query.where(number == sweep_id).order_by(*order)
        return
    # Ids are hex digits, and other texts that stand in keys have their order by the table's
    # definition: every database compares them alike.
    query = select(*(c.kept for c in entry.columns)).order_by(
        *(table.c[name] for name in entry.order)
    )
    yield query if whole else query.where(_within(table, chosen))


def _within(table: Any, chosen: dict[int, str]) -> Any:
    """Whether a row belongs to the runs or evaluations of the chosen sweeps."""
    of_chosen = sweep_runs.c.sweep_id.in_(chosen)
    if table is not evaluation_configs:
        members = select(sweep_runs.c.run_id).where(of_chosen)
        return (runs.c.run_id if table is runs else table.c.run_id).in_(members)
    asked_for = select(sweep_evaluations.c.evaluation_id).where(
        sweep_evaluations.c.sweep_id.in_(chosen)
    )
    measured = (
        select(evaluations.c.evaluation_id)
        .join(sweep_runs, sweep_runs.c.run_id == evaluations.c.run_id)
        .where(of_chosen)
    )
    return or_(
        evaluation_configs.c.evaluation_id.in_(asked_for),
        evaluation_configs.c.evaluation_id.in_(measured),
    )


def _write_table(folder: Path, entry: ArchivedTable, batches: Iterable[Sequence[Any]]) -> FileEntry:
    path = folder / entry.file
    rows = 0
    with path.open("xb") as file:
        with pq.ParquetWriter(file, entry.schema, compression="zstd") as writer:
            for batch in batches:
                writer.write_batch(_record_batch(entry, batch))
                rows += len(batch)
        file.flush()
        os.fsync(file.fileno())
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return FileEntry(
        name=entry.file,
        rows=rows,
        bytes=path.stat().st_size,
        sha256=sha256,
        columns=tuple(
            ColumnEntry(
                name=column.name,
                type=str(column.arrow),
                unit=column.unit,
                content="JSON" if column.json else None,
            )
            for column in entry.columns
        ),
    )


def _record_batch(entry: ArchivedTable, rows: Sequence[Any]) -> Any:
    arrays = []
    for column, values in zip(entry.columns, zip(*rows, strict=True), strict=True):
        stored: Sequence[Any] = values
        if column.json:
            stored = [None if value is None else to_json(value) for value in values]
        try:
            arrays.append(pa.array(stored, type=column.arrow))
        except (pa.ArrowException, UnicodeError, OverflowError) as error:
            raise ArchiveError(
                f"{entry.name}.{column.kept.name} holds a value that is no {column.arrow}"
                f" ({error}): mend it in the database, then export again"
            ) from error
    return pa.record_batch(arrays, schema=entry.schema)
