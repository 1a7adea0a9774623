"""Drivers that work, die, sleep, wake up and get in each other's way, in any order.

A machine of rules over real stores on a real database, and over the real scheduler, which pauses
before each of its calls. The database's clock is the test's. `run_model` says what must hold.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from math import inf
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from checked_store import CheckedStore, Laboratory
from results.errors import DriverBusyError
from results.records import FAULTS
from run_model import RefusedError
from saved_specs import save_spec
from stepped_sweep import SteppedLeaseKeeper, SteppedSweep
from sweeper.executors.tasks import Finished, Lost, MachineFault, Outcome, Raised, Task
from sweeper.home import Home
from sweeper.scheduling.bundles import BundleSizer
from sweeper.spec.spec import Spec, spec_from_text
from trainers.config.evaluations import parse_evaluation
from trainers.result_file import store_result
from trainers.storage import open_folder

COMMON = "model: zerosnet\ndataset: digits\ndepth: 8\ntraining: {epochs: 2}\n"
TEXTS = (
    "name: one\ngrid: {seed: [0, 1, 2]}\nevaluations: [{noise: gaussian, std: 0.1}]\n",
    "name: one\ngrid: {seed: [2, 1, 3]}\nfaults: {worker_lost: {attempts: 1}}\n"
    "evaluations: [{noise: gaussian, std: 0.1}, {noise: constant, value: 0.3}]\n",
    "name: two\ngrid: {seed: [1, 4]}\nfaults: {trainer_error: {attempts: 2}}\n",
)
ACTORS = 3
SLOTS = 4

ENDS = (
    "finished",
    "finished",
    "finished",
    "finished, and then its worker was lost",
    "finished, with nonsense",
    "raised",
    "out of memory",
    "worker lost",
    "hung",
    "no dataset",
    "no storage",
)

LONG = 61.0
"""Seconds after which a lease that was not renewed has run out."""


@functools.cache
def specs() -> tuple[Spec, ...]:
    return tuple(spec_from_text(COMMON + text, "small.yaml") for text in TEXTS)


@functools.cache
def all_runs() -> tuple[str, ...]:
    return tuple({config.run_id: None for spec in specs() for config in spec.configs})


SWEEPS = ("one", "two")


@functools.cache
def evaluation_of(config: str) -> dict[str, Any]:
    evaluation = parse_evaluation(json.loads(config))
    return {
        "evaluation_id": evaluation.evaluation_id,
        "name": evaluation.name,
        "kind": evaluation.kind,
        "level": evaluation.level,
        "config": evaluation.config,
    }


def measured(task_evaluations: Any, accuracy: float) -> list[dict[str, Any]]:
    return [
        {**evaluation_of(json.dumps(config)), "accuracy": accuracy, "loss": 1.0}
        for config in task_evaluations
    ]


def result_of(run_id: str, attempt: int, evaluations: Any = ()) -> dict[str, Any]:
    """Tells which attempt brought it."""
    epochs = [
        {
            "epoch": epoch,
            "learning_rate": 0.1,
            "train_loss": 1.0,
            "train_accuracy": 50.0,
            "test_loss": 1.0,
            "test_accuracy": 50.0,
            "seconds": 1.0,
        }
        for epoch in (1, 2)
    ]
    return {
        "format": 1,
        "run_id": run_id,
        "attempt": attempt,
        "parameters": 1,
        "test_accuracy": float(attempt),
        "best_test_accuracy": 50.0,
        "best_epoch": 1,
        "train_accuracy": 50.0,
        "generalization_gap": 0.0,
        "test_loss": 1.0,
        "train_loss": 1.0,
        "diverged": False,
        "diverged_epoch": None,
        "train_seconds": 1.0,
        "images_per_second": 1.0,
        "weights_sha256": run_id * 4,
        "learned_coefficients": None,
        "epochs": epochs,
        "evaluations": measured(evaluations, float(attempt)),
        "provenance": {"host": "node-1", "first_epoch": 1, "packages": {"numpy": "2.4"}},
    }


class Actor:
    """A process: a program that is no driver, a driver that the rules move, or a whole sweep."""

    def __init__(self, number: int, store: CheckedStore, folder: Path, database: str) -> None:
        self.store = store
        self.home = Home(folder, database, str(folder / f"runs-{number}"))
        self.sweep: SteppedSweep | None = None
        self.hand: contextlib.ExitStack | None = None  # drives by hand until it is closed
        self.stopped = False

    def drives(self) -> bool:
        return self.store.me is not None

    def idle(self) -> bool:
        """Is nothing yet."""
        return self.sweep is None and self.hand is None

    def free(self) -> bool:
        """Does what the rules say: as a driver or as none."""
        return self.sweep is None and not self.stopped

    def drives_by_hand(self) -> bool:
        return self.hand is not None and not self.stopped

    def sweeps(self) -> bool:
        return self.sweep is not None and not self.stopped

    def kill(self) -> list[Task]:
        """Returns what its workers, who may live on, were doing."""
        tasks: list[Task] = []
        if self.sweep is not None:
            tasks = self.sweep.tasks()
            self.sweep.kill()
        elif self.hand is not None:
            self.store.die()
            self.hand.close()
        self.sweep = self.hand = None
        self.stopped = False
        return tasks


class LifeOfRuns(RuleBasedStateMachine):
    """See the module."""

    def __init__(self, laboratory: Laboratory, actors: list[Actor], count: Iterator[int]) -> None:
        super().__init__()
        self.laboratory = laboratory
        self.actors = actors
        self.count = count
        self.left_behind: list[Task] = []
        laboratory.empty()
        for actor in actors:
            open_folder(actor.home.storage).remove_all()

    # Whom a rule is about.

    def _those(self, fit: Callable[[Actor], bool], which: int = 0) -> list[Actor]:
        """One of the actors that fit, or none."""
        found = [actor for actor in self.actors if fit(actor)]
        return [found[which % len(found)]] if found else []

    # Drivers come and go.

    @initialize(
        saved=st.integers(0, 2),
        parts=st.permutations(["by hand", "by hand", "a sweep"]),
        spec=st.integers(0, 2),
    )
    def everybody_starts(self, saved: int, parts: list[str], spec: int) -> None:
        save_spec(self.actors[0].store, specs()[saved])
        for which, part in enumerate(parts):
            if part == "a sweep":
                self._start_sweep(self.actors[which], spec)
            else:
                self._drive(self.actors[which])

    def _drive(self, actor: Actor) -> None:
        with contextlib.ExitStack() as stack, contextlib.suppress(DriverBusyError):
            stack.enter_context(actor.store.driving(actor.home.storage, "by hand"))
            actor.hand = stack.pop_all()

    def _start_sweep(self, actor: Actor, spec: int) -> None:
        actor.sweep = SteppedSweep(specs()[spec], actor.store, actor.home, SLOTS)

    @precondition(lambda self: self._those(Actor.idle))
    @rule(which=st.integers(0, 2), spec=st.one_of(st.none(), st.integers(0, 2)))
    def starts(self, which: int, spec: int | None) -> None:
        for actor in self._those(Actor.idle, which):
            if spec is None:
                self._drive(actor)
            else:
                self._start_sweep(actor, spec)

    @precondition(lambda self: self._those(Actor.drives))
    @rule(which=st.integers(0, 2), politely=st.booleans())
    def leaves_or_dies(self, which: int, politely: bool) -> None:
        for actor in self._those(Actor.drives, which):
            if politely and actor.hand is not None and not actor.stopped:
                actor.hand.close()
                actor.hand = None
            else:
                self.left_behind += actor.kill()

    @precondition(lambda self: self._those(Actor.drives))
    @rule(which=st.integers(0, 2))
    def is_stopped_or_wakes_up(self, which: int) -> None:
        for actor in self._those(Actor.drives, which):
            actor.stopped = not actor.stopped

    @rule(seconds=st.sampled_from([5.0, 59.0, LONG]))
    def time_passes(self, seconds: float) -> None:
        """Those who can have renewed their leases all the time."""
        self.laboratory.model.now += seconds
        for which in range(ACTORS):
            self.renews(which)

    @rule(seconds=st.sampled_from([5.0, LONG]))
    def time_passes_while_nobody_renews(self, seconds: float) -> None:
        self.laboratory.model.now += seconds

    @rule(which=st.integers(0, 2))
    def renews(self, which: int) -> None:
        actor = self.actors[which]
        if actor.stopped or not actor.drives():
            return
        if actor.sweep is not None:
            actor.sweep.renew()
        else:
            running = [
                (run_id, len(run.attempts))
                for run_id, run in self.laboratory.model.runs.items()
                if run.attempts
            ]
            actor.store.renew(running)

    # The scheduler.

    @precondition(lambda self: self._those(Actor.sweeps))
    @rule(which=st.integers(0, 2), steps=st.integers(1, 12))
    def the_sweep_goes_on(self, which: int, steps: int) -> None:
        for actor in self._those(Actor.sweeps, which) * steps:
            if actor.sweep is not None:
                actor.sweep.step()
                if actor.sweep.ended:
                    actor.sweep = None

    @precondition(lambda self: any(a.sweep and a.sweep.tasks() for a in self.actors))
    @rule(which=st.integers(0, 11), end=st.sampled_from(ENDS))
    def a_task_ends(self, which: int, end: str) -> None:
        tasks = [(a.sweep, task) for a in self.actors if a.sweep for task in a.sweep.tasks()]
        sweep, task = tasks[which % len(tasks)]
        assert sweep.executor is not None
        sweep.executor.end(self._outcome(task, end))

    def _outcome(self, task: Task, end: str) -> Outcome:
        if end.startswith("finished"):
            return self._finish(task, end)
        match end:
            case "raised":
                return Raised(task, "no", "trace", host="node-1")
            case "out of memory":
                return Raised(task, "no memory", "trace", "out_of_memory", "node-1")
            case "worker lost":
                return Lost(task, "gone", "worker_lost", "node-1", "a")
            case "hung":
                return Lost(task, "silent", "hung", "node-1", "a")
            case "no dataset":
                return MachineFault(task, "not here", "dataset_missing")
        return MachineFault(task, "away", "storage")

    def _finish(self, task: Task, end: str) -> Outcome:
        if task.attempt is None:
            if end == "finished":
                return Finished(task, measured(task.evaluations, 77.0))
            return Lost(task, "gone", "worker_lost", "node-1", "a")
        result = result_of(task.run_id, task.attempt, task.evaluations)
        if end == "finished, with nonsense":
            return Finished(task, {k: v for k, v in result.items() if k != "test_accuracy"})
        self._store(task)
        if end == "finished":
            return Finished(task, result)
        return Lost(task, "gone after its last word", "worker_lost", "node-1", "a")

    def _store(self, task: Task) -> None:
        assert task.attempt is not None
        folder = open_folder(task.storage).child(task.run_id).child(str(task.attempt))
        store_result(folder, result_of(task.run_id, task.attempt, task.evaluations))

    @precondition(lambda self: self.left_behind)
    @rule(which=st.integers(0, 11))
    def a_worker_of_a_dead_driver_finishes(self, which: int) -> None:
        task = self.left_behind.pop(which % len(self.left_behind))
        if task.attempt is not None:
            self._store(task)

    @precondition(lambda self: self._those(Actor.sweeps))
    @rule(which=st.integers(0, 2), at_once=st.booleans())
    def somebody_presses_control_c(self, which: int, at_once: bool) -> None:
        for actor in self._those(Actor.sweeps, which):
            assert actor.sweep is not None
            actor.sweep.stop.asked = True
            if at_once:
                actor.sweep.interrupt()

    # Writes, by drivers and others, in time or too late.

    @precondition(lambda self: self._those(Actor.free))
    @rule(which=st.integers(0, 2), run=st.integers(0, 9))
    def claims(self, which: int, run: int) -> None:
        by_hand = self._those(Actor.drives_by_hand, which)
        for actor in by_hand or self._those(Actor.free, which):
            told = {"host": "node-1", "sources": {str(which): {"fit.py": "1" * 64}}}
            actor.store.claim(self._run(run, "queued"), provenance=told)

    @precondition(lambda self: self._those(Actor.free))
    @rule(
        which=st.integers(0, 2),
        by_its_holder=st.sampled_from([True, True, False]),
        run=st.integers(0, 9),
        behind=st.sampled_from([0, 0, 0, 1]),
        what=st.sampled_from(["commit", "commit", "lost", "interrupted", "fail"]),
        fault=st.sampled_from([None, *FAULTS]),
    )
    def writes(
        self,
        which: int,
        by_its_holder: bool,
        run: int,
        behind: int,
        what: str,
        fault: str | None,
    ) -> None:
        run_id = self._run(run, "running")
        known = self.laboratory.model.runs.get(run_id)
        attempts = known.attempts if known else []
        attempt = max(1, len(attempts) - behind)

        def holds(actor: Actor) -> bool:
            return actor.free() and bool(attempts) and actor.store.me == attempts[-1].driver

        holder = self._those(holds, which) if by_its_holder else []
        for actor in holder or self._those(Actor.free, which):
            if what == "commit":
                actor.store.commit(run_id, attempt, result_of(run_id, attempt))
            elif what == "fail":
                actor.store.fail(run_id, attempt, "broke", "trace", fault=fault)
            else:
                actor.store.release(run_id, attempt, what, "gone", fault=fault)

    @precondition(lambda self: self._those(Actor.drives_by_hand))
    @rule(which=st.integers(0, 2))
    def takes_over(self, which: int) -> None:
        for actor in self._those(Actor.drives_by_hand, which):
            actor.store.take_over()

    @precondition(lambda self: self._those(Actor.free))
    @rule(which=st.integers(0, 2), run=st.integers(0, 9), evaluations=st.integers(0, 1))
    def adds_evaluations(self, which: int, run: int, evaluations: int) -> None:
        configs = [evaluation.config for evaluation in specs()[evaluations].evaluations]
        for actor in self._those(Actor.free, which):
            with contextlib.suppress(RefusedError):
                actor.store.add_evaluations(self._run(run, "done"), measured(configs, 33.0))

    @precondition(lambda self: self._those(Actor.free))
    @rule(
        which=st.integers(0, 2),
        what=st.sampled_from(["cancel", "retry", "retry failed"]),
        sweep=st.sampled_from([None, None, *SWEEPS]),
        chosen=st.one_of(st.sets(st.integers(0, 9), min_size=1, max_size=2), st.none()),
    )
    def somebody_cancels_or_retries(
        self, which: int, what: str, sweep: str | None, chosen: set[int] | None
    ) -> None:
        state = "running" if what == "cancel" else "failed"
        run_ids = None if chosen is None else [self._run(run, state) for run in sorted(chosen)]
        if what == "cancel" and run_ids is None and sweep is None:
            sweep = SWEEPS[which % 2]  # for there is little to see once all are cancelled
        for actor in self._those(Actor.free, which):
            with contextlib.suppress(RefusedError):
                if what == "cancel":
                    actor.store.cancel(sweep, run_ids)
                else:
                    actor.store.retry(sweep, run_ids, only_failed=what == "retry failed")

    @precondition(lambda self: self._those(Actor.free))
    @rule(which=st.integers(0, 2), spec=st.integers(0, 2))
    def the_spec_changes(self, which: int, spec: int) -> None:
        for actor in self._those(Actor.free, which):
            save_spec(actor.store, specs()[spec])

    @precondition(lambda self: self._those(Actor.free))
    @rule(which=st.integers(0, 2), sweep=st.sampled_from(SWEEPS))
    def somebody_asks(self, which: int, sweep: str) -> None:
        for actor in self._those(Actor.free, which):
            with contextlib.suppress(RefusedError):
                actor.store.pending(sweep)
                actor.store.others(sweep)
                self.laboratory.check_counts()

    def _run(self, number: int, state: str) -> str:
        """Mostly one in that state, if there is any; the others are an unknown one, too."""
        fit = [key for key, run in self.laboratory.model.runs.items() if run.state == state]
        chosen = fit if fit and number < 7 else [*all_runs(), "f" * 16]
        return chosen[number % len(chosen)]

    # What must hold.

    @invariant()
    def the_database_is_as_it_must_be(self) -> None:
        next(self.count)
        self.laboratory.check()

    def teardown(self) -> None:
        """However it came: everybody is killed, and one `sweep run` after the other ends it all."""
        for actor in self.actors:
            actor.kill()
        if sys.exc_info()[0] is not None:
            return
        try:
            for name in self.laboratory.model.sweeps:
                self._bring_to_its_end(name)
            self.laboratory.check_counts()
        finally:
            for actor in self.actors:
                actor.kill()

    def _bring_to_its_end(self, name: str) -> None:
        model, actor = self.laboratory.model, self.actors[-1]
        text = model.sweeps[name].spec
        assert text is not None
        spec = next(spec for spec in specs() if spec.text == text[0])
        actor.sweep = SteppedSweep(spec, actor.store, actor.home, SLOTS)
        for _ in range(1_000):
            for task in actor.sweep.tasks():
                actor.sweep.executor.end(self._outcome(task, "finished"))
            actor.sweep.step()
            if actor.sweep.ended:
                break
        assert actor.sweep.ended, "the sweep has no end"
        assert actor.sweep.error is None
        actor.sweep = None
        self.laboratory.check()
        assert model.counts(name).keys() <= {"done", "failed"}
        assert model.pending(name) == []


class UnsteadyBundleSizer(BundleSizer):
    """Has a slot take all that is there, or one run."""

    def __init__(self) -> None:
        super().__init__()
        self._turns = itertools.cycle([inf, inf, 0.0])

    @property
    def bundle_seconds(self) -> float:
        return next(self._turns)


@pytest.mark.timeout(3600)
def test_no_random_history_of_a_run_breaks_an_invariant(
    database: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    times: Callable[[int, int], int],
    figure: Any,
) -> None:
    monkeypatch.setattr("sweeper.scheduling.claims.LeaseKeeper", SteppedLeaseKeeper)
    monkeypatch.setattr("sweeper.scheduling.scheduler.OTHERS_SECONDS", 0.0)
    monkeypatch.setattr("sweeper.scheduling.scheduler.BundleSizer", UnsteadyBundleSizer)
    # Locks that are not there say something at once: this server was not restarted.
    monkeypatch.setattr("results.database.postgres_lock.RESTART_SECONDS", 0.0)
    url = f"sqlite:///{tmp_path}/results.db"
    if database == "postgres":
        url = request.getfixturevalue("postgres_url")
    laboratory = Laboratory(url)
    # Hypothesis ends some histories early: these are 2,000 and 200 times 50 steps, and more.
    histories = times(20, 3_000) if database == "sqlite" else times(8, 300)
    moments, begun = itertools.count(), itertools.count()
    try:
        actors = [Actor(n, laboratory.open_store(), tmp_path, url) for n in range(ACTORS)]

        def machine() -> LifeOfRuns:
            next(begun)
            return LifeOfRuns(laboratory, actors, moments)

        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=histories,
                stateful_step_count=50,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.explicit, Phase.generate, Phase.shrink],
            ),
        )
    finally:
        laboratory.close()
    figure(
        "histories of 50 random steps",
        database=database,
        trainer="none",
        done=next(begun),
        of=histories,
        steps=next(moments),
    )
