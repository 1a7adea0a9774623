"""The only writer of the results database."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import Connection, select

from results.database.base import Database, DatabaseClient
from results.database.connect import connect
from results.errors import BadLabelError, UnknownRunError
from results.json_values import storable
from results.provenance import in_parts
from results.records import (
    FAULTS,
    DatabaseIdentity,
    Deletion,
    DriverStatus,
    KeptRun,
    NewEvaluation,
    NewRun,
    Orphan,
    OtherDriver,
    PendingRun,
    Removal,
    Renewal,
    StoredSpec,
    SweepChange,
)
from results.schema.tables import runs
from results.store import deleting, labels, leases, live, saving, sweeps, transitions
from results.store.driver import Driver
from results.store.leases import LEASE_SECONDS, RENEW_SECONDS
from results.store.pending import count_imported, count_runs, pending_runs
from results.store.report_schema import CheckedReport
from results.store.result_schema import check_evaluations, check_result
from sweep_plugins.plain_text import LONGEST_ERROR, LONGEST_TRACEBACK, one_line, shortened
from sweep_plugins.tag_name import problem_of_tag

if TYPE_CHECKING:
    from results.archive.merged import Merged
    from results.archive.reading import Archive

__all__ = ["LEASE_SECONDS", "RENEW_SECONDS", "Store"]

LONGEST_NOTE = 10_000
"""Characters."""


class Store(DatabaseClient):
    """The results database, for writing.

    The contract:

    Done is final. A done run's row, epochs, measurements, values of probes and blocks are never
    changed; only evaluations that it lacks are added. They are removed by `delete_runs` and
    `delete_runs_in_no_sweep` alone.

    Of a run that is not done, there are the epochs that its newest attempts reported. Its result
    replaces them.

    Claiming is compare-and-set. A run goes from queued to running in one statement that succeeds
    for one caller only, and raises the run's attempt number by one. Attempt numbers only rise.

    A write about a running run names its attempt, and checks in its own transaction that the run
    is still running under that attempt, and is this driver's. If not, the writer is fenced off:
    the method returns False, and nothing at all has changed. Outside of `driving`, runs belong
    to no driver.

    Each method is one transaction: after a crash at any moment, all of it is there or none.

    A sweep is a list of runs and a list of evaluations under a name. Saving it again makes the
    lists what was given; what leaves a sweep keeps its results. Every version of its text is
    kept. A queued run is in a sweep: what leaves its last one is cancelled, or, if it was never
    tried, deleted; a running one goes on, and is cancelled if it is given back.

    Numbers that are not finite are stored as NULL. In `probes` and `blocks` of a result they must
    be null already.

    Every method raises DatabaseError if the database cannot be read or written; one that waited
    10 s for another writer gives up with that error, or, in a driver, after its `retry_seconds`.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._driver: Driver | None = None

    @classmethod
    def open(
        cls,
        url: str,
        *,
        create: bool = True,
        on_wait: Callable[[str], None] | None = None,
        retry_seconds: float | None = None,
    ) -> Self:
        """Opens `sqlite:///path` or `postgresql://user:password@host/database`.

        With `create`, what is missing is made: the SQLite file, its folder, and the tables. A
        Postgres connection that is lost later is waited for `retry_seconds` (300 if None),
        and so is a SQLite file that others lock while this process drives; `on_wait` is called.

        Raises NoDatabaseError if there is no database and `create` is false, DatabaseError if
        the URL is not supported, or the database cannot be opened, is no sweep database, or has
        the schema of another version.
        """
        database = connect(url, "create" if create else "write", on_wait=on_wait)
        if retry_seconds is not None:
            database.retry_seconds = retry_seconds
        return cls(database)

    @contextmanager
    def driving(self, storage: str = "", command: str = "") -> Iterator[None]:
        """Makes this process a driver while the `with` block runs.

        What it claims then is its own: no other process may write about these runs before they are
        taken over. `storage` says where its attempts write; `command` tells others what is
        running.

        On SQLite there is one driver at a time: raises DriverBusyError at once, naming host and
        pid, if another drives. On Postgres any number may, and the error means that the schema
        is being upgraded. Others see at once when the process has ended, however that came.

        A block that ends well ends with a look at everything that was committed in it: raises
        DatabaseGoneError if a SQLite file was damaged, or exchanged for another, meanwhile.
        """
        if self._driver is not None:
            raise RuntimeError("this Store drives already")
        with self._database.driving(command) as new_id:
            driver = self._driver = Driver(self._database, new_id, storage or None)
            try:
                yield
                driver.prove()
            finally:
                self._driver = None
                driver.end()

    def renew(self, held: Sequence[tuple[str, int]]) -> Renewal:
        """Extends this driver's lease to LEASE_SECONDS from now, by the database's clock.

        `held` are the runs it works on, as (run id, attempt). Those that are no longer its own
        come back as `lost`: cancelled, taken over, or ended in the meantime. If another driver
        has taken all over (`alive` is false), this one is registered again, so that it can continue
        claiming. To be called every RENEW_SECONDS, from another thread than the rest if need
        be. Raises RuntimeError outside of `driving`.
        """
        return self._driving().renew(held)

    def take_over(self) -> list[Orphan]:
        """Makes the running runs of drivers that are gone this driver's own, and returns them.

        Gone is who left, whose lock went with its process, or whose lease has run out by the
        database's clock. Such a driver is ended: it can change nothing any more. So are runs
        taken over that no driver claimed. Of several that do this at once each gets other runs.
        Raises RuntimeError outside of `driving`.
        """
        return self._driving().take_over()

    def held(self) -> list[tuple[str, int]]:
        """The runs that this driver has now, as (run id, attempt): claimed or taken over.

        Raises RuntimeError outside of `driving`.
        """
        mine = self._driving().id
        return sorted(self._database.read(lambda c: leases.held_by(c, mine)))

    def waiting(self) -> set[str]:
        """The ids of those whose attempts have not begun, as far as the database knows.

        Each was claimed with others for one slot, and the one before it there has not ended.
        Raises RuntimeError outside of `driving`.
        """
        mine = self._driving().id
        return self._database.read(lambda c: leases.waiting(c, mine))

    def others(self, sweep: str) -> list[OtherDriver]:
        """The other living drivers that work on runs of the sweep; raises UnknownSweepError."""
        database, mine = self._database, self._driver_id

        def ask(connection: Connection) -> list[tuple[int | None, DriverStatus]]:
            gone = self._gone(connection)
            sweep_id = sweeps.find_sweep(connection, sweep)
            return leases.holders(connection, sweep_id, database.now(connection), gone)

        return [
            OtherDriver(driver.host, driver.pid, driver.runs)
            for driver_id, driver in database.read(ask)
            if driver_id != mine and not driver.gone
        ]

    def writes_to(self, storage: str) -> None:
        """What this driver claims from now on is written there.

        Raises RuntimeError outside of `driving`.
        """
        self._driving().storage = storage

    def identity(self) -> DatabaseIdentity:
        """What tells this database from others. Raises RuntimeError outside of `driving`."""
        self._driving()
        known = leases.identity_of(self._database)
        assert known is not None, "this process is a driver"
        return known

    @property
    def _driver_id(self) -> int | None:
        return None if self._driver is None else self._driver.id

    def _driving(self) -> Driver:
        if self._driver is None:
            raise RuntimeError("only a driver does this: use it inside of Store.driving")
        return self._driver

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

        A driver works on this sweep from then on.

        Runs new to the database are queued, and cancelled ones queued again; all others stay as
        they are. A run or evaluation given twice counts once, where it came first. `overrides`
        are "path=value"; `published` names the table that the sweep reproduces. A new version of
        the spec is kept if its text or overrides changed.
        """
        new_runs = list({run.run_id: run for run in runs}.values())
        new_evaluations = list({e.evaluation_id: e for e in evaluations}.values())
        spec = {
            "text": storable(text),
            "source": source,
            "overrides": [storable(override) for override in overrides],
            "description": description,
            "published": published,
        }
        now = time.time()

        driver = self._driver
        if driver is not None:
            driver.sweep = name  # first: another thread may register the driver again at any time

        def apply(connection: Connection) -> SweepChange:
            if driver is not None:
                leases.note_sweep(connection, driver.id, name)
            return saving.save_sweep(connection, name, spec, new_runs, new_evaluations, now)

        return self._database.write(apply, lambda c: saving.saved(c, name, now))

    def stored_spec(self, sweep: str | None = None) -> StoredSpec:
        """The newest spec of `sweep`, or of the one that was saved last, imported ones aside.

        Raises UnknownSweepError.
        """
        return self._database.read(lambda c: sweeps.newest_spec(c, sweep))

    def claim(self, run_id: str, *, provenance: Mapping[str, Any]) -> int | None:
        """Takes a queued run: queued -> running under a new attempt, whose number it returns.

        None if the run is not queued, or unknown, or this driver's runs were taken over; nothing
        has changed then.
        """
        return self.claim_all([run_id], provenance=provenance).get(run_id)

    def claim_all(self, run_ids: Sequence[str], *, provenance: Mapping[str, Any]) -> dict[str, int]:
        """As `claim`, in one transaction, of several that one slot runs in this order.

        The attempts of those that were claimed.
        """
        now, told = time.time(), in_parts(provenance)
        driver = self._driver
        taken: dict[str, int] = {}

        def apply(connection: Connection) -> dict[str, int]:
            nonlocal taken
            taken = transitions.claim(connection, run_ids, told, now, driver)
            return taken

        return self._database.write(apply, lambda c: transitions.claimed(c, taken, told, now))

    def release(
        self,
        run_id: str,
        attempt: int,
        outcome: str,
        error: str | None,
        *,
        fault: str | None = None,
        provenance: Mapping[str, Any] | None = None,
        report: CheckedReport | None = None,
    ) -> bool:
        """Gives a run back unfinished: running -> queued; the attempt ends as `outcome`.

        A run that is in no sweep any more is cancelled.

        `outcome` is "lost" (the worker vanished) or "interrupted" (it was stopped); `error` says
        why in one line, `fault`, one of FAULTS, in one word. `provenance` is added to that of
        the claim, and `report` to what it reported. False if fenced off. Raises ValueError for
        another outcome or fault.
        """
        if outcome not in ("lost", "interrupted"):
            raise ValueError(f"outcome {outcome!r}: 'lost' or 'interrupted' is expected")
        reason = None if error is None else _reason(error)
        end = {"state": outcome, "error": reason}
        return self._leave(run_id, attempt, end, fault, provenance, report)

    def fail(
        self,
        run_id: str,
        attempt: int,
        error: str,
        traceback: str | None,
        *,
        fault: str | None = None,
        provenance: Mapping[str, Any] | None = None,
        report: CheckedReport | None = None,
    ) -> bool:
        """Ends a run that cannot succeed: running -> failed, with the reason in one line.

        `fault`, `provenance` and `report` as in `release`. False if fenced off. Raises ValueError
        for an unknown fault.
        """
        reason = _reason(error) or "no reason was given"
        if traceback is not None:
            traceback = shortened(traceback, LONGEST_TRACEBACK)
        end = {"state": "failed", "error": reason, "traceback": traceback}
        return self._leave(run_id, attempt, end, fault, provenance, report)

    def _leave(
        self,
        run_id: str,
        attempt: int,
        end: Mapping[str, Any],
        fault: str | None,
        provenance: Mapping[str, Any] | None,
        report: CheckedReport | None,
    ) -> bool:
        if fault is not None and fault not in FAULTS:
            raise ValueError(f"fault {fault!r}: one of {', '.join(FAULTS)} is expected")
        now, mine, told = time.time(), self._driver_id, in_parts(provenance or {})
        end = {"finished_at": now, "fault": fault, **end}
        return self._database.write(
            lambda c: transitions.leave(c, run_id, attempt, mine, end, told, report),
            lambda c: transitions.left(c, run_id, attempt, end["state"], now),
        )

    def report(self, reports: Sequence[CheckedReport]) -> set[str]:
        """Adds what running runs have reported so far; the ids of those not fenced off.

        What earlier attempts of a run reported stays up to where its newest one goes on.
        """
        mine = self._driver_id
        # To write them twice is to write them once.
        return self._database.write(lambda c: live.store(c, reports, mine), lambda c: False)

    def commit(self, run_id: str, attempt: int, result: Mapping[str, Any]) -> bool:
        """Ends a run with its result: running -> done, with all that was measured of it.

        `result` is the content of the worker's result.json. Its provenance is added to that of
        the claim. False if fenced off. Raises BadResultError, before anything is written, if the
        result is malformed or belongs to another run or attempt.
        """
        return bool(self.commit_all([(run_id, attempt, result)]))

    def commit_all(self, results: Sequence[tuple[str, int, Mapping[str, Any]]]) -> set[str]:
        """As `commit`, of different runs in one transaction; the ids of those not fenced off."""
        checked = [
            (run_id, attempt, check_result(run_id, attempt, result))
            for run_id, attempt, result in results
        ]
        now, mine = time.time(), self._driver_id
        finished: set[str] = set()

        def apply(connection: Connection) -> set[str]:
            nonlocal finished
            finished = transitions.finish(connection, checked, now, mine)
            return finished

        def applied(connection: Connection) -> bool:
            # All of them or none: checking one is enough.
            one = next((result for result in checked if result[0] in finished), None)
            return one is None or transitions.left(connection, *one[:2], "done", now)

        done = self._database.write(apply, applied)
        if self._driver is not None:
            self._driver.committed(len(done))
        return done

    def refill(self, results: Sequence[tuple[str, int, Mapping[str, Any]]]) -> set[str]:
        """As `commit_all`, of queued runs whose attempts this database does not know.

        For a database that was lost, and results that were not. Returns the ids of those that are
        done now: the others are not queued, or have an attempt of that number or a later one.
        """
        checked = [
            (run_id, attempt, check_result(run_id, attempt, result))
            for run_id, attempt, result in results
        ]
        now, driver = time.time(), self._driving()
        finished: set[str] = set()

        def apply(connection: Connection) -> set[str]:
            nonlocal finished
            before = {run_id: attempt - 1 for run_id, attempt, _ in checked}
            fit = transitions.count_attempts(connection, before)
            transitions.claim(connection, fit, in_parts({}), now, driver, one_slot=False)
            finished = transitions.finish(
                connection, [one for one in checked if one[0] in fit], now, driver.id
            )
            return finished

        def applied(connection: Connection) -> bool:
            one = next((result for result in checked if result[0] in finished), None)
            return one is None or transitions.left(connection, *one[:2], "done", now)

        done = self._database.write(apply, applied)
        driver.committed(len(done))
        return done

    def add_evaluations(self, run_id: str, evaluations: Sequence[Mapping[str, Any]]) -> int:
        """Adds measurements to a done run; returns how many were new.

        Each is an entry of `evaluations` in result.json. One that the run has already stays as
        it is. 0, with nothing changed, if the run is not done. Raises UnknownRunError, and
        BadResultError before anything is written.
        """
        checked = check_evaluations(run_id, evaluations)

        def apply(connection: Connection) -> int:
            found = select(runs.c.state).where(runs.c.run_id == run_id)
            state = connection.scalar(found.with_for_update(read=True, key_share=True))
            if state is None:
                raise UnknownRunError(run_id)
            return transitions.add_measurements(connection, checked) if state == "done" else 0

        return self._database.write(
            apply, lambda c: transitions.added_measurements(c, run_id, checked)
        )

    def retry(
        self,
        sweep: str | None = None,
        run_ids: Sequence[str] | None = None,
        *,
        only_failed: bool = False,
    ) -> int:
        """Queues failed runs again, and cancelled ones unless `only_failed`; returns how many.

        Of the whole database, or only those in `sweep`, or only `run_ids`, or both; the start of
        an id will do. Attempt numbers go on rising, and what earlier attempts left stays, but
        their faults count no more. Runs in no sweep stay as they are. Raises
        UnknownSweepError, UnknownRunError, and RunInNoSweepError for one that was named, with
        nothing changed.
        """
        states = ("failed",) if only_failed else ("failed", "cancelled")
        requeued: list[tuple[str, int]] = []

        def apply(connection: Connection) -> int:
            requeued[:] = sweeps.requeue_ended(connection, sweep, run_ids, states)
            return len(requeued)

        return self._database.write(apply, lambda c: sweeps.requeued(c, requeued))

    def cancel(self, sweep: str | None = None, run_ids: Sequence[str] | None = None) -> int:
        """Cancels queued and running runs; returns how many.

        Of the whole database, or only those in `sweep`, or only `run_ids` as in `retry`. A driver
        that works on one learns it when it renews its lease, and can no longer write about it.
        Raises UnknownSweepError and UnknownRunError, with nothing changed.
        """
        cancelled: list[str] = []
        now = time.time()

        def apply(connection: Connection) -> int:
            cancelled[:] = sweeps.cancel(connection, sweep, run_ids, now)
            return len(cancelled)

        return self._database.write(apply, lambda c: sweeps.was_cancelled(c, cancelled))

    def tag(self, name: str, tags: Sequence[str], *, remove: bool = False) -> tuple[str, list[str]]:
        """Gives a sweep, or a run by the start of its id, these tags, or takes them away.

        Returns the sweep's name or the run's id, and the tags that it has itself then. Of a sweep
        and a run, the sweep is meant. Raises UnknownLabelledError, and BadLabelError for what is
        no tag, with nothing changed.
        """
        for tag in tags:
            if (problem := problem_of_tag(tag)) is not None:
                raise BadLabelError(problem)
        change = labels.remove_tags if remove else labels.add_tags

        def apply(connection: Connection) -> tuple[str, list[str]]:
            labelled = labels.hold_labelled(connection, name)
            if tags:
                change(connection, labelled, tags)
            return labelled.shown, labels.tags_of(connection, labelled)

        # To change them twice is to change them once.
        return self._database.write(apply, lambda c: False)

    def note(self, name: str, text: str) -> str:
        """Adds a note to a sweep or a run, as `tag` finds it; returns its name or id.

        Raises UnknownLabelledError, and BadLabelError for an empty or endless one.
        """
        text = storable(text.strip())
        if not text or len(text) > LONGEST_NOTE:
            raise BadLabelError(
                f"a note has 1 to {LONGEST_NOTE:,} characters, and this one {len(text):,}"
            )
        now = time.time()

        def apply(connection: Connection) -> str:
            labelled = labels.hold_labelled(connection, name)
            labels.add_note(connection, labelled, text, now)
            return labelled.shown

        return self._database.write(
            apply,
            lambda c: labels.has_note(c, labels.find_labelled(c, name), text, now),
        )

    def remove_note(self, name: str, number: int) -> str:
        """Removes the note of this number of a sweep or a run; returns its name or id.

        Raises UnknownLabelledError, and BadLabelError if there is none, with nothing changed.
        """

        def apply(connection: Connection) -> str:
            labelled = labels.hold_labelled(connection, name)
            if not labels.remove_note(connection, labelled, number):
                known = [str(note.number) for note in labels.notes_of(connection, labelled)]
                has = f"its notes have the numbers {', '.join(known)}" if known else "it has none"
                raise BadLabelError(f"{labelled.shown} has no note {number}; {has}")
            return labelled.shown

        def applied(connection: Connection) -> bool:
            left = labels.notes_of(connection, labels.hold_labelled(connection, name))
            return number not in [note.number for note in left]

        return self._database.write(apply, applied)

    def to_delete(self, name: str) -> Deletion:
        """What `delete_sweep` would do; nothing is changed. Raises UnknownSweepError."""
        return self._database.read(lambda c: deleting.to_delete(c, name))

    def delete_sweep(self, name: str, forget_spec: Callable[[], None]) -> Deletion:
        """Deletes a sweep: its name, the versions of its spec, its list of runs, tags and notes.

        Its runs stay, but for those that nobody ever tried and that no other sweep holds; of those
        that were tried and have no result, none stays queued. `forget_spec` is called before; if it
        raises, nothing has changed. Raises UnknownSweepError, and DriverBusyError if a driver works
        on the sweep, or on a run that no other holds.
        """
        gone: list[Deletion] = []

        def apply(connection: Connection) -> Deletion:
            gone[:] = [deleting.delete_sweep(connection, name, self._gone(connection), forget_spec)]
            return gone[0]

        return self._database.write(apply, lambda c: not deleting.exists(c, name))

    def delete_runs(
        self, sweep: str, run_ids: Collection[str], remove_files: Callable[[str], None]
    ) -> int:
        """Deletes those of these runs that `sweep` and no other holds; returns how many.

        All that was measured of them goes, which is an exception to "done is final", after
        `remove_files` was called with each of them. Meanwhile nobody can claim them, or put them
        into another sweep. If it raises, all rows stay. Raises UnknownSweepError, and
        DriverBusyError as `delete_sweep`.
        """
        gone: list[str] = []

        def apply(connection: Connection) -> int:
            is_gone = self._gone(connection)
            gone[:] = deleting.delete_runs(connection, sweep, run_ids, is_gone, remove_files)
            return len(gone)

        return self._database.write(apply, lambda c: deleting.are_deleted(c, gone))

    def delete_runs_in_no_sweep(
        self, kept: Sequence[KeptRun], remove_files: Callable[[KeptRun], None]
    ) -> Removal:
        """Deletes those of these runs that are in no sweep, as `delete_runs`.

        Those that are not as it says any more stay, and so do those that a driver works on.
        """
        gone: list[str] = []

        def apply(connection: Connection) -> Removal:
            is_gone = self._gone(connection)
            removal = deleting.delete_runs_in_no_sweep(connection, kept, is_gone, remove_files)
            gone[:] = [run.run_id for run in removal.done]
            return removal

        return self._database.write(apply, lambda c: deleting.are_deleted(c, gone))

    def clear(self, kept: Sequence[KeptRun], remove_files: Callable[[KeptRun], None]) -> Removal:
        """Calls `remove_files` with each of these runs that is still as it says.

        Not with one that a driver works on. Meanwhile nobody can claim these runs, or put them into
        a sweep.
        """
        # What is removed twice is removed.
        return self._database.write(
            lambda c: deleting.clear(c, kept, self._gone(c), remove_files), lambda c: False
        )

    def _gone(self, connection: Connection) -> leases.Gone:
        return partial(self._database.gone, connection)

    def merge(self, archive: Archive, names: Mapping[str, str] | None = None) -> Merged:
        """Adds what the database lacks of an archive; `results.archive.merging` has the rules.

        `names` gives sweeps of the archive another name here. Raises BadArchiveError, with
        nothing changed.
        """
        from results.archive.merging import merge

        if str(archive.path) == self.shown:
            raise archive.bad("it is the database itself")

        def nothing_left(connection: Connection) -> bool:
            trial = connection.begin_nested()
            try:
                return not merge(connection, archive, names).changed
            finally:
                trial.rollback()

        return self._database.write(lambda c: merge(c, archive, names), nothing_left)

    def counts(self, sweep: str) -> dict[str, int]:
        """The sweep's runs by state; every state is a key. Raises UnknownSweepError."""
        return self._database.read(lambda c: count_runs(c, sweeps.find_sweep(c, sweep)))

    def imported(self, sweep: str) -> int:
        """How many of its done runs an archive brought. Raises UnknownSweepError."""
        return self._database.read(lambda c: count_imported(c, sweeps.find_sweep(c, sweep)))

    def pending(self, sweep: str) -> list[PendingRun]:
        """The runs of `sweep` with work left, in its order.

        These are the queued ones, and the done ones that lack evaluations of the sweep. Raises
        UnknownSweepError.
        """
        return self._database.read(lambda c: pending_runs(c, sweeps.find_sweep(c, sweep)))


def _reason(error: str) -> str:
    """The error in one line, of which there is enough."""
    return shortened(one_line(shortened(error, LONGEST_TRACEBACK)), LONGEST_ERROR)
