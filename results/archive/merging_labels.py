"""Merging the tags and notes of an archive's runs and sweeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Set
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select

from results.archive.reading import Archive
from results.records import Row
from results.schema.tables import run_notes, run_tags, runs, sweep_notes, sweep_tags
from sweep_plugins.url_secrets import without_secrets

NAMED_AT_ONCE = 1_000
"""How many keys are named in one query: SQLite takes 32,766 parameters."""


def merge_labels_of_runs(
    connection: Connection, archive: Archive, others: Set[str], counts: Mapping[str, Counter[str]]
) -> None:
    """Adds what the runs here lack; of a run that is another one here (`others`), nothing."""
    for table in (run_tags, run_notes):
        for batch in archive.batches(table, at_once=NAMED_AT_ONCE):
            ids = {row["run_id"] for row in batch} - others
            here = set(connection.scalars(select(runs.c.run_id).where(runs.c.run_id.in_(ids))))
            rows = [row for row in batch if row["run_id"] in here]
            counts[table.name]["left_out"] += len(batch) - len(rows)
            _add(connection, table, "run_id", rows, counts[table.name])


def merge_labels_of_sweep(
    connection: Connection,
    archive: Archive,
    archived_id: int,
    sweep_id: int,
    counts: Mapping[str, Counter[str]],
) -> None:
    """Adds what the sweep lacks that has this id here."""
    for table in (sweep_tags, sweep_notes):
        of_sweep = table.c.sweep_id == archived_id
        for batch in archive.batches(table, of_sweep, at_once=NAMED_AT_ONCE):
            rows = [row | {"sweep_id": sweep_id} for row in batch]
            _add(connection, table, "sweep_id", rows, counts[table.name])


def _add(
    connection: Connection, table: Table, key: str, rows: list[Row], tally: Counter[str]
) -> None:
    """Inserts what is not there; a note is the same if text and time are."""
    if not rows:
        return
    says = ("tag",) if "tag" in table.c else ("text", "created_at")
    for row in rows:
        if "text" in row:
            row["text"] = without_secrets(row["text"])
    columns = [table.c[name] for name in (key, *says)]
    of_rows = columns[0].in_({row[key] for row in rows})
    known: set[tuple[Any, ...]] = {
        tuple(row) for row in connection.execute(select(*columns).where(of_rows))
    }
    new = [row for row in rows if (row[key], *(row[name] for name in says)) not in known]
    tally["already_here"] += len(rows) - len(new)
    tally["inserted"] += len(new)
    if "number" in table.c:
        new = list(_numbered(connection, table, key, new))
    if new:
        connection.execute(insert(table), new)


def _numbered(connection: Connection, table: Table, key: str, new: list[Row]) -> Iterator[Row]:
    """The notes, each after those that its run or sweep has."""
    column = table.c[key]
    last = select(column, func.max(table.c.number)).where(column.in_({row[key] for row in new}))
    numbers = Counter[Any]({row[0]: row[1] for row in connection.execute(last.group_by(column))})
    for row in new:
        numbers[row[key]] += 1
        yield row | {"number": numbers[row[key]]}
