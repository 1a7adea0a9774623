"""The only writer of the results database."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import Connection, select

from results import claims, membership
from results.connect import connect
from results.database import Database
from results.errors import UnknownRunError
from results.payload import check_evaluations, check_result
from results.pending import pending_runs
from results.plain import one_line, storable
from results.records import NewEvaluation, NewRun, PendingRun, StoredSpec, SweepChange
from results.tables import runs

if TYPE_CHECKING:
    from results.archive.merged import Merged
    from results.archive.reading import Archive


class Store:
    """The results database, for writing.

    The contract:

    Done is final. A done run's row, epochs and measurements are never changed and never removed;
    only evaluations that it lacks are added.

    Claiming is compare-and-set. A run goes from queued to running in one statement that succeeds
    for one caller only, and raises the run's attempt number by one. Attempt numbers only rise.

    A write about a running run names its attempt, and checks in its own transaction that the run
    is still running under that attempt. If not, the writer was overtaken: the method returns
    False, and nothing at all has changed.

    Each method is one transaction: after a crash at any moment, all of it is there or none.

    A sweep is a list of runs and a list of evaluations under a name. Saving it again makes the
    lists what was given; what leaves a sweep keeps its results. Every version of its text is
    kept.

    Numbers that are not finite are stored as NULL.

    Every method raises DatabaseError if the database cannot be read or written; one that waited
    10 s for another writer gives up with that error.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(
        cls, url: str, *, create: bool = True, on_wait: Callable[[str], None] | None = None
    ) -> Self:
        """Opens `sqlite:///path` or `postgresql+psycopg://user:password@host/database`.

        With `create`, what is missing is made: the SQLite file, its folder, and the tables. A
        Postgres connection that is lost later is waited for, which `on_wait` is told.

        Raises NoDatabaseError if there is no database and `create` is false, DatabaseError if
        the URL is not supported, or the database cannot be opened, is no sweep database, or has
        the schema of another version.
        """
        return cls(connect(url, "create" if create else "write", on_wait=on_wait))

    @property
    def shown(self) -> str:
        """The database as messages name it: without a password."""
        return self._database.shown

    def close(self) -> None:
        """Closes all connections; a later call opens new ones."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def driver_lock(self, command: str = "") -> AbstractContextManager[None]:
        """Makes this process the one driver of the database while the `with` block runs.

        `command` tells others what is running. The lock ends with the process, however that
        ends. Raises DriverBusyError at once, naming host and pid, if another driver has it.
        """
        return self._database.driver_lock(command)

    def save_sweep(
        self,
        name: str,
        text: str,
        source: str,
        overrides: Sequence[str],
        description: str | None,
        runs: Sequence[NewRun],
        evaluations: Sequence[NewEvaluation],
        *,
        published: str | None = None,
    ) -> SweepChange:
        """Makes the sweep `name` consist of exactly these runs and evaluations, in this order.

        Runs new to the database are queued, and cancelled ones queued again; all others stay as
        they are. A run or evaluation given twice counts once, where it came first. `overrides`
        are "path=value"; `published` names the table that the sweep reproduces. A new version of
        the spec is kept if its text or overrides changed.
        """
        new_runs = list({run.run_id: run for run in runs}.values())
        new_evaluations = list({e.evaluation_id: e for e in evaluations}.values())
        kept_text = storable(text)
        kept_overrides = [storable(override) for override in overrides]
        now = time.time()

        def apply(connection: Connection) -> SweepChange:
            sweep_id = membership.save_name(connection, name, now)
            version, changed = membership.save_spec(
                connection,
                sweep_id,
                kept_text,
                source,
                kept_overrides,
                description,
                published,
                now,
            )
            added = membership.insert_runs(connection, new_runs, now)
            removed = membership.replace_runs(connection, sweep_id, new_runs)
            requeued = membership.requeue_cancelled(connection, sweep_id)
            membership.insert_evaluations(connection, [asdict(e) for e in new_evaluations])
            membership.replace_evaluations(connection, sweep_id, new_evaluations)
            return SweepChange(
                added=added,
                already_known=len(new_runs) - added,
                removed=removed,
                requeued=requeued,
                spec_version=version,
                spec_changed=changed,
            )

        return self._database.write(apply, lambda c: membership.saved(c, name, now))

    def stored_spec(self, sweep: str | None = None) -> StoredSpec:
        """The newest spec of `sweep`, or of the sweep that was saved last.

        Raises UnknownSweepError.
        """
        return self._database.read(lambda c: membership.newest_spec(c, sweep))

    def orphans(self) -> list[tuple[str, int]]:
        """(run id, attempt) of every run marked running.

        Only under the driver lock are these runs that nobody works on any more.
        """
        query = select(runs.c.run_id, runs.c.attempt).where(runs.c.state == "running")
        return self._database.read(
            lambda c: [(row.run_id, row.attempt) for row in c.execute(query)]
        )

    def claim(self, run_id: str, *, provenance: Mapping[str, Any]) -> int | None:
        """Takes a queued run: queued -> running under a new attempt, whose number it returns.

        None if the run is not queued, or unknown; nothing has changed then.
        """
        now = time.time()
        return self._database.write(
            lambda c: claims.claim(c, run_id, provenance, now),
            lambda c: claims.claimed(c, run_id, provenance, now),
        )

    def release(self, run_id: str, attempt: int, outcome: str, error: str | None) -> bool:
        """Gives a run back unfinished: running -> queued; the attempt ends as `outcome`.

        `outcome` is "lost" (the worker vanished) or "interrupted" (it was stopped); `error` says
        why in one line. False if overtaken. Raises ValueError for another outcome.
        """
        if outcome not in ("lost", "interrupted"):
            raise ValueError(f"outcome {outcome!r}: 'lost' or 'interrupted' is expected")
        reason = None if error is None else one_line(error)
        now = time.time()
        return self._database.write(
            lambda c: claims.leave(c, run_id, attempt, outcome, now, error=reason),
            lambda c: claims.left(c, run_id, attempt, outcome, now),
        )

    def fail(self, run_id: str, attempt: int, error: str, traceback: str | None) -> bool:
        """Ends a run that cannot succeed: running -> failed, with the reason in one line.

        False if overtaken.
        """
        reason = one_line(error) or "no reason was given"
        now = time.time()
        return self._database.write(
            lambda c: claims.leave(
                c,
                run_id,
                attempt,
                "failed",
                now,
                error=reason,
                traceback=traceback,
                finished_at=now,
            ),
            lambda c: claims.left(c, run_id, attempt, "failed", now),
        )

    def commit(self, run_id: str, attempt: int, result: Mapping[str, Any]) -> bool:
        """Ends a run with its result: running -> done, with its epochs and evaluations.

        `result` is the content of the worker's result.json. Its provenance is added to that of
        the claim. False if overtaken. Raises BadResultError, before anything is written, if the
        result is malformed or belongs to another run or attempt.
        """
        checked = check_result(run_id, attempt, result)
        now = time.time()
        return self._database.write(
            lambda c: claims.finish(c, run_id, attempt, checked, now),
            lambda c: claims.left(c, run_id, attempt, "done", now),
        )

    def add_evaluations(self, run_id: str, evaluations: Sequence[Mapping[str, Any]]) -> int:
        """Adds measurements to a done run; returns how many were new.

        Each is an entry of `evaluations` in result.json. One that the run has already stays as
        it is. 0, with nothing changed, if the run is not done. Raises UnknownRunError, and
        BadResultError before anything is written.
        """
        checked = check_evaluations(run_id, evaluations)

        def apply(connection: Connection) -> int:
            state = connection.execute(
                select(runs.c.state).where(runs.c.run_id == run_id)
            ).scalar_one_or_none()
            if state is None:
                raise UnknownRunError(run_id)
            return claims.add_measurements(connection, checked) if state == "done" else 0

        return self._database.write(apply, lambda c: claims.added_measurements(c, run_id, checked))

    def retry(self, sweep: str | None = None, run_ids: Sequence[str] | None = None) -> int:
        """Queues failed and cancelled runs again; returns how many.

        Of the whole database, or only those in `sweep`, or only `run_ids`, or both. Attempt
        numbers go on rising, and what earlier attempts left stays. Raises UnknownSweepError and
        UnknownRunError, with nothing changed.
        """
        requeued: list[tuple[str, int]] = []

        def apply(connection: Connection) -> int:
            requeued[:] = membership.requeue_ended(connection, sweep, run_ids)
            return len(requeued)

        return self._database.write(apply, lambda c: membership.requeued(c, requeued))

    def merge(self, archive: Archive, names: Mapping[str, str] | None = None) -> Merged:
        """Adds what the database lacks of an archive; `results.archive.merging` has the rules.

        `names` gives sweeps of the archive another name here. Raises BadArchiveError, with
        nothing changed.
        """
        from results.archive.merging import merge

        def nothing_left(connection: Connection) -> bool:
            trial = connection.begin_nested()
            try:
                return not merge(connection, archive, names).changed
            finally:
                trial.rollback()

        return self._database.write(lambda c: merge(c, archive, names), nothing_left)

    def pending(self, sweep: str) -> list[PendingRun]:
        """The runs of `sweep` with work left, in its order.

        These are the queued ones, and the done ones that lack evaluations of the sweep. Raises
        UnknownSweepError.
        """
        return self._database.read(lambda c: pending_runs(c, membership.find_sweep(c, sweep)))
