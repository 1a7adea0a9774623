"""The life of a sweep, with trainers that show one thing each, in this process."""

from __future__ import annotations

import hashlib
import io
import os
import platform
import re
import shutil
import signal
import socket
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pytest

from results.errors import DatabaseError, DatabaseGoneError, DriverBusyError
from results.queries.queries import Queries
from results.records import Renewal
from results.store.store import Store
from saved_specs import save_spec
from sweeper.errors import Interrupted, ResourceError
from sweeper.executors import Executor, ExecutorOptions
from sweeper.executors.heartbeat import Heartbeat
from sweeper.executors.inline import InlineExecutor
from sweeper.executors.tasks import (
    Finished,
    Lost,
    LostInBundle,
    MachineFault,
    Outcome,
    Raised,
    Stopped,
    Task,
    Unplaced,
)
from sweeper.executors.worker import execute
from sweeper.home import Home
from sweeper.planning.cost import CostModel
from sweeper.scheduling.lease_keeper import LeaseKeeper
from sweeper.scheduling.progress import Progress
from sweeper.scheduling.scheduler import run_sweep
from sweeper.scheduling.signals import StopRequest
from sweeper.scheduling.summary import Summary
from sweeper.spec.resources import Resources
from sweeper.spec.spec import spec_from_text
from trainers.errors import StorageError, StorageUnreachableError
from trainers.run import run as train_one
from trainers.storage import open_folder
from trainers.storage.local import LocalFolder
from waiting import wait_until

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


Before = Callable[[Task], Outcome | None]


class WatchedExecutor(InlineExecutor):
    """Inline, and remembers what it ran; `before` may end a task in another way."""

    ran: list[Task]
    submitted: list[int]
    before: Before | None = None
    slots = 1

    def submit(self, tasks: Sequence[Task]) -> None:
        self.submitted.append(len(tasks))
        super().submit(tasks)

    def largest_multiplier(self, processes: int = 1) -> int:
        return self.slots

    def wait(self, timeout: float) -> list[Outcome]:
        if not self._tasks:
            return super().wait(0.01)
        task = self._tasks.pop(0)
        self.ran.append(task)
        ended = self.before(task) if self.before else None
        return [ended or execute(task, self._heartbeat)]


@dataclass
class Laboratory:
    """A home, and everything needed to run sweeps in it."""

    home: Home
    ran: list[Task]
    log: io.StringIO
    submitted: list[int] = field(default_factory=list)

    def run(
        self,
        text: str = SPEC,
        before: Before | None = None,
        stop: StopRequest | None = None,
        slots: int = 1,
    ) -> Summary:
        request = stop or StopRequest(grace=0)

        def start() -> Executor:
            executor = WatchedExecutor.start(
                ExecutorOptions(Resources(), stop_asked=lambda: request.asked)
            )
            executor.ran, executor.before, executor.slots = self.ran, before, slots
            executor.submitted = self.submitted
            return executor

        self.ran.clear()
        self.submitted.clear()
        with Store.open(self.home.database) as store:
            return run_sweep(
                spec_from_text(text, "small.yaml"),
                store,
                self.home,
                start,
                CostModel({}),
                Progress(self.log),
                request,
                "tests",
            )

    def folder(self, run_id: str, attempt: int) -> Path:
        return Path(self.home.storage) / run_id / str(attempt)

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


def test_a_sweep_trains_and_stores_all_runs(lab: Laboratory) -> None:
    summary = lab.run()
    assert (summary.trained, summary.failed, summary.change.added) == (4, 0, 4)
    rows = lab.rows()
    assert [row["test_accuracy"] for row in rows] == [50, 51, 52, 53]
    assert [row["evaluations"][0]["accuracy"] for row in rows] == [40, 41, 42, 43]
    assert [row["attempts"] for row in rows] == [1, 1, 1, 1]


