"""Merging an archive into a database."""

from __future__ import annotations

import time
from collections.abc import Mapping

from sqlalchemy import Connection, delete, insert, select, text

from results.archive import merging_sweeps
from results.archive.chosen import ARCHIVED
from results.archive.merged import Counts, Merged
from results.archive.merging_runs import RunMerging
from results.archive.reading import Archive
from results.garbage_collection import without_cycle_collection
from results.json_values import storable
from results.schema.tables import imports


@without_cycle_collection()
def merge(
    connection: Connection, archive: Archive, names: Mapping[str, str] | None = None
) -> Merged:
    """Adds what the database lacks of the archive, in a transaction of the caller.

    Runs are matched by run id:

    - Unknown here: inserted with all that belongs to it. One that was running elsewhere is
      queued here, and its open attempt ends as interrupted. One that would be queued, and is in no
      sweep, is cancelled.
    - Done here: final. It gains the measurements it lacks, unless they are of other weights. One
      that was imported with the same result also gains values of probes, and blocks, if it has none
      of them. A different result in the archive is a conflict.
    - Running here: its driver holds it; it is left alone, and a conflict if the archive has news.
    - Else, done in the archive: given that result with all that was measured of it. Not done
      there either: keeps its state here, and what it reported so far.

    An attempt is the same if its run, its start and what both know of its provenance agree.
    Attempts that are not known here are added after those that are, with new numbers, and a
    run's attempt is the one that made its result; a run that is done here gains none. A run that
    gains attempts has its faults counted from zero again.

    Tags and notes that a run or a sweep here lacks are added, whatever its state.

    Measurements are matched by run and evaluation, evaluations by id, sweeps by name: what
    `merging_sweeps.merge_sweeps` says. `names` gives sweeps of the archive another name here.

    Sweeps, runs, attempts and measurements that are added are marked as imported from this archive,
    whatever it says of them: a row in `imports` tells which it was.

    On Postgres, others wait with writing until the transaction ends. Merging the same archive
    again changes nothing. Memory: a few thousand rows, and the ids of the archive's runs.

    Raises BadArchiveError if `names` are not the archive's, are no names, or not different.
    """
    renamed = merging_sweeps.names_here(archive, names or {})
    _keep_writers_waiting(connection)
    import_id, is_new = _noted(connection, archive)
    merging = RunMerging(connection, archive, import_id)
    merging.merge()
    other_specs = merging_sweeps.merge_sweeps(
        connection, archive, import_id, renamed, merging.counts
    )
    cancelled = merging.cancel_in_no_sweep()
    merged = Merged(
        counts={name: Counts(**tally) for name, tally in merging.counts.items()},
        adopted=tuple(merging.adopted),
        queued=tuple(run_id for run_id in merging.queued if run_id not in cancelled),
        conflicts=tuple(merging.conflicts),
        renamed={old: new for old, new in renamed.items() if old != new},
        other_specs=tuple(other_specs),
    )
    if is_new and not merged.changed:
        connection.execute(delete(imports).where(imports.c.id == import_id))
    return merged


def _noted(connection: Connection, archive: Archive) -> tuple[int, bool]:
    """The row of `imports` for this archive; whether it was imported now for the first time."""
    same = select(imports.c.id).where(imports.c.content_sha256 == archive.content_sha256)
    known = connection.scalars(same.order_by(imports.c.id)).first()
    if known is not None:
        return known, False
    row = {
        "file": storable(archive.path.name),
        "content_sha256": archive.content_sha256,
        "exported_at": archive.exported_at,
        "imported_at": time.time(),
    }
    return connection.execute(
        insert(imports).values(row).returning(imports.c.id)
    ).scalar_one(), True


def _keep_writers_waiting(connection: Connection) -> None:
    """What is read here must not change before it is written. On SQLite this is so anyway."""
    if connection.dialect.name == "postgresql":
        tables = ", ".join(table.name for table in ARCHIVED)
        connection.execute(text(f"LOCK TABLE {tables} IN SHARE ROW EXCLUSIVE MODE"))
