"""The only writer of the results database."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, Engine, insert, select, update

from results import membership
from results.database import (
    check_tables,
    create_tables,
    database_path,
    foreign_errors,
    open_engine,
    require_file,
)
from results.driver_lock import driver_lock
from results.errors import DatabaseError, UnknownRunError
from results.payload import CheckedEvaluation, check_evaluations, check_result
from results.pending import pending_runs
from results.plain import one_line
from results.records import (
    NewEvaluation,
    NewRun,
    PendingRun,
    StoredSpec,
    SweepChange,
)
from results.tables import (
    attempts,
    epochs,
    evaluations,
    runs,
    sweep_runs,
)


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

    def __init__(self, engine: Engine, path: Path) -> None:
        self._engine = engine
        self.path = path

    @classmethod
    def open(cls, url: str, *, create: bool = True) -> Self:
        """Opens `sqlite:///path`, and makes the file, its tables and its folder if `create`.

        Raises NoDatabaseError if there is no such file and `create` is false, DatabaseError if
        the URL is not supported, or the file cannot be opened or is no sweep database.
        """
        path = database_path(url)
        if not create or path.is_dir():
            require_file(path)
        elif not path.parent.is_dir():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise DatabaseError(
                    f"the folder {path.parent} cannot be made ({error.strerror}): check --db"
                ) from error
        engine = open_engine(path, "rwc" if create else "rw")
        store = cls(engine, path)
        try:
            with store._transaction() as connection:
                if create:
                    create_tables(connection, path)
                else:
                    check_tables(connection, path)
        except BaseException:
            store.close()
            raise
        return store

    def close(self) -> None:
        """Closes all connections; a later call opens new ones."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """All writing goes through here: BEGIN IMMEDIATE, then everything or nothing."""
        with foreign_errors(self.path), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """One consistent view, without the write lock."""
        with (
            foreign_errors(self.path),
            self._engine.execution_options(sqlite_begin="BEGIN").begin() as connection,
        ):
            yield connection

    def driver_lock(self, command: str = "") -> AbstractContextManager[None]:
        """Makes this process the one driver of the database while the `with` block runs.

        `command` tells others what is running. The lock ends with the process, however that
        ends. Raises DriverBusyError at once, naming host and pid, if another driver has it.
        """
        return driver_lock(self.path, command)

    def save_sweep(
        self,
        name: str,
        text: str,
        source: str,
        overrides: Sequence[str],
        description: str | None,
        runs: Sequence[NewRun],
        evaluations: Sequence[NewEvaluation],
    ) -> SweepChange:
        """Makes the sweep `name` consist of exactly these runs and evaluations, in this order.

        Runs new to the database are queued, and cancelled ones queued again; all others stay as
        they are. A run or evaluation given twice counts once, where it came first. `overrides`
        are "path=value". A new version of the spec is kept if its text or overrides changed.
        """
        new_runs = list({run.run_id: run for run in runs}.values())
        new_evaluations = list({e.evaluation_id: e for e in evaluations}.values())
        now = time.time()
        with self._transaction() as connection:
            sweep_id = membership.save_name(connection, name, now)
            version, changed = membership.save_spec(
                connection, sweep_id, text, source, overrides, description, now
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

    def stored_spec(self, sweep: str | None = None) -> StoredSpec:
        """The newest spec of `sweep`, or of the sweep that was saved last.

        Raises UnknownSweepError.
        """
        with self._reading() as connection:
            return membership.newest_spec(connection, sweep)

    def orphans(self) -> list[tuple[str, int]]:
        """(run id, attempt) of every run marked running.

        Only under the driver lock are these runs that nobody works on any more.
        """
        query = select(runs.c.run_id, runs.c.attempt).where(runs.c.state == "running")
        with self._reading() as connection:
            return [(row.run_id, row.attempt) for row in connection.execute(query)]

    def claim(self, run_id: str, *, provenance: Mapping[str, Any]) -> int | None:
        """Takes a queued run: queued -> running under a new attempt, whose number it returns.

        None if the run is not queued, or unknown; nothing has changed then.
        """
        with self._transaction() as connection:
            attempt = connection.execute(
                update(runs)
                .where(runs.c.run_id == run_id, runs.c.state == "queued")
                .values(state="running", attempt=runs.c.attempt + 1)
                .returning(runs.c.attempt)
            ).scalar_one_or_none()
            if attempt is None:
                return None
            connection.execute(
                insert(attempts).values(
                    run_id=run_id,
                    attempt=attempt,
                    state="running",
                    started_at=time.time(),
                    provenance=dict(provenance),
                )
            )
            return int(attempt)

    def release(self, run_id: str, attempt: int, outcome: str, error: str | None) -> bool:
        """Gives a run back unfinished: running -> queued; the attempt ends as `outcome`.

        `outcome` is "lost" (the worker vanished) or "interrupted" (it was stopped); `error` says
        why in one line. False if overtaken. Raises ValueError for another outcome.
        """
        if outcome not in ("lost", "interrupted"):
            raise ValueError(f"outcome {outcome!r}: 'lost' or 'interrupted' is expected")
        with self._transaction() as connection:
            if not _leave_running(connection, run_id, attempt, state="queued"):
                return False
            _close_attempt(
                connection,
                run_id,
                attempt,
                state=outcome,
                error=None if error is None else one_line(error),
                finished_at=time.time(),
            )
        return True

    def fail(self, run_id: str, attempt: int, error: str, traceback: str | None) -> bool:
        """Ends a run that cannot succeed: running -> failed, with the reason in one line.

        False if overtaken.
        """
        reason = one_line(error) or "no reason was given"
        now = time.time()
        with self._transaction() as connection:
            if not _leave_running(
                connection, run_id, attempt, state="failed", error=reason, finished_at=now
            ):
                return False
            _close_attempt(
                connection,
                run_id,
                attempt,
                state="failed",
                error=reason,
                traceback=traceback,
                finished_at=now,
            )
        return True

    def commit(self, run_id: str, attempt: int, result: Mapping[str, Any]) -> bool:
        """Ends a run with its result: running -> done, with its epochs and evaluations.

        `result` is the content of the worker's result.json. Its provenance is added to that of
        the claim. False if overtaken. Raises BadResultError, before anything is written, if the
        result is malformed or belongs to another run or attempt.
        """
        checked = check_result(run_id, attempt, result)
        now = time.time()
        with self._transaction() as connection:
            if not _leave_running(
                connection, run_id, attempt, state="done", finished_at=now, **checked.columns
            ):
                return False
            if checked.epochs:
                connection.execute(insert(epochs), checked.epochs)
            _add_measurements(connection, checked.evaluations)
            claimed = connection.execute(
                select(attempts.c.provenance).where(
                    attempts.c.run_id == run_id, attempts.c.attempt == attempt
                )
            ).scalar_one()
            _close_attempt(
                connection,
                run_id,
                attempt,
                state="done",
                finished_at=now,
                first_epoch=checked.first_epoch,
                provenance=claimed | checked.provenance,
            )
        return True

    def add_evaluations(self, run_id: str, evaluations: Sequence[Mapping[str, Any]]) -> int:
        """Adds measurements to a done run; returns how many were new.

        Each is an entry of `evaluations` in result.json. One that the run has already stays as
        it is. 0, with nothing changed, if the run is not done. Raises UnknownRunError, and
        BadResultError before anything is written.
        """
        checked = check_evaluations(run_id, evaluations)
        with self._transaction() as connection:
            state = connection.execute(
                select(runs.c.state).where(runs.c.run_id == run_id)
            ).scalar_one_or_none()
            if state is None:
                raise UnknownRunError(run_id)
            return _add_measurements(connection, checked) if state == "done" else 0

    def retry(self, sweep: str | None = None, run_ids: Sequence[str] | None = None) -> int:
        """Queues failed and cancelled runs again; returns how many.

        Of the whole database, or only those in `sweep`, or only `run_ids`, or both. Attempt
        numbers go on rising, and what earlier attempts left stays. Raises UnknownSweepError and
        UnknownRunError, with nothing changed.
        """
        requeue = (
            update(runs)
            .where(runs.c.state.in_(("failed", "cancelled")))
            .values(state="queued", error=None, finished_at=None)
        )
        with self._transaction() as connection:
            if sweep is not None:
                sweep_id = membership.find_sweep(connection, sweep)
                members = select(sweep_runs.c.run_id).where(sweep_runs.c.sweep_id == sweep_id)
                requeue = requeue.where(runs.c.run_id.in_(members))
            if run_ids is None:
                return int(connection.execute(requeue).rowcount)
            queued = 0
            for run_id in dict.fromkeys(run_ids):
                if not membership.count_runs(connection, run_id):
                    raise UnknownRunError(run_id)
                queued += connection.execute(requeue.where(runs.c.run_id == run_id)).rowcount
            return queued

    def pending(self, sweep: str) -> list[PendingRun]:
        """The runs of `sweep` with work left, in its order.

        These are the queued ones, and the done ones that lack evaluations of the sweep. Raises
        UnknownSweepError.
        """
        with self._reading() as connection:
            return pending_runs(connection, membership.find_sweep(connection, sweep))


def _leave_running(connection: Connection, run_id: str, attempt: int, **values: Any) -> bool:
    """Changes the run only if it still runs under this attempt; says whether it did."""
    changed = connection.execute(
        update(runs)
        .where(runs.c.run_id == run_id, runs.c.attempt == attempt, runs.c.state == "running")
        .values(**values)
    )
    return bool(changed.rowcount)


def _close_attempt(connection: Connection, run_id: str, attempt: int, **values: Any) -> None:
    connection.execute(
        update(attempts)
        .where(attempts.c.run_id == run_id, attempts.c.attempt == attempt)
        .values(**values)
    )


def _add_measurements(connection: Connection, checked: Sequence[CheckedEvaluation]) -> int:
    """Inserts measurements, and configs not known yet; returns how many of the first were new."""
    membership.insert_evaluations(connection, [item.config for item in checked])
    return membership.insert_missing(connection, evaluations, [item.measured for item in checked])