def test_a_sweep_survives_removal_of_the_current_folder(
    lab: Laboratory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert lab.run().trained == 4


def test_running_a_finished_sweep_again_trains_nothing(lab: Laboratory) -> None:
    lab.run()
    before = lab.rows()
    summary = lab.run()
    assert summary.nothing_to_do
    assert lab.ran == []
    assert lab.rows() == before


def test_an_extended_spec_trains_only_the_new_runs(lab: Laboratory) -> None:
    lab.run()
    summary = lab.run(SPEC.replace("[0, 1, 2, 3]", "[2, 3, 4]"))
    assert [task.config["seed"] for task in lab.ran] == [4]
    assert (summary.change.added, summary.change.removed) == (1, 2)
    assert [row["seed"] for row in lab.rows()] == [2, 3, 4]


def test_two_sweeps_share_equal_runs(lab: Laboratory) -> None:
    lab.run()
    lab.run(SPEC.replace("name: small", "name: other"))
    assert lab.ran == []
    assert lab.states("other") == ["done"] * 4


def test_a_run_that_raises_fails_and_the_others_continue(lab: Laboratory) -> None:
    summary = lab.run(SPEC.replace("quick", "odd_seeds_raise"))
    assert (summary.trained, summary.failed) == (2, 2)
    assert lab.states() == ["done", "failed", "done", "failed"]
    failed = lab.detail(lab.rows()[1]["run_id"])
    assert failed["error"] == "RuntimeError: seed 1 is odd"
    assert "Traceback" in failed["attempt_history"][0]["traceback"]
    assert "FAILED" in lab.log.getvalue()
    assert failed["run_id"] in lab.log.getvalue()


def test_a_failed_run_stays_failed_until_retried(lab: Laboratory) -> None:
    text = SPEC.replace("quick", "raises_until_mended")
    lab.run(text)
    assert lab.states() == ["failed"] * 4
    lab.home.data.mkdir()
    (lab.home.data / "repaired").touch()
    assert lab.run(text).trained == 0
    with Store.open(lab.home.database) as store:
        assert store.retry("small") == 4
    assert lab.run(text).trained == 4
    assert [row["attempts"] for row in lab.rows()] == [2] * 4


def test_an_invalid_result_fails_its_run(lab: Laboratory) -> None:
    lab.run(SPEC.replace("quick", "stores_nonsense"))
    assert lab.states() == ["failed"] * 4
    assert "test_accuracy" in lab.detail(lab.rows()[0]["run_id"])["error"]


def test_whatever_a_trainer_returns_fails_its_own_run_and_the_next_goes_on(
    lab: Laboratory,
) -> None:
    seeds = list(range(13))
    summary = lab.run(SPEC.replace("quick", "returns").replace("[0, 1, 2, 3]", f"{seeds}"))
    assert (summary.trained, summary.failed) == (1, 12)
    assert lab.states() == [*["failed"] * 12, "done"]
    said = [str(lab.detail(row["run_id"])["error"]) for row in lab.rows()]
    assert "parameters is 1000" in said[0]
    assert "cannot be stored as JSON: Exceeds the limit" in said[1]
    assert "learned_coefficients[0][0] is [[[[...]]]], where a number" in said[2]
    assert "cannot be stored as JSON: maximum recursion depth" in said[3]
    assert "not JSON compliant" in said[4]
    assert "weights_sha256 has 2,000 characters" in said[5]
    assert "set is not JSON serializable" in said[6]
    assert "a metric cannot be called b'bytes'" in said[7]
    assert "returned run_id, which is something else that every run has" in said[8]
    assert "train_seconds is 1e+308, where a number from 0" in said[9]
    assert "'0000000000000000' that it was not asked for" in said[10]
    assert "returned str, where None or a dict is expected" in said[11]


NONSENSE: dict[str, bytes] = {
    "a list as epochs": b' "epochs": [[]]\n}',
    "cut": b' "format": 1, "epochs": [',
    "more after it": b' "format": 1\n} {}',
    "no UTF-8": b' "format": "\xff\xfe"\n}',
    "no object": b"",
    "NUL": b' "format": 1,\0\n}',
    "a number of 5,000 digits": b' "parameters": ' + b"9" * 5_000 + b"\n}",
    "10^400": b' "train_seconds": 1' + b"0" * 400 + b"\n}",
    "not finite": b' "train_seconds": Infinity\n}',
    "900 levels": b' "provenance": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"\n}",
    "100,000 levels": b' "provenance": ' + b"[" * 100_000,
    "half a surrogate pair": b' "note": "\\ud800\\u0000"\n}',
    "nothing of a result": b' "run": 1\n}',
}


def test_a_whole_result_file_with_nonsense_fails_its_own_run_at_the_next_start(
    lab: Laboratory,
) -> None:
    seeds = list(range(len(NONSENSE) + 3))
    spec = SPEC.replace("[0, 1, 2, 3]", f"{seeds}")
    with pytest.raises(Interrupted):
        lab.run(spec, before=lambda task: (_ for _ in ()).throw(KeyboardInterrupt))
    with Store.open(lab.home.database) as store:
        ids = [run.run_id for run in store.pending("small")]
        attempts = store.claim_all(ids[:-1], provenance={})
    folders = [lab.folder(run_id, attempt) for run_id, attempt in attempts.items()]
    for folder, rest in zip(folders, NONSENSE.values(), strict=False):
        folder.mkdir(parents=True)
        digest = hashlib.sha256(rest).hexdigest()
        (folder / "result.json").write_bytes(f'{{\n "sha256": "{digest}",\n'.encode() + rest)
    for folder in folders[-2:]:
        folder.mkdir(parents=True)
    os.mkfifo(folders[-2] / "result.json")
    (folders[-1] / "result.json").symlink_to("/dev/zero")

    summary = lab.run(spec)
    failed = len(NONSENSE) + 2
    assert (summary.trained, summary.failed, summary.adopted) == (1, failed, 0)
    assert sorted(lab.states()) == ["done", *["failed"] * failed]
    said = [str(lab.detail(folder.parent.name)["error"]) for folder in folders]
    assert all("result" in sentence for sentence in said)
    assert "is a named pipe, not a file" in said[-2]
    assert "is a device, not a file" in said[-1]
    assert lab.run(spec).trained == 0


def test_evaluations_that_are_none_fail_to_be_measured_and_the_next_goes_on(
    lab: Laboratory,
) -> None:
    lab.run()
    text = SPEC + "  - {noise: gaussian, std: 0.2}\n"

    def measure(task: Task) -> Outcome | None:
        assert task.attempt is None
        return Finished(task, [{"evaluation_id": 10**5_000, "config": []}])

    summary = lab.run(text, before=measure)
    assert (summary.evaluated, summary.unmeasured) == (0, 4)
    assert "is malformed" in lab.log.getvalue()
    assert lab.states() == ["done"] * 4


def test_evaluations_that_do_not_come_back_are_not_asked_for_again_and_again(
    lab: Laboratory,
) -> None:
    lab.run()
    asked: list[str] = []

    def measure_nothing(task: Task) -> Outcome | None:
        asked.append(task.run_id)
        return Finished(task, [])

    summary = lab.run(SPEC + "  - {noise: gaussian, std: 0.2}\n", before=measure_nothing)
    assert (summary.evaluated, summary.unmeasured, len(asked)) == (0, 4, 4)
    assert "0 of the 1 evaluations came back" in lab.log.getvalue()


def test_a_missing_dataset_stops_the_sweep_without_losing_results(lab: Laboratory) -> None:
    with pytest.raises(ResourceError, match="put them there"):
        lab.run(SPEC.replace("quick", "loses_its_dataset"))
    assert lab.states() == ["queued"] * 4
    assert len(lab.ran) == 1


def test_a_run_of_a_lost_worker_is_retried(lab: Laboratory) -> None:
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


def lose_seed_0(task: Task) -> Outcome | None:
    if task.config["seed"] == 0:
        return Lost(task, "killed", host="node-1", node=f"number {len(task.avoid)}")
    return None


@pytest.mark.parametrize(
    ("faults", "attempts"), [("", 3), ("faults: {worker_lost: {attempts: 5}}", 5)]
)
def test_a_run_that_keeps_losing_its_worker_fails(
    lab: Laboratory, faults: str, attempts: int
) -> None:
    summary = lab.run(SPEC + faults, before=lose_seed_0)
    assert (summary.trained, summary.failed) == (3, 1)
    tried = [task for task in lab.ran if task.config["seed"] == 0]
    assert len(tried) == attempts
    assert [len(task.avoid) for task in tried] == list(range(attempts))
    failed = lab.detail(lab.rows()[0]["run_id"])
    assert failed["error"] == f"its worker was lost {attempts} times: killed"
    assert [a["fault"] for a in failed["attempt_history"]] == ["worker_lost"] * attempts
    assert {a["host"] for a in failed["attempt_history"]} == {"node-1"}


def test_faults_under_an_earlier_driver_count_against_a_run(lab: Laboratory) -> None:
    def lose_and_interrupt(task: Task) -> Outcome | None:
        if len(lab.ran) == 3:
            raise KeyboardInterrupt
        return lose_seed_0(task)

    with pytest.raises(Interrupted):
        lab.run(before=lose_and_interrupt)
    assert [task.config["seed"] for task in lab.ran] == [0, 0, 0]
    assert lab.run(before=lose_seed_0).failed == 1
    assert [task.config["seed"] for task in lab.ran].count(0) == 1


def test_faults_are_counted_from_zero_after_a_retry(lab: Laboratory) -> None:
    lab.run(before=lose_seed_0)
    with Store.open(lab.home.database) as store:
        assert store.retry("small") == 1
    assert lab.run(before=lose_seed_0).failed == 1
    assert len(lab.ran) == 3


def test_the_spec_can_allow_a_second_attempt_after_a_trainer_error(lab: Laboratory) -> None:
    text = SPEC.replace("quick", "odd_seeds_raise") + "faults: {trainer_error: {attempts: 2}}"
    assert lab.run(text).failed == 2
    assert len(lab.ran) == 6


def test_what_the_worker_says_of_itself_is_kept_with_what_failed(lab: Laboratory) -> None:
    def far_too_deep(task: Task) -> Outcome | None:
        outcome = execute(task, Heartbeat())
        if isinstance(outcome, Raised) and task.config["seed"] == 3:
            deep: Any = []
            for _ in range(500):
                deep = [deep]
            return replace(outcome, provenance={"deep": deep})
        return outcome

    text = SPEC.replace("quick", "odd_seeds_raise") + "faults: {trainer_error: {attempts: 2}}"
    assert lab.run(text, before=far_too_deep).failed == 2
    for row in (row for row in lab.rows() if row["state"] == "failed"):
        for attempt in lab.detail(row["run_id"])["attempt_history"]:
            told = attempt["provenance"]
            assert told["host"] == socket.gethostname()
            assert "deep" not in told
            if row["seed"] == 1:
                assert told["python"] == platform.python_version()
                assert "pydantic" in told["packages"]
                assert told["device"] == "cpu"


def test_out_of_memory_is_retried_with_double_resources_then_alone(
    lab: Laboratory,
) -> None:
    def needs_four_slots(task: Task) -> Outcome | None:
        if task.config["seed"] < 2 and task.multiplier < 4:
            return Raised(task, "no memory left", "trace", "out_of_memory", "node-1")
        return None

    assert lab.run(before=needs_four_slots, slots=8).trained == 4
    # Those that need more room wait until the others need none.
    assert [(task.config["seed"], task.multiplier) for task in lab.ran] == [
        (0, 1), (1, 1), (2, 1), (3, 1), (0, 2), (1, 2), (0, 4), (1, 4),
    ]  # fmt: skip
    assert [row["attempts"] for row in lab.rows()] == [3, 3, 1, 1]


def test_out_of_memory_of_a_run_alone_fails_it(lab: Laboratory) -> None:
    def never_enough(task: Task) -> Outcome | None:
        return Raised(task, "no memory left", "trace", "out_of_memory", "node-1")

    assert lab.run(before=never_enough, slots=2).failed == 4
    assert [task.multiplier for task in lab.ran].count(2) == 4
    assert len(lab.ran) == 8
    failed = lab.detail(lab.rows()[0]["run_id"])
    assert failed["error"] == (
        "out of memory 2 times: no memory left; it had the machine to itself"
    )
    assert failed["attempt_history"][-1]["traceback"] == "trace"


def test_a_hung_run_is_retried(lab: Laboratory) -> None:
    hung: list[Task] = []

    def hang_once(task: Task) -> Outcome | None:
        if hung:
            return None
        hung.append(task)
        return Lost(task, "no heartbeat for 1800 s", "hung", "node-1", "a")

    assert lab.run(before=hang_once).trained == 4
    history = lab.detail(hung[0].run_id)["attempt_history"]
    assert [(a["state"], a["fault"]) for a in history] == [("lost", "hung"), ("done", None)]


@pytest.mark.slow
def test_short_runs_are_bundled_on_one_slot(lab: Laboratory) -> None:
    assert lab.run(SPEC.replace("[0, 1, 2, 3]", str(list(range(20))))).trained == 20
    assert lab.submitted[0] == 1  # before anything is measured
    assert max(lab.submitted) > 1
    assert sum(lab.submitted) == 20
    assert [row["attempts"] for row in lab.rows()] == [1] * 20


def test_runs_of_unknown_length_are_bundled_once_one_was_short(lab: Laboratory) -> None:
    text = "name: small\ntrainer: wrong_trainers:train\noptions: {kind: right0}\n"
    assert lab.run(f"{text}grid: {{seed: {list(range(20))}}}").trained == 20
    assert lab.submitted[0] == 1
    assert max(lab.submitted) > 1


def test_runs_lost_in_a_bundle_are_retried_alone_and_only_the_culprit_fails(
    lab: Laboratory,
) -> None:
    def die(task: Task) -> Outcome | None:
        if task.config["seed"] != 7:
            return None
        if lab.submitted[-1] > 1:
            return LostInBundle(task, "signal 9")
        return Lost(task, "signal 9", "worker_lost", "node-1", "a")

    summary = lab.run(SPEC.replace("[0, 1, 2, 3]", str(list(range(12)))), before=die)
    assert (summary.trained, summary.failed) == (11, 1)
    (failed,) = (row for row in lab.rows() if row["state"] == "failed")
    assert failed["seed"] == 7
    history = lab.detail(failed["run_id"])["attempt_history"]
    faults = [attempt["fault"] for attempt in history]
    # In a bundle no run is blamed; alone it is, up to the limit of three.
    assert faults[-3:] == ["worker_lost"] * 3
    assert set(faults[:-3]) <= {None}
    assert {attempt["state"] for attempt in history[:-1]} == {"lost"}


def test_a_malformed_result_fails_only_its_own_run_of_a_bundle(
    lab: Laboratory,
) -> None:
    seeds = SPEC.replace("[0, 1, 2, 3]", "[46, 47, 48, 49, 50, 51]")
    summary = lab.run(seeds)  # the fake training accuracy is 51 and the seed
    assert (summary.trained, summary.failed) == (4, 2)
    states = {row["seed"]: row["state"] for row in lab.rows()}
    assert [seed for seed, state in states.items() if state == "failed"] == [50, 51]


def test_a_storage_failure_stops_the_sweep_without_failing_runs(lab: Laboratory) -> None:
    def lose_storage(task: Task) -> Outcome | None:
        if len(lab.ran) < 2:
            return None
        return MachineFault(task, "s3://bucket cannot be written: no space", "storage")

    with pytest.raises(StorageError, match="no space"):
        lab.run(before=lose_storage)
    assert lab.run().trained == 3
    assert lab.states() == ["done"] * 4


@pytest.mark.parametrize("kind", ["dataset_missing", "plugin_missing"])
def test_a_missing_dataset_or_plugin_stops_the_sweep_without_failing_runs(
    lab: Laboratory, kind: Literal["dataset_missing", "plugin_missing"]
) -> None:
    def lacks(task: Task) -> Outcome | None:
        message = "it is not here. Looked in:\n  - some folder"
        return MachineFault(task, message, kind) if len(lab.ran) == 2 else None

    with pytest.raises(ResourceError, match=r"it is not here\. Looked in:\n"):
        lab.run(before=lacks)
    assert sorted(lab.states()) == ["done", "queued", "queued", "queued"]
    # Of every run that was claimed, for the same reason, and without the rest of the message.
    ended = [a for row in lab.rows() for a in lab.detail(row["run_id"])["attempt_history"]]
    assert {(a["fault"], a["error"]) for a in ended if a["state"] != "done"} == {
        ("stopped", "it is not here")
    }
    assert lab.run().trained == 3


@pytest.mark.slow
def test_sigterm_ends_the_sweep_after_the_current_epoch(lab: Laboratory) -> None:
    stop = StopRequest(grace=60)

    def ask(task: Task) -> Outcome | None:
        if len(lab.ran) == 2:
            asking = threading.Timer(0, ask_at_its_first_checkpoint, (lab.folder(task.run_id, 1),))
            asking.start()
        return None

    def ask_at_its_first_checkpoint(folder: Path) -> None:
        wait_until((folder / "checkpoint-1.pt").exists)
        os.kill(os.getpid(), signal.SIGTERM)

    spec = SPEC.replace("quick", "paced").replace("epochs: 2", "epochs: 5")
    with stop.listening(), pytest.raises(Interrupted, match="what was done is kept"):
        lab.run(spec, before=ask, stop=stop)
    assert sorted(lab.states()) == ["done", "queued", "queued", "queued"]
    stopped = lab.detail(lab.ran[1].run_id)["attempt_history"]
    assert [(a["state"], a["fault"]) for a in stopped] == [("interrupted", "stopped")]
    resumed = lab.ran[1].run_id
    checkpoints = lab.folder(resumed, 1).glob("checkpoint-*.pt")
    newest = max(int(path.stem.rpartition("-")[2]) for path in checkpoints)
    assert lab.run(spec).trained == 3
    assert lab.detail(resumed)["attempt_history"][-1]["first_epoch"] == newest + 1


def test_a_second_control_c_or_the_deadline_stops_the_sweep_at_once(lab: Laboratory) -> None:
    def twice(task: Task) -> Outcome | None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("went on")

    def term(task: Task) -> Outcome | None:
        signal.raise_signal(signal.SIGTERM)
        signal.pause()
        raise AssertionError("went on")

    for before in (twice, term):
        stop = StopRequest(grace=0.05)
        with stop.listening(), pytest.raises(Interrupted):
            lab.run(before=before, stop=stop)
        assert lab.states() == ["queued"] * 4


def test_a_cancelled_run_is_stopped_on_its_driver(
    lab: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweeper.scheduling.lease_keeper.RENEW_SECONDS", 0.01)

    def cancel_two(task: Task) -> Outcome | None:
        if len(lab.ran) == 1:
            ids = [row["run_id"] for row in lab.rows()][:2]
            with Store.open(lab.home.database) as other:
                assert other.cancel("small", ids) == 2
        return None

    summary = lab.run(before=cancel_two)
    assert summary.trained == 2
    assert lab.states() == ["cancelled", "cancelled", "done", "done"]
    assert "cancelled or taken over" in lab.log.getvalue()


def test_runs_retried_while_a_driver_works_are_trained_by_it(lab: Laboratory) -> None:
    def retry_at_the_last(task: Task) -> Outcome | None:
        if len(lab.ran) == 4:
            with Store.open(lab.home.database) as other:
                assert other.retry("small") == 1
        return None

    lab.run(SPEC.replace("quick", "odd_seeds_raise"), before=retry_at_the_last)
    assert [task.config["seed"] for task in lab.ran] == [0, 1, 2, 3, 1]


def test_control_c_queues_running_runs_again(lab: Laboratory) -> None:
    def interrupt_third(task: Task) -> Outcome | None:
        if len(lab.ran) == 3:
            raise KeyboardInterrupt
        return None

    with pytest.raises(Interrupted, match="what was done is kept"):
        lab.run(before=interrupt_third)
    assert sorted(lab.states()) == ["done", "done", "queued", "queued"]
    assert lab.run().trained == 2
    # The fourth had been claimed with the third if the first two turned out short.
    assert sorted(row["attempts"] for row in lab.rows()) in ([1, 1, 1, 2], [1, 1, 2, 2])


def test_control_c_right_after_a_claim_releases_the_run(
    lab: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def claim_and_be_interrupted(*arguments: Any, **named: Any) -> Any:
        claimed(*arguments, **named)
        raise KeyboardInterrupt

    claimed = Store.claim_all
    with monkeypatch.context() as patch:
        patch.setattr(Store, "claim_all", claim_and_be_interrupted)
        with pytest.raises(Interrupted):
            lab.run()
    assert lab.states() == ["queued"] * 4
    assert lab.run().trained == 4
    faults = [lab.detail(row["run_id"])["attempt_history"][0]["fault"] for row in lab.rows()]
    assert faults.count("stopped") == 1


def test_what_was_claimed_with_the_run_of_a_driver_that_died_has_not_begun(
    lab: Laboratory,
) -> None:
    with pytest.raises(Interrupted):
        lab.run(before=lambda task: (_ for _ in ()).throw(KeyboardInterrupt))
    with Store.open(lab.home.database) as store:
        ids = [run.run_id for run in store.pending("small")]
        store.claim_all(ids, provenance={})
    with Queries.open(lab.home.database) as queries:
        (status,) = queries.status("small")
        assert (status.counts["running"], status.counts["queued"]) == (1, 3)
        assert [run.run_id for run in queries.running("small")] == ids[:1]
        assert [driver.runs for driver in status.drivers] == [1]
    # One of the others has written something: it had begun, whatever the database knows.
    second = 2 if lab.detail(ids[1])["attempt_history"][-1]["attempt"] == 2 else 1
    lab.folder(ids[1], second).mkdir(parents=True)
    assert lab.run().trained == 4
    before_last = [lab.detail(run_id)["attempt_history"][-2] for run_id in ids]
    assert [(a["state"], a["fault"], a["error"]) for a in before_last] == [
        *[("lost", "driver_lost", "its driver ended before it did")] * 2,
        *[("interrupted", None, "it had not begun: its driver ended before it did")] * 2,
    ]
    assert before_last[3]["provenance"]["after_run"] == ids[2]


def test_what_was_claimed_after_a_cancelled_run_has_not_begun(lab: Laboratory) -> None:
    with pytest.raises(Interrupted):
        lab.run(before=lambda task: (_ for _ in ()).throw(KeyboardInterrupt))
    with Store.open(lab.home.database) as store:
        ids = [run.run_id for run in store.pending("small")]
        store.claim_all(ids, provenance={})
        store.cancel(run_ids=[ids[1]])
    assert lab.run().trained == 4
    before_last = [lab.detail(run_id)["attempt_history"][-2] for run_id in ids]
    assert [(a["state"], a["fault"], a["error"]) for a in before_last] == [
        ("lost", "driver_lost", "its driver ended before it did"),
        ("cancelled", None, None),
        *[("interrupted", None, "it had not begun: its driver ended before it did")] * 2,
    ]


def test_what_was_bundled_with_a_run_that_is_stopped_has_not_begun(lab: Laboratory) -> None:
    stop = StopRequest(grace=60)

    def ask_in_a_bundle(task: Task) -> Outcome | None:
        if stop.asked or lab.submitted[-1] == 1:
            return None
        signal.raise_signal(signal.SIGTERM)
        return Stopped(task)

    with stop.listening(), pytest.raises(Interrupted):
        lab.run(SPEC.replace("[0, 1, 2, 3]", f"{list(range(20))}"), ask_in_a_bundle, stop)
    assert "1 running" in lab.log.getvalue()
    assert not re.search(r"[2-9] running|\d\d running", lab.log.getvalue())
    ids = [row["run_id"] for row in lab.rows() if row["state"] == "queued" and row["attempts"]]
    ended = [lab.detail(run_id)["attempt_history"][-1] for run_id in ids]
    assert [(a["state"], a["fault"], a["error"]) for a in ended] == [
        ("interrupted", "stopped", "stopped by a signal"),
        *[("interrupted", None, "it had not begun: stopped by a signal")] * (lab.submitted[-1] - 1),
    ]


def _die_with_a_run_claimed(lab: Laboratory) -> str:
    """Leave the database as a driver that was killed does: one run still marked running."""
    with pytest.raises(Interrupted):
        lab.run(before=lambda task: (_ for _ in ()).throw(KeyboardInterrupt))
    with Store.open(lab.home.database) as store:
        run_id = store.pending("small")[0].run_id
        store.claim(run_id, provenance={})
    return run_id


def test_a_run_of_a_dead_driver_is_trained_again(lab: Laboratory) -> None:
    run_id = _die_with_a_run_claimed(lab)
    assert lab.run().trained == 4
    history = lab.detail(run_id)["attempt_history"]
    assert [attempt["state"] for attempt in history][-2:] == ["lost", "done"]


def test_a_finished_result_of_a_dead_driver_is_adopted(lab: Laboratory) -> None:
    run_id = _die_with_a_run_claimed(lab)
    detail = lab.detail(run_id)
    attempt = len(detail["attempt_history"])
    folder = lab.folder(run_id, attempt)
    train_one(
        detail["config"],
        [{"noise": "gaussian", "std": 0.1}],
        data_dir=lab.home.data,
        folder=open_folder(folder),
        attempt=attempt,
    )
    summary = lab.run()
    assert (summary.adopted, summary.trained) == (1, 3)
    assert run_id not in [task.run_id for task in lab.ran]
    assert lab.states() == ["done"] * 4


def test_a_damaged_result_is_not_adopted(lab: Laboratory) -> None:
    run_id = _die_with_a_run_claimed(lab)
    folder = lab.folder(run_id, len(lab.detail(run_id)["attempt_history"]))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").write_text('{"format": 1, "run_id": "' + run_id + '", "attem')
    summary = lab.run()
    assert (summary.adopted, summary.trained) == (0, 4)


@pytest.mark.slow
def test_an_outcome_of_a_fenced_off_attempt_changes_nothing(lab: Laboratory) -> None:
    taken: list[str] = []

    def fence_off(task: Task) -> Outcome | None:
        if not taken:
            taken.append(task.run_id)
            with Store.open(lab.home.database) as other:
                other.cancel(run_ids=taken)
                other.retry(run_ids=taken)
                other.claim(task.run_id, provenance={})
        return None

    lab.run(before=fence_off)
    assert "cancelled or taken over" in lab.log.getvalue()
    # What the first attempt brought was discarded; the second had no driver working on it.
    history = lab.detail(taken[0])["attempt_history"]
    assert [a["state"] for a in history] == ["cancelled", "lost", "done"]
    assert [task.run_id for task in lab.ran].count(taken[0]) == 2


def test_a_result_stored_before_the_last_attempt_was_lost_is_kept(lab: Laboratory) -> None:
    def finish_and_vanish(task: Task) -> Outcome | None:
        execute(task, Heartbeat())
        return Lost(task, "killed after its last word")

    summary = lab.run(SPEC + "faults: {worker_lost: {attempts: 1}}", before=finish_and_vanish)
    assert (summary.adopted, summary.failed) == (4, 0)


def test_a_run_cancelled_while_failing_stays_cancelled(lab: Laboratory) -> None:
    def cancel_it(task: Task) -> Outcome | None:
        with Store.open(lab.home.database) as other:
            other.cancel(run_ids=[task.run_id])
        return Raised(task, "RuntimeError: no", "trace")

    assert lab.run(before=cancel_it).failed == 0
    assert lab.states() == ["cancelled"] * 4
    assert "FAILED" not in lab.log.getvalue()


def test_training_faults_do_not_count_against_evaluations(lab: Laboratory) -> None:
    def lose_twice(task: Task) -> Outcome | None:
        if [ran.run_id for ran in lab.ran].count(task.run_id) < 3:
            return Lost(task, "killed")
        return None

    text = SPEC.replace("[0, 1, 2, 3]", "[0]").replace("trainer: fake_trainers:quick\n", "")
    text = text.replace("dataset: digits", "dataset: {name: digits, subset: 128}")
    assert lab.run(text, before=lose_twice).trained == 1
    more = text + "  - {noise: constant, value: 0.3}\n"
    assert lab.run(more, before=lose_twice).evaluated == 1
    assert [task.attempt for task in lab.ran] == [None] * 3


def test_unreachable_storages_of_earlier_attempts_are_skipped(lab: Laboratory) -> None:
    def look_elsewhere(task: Task) -> Outcome | None:
        return execute(
            replace(task, earlier_storages=("/etc/passwd/runs", "gs://gone")), Heartbeat()
        )

    assert lab.run(before=look_elsewhere).trained == 4


def test_the_lease_keeper_reports_a_lost_run_once(lab: Laboratory) -> None:
    with Store.open(lab.home.database) as store, store.driving():
        keeper = LeaseKeeper(store)
        keeper.add("a", 1)
        keeper.add("b", 2)
        keeper._lost = [("a", 1), ("b", 1), ("a", 1)]
        assert keeper.lost() == ["a"]
        assert keeper.lost() == []


def test_the_lease_keeper_tells_at_once_that_the_database_is_gone(
    lab: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweeper.scheduling.lease_keeper.RENEW_SECONDS", 0.01)
    database = Path(lab.home.database.removeprefix("sqlite:///"))
    with Store.open(lab.home.database) as store, store.driving(), LeaseKeeper(store) as keeper:
        assert keeper.lost() == []
        database.unlink()
        wait_until(lambda: not keeper._thread.is_alive())
        with pytest.raises(DatabaseGoneError, match="was deleted"):
            keeper.lost()


def test_stored_weights_are_measured_by_the_hash_that_the_database_has(lab: Laboratory) -> None:
    lab.run()
    assert {task.weights_sha256 for task in lab.ran} == {None}  # to be trained

    def measure(task: Task) -> Outcome | None:
        return Raised(task, "not measured here", "")

    lab.run(SPEC + "  - {noise: gaussian, std: 0.2}\n", before=measure)
    assert {task.weights_sha256 for task in lab.ran} == {"0" * 64}


def test_a_second_driver_of_a_sqlite_file_is_refused(lab: Laboratory) -> None:
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


@pytest.mark.slow
def test_evaluations_added_later_need_no_training(lab: Laboratory) -> None:
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


def test_evaluations_without_stored_weights_are_reported(lab: Laboratory) -> None:
    lab.run()  # the fake trainer keeps no weights
    summary = lab.run(SPEC + "  - {noise: constant, value: 0.3}\n")
    assert (summary.failed, summary.unmeasured, summary.without_weights) == (0, 0, 4)
    assert "no stored weights" in lab.log.getvalue()
    assert lab.states() == ["done"] * 4


def test_folders_of_interrupted_attempts_are_removed(lab: Laboratory) -> None:
    run_id = _die_with_a_run_claimed(lab)
    old = lab.folder(run_id, 1)
    old.mkdir(parents=True, exist_ok=True)
    lab.run()
    assert not old.exists()
    kept = lab.folder(run_id, len(lab.detail(run_id)["attempt_history"]))
    assert (kept / "result.json").is_file()


def test_the_longest_runs_start_first(lab: Laboratory) -> None:
    text = SPEC.replace("grid: {seed: [0, 1, 2, 3]}", "grid: {depth: [8, 26, 14, 20]}")
    lab.run(text.replace("depth: 8\n", ""))
    assert [task.config["model"]["depth"] for task in lab.ran] == [26, 20, 14, 8]


def test_every_outcome_names_its_task(lab: Laboratory) -> None:
    lab.run()
    for task in lab.ran:
        task = replace(task, sentinel=None)  # which goes with its driver
        outcome = execute(task, Heartbeat())
        assert isinstance(outcome, Finished)
        assert outcome.task is task


def test_progress_counts_runs_settled_earlier(lab: Laboratory) -> None:
    lab.run(SPEC.replace("quick", "odd_seeds_raise"))
    lab.log.truncate(0)
    lab.run(SPEC.replace("quick", "odd_seeds_raise").replace("[0, 1, 2, 3]", "[0, 1, 2, 3, 4]"))
    assert "small: 2 of 5 done before" in lab.log.getvalue()
    assert "small: 3 of 5 done, 0 running, 2 failed" in lab.log.getvalue()


def test_a_result_stored_before_the_signal_is_kept(lab: Laboratory) -> None:
    def finish_and_interrupt(task: Task) -> Outcome | None:
        execute(task, Heartbeat())
        raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        lab.run(before=finish_and_interrupt)
    assert sorted(lab.states()) == ["done", "queued", "queued", "queued"]
    lab.run()
    assert [row["attempts"] for row in lab.rows()] == [1] * 4


def test_a_result_stored_before_the_worker_was_lost_is_kept(lab: Laboratory) -> None:
    def finish_and_vanish(task: Task) -> Outcome | None:
        execute(task, Heartbeat())
        return Lost(task, "killed after its last word")

    summary = lab.run(before=finish_and_vanish)
    assert (summary.adopted, summary.trained) == (4, 0)
    assert [row["attempts"] for row in lab.rows()] == [1] * 4


def test_outcomes_that_arrive_together_are_each_stored_once(
    lab: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = WatchedExecutor.wait

    def wait_for_all(self: WatchedExecutor, timeout: float) -> list[Outcome]:
        outcomes = wait(self, timeout)
        while self._tasks:
            outcomes += wait(self, timeout)
        return outcomes

    def lose_last(task: Task) -> Outcome | None:
        in_bundle = lab.submitted[-1] > 1 and len(lab.ran) == sum(lab.submitted)
        return LostInBundle(task, "signal 9") if in_bundle else None

    monkeypatch.setattr(WatchedExecutor, "wait", wait_for_all)
    summary = lab.run(SPEC.replace("[0, 1, 2, 3]", str(list(range(12)))), before=lose_last)
    assert max(lab.submitted) > 1
    assert (summary.trained, summary.failed) == (12, 0)


def test_a_result_stored_before_its_bundle_was_lost_is_kept(lab: Laboratory) -> None:
    def finish_and_vanish(task: Task) -> Outcome | None:
        execute(task, Heartbeat())
        return LostInBundle(task, "signal 9")

    summary = lab.run(before=finish_and_vanish)
    assert (summary.adopted, summary.trained) == (4, 0)
    assert [row["attempts"] for row in lab.rows()] == [1] * 4


def test_a_run_that_was_given_to_what_has_gone_is_tried_again_without_a_fault(
    lab: Laboratory,
) -> None:
    def go(task: Task) -> Outcome | None:
        return Unplaced(task, "its machine has gone") if len(lab.ran) <= 20 else None

    summary = lab.run(SPEC.replace("[0, 1, 2, 3]", "[0]"), before=go)
    assert (summary.trained, summary.failed) == (1, 0)
    assert [row["attempts"] for row in lab.rows()] == [21]


def test_an_evaluation_lost_with_its_bundle_is_done_again(lab: Laboratory) -> None:
    def lose_first(task: Task) -> Outcome | None:
        return LostInBundle(task, "signal 9") if len(lab.ran) == 1 else None

    text = SPEC.replace("[0, 1, 2, 3]", "[0]").replace("trainer: fake_trainers:quick\n", "")
    text = text.replace("dataset: digits", "dataset: {name: digits, subset: 128}")
    lab.run(text)
    more = lab.run(text + "  - {noise: constant, value: 0.3}\n", before=lose_first)
    assert (more.evaluated, more.unmeasured) == (1, 0)
    assert [task.attempt for task in lab.ran] == [None, None]
    assert [row["attempts"] for row in lab.rows()] == [1]


def test_a_malformed_result_of_a_lost_worker_is_not_adopted(lab: Laboratory) -> None:
    def finish_and_vanish(task: Task) -> Outcome | None:
        execute(task, Heartbeat())
        return Lost(task, "killed after its last word")

    # The fake training accuracy is 51 and the seed.
    text = SPEC.replace("[0, 1, 2, 3]", "[48, 50]") + "faults: {worker_lost: {attempts: 1}}"
    summary = lab.run(text, before=finish_and_vanish)
    assert (summary.adopted, summary.failed) == (1, 1)
    assert lab.states() == ["done", "failed"]


def test_a_run_whose_storage_went_with_its_driver_is_trained_again(lab: Laboratory) -> None:
    with pytest.raises(Interrupted):
        lab.run(before=lambda task: (_ for _ in ()).throw(KeyboardInterrupt))
    with Store.open(lab.home.database) as store, store.driving("/dev/null/runs"):
        run_id = store.pending("small")[0].run_id
        store.claim(run_id, provenance={})
    assert lab.run().trained == 4
    last, done = lab.detail(run_id)["attempt_history"][-2:]
    assert (last["state"], last["fault"], done["state"]) == ("lost", "driver_lost", "done")


def test_checkpoints_of_a_worker_killed_after_its_result_are_removed(lab: Laboratory) -> None:
    def finish_and_leave_checkpoints(task: Task) -> Outcome | None:
        assert task.attempt is not None
        execute(task, Heartbeat())
        folder = lab.folder(task.run_id, task.attempt)
        (folder / "checkpoint-1.pt").touch()
        (folder / ".checkpoint-2.pt.x1y2.tmp").touch()
        return Lost(task, "killed after its last word")

    assert lab.run(before=finish_and_leave_checkpoints).adopted == 4
    for task in lab.ran:
        assert task.attempt is not None
        left = {path.name for path in lab.folder(task.run_id, task.attempt).iterdir()}
        assert "result.json" in left
        assert not [name for name in left if "checkpoint" in name]


def test_a_file_in_the_place_of_a_folder_ends_the_sweep_at_once(lab: Laboratory) -> None:
    run_id = _die_with_a_run_claimed(lab)
    folder = lab.folder(run_id, len(lab.detail(run_id)["attempt_history"])).parent
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder.parent)
    folder.parent.write_text("a file where the storage was")
    with pytest.raises(StorageError, match=r"runs.* cannot be .*Not a directory; move away"):
        lab.run()
    folder.parent.unlink()
    assert lab.run().trained == 4


def test_the_storage_that_becomes_a_file_in_mid_sweep_ends_it_at_once(lab: Laboratory) -> None:
    def replace_storage(task: Task) -> Outcome | None:
        if len(lab.ran) == 2:
            shutil.rmtree(lab.home.storage)
            Path(lab.home.storage).write_text("a file where the storage was")
        return None

    with pytest.raises(StorageError, match=r"runs.* cannot be .*Not a directory; move away"):
        lab.run(before=replace_storage)
    Path(lab.home.storage).unlink()
    assert lab.run().trained == 3
    assert lab.states() == ["done"] * 4


def test_a_signal_ends_the_wait_for_an_unreachable_storage(
    lab: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = _die_with_a_run_claimed(lab)
    attempt = len(lab.detail(run_id)["attempt_history"])
    folder = lab.folder(run_id, attempt)

    read = LocalFolder.read

    def unreachable(self: LocalFolder, name: str, most: int | None = None) -> bytes:
        if name != "result.json":
            return read(self, name, most)
        raise StorageUnreachableError(f"{self.location}/{name} cannot be read: no route to host")

    monkeypatch.setattr(LocalFolder, "read", unreachable)
    stop = StopRequest(grace=0)
    stop.asked = True
    with pytest.raises(Interrupted, match="what was done is kept"):
        lab.run(stop=stop)
    assert f"{folder}/result.json" in lab.log.getvalue()
    assert lab.detail(run_id)["state"] == "running"


def _extend_while_it_runs(lab: Laboratory) -> Before:
    """As a driver on another machine does: the sweep has a run more than this one's spec."""

    def extend(task: Task) -> Outcome | None:
        if len(lab.ran) == 1:
            with Store.open(lab.home.database) as other:
                more = SPEC.replace("[0, 1, 2, 3]", "[0, 1, 2, 3, 4]")
                assert save_spec(other, spec_from_text(more, "small.yaml")).added == 1
        return None

    return extend


def test_a_run_that_another_driver_adds_is_trained_too(lab: Laboratory) -> None:
    assert lab.run(before=_extend_while_it_runs(lab)).trained == 5
    assert lab.states() == ["done"] * 5


def test_a_damaged_config_that_another_driver_added_stops_the_sweep(lab: Laboratory) -> None:
    extend = _extend_while_it_runs(lab)

    def extend_and_damage(task: Task) -> Outcome | None:
        extend(task)
        with closing(sqlite3.connect(lab.home.folder / "sweep.db")) as database, database:
            triggers = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            for (name,) in triggers.fetchall():
                database.execute(f"DROP TRIGGER {name}")
            database.execute("UPDATE runs SET config = '{}' WHERE seed = 4")
        return None

    with pytest.raises(ResourceError, match=r"database is damaged: the config of run .* invalid"):
        lab.run(before=extend_and_damage)


def test_the_lease_keeper_goes_on_when_the_database_is_back(
    lab: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[Renewal] = []

    def renew(*_: object) -> Renewal:
        answers.append(Renewal(True, [("a", 1)]))
        if len(answers) < 3:
            raise DatabaseError("it is away")
        return answers[-1]

    monkeypatch.setattr("sweeper.scheduling.lease_keeper.RENEW_SECONDS", 0.001)
    monkeypatch.setattr(Store, "renew", renew)
    with Store.open(lab.home.database) as store, LeaseKeeper(store) as keeper:
        keeper.add("a", 1)
        assert wait_until(keeper.lost) == ["a"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_in_the_lease_keeper_reaches_the_driver(
    lab: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def renew(*_: object) -> Renewal:
        raise KeyError("ours")

    monkeypatch.setattr("sweeper.scheduling.lease_keeper.RENEW_SECONDS", 0.001)
    monkeypatch.setattr(Store, "renew", renew)
    with (
        Store.open(lab.home.database) as store,
        LeaseKeeper(store) as keeper,
        pytest.raises(KeyError, match="ours"),
    ):
        wait_until(keeper.lost)


def test_runs_of_several_processes_are_refused_where_only_one_trains(lab: Laboratory) -> None:
    text = SPEC.replace("trainer: fake_trainers:quick\n", "").replace(
        "{epochs: 2}", "{epochs: 2, data_parallel: 2}"
    )
    with pytest.raises(ResourceError, match=r"--executor inline trains in one process"):
        lab.run(text)
    assert lab.ran == []
