"""What must hold of runs, attempts and drivers, in plain Python: a database in a few dictionaries.

Each method answers as the `Store` method of its name has to, and changes the model as that has to
change the database. `me` is the caller's driver, None for a program that is none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from results.records import NewEvaluation, NewRun

LEASE_SECONDS = 60.0


class RefusedError(Exception):
    """The call has to raise, with nothing changed."""


@dataclass
class ModelAttempt:
    driver: int | None
    storage: str | None
    state: str = "running"
    fault: str | None = None
    after: ModelAttempt | None = None

    @property
    def has_not_begun(self) -> bool:
        """It was claimed for one slot with some before it, of which one runs."""
        return self.state == "running" and any(one.state == "running" for one in self._before())

    def _before(self) -> Iterator[ModelAttempt]:
        if self.after is not None:
            yield self.after
            yield from self.after._before()


@dataclass
class ModelRun:
    """`attempts[0]` is attempt 1. `measured`: accuracy by evaluation id."""

    state: str = "queued"
    attempts: list[ModelAttempt] = field(default_factory=list)
    retried_after: int = 0
    measured: dict[str, float] = field(default_factory=dict)

    def end(self, state: str, outcome: str, fault: str | None = None) -> None:
        self.state = state
        self.attempts[-1].state = outcome
        self.attempts[-1].fault = fault

    @property
    def has_not_begun(self) -> bool:
        return bool(self.attempts) and self.attempts[-1].has_not_begun

    def queue_again(self) -> None:
        self.state = "queued"
        self.retried_after = len(self.attempts)


@dataclass
class ModelDriver:
    """`locked`: its process lives, as far as locks tell."""

    lease_until: float
    locked: bool = True
    ended: bool = False


@dataclass
class ModelSweep:
    runs: list[str]
    evaluations: list[str]
    versions: int = 0
    spec: tuple[str, tuple[str, ...]] | None = None


class Model:
    """
    Attributes:
        one_driver: a driver has the database for itself, so that it sees that all others are gone.
        now: by the database's clock.
    """

    def __init__(self, *, one_driver: bool) -> None:
        self.one_driver = one_driver
        self.now = 1_000.0
        self.runs: dict[str, ModelRun] = {}
        self.drivers: dict[int, ModelDriver] = {}
        self.sweeps: dict[str, ModelSweep] = {}

    # Drivers.

    def may_drive(self) -> bool:
        return not (self.one_driver and any(d.locked for d in self.drivers.values()))

    def register(self, new: int) -> None:
        assert new not in self.drivers, "a driver's number was given twice"
        self.drivers[new] = ModelDriver(self.now + LEASE_SECONDS)

    def leave(self, me: int) -> None:
        self.drivers[me].ended = True
        self.unlock(me)

    def unlock(self, me: int) -> None:
        self.drivers[me].locked = False

    def renew(self, me: int, held: Sequence[tuple[str, int]]) -> tuple[bool, list[tuple[str, int]]]:
        if self.drivers[me].ended:
            return False, list(held)
        self.drivers[me].lease_until = self.now + LEASE_SECONDS
        return True, [key for key in held if not self._holds(me, *key)]

    def _holds(self, me: int | None, run_id: str, attempt: int) -> bool:
        run = self.runs.get(run_id)
        return (
            run is not None
            and run.state == "running"
            and len(run.attempts) == attempt
            and run.attempts[-1].driver == me
        )

    def _gone(self, me: int | None, key: int) -> bool:
        """Whether locks show `me` that the driver is gone."""
        if not self.one_driver:
            return not self.drivers[key].locked
        if me is not None and self.drivers[me].locked:
            return key != me
        # Who does not drive sees whether anybody does.
        return not any(driver.locked for driver in self.drivers.values())

    def take_over(self, me: int) -> list[tuple[str, int, str | None]]:
        if self.drivers[me].ended:
            return []
        for key, driver in self.drivers.items():
            if key != me and not driver.ended:
                driver.ended = self._gone(me, key) or driver.lease_until < self.now
        orphans = []
        for run_id, run in sorted(self.runs.items()):
            if run.state != "running":
                continue
            last = run.attempts[-1]
            if last.driver is None or self.drivers[last.driver].ended:
                last.driver = me
                orphans.append((run_id, len(run.attempts), last.storage))
        return orphans

    def held(self, me: int) -> list[tuple[str, int]]:
        keys = [(run_id, len(run.attempts)) for run_id, run in sorted(self.runs.items())]
        return [key for key in keys if self._holds(me, *key)]

    def others(self, me: int | None, sweep: str) -> list[int]:
        """How many runs of the sweep each other living driver has begun."""
        held: Counter[int] = Counter()
        for run_id in self._sweep(sweep).runs:
            run = self.runs[run_id]
            if run.state == "running" and run.attempts[-1].driver is not None:
                held[run.attempts[-1].driver] += not run.has_not_begun
        return [
            runs
            for key, runs in sorted(held.items())
            if key != me
            and not self.drivers[key].ended
            and not self._gone(me, key)
            and self.drivers[key].lease_until > self.now
        ]

    # Runs.

    def waiting(self, me: int) -> set[str]:
        return {run_id for run_id, _ in self.held(me) if self.runs[run_id].has_not_begun}

    def claim_all(
        self, me: int | None, run_ids: Sequence[str], storage: str | None
    ) -> dict[str, int]:
        taken: dict[str, int] = {}
        before: ModelAttempt | None = None
        for run_id in run_ids:
            number = self.claim(me, run_id, storage)
            if number is not None:
                taken[run_id] = number
                attempt = self.runs[run_id].attempts[-1]
                attempt.after, before = before, attempt
        return taken

    def claim(self, me: int | None, run_id: str, storage: str | None) -> int | None:
        run = self.runs.get(run_id)
        if run is None or run.state != "queued" or (me is not None and self.drivers[me].ended):
            return None
        run.state = "running"
        run.attempts.append(ModelAttempt(me, storage if me is not None else None))
        return len(run.attempts)

    def release(
        self, me: int | None, run_id: str, attempt: int, outcome: str, fault: str | None
    ) -> bool:
        state = "queued" if self._is_held(run_id) else "cancelled"
        return self._end(me, run_id, attempt, state, outcome, fault)

    def _is_held(self, run_id: str) -> bool:
        return any(run_id in sweep.runs for sweep in self.sweeps.values())

    def fail(self, me: int | None, run_id: str, attempt: int, fault: str | None) -> bool:
        return self._end(me, run_id, attempt, "failed", "failed", fault)

    def commit(
        self, me: int | None, run_id: str, attempt: int, measured: Mapping[str, float]
    ) -> bool:
        if not self._end(me, run_id, attempt, "done", "done", None):
            return False
        self.runs[run_id].measured = dict(measured)
        return True

    def _end(
        self,
        me: int | None,
        run_id: str,
        attempt: int,
        state: str,
        outcome: str,
        fault: str | None,
    ) -> bool:
        if not self._holds(me, run_id, attempt):
            return False
        self.runs[run_id].end(state, outcome, fault)
        return True

    def add_evaluations(self, run_id: str, measured: Mapping[str, float]) -> int:
        run = self._run(run_id)
        if run.state != "done":
            return 0
        new = {key: value for key, value in measured.items() if key not in run.measured}
        run.measured |= new
        return len(new)

    def cancel(self, sweep: str | None, run_ids: Iterable[str] | None) -> int:
        chosen = [self.runs[run_id] for run_id in self._chosen(sweep, run_ids)]
        chosen = [run for run in chosen if run.state in ("queued", "running")]
        for run in chosen:
            if run.state == "running":
                run.end("cancelled", "cancelled")
            run.state = "cancelled"
        return len(chosen)

    def retry(self, sweep: str | None, run_ids: Iterable[str] | None, only_failed: bool) -> int:
        states = ("failed",) if only_failed else ("failed", "cancelled")
        ended = {key for key, run in self.runs.items() if run.state in states}
        chosen = self._chosen(sweep, run_ids)
        in_no_sweep = {key for key in ended if not self._is_held(key)}
        if in_no_sweep & set(run_ids or ()):
            raise RefusedError("no sweep holds it")
        for run_id in chosen & ended - in_no_sweep:
            self.runs[run_id].queue_again()
        return len(chosen & ended - in_no_sweep)

    def _chosen(self, sweep: str | None, run_ids: Iterable[str] | None) -> set[str]:
        members = set(self.runs) if sweep is None else set(self._sweep(sweep).runs)
        asked = set(self.runs) if run_ids is None else set(run_ids)
        for run_id in asked:
            self._run(run_id)
        return members & asked

    def _run(self, run_id: str) -> ModelRun:
        if run_id not in self.runs:
            raise RefusedError(f"no run {run_id}")
        return self.runs[run_id]

    # Sweeps.

    def save(
        self,
        name: str,
        text: str,
        overrides: Sequence[str],
        runs: Sequence[NewRun],
        evaluations: Sequence[NewEvaluation],
    ) -> dict[str, Any]:
        ids = list(dict.fromkeys(run.run_id for run in runs))
        sweep = self.sweeps.setdefault(name, ModelSweep([], []))
        before, sweep.runs = sweep.runs, ids
        sweep.evaluations = list(dict.fromkeys(e.evaluation_id for e in evaluations))
        added = [run_id for run_id in ids if run_id not in self.runs]
        for run_id in added:
            self.runs[run_id] = ModelRun()
        for run_id in [key for key in before if not self._is_held(key)]:
            if not self.runs[run_id].attempts:
                del self.runs[run_id]
            elif self.runs[run_id].state == "queued":
                self.runs[run_id].state = "cancelled"
        cancelled = [self.runs[key] for key in ids if self.runs[key].state == "cancelled"]
        for run in cancelled:
            run.queue_again()
        spec = (text, tuple(overrides))
        changed = sweep.spec != spec
        sweep.spec = spec
        sweep.versions += changed
        return {
            "added": len(added),
            "already_known": len(ids) - len(added),
            "removed": len(set(before) - set(ids)),
            "requeued": len(cancelled),
            "spec_version": sweep.versions,
            "spec_changed": changed,
        }

    def pending(self, sweep: str) -> list[tuple[Any, ...]]:
        """(run id, state, last attempt, evaluations it lacks, faults, storages)."""
        found = []
        wanted = self._sweep(sweep)
        for run_id in wanted.runs:
            run = self.runs[run_id]
            missing = [key for key in wanted.evaluations if key not in run.measured]
            if run.state == "queued" or (run.state == "done" and missing):
                recent = run.attempts[run.retried_after :]
                faults = Counter(a.fault for a in recent if a.fault is not None)
                storages = dict.fromkeys(a.storage for a in reversed(run.attempts) if a.storage)
                found.append(
                    (run_id, run.state, len(run.attempts), missing, dict(faults), list(storages))
                )
        return found

    def counts(self, sweep: str) -> Counter[str]:
        return Counter(self.runs[run_id].state for run_id in self._sweep(sweep).runs)

    def counts_of_begun(self, sweep: str) -> Counter[str]:
        """As people are told them: what has not begun is queued."""
        of_sweep = (self.runs[run_id] for run_id in self._sweep(sweep).runs)
        return Counter("queued" if run.has_not_begun else run.state for run in of_sweep)

    def _sweep(self, name: str) -> ModelSweep:
        if name not in self.sweeps:
            raise RefusedError(f"no sweep {name}")
        return self.sweeps[name]
