"""The life of a sweep, with trainers that show one thing each, in this process."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from results.errors import DriverBusyError
from results.queries import Queries
from results.store import Store
from sweeper.cost import CostModel
from sweeper.errors import Interrupted, ResourceError
from sweeper.executors import Executor
from sweeper.executors.inline import InlineExecutor
from sweeper.home import Home
from sweeper.progress import PlainProgress
from sweeper.scheduler import MOST_LOST_WORKERS, Summary, run_sweep
from sweeper.spec import Resources, spec_from_text
from sweeper.worker import Finished, Lost, Outcome, Task, attempt_folder, execute
from trainers.run import run as train_one

SPEC = """
name: small
model: zerosnet
dataset: digits
depth: 8
trainer: fake_trainers:quick
training: {epochs: 2}
grid: {seed: [0, 1, 2, 3]}
evaluations:
  - {noise: gaussian, std: 0.1}
"""


class WatchedExecutor(InlineExecutor):
    """Inline, and remembers what it ran; `before` may end a task in another way."""

    ran: list[Task]
    before: Callable[[Task], Outcome | None] | None = None

    def wait(self, timeout: float) -> list[Outcome]:
        task, self._task = self._task, None
        if task is None:
            return []
        self.ran.append(task)
        ended = self.before(task) if self.before else None
        return [ended or execute(task)]


@dataclass
class Laboratory:
    """A home, and everything needed to run sweeps in it."""

    home: Home
    ran: list[Task]
    log: io.StringIO

    def run(
        self, text: str = SPEC, before: Callable[[Task], Outcome | None] | None = None
    ) -> Summary:
        def start(tasks: int) -> Executor:
            executor = WatchedExecutor.start(Resources(), address=None, most_slots=tasks)
            executor.ran, executor.before = self.ran, before
            return executor

        self.ran.clear()
        with Store.open(self.home.database) as store:
            return run_sweep(
                spec_from_text(text, "small.yaml"),
                store,
                self.home,
                start,
                CostModel({}),
                PlainProgress(self.log),
            )

    def rows(self, sweep: str = "small") -> list[dict[str, Any]]:
        with Queries.open(self.home.database) as queries:
            return queries.run_rows([sweep])

    def states(self, sweep: str = "small") -> list[str]:
        return [row["state"] for row in self.rows(sweep)]

    def detail(self, run_id: str) -> dict[str, Any]:
        with Queries.open(self.home.database) as queries:
            return queries.run_detail(run_id)


@pytest.fixture
def lab(tmp_path: Path) -> Laboratory:
    return Laboratory(Home.at(tmp_path / "home"), [], io.StringIO())


def test_all_runs_are_done_and_stored(lab: Laboratory) -> None:
    summary = lab.run()
    assert (summary.trained, summary.failed, summary.change.added) == (4, 0, 4)
    rows = lab.rows()
    assert [row["test_accuracy"] for row in rows] == [50, 51, 52, 53]
    assert [row["evaluations"][0]["accuracy"] for row in rows] == [40, 41, 42, 43]
    assert [row["attempts"] for row in rows] == [1, 1, 1, 1]


def test_running_again_trains_nothing(lab: Laboratory) -> None:
    lab.run()
    before = lab.rows()
    summary = lab.run()
    assert summary.nothing_to_do
    assert lab.ran == []
    assert lab.rows() == before


def test_a_longer_spec_trains_only_what_is_new(lab: Laboratory) -> None:
    lab.run()
    summary = lab.run(SPEC.replace("[0, 1, 2, 3]", "[2, 3, 4]"))
    assert [task.config["seed"] for task in lab.ran] == [4]
    assert (summary.change.added, summary.change.removed) == (1, 2)
    assert [row["seed"] for row in lab.rows()] == [2, 3, 4]


def test_two_sweeps_share_their_runs(lab: Laboratory) -> None:
    lab.run()
    lab.run(SPEC.replace("name: small", "name: other"))
    assert lab.ran == []
    assert lab.states("other") == ["done"] * 4


def test_a_run_that_raises_fails_and_the_others_go_on(lab: Laboratory) -> None:
    summary = lab.run(SPEC.replace("quick", "odd_seeds_raise"))
    assert (summary.trained, summary.failed) == (2, 2)
    assert lab.states() == ["done", "failed", "done", "failed"]
    failed = lab.detail(lab.rows()[1]["run_id"])
    assert failed["error"] == "RuntimeError: seed 1 is odd"
    assert "Traceback" in failed["attempt_history"][0]["traceback"]
    assert "FAILED" in lab.log.getvalue()
    assert failed["run_id"] in lab.log.getvalue()


def test_a_failed_run_stays_so_until_it_is_retried(lab: Laboratory) -> None:
    text = SPEC.replace("quick", "raises_until_mended")
    lab.run(text)
    assert lab.states() == ["failed"] * 4
    lab.home.data.mkdir()
    (lab.home.data / "mended").touch()
    assert lab.run(text).trained == 0
    with Store.open(lab.home.database) as store:
        assert store.retry("small") == 4
    assert lab.run(text).trained == 4
    assert [row["attempts"] for row in lab.rows()] == [2] * 4


def test_a_result_that_makes_no_sense_fails_its_run(lab: Laboratory) -> None:
    # KeyError in the worker or BadResultError in the driver: either way the sweep goes on.
    lab.run(SPEC.replace("quick", "stores_nonsense"))
    assert lab.states() == ["failed"] * 4
    assert "test_accuracy" in lab.detail(lab.rows()[0]["run_id"])["error"]


def test_a_missing_dataset_stops_the_sweep_and_loses_nothing(lab: Laboratory) -> None:
    with pytest.raises(ResourceError, match="put them there"):
        lab.run(SPEC.replace("quick", "loses_its_dataset"))
    assert lab.states() == ["queued"] * 4
    assert len(lab.ran) == 1


def test_a_lost_worker_is_tried_again(lab: Laboratory) -> None:
    gone: list[str] = []

    def lose_first(task: Task) -> Outcome | None:
        if gone:
            return None
        gone.append(task.run_id)
        return Lost(task, "killed")

    summary = lab.run(before=lose_first)
    assert summary.trained == 4
    detail = lab.detail(gone[0])
    assert [a["state"] for a in detail["attempt_history"]] == ["lost", "done"]
    assert "killed" in lab.log.getvalue()


def test_a_run_that_keeps_losing_its_worker_fails(lab: Laboratory) -> None:
    def lose_seed_0(task: Task) -> Outcome | None:
        return Lost(task, "out of memory") if task.config["seed"] == 0 else None

    summary = lab.run(before=lose_seed_0)
    assert (summary.trained, summary.failed) == (3, 1)
    assert sum(task.config["seed"] == 0 for task in lab.ran) == MOST_LOST_WORKERS
    failed = lab.detail(lab.rows()[0]["run_id"])
    assert "out of memory" in failed["error"]
    assert len(failed["attempt_history"]) == MOST_LOST_WORKERS


def test_control_c_gives_back_what_was_running(lab: Laboratory) -> None:
    def interrupt_third(task: Task) -> Outcome | None:
        if len(lab.ran) == 3:
            raise KeyboardInterrupt
        return None

    with pytest.raises(Interrupted, match="sweep resume small"):
        lab.run(before=interrupt_third)
    assert sorted(lab.states()) == ["done", "done", "queued", "queued"]
    assert lab.run().trained == 2
    assert sorted(row["attempts"] for row in lab.rows()) == [1, 1, 1, 2]


def _die_with_a_run_claimed(lab: Laboratory) -> str:
    """Leave the database as a driver that was killed does: one run still marked running."""
    with pytest.raises(Interrupted):
        lab.run(before=lambda task: (_ for _ in ()).throw(KeyboardInterrupt))
    with Store.open(lab.home.database) as store:
        run_id = store.pending("small")[0].run_id
        store.claim(run_id, provenance={})
    return run_id


def test_the_run_of_a_dead_driver_is_trained_again(lab: Laboratory) -> None:
    run_id = _die_with_a_run_claimed(lab)
    assert lab.run().trained == 4
    history = lab.detail(run_id)["attempt_history"]
    assert [attempt["state"] for attempt in history][-2:] == ["lost", "done"]


def test_the_finished_result_of_a_dead_driver_is_adopted(lab: Laboratory) -> None:
    run_id = _die_with_a_run_claimed(lab)
    detail = lab.detail(run_id)
    attempt = len(detail["attempt_history"])
    folder = attempt_folder(lab.home.runs, run_id, attempt)
    train_one(
        detail["config"],
        [{"noise": "gaussian", "std": 0.1}],
        data_dir=lab.home.data,
        folder=folder,
        attempt=attempt,
    )
    summary = lab.run()
    assert (summary.adopted, summary.trained) == (1, 3)
    assert run_id not in [task.run_id for task in lab.ran]
    assert lab.states() == ["done"] * 4


def test_a_damaged_result_is_not_adopted(lab: Laboratory) -> None:
    run_id = _die_with_a_run_claimed(lab)
    folder = attempt_folder(lab.home.runs, run_id, len(lab.detail(run_id)["attempt_history"]))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").write_text('{"format": 1, "run_id": "' + run_id + '", "attem')
    summary = lab.run()
    assert (summary.adopted, summary.trained) == (0, 4)


def test_what_an_overtaken_worker_brings_changes_nothing(lab: Laboratory) -> None:
    taken: list[str] = []

    def overtake(task: Task) -> Outcome | None:
        if not taken:
            taken.append(task.run_id)
            with Store.open(lab.home.database) as other:
                other.release(task.run_id, task.attempt or 0, "lost", "overtaken")
                other.claim(task.run_id, provenance={})
        return None

    summary = lab.run(before=overtake)
    assert summary.trained == 3
    assert lab.detail(taken[0])["state"] == "running"


def test_a_second_driver_is_refused(lab: Laboratory) -> None:
    refused: list[str] = []

    def drive_too(task: Task) -> Outcome | None:
        if not refused:
            ran = lab.ran
            try:
                Laboratory(lab.home, [], io.StringIO()).run()
            except DriverBusyError as error:
                refused.append(str(error))
            lab.ran = ran
        return None

    lab.run(before=drive_too)
    assert "pid" in refused[0]


def test_evaluations_asked_for_later_train_nothing(lab: Laboratory) -> None:
    text = SPEC.replace("trainer: fake_trainers:quick\n", "").replace("[0, 1, 2, 3]", "[0, 1]")
    text = text.replace("dataset: digits", "dataset: {name: digits, subset: 128}")
    more = text + "  - {noise: constant, value: 0.3}\n"
    lab.run(text)
    before = lab.rows()
    summary = lab.run(more)
    assert (summary.trained, summary.evaluated) == (0, 2)
    assert [task.attempt for task in lab.ran] == [None, None]
    after = lab.rows()
    assert [row["attempts"] for row in after] == [1, 1]
    for old, new in zip(before, after, strict=True):
        assert new["evaluations"][0] == old["evaluations"][0]
        assert new["evaluations"][1]["accuracy"] is not None

    # Asked for from the start, in another home, they come out the same.
    fresh = Laboratory(Home.at(lab.home.folder / "fresh"), [], io.StringIO())
    fresh.run(more)
    assert [r["evaluations"] for r in fresh.rows()] == [r["evaluations"] for r in after]


def test_evaluations_without_stored_weights_say_so(lab: Laboratory) -> None:
    lab.run()  # the fake trainer keeps no weights
    summary = lab.run(SPEC + "  - {noise: constant, value: 0.3}\n")
    assert summary.failed == 4
    assert "no stored weights" in lab.log.getvalue()
    assert lab.states() == ["done"] * 4


def test_folders_of_attempts_that_were_cut_short_are_removed(lab: Laboratory) -> None:
    run_id = _die_with_a_run_claimed(lab)
    old = attempt_folder(lab.home.runs, run_id, 1)
    old.mkdir(parents=True, exist_ok=True)
    lab.run()
    assert not old.exists()
    kept = attempt_folder(lab.home.runs, run_id, len(lab.detail(run_id)["attempt_history"]))
    assert (kept / "result.json").is_file()


def test_the_longest_runs_start_first(lab: Laboratory) -> None:
    text = SPEC.replace("grid: {seed: [0, 1, 2, 3]}", "grid: {depth: [8, 26, 14, 20]}")
    lab.run(text.replace("depth: 8\n", ""))
    assert [task.config["model"]["depth"] for task in lab.ran] == [26, 20, 14, 8]


def test_outcomes_name_their_task(lab: Laboratory) -> None:
    lab.run()
    for task in lab.ran:
        outcome = execute(task)
        assert isinstance(outcome, Finished)
        assert outcome.task is task


def test_progress_counts_what_was_settled_before(lab: Laboratory) -> None:
    lab.run(SPEC.replace("quick", "odd_seeds_raise"))
    lab.log.truncate(0)
    lab.run(SPEC.replace("quick", "odd_seeds_raise").replace("[0, 1, 2, 3]", "[0, 1, 2, 3, 4]"))
    assert "small: 2 of 5 done before" in lab.log.getvalue()
    assert "small: 3 of 5 done, 0 running, 2 failed" in lab.log.getvalue()


def test_a_result_that_was_stored_before_the_signal_is_kept(lab: Laboratory) -> None:
    def finish_and_interrupt(task: Task) -> Outcome | None:
        execute(task)
        raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        lab.run(before=finish_and_interrupt)
    assert sorted(lab.states()) == ["done", "queued", "queued", "queued"]
    lab.run()
    assert [row["attempts"] for row in lab.rows()] == [1] * 4


def test_a_result_that_was_stored_before_the_worker_was_lost_is_kept(lab: Laboratory) -> None:
    def finish_and_vanish(task: Task) -> Outcome | None:
        execute(task)
        return Lost(task, "killed after its last word")

    summary = lab.run(before=finish_and_vanish)
    assert (summary.adopted, summary.trained) == (4, 0)
    assert [row["attempts"] for row in lab.rows()] == [1] * 4
