"""A Store that is held against the model at every call, and a database that is held against it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, delete, text

import databases
from results.errors import DriverBusyError, RunInNoSweepError, UnknownRunError, UnknownSweepError
from results.queries.queries import Queries
from results.records import DatabaseIdentity, PendingRun
from results.schema.tables import metadata
from results.store.report_schema import CheckedReport
from results.store.result_schema import check_result
from results.store.store import Store
from run_model import Model, RefusedError

T = TypeVar("T")

STATES = {"queued", "running", "done", "failed", "cancelled"}


class Laboratory:
    """One database, emptied for each example, and the model of what it has to hold."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.model = Model(one_driver=url.startswith("sqlite"))
        self._stores: list[Store] = []
        self._engine: Engine = databases.plain_engine(url)
        self._connection: Connection | None = None
        self._done: dict[str, tuple[Any, ...]] = {}
        self._attempts: dict[str, int] = {}

    def open_store(self) -> CheckedStore:
        store = Store.open(self.url)
        store._database.now = lambda connection: self.model.now  # type: ignore[method-assign]
        self._stores.append(store)
        return CheckedStore(store, self)

    def close(self) -> None:
        for store in self._stores:
            store.close()
        if self._connection is not None:
            self._connection.close()
        self._engine.dispose()

    def empty(self) -> None:
        """A database that appears to be new."""
        if self._connection is None:
            self._connection = self._engine.connect()
            self._connection.execution_options(isolation_level="AUTOCOMMIT")
        with self._engine.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(delete(table))
        self.model = Model(one_driver=self.model.one_driver)
        self._done.clear()
        self._attempts.clear()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        assert self._connection is not None
        return [tuple(row) for row in self._connection.execute(text(query))]

    def content(self) -> list[list[tuple[Any, ...]]]:
        """Every row of every table."""
        return [
            sorted(self.rows(f"SELECT * FROM {table.name}"), key=repr)
            for table in metadata.sorted_tables
        ]

    def check(self) -> None:
        """The database holds what the model says, and what it held for good is still there."""
        model = self.model
        runs = self.rows("SELECT run_id, state, attempt, retried_after FROM runs")
        attempts = self.rows(
            "SELECT run_id, attempt, state, driver_id, fault, storage FROM attempts"
            " ORDER BY run_id, attempt"
        )
        self._check_history(runs, attempts)
        assert {row[0]: row[1:] for row in runs} == {
            key: (run.state, len(run.attempts), run.retried_after)
            for key, run in model.runs.items()
        }
        assert attempts == [
            (key, number, a.state, a.driver, a.fault, a.storage)
            for key, run in sorted(model.runs.items())
            for number, a in enumerate(run.attempts, 1)
        ]
        drivers = "SELECT id, lease_until, ended_at IS NOT NULL FROM drivers"
        assert {row[0]: (row[1], bool(row[2])) for row in self.rows(drivers)} == {
            key: (driver.lease_until, driver.ended) for key, driver in model.drivers.items()
        }
        measured = "SELECT run_id, evaluation_id, accuracy FROM evaluations"
        assert {row[:2]: row[2] for row in self.rows(measured)} == {
            (key, evaluation): accuracy
            for key, run in model.runs.items()
            for evaluation, accuracy in run.measured.items()
        }

    def _check_history(self, runs: list[tuple[Any, ...]], attempts: list[tuple[Any, ...]]) -> None:
        """The laws that need no model."""
        assert {state for _, state, *_ in runs} <= STATES
        for run_id, _, attempt, _ in runs:
            assert attempt >= self._attempts.get(run_id, 0), "an attempt's number fell"
            self._attempts[run_id] = attempt
        gone = self._attempts.keys() - {row[0] for row in runs}
        assert not any(self._attempts.pop(run_id) for run_id in gone), "a run was lost"
        held = {row[0] for row in self.rows("SELECT run_id FROM sweep_runs")}
        assert {row[0] for row in runs if row[1] == "queued"} <= held, "nobody asks for a run"
        opened = [row[0] for row in attempts if row[2] == "running"]
        assert sorted(opened) == sorted(row[0] for row in runs if row[1] == "running")
        finished = [row[0] for row in attempts if row[2] == "done"]
        assert sorted(finished) == sorted(row[0] for row in runs if row[1] == "done")
        done = {row[0]: row for row in self.rows("SELECT * FROM runs WHERE state = 'done'")}
        for run_id, row in self._done.items():
            assert done.get(run_id) == row, "a done run changed"
        self._done = done
        epochs = dict(self.rows("SELECT run_id, count(*) FROM epochs GROUP BY run_id"))
        assert epochs == dict.fromkeys(done, 2), "epochs were lost or doubled"

    def check_counts(self) -> None:
        """What `sweep status` says adds up."""
        if not self.model.sweeps:
            return
        with Queries.open(self.url) as queries:
            for status in queries.status():
                counted = {state: n for state, n in status.counts.items() if n}
                assert counted == self.model.counts_of_begun(status.sweep)
                assert status.runs == sum(counted.values())
                failed = [f.run_id for f in status.failures]
                assert len(failed) == counted.get("failed", 0)


class CheckedStore:
    """The calls of `Store` that drivers and commands use; each answers as the model does."""

    def __init__(self, store: Store, laboratory: Laboratory) -> None:
        self._store = store
        self._laboratory = laboratory
        self._storage: str | None = None
        self._dies = False

    @property
    def _database(self) -> Any:
        """What is only read, is read as by others."""
        return self._store._database

    @property
    def me(self) -> int | None:
        return None if self._store._driver is None else self._store._driver.id

    @property
    def _model(self) -> Model:
        return self._laboratory.model

    def _compare(self, call: Callable[[], T], predict: Callable[[], Any], plain: Any = None) -> T:
        """`plain` brings what the call gives into the model's words."""
        try:
            expected = predict()
        except RefusedError:
            expected = RefusedError
        changes = expected is not RefusedError and (expected or expected == [])
        before = None if changes else self._laboratory.content()
        found = None
        try:
            found = call()
            seen = plain(found) if plain else found
        except (RunInNoSweepError, UnknownRunError, UnknownSweepError):
            seen = RefusedError
        assert seen == expected
        if before is not None:
            assert self._laboratory.content() == before, "a call that was refused changed something"
        if seen is RefusedError:
            raise RefusedError
        return found  # type: ignore[return-value]

    @contextmanager
    def driving(self, storage: str = "", command: str = "") -> Iterator[None]:
        allowed = self._model.may_drive()
        try:
            with self._store.driving(storage, command):
                assert allowed, "two drivers on one file"
                me = self.me
                assert me is not None
                self._model.register(me)
                self._storage, self._dies = storage or None, False
                try:
                    yield
                finally:
                    me = self.me
                    assert me is not None
                    if self._dies:
                        # A process that dies does not say goodbye.
                        assert self._store._driver is not None
                        self._store._driver._owner = -1
                        self._model.unlock(me)
                    else:
                        self._model.leave(me)
        except DriverBusyError as error:
            if allowed or f"pid {os.getpid()}" not in str(error):
                raise AssertionError("refused, or not told by whom") from error
            raise

    def identity(self) -> DatabaseIdentity:
        return self._store.identity()

    def writes_to(self, storage: str) -> None:
        self._store.writes_to(storage)
        self._storage = storage or None

    def die(self) -> None:
        """Leaves `driving`, when that is left, as a process does that is killed."""
        self._dies = True

    def renew(self, held: Sequence[tuple[str, int]]) -> Any:
        me = self.me
        assert me is not None
        found = self._compare(
            lambda: self._store.renew(held), lambda: self._model.renew(me, held), tuple
        )
        new = self.me
        if new != me:
            assert new is not None
            self._model.unlock(me)
            self._model.register(new)
        return found

    def take_over(self) -> list[Any]:
        me = self.me
        assert me is not None
        return self._compare(
            self._store.take_over,
            lambda: self._model.take_over(me),
            lambda orphans: [tuple(orphan) for orphan in orphans],
        )

    def held(self) -> list[tuple[str, int]]:
        me = self.me
        assert me is not None
        return self._compare(self._store.held, lambda: self._model.held(me))

    def waiting(self) -> set[str]:
        me = self.me
        assert me is not None
        return self._compare(self._store.waiting, lambda: self._model.waiting(me))

    def others(self, sweep: str) -> list[Any]:
        return self._compare(
            lambda: self._store.others(sweep),
            lambda: self._model.others(self.me, sweep),
            lambda drivers: [driver.runs for driver in drivers],
        )

    def save_sweep(self, name: str, text: str, source: str, *rest: Any, **more: Any) -> Any:
        overrides, _, runs, evaluations = rest
        return self._compare(
            lambda: self._store.save_sweep(name, text, source, *rest, **more),
            lambda: self._model.save(name, text, overrides, runs, evaluations),
            asdict,
        )

    def counts(self, sweep: str) -> dict[str, int]:
        return self._compare(
            lambda: self._store.counts(sweep),
            lambda: {state: self._model.counts(sweep)[state] for state in sorted(STATES)},
        )

    def pending(self, sweep: str) -> list[PendingRun]:
        def plain(pending: list[PendingRun]) -> list[tuple[Any, ...]]:
            return [
                (
                    run.run_id,
                    run.state,
                    run.attempt,
                    [e.evaluation_id for e in run.missing_evaluations],
                    run.faults,
                    list(run.storages),
                )
                for run in pending
            ]

        return self._compare(
            lambda: self._store.pending(sweep), lambda: self._model.pending(sweep), plain
        )

    def claim(self, run_id: str, *, provenance: Mapping[str, Any]) -> int | None:
        return self._compare(
            lambda: self._store.claim(run_id, provenance=provenance),
            lambda: self._model.claim(self.me, run_id, self._storage),
        )

    def claim_all(self, run_ids: Sequence[str], *, provenance: Mapping[str, Any]) -> dict[str, int]:
        return self._compare(
            lambda: self._store.claim_all(run_ids, provenance=provenance),
            lambda: self._model.claim_all(self.me, run_ids, self._storage),
        )

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
        return self._compare(
            lambda: self._store.release(
                run_id, attempt, outcome, error, fault=fault, provenance=provenance, report=report
            ),
            lambda: self._model.release(self.me, run_id, attempt, outcome, fault),
        )

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
        return self._compare(
            lambda: self._store.fail(
                run_id, attempt, error, traceback, fault=fault, provenance=provenance, report=report
            ),
            lambda: self._model.fail(self.me, run_id, attempt, fault),
        )

    def commit(self, run_id: str, attempt: int, result: Mapping[str, Any]) -> bool:
        check_result(run_id, attempt, result)  # raises as the store does, before anything changes
        measured = {e["evaluation_id"]: e["accuracy"] for e in result["evaluations"]}
        return self._compare(
            lambda: self._store.commit(run_id, attempt, result),
            lambda: self._model.commit(self.me, run_id, attempt, measured),
        )

    def commit_all(self, results: Sequence[tuple[str, int, Mapping[str, Any]]]) -> set[str]:
        for entry in results:
            check_result(*entry)  # raises as the store does, before anything changes

        def predict() -> set[str]:
            return {
                run_id
                for run_id, attempt, result in results
                if self._model.commit(
                    self.me,
                    run_id,
                    attempt,
                    {e["evaluation_id"]: e["accuracy"] for e in result["evaluations"]},
                )
            }

        return self._compare(lambda: self._store.commit_all(results), predict)

    def add_evaluations(self, run_id: str, evaluations: Sequence[Mapping[str, Any]]) -> int:
        measured = {e["evaluation_id"]: e["accuracy"] for e in evaluations}
        return self._compare(
            lambda: self._store.add_evaluations(run_id, evaluations),
            lambda: self._model.add_evaluations(run_id, measured),
        )

    def cancel(self, sweep: str | None = None, run_ids: Sequence[str] | None = None) -> int:
        return self._compare(
            lambda: self._store.cancel(sweep, run_ids), lambda: self._model.cancel(sweep, run_ids)
        )

    def retry(
        self,
        sweep: str | None = None,
        run_ids: Sequence[str] | None = None,
        *,
        only_failed: bool = False,
    ) -> int:
        return self._compare(
            lambda: self._store.retry(sweep, run_ids, only_failed=only_failed),
            lambda: self._model.retry(sweep, run_ids, only_failed),
        )
