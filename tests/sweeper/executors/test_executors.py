"""The contract of sweeper.executors.base, over every executor."""

from __future__ import annotations

import os
import re
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray

import fake_trainers
from sweep_plugins import UnknownNameError
from sweeper.errors import Interrupted, ResourceError
from sweeper.executors import EXECUTORS, Executor, ExecutorOptions, ray_connection
from sweeper.executors.failure_text import said_by
from sweeper.executors.heartbeat import Heartbeat
from sweeper.executors.own_code import own_code
from sweeper.executors.placement import Demand
from sweeper.executors.ray_calls import RayCalls
from sweeper.executors.run_folders import SENTINELS
from sweeper.executors.tasks import (
    Finished,
    Lost,
    LostInBundle,
    MachineFault,
    Outcome,
    Raised,
    Stopped,
    Task,
)
from sweeper.executors.worker import execute
from sweeper.logs.reading import attempt_folder, last_lines
from sweeper.spec.resources import Resources
from trainers.config.job import Member
from trainers.config.run import RunConfig
from trainers.config.trainers import BUILT_IN_TRAINER
from trainers.errors import TrainingStopped, WorkerLostError
from trainers.storage import open_folder
from waiting import wait_until

NOISE = {"noise": "gaussian", "std": 0.1}
# Small enough that all executors of this file find room in one Ray, on two cores.
A_QUARTER_CORE = ExecutorOptions(Resources(cpus=0.25), most_slots=2)


@pytest.fixture(scope="module")
def ray_executor() -> Iterator[Any]:
    with EXECUTORS["ray"].start(A_QUARTER_CORE) as started:
        yield started


@pytest.fixture(params=sorted(EXECUTORS), scope="module")
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    if request.param == "ray":
        yield request.getfixturevalue("ray_executor")
        return
    with EXECUTORS[request.param].start(A_QUARTER_CORE) as started:
        yield started


def make_task(
    folder: Path,
    trainer: str = "quick",
    seed: int = 0,
    epochs: int = 1,
    module: str = "fake_trainers",
    **more: Any,
) -> Task:
    config = RunConfig.model_validate(
        {
            "model": {"name": "zerosnet", "depth": 8},
            "dataset": "digits",
            "training": {"epochs": epochs},
            "trainer": f"{module}:{trainer}",
            "seed": seed,
        }
    )
    return Task(
        run_id=config.run_id,
        attempt=1,
        config=config.to_json(),
        evaluations=(NOISE,),
        storage=str(folder / "runs"),
        data_dir=folder / "data",
        device="cpu",
        threads=1,
        **more,
    )


def submit(executor: Executor, task: Task) -> None:
    """As soon as there is room."""
    while not executor.has_room(task.demand):
        assert executor.wait(5) == []
    executor.submit([task])


def fill(executor: Any, folder: Path, trainer: str, slots: int = 2) -> int:
    """Puts a task on every slot; how many there are."""
    count = 1
    if type(executor).__name__ == "RayExecutor":
        count = slots
        while len(executor.process_ids()) < count:
            assert executor.wait(5) == []
    for seed in range(count):
        executor.submit([make_task(folder, trainer, seed=seed)])
    return count


def wait_for(executor: Executor, count: int) -> list[Outcome]:
    outcomes: list[Outcome] = []
    while len(outcomes) < count:
        outcomes += executor.wait(5)
    return outcomes


def test_every_submitted_task_has_one_outcome(executor: Executor, tmp_path: Path) -> None:
    tasks = [make_task(tmp_path, seed=seed) for seed in range(6)]
    waiting = list(tasks)
    outcomes: list[Outcome] = []
    while len(outcomes) < len(tasks):
        while waiting and executor.has_room():
            executor.submit([waiting.pop()])
        outcomes += executor.wait(5)
    assert sorted(o.task.run_id for o in outcomes) == sorted(t.run_id for t in tasks)
    for outcome in outcomes:
        assert isinstance(outcome, Finished)
        assert outcome.result["test_accuracy"] == 50 + outcome.task.config["seed"]
        assert [e["accuracy"] for e in outcome.result["evaluations"]] == [
            outcome.result["test_accuracy"] - 10
        ]
    assert executor.wait(0) == []


def test_a_bundle_of_tasks_runs_sequentially_on_one_slot(
    executor: Executor, tmp_path: Path
) -> None:
    tasks = [make_task(tmp_path, seed=seed) for seed in range(3)]
    tasks.insert(1, make_task(tmp_path, "odd_seeds_raise", seed=5))
    while not executor.has_room():
        assert executor.wait(5) == []
    executor.submit(tasks)
    outcomes = wait_for(executor, 4)
    assert [outcome.task.run_id for outcome in outcomes] == [task.run_id for task in tasks]
    assert [type(outcome) for outcome in outcomes] == [Finished, Raised, Finished, Finished]
    for outcome in (outcomes[0], *outcomes[2:]):
        assert isinstance(outcome, Finished)
        assert outcome.seconds is not None
        assert 0 < outcome.seconds < 60


def test_an_exception_in_a_task_is_returned_as_an_outcome(
    executor: Executor, tmp_path: Path
) -> None:
    submit(executor, make_task(tmp_path, "odd_seeds_raise", seed=1))
    (outcome,) = wait_for(executor, 1)
    assert isinstance(outcome, Raised)
    assert outcome.reason == "RuntimeError: seed 1 is odd"
    assert "fake_trainers.py" in outcome.traceback
    assert outcome.kind == "trainer_error"
    assert outcome.host == outcome.provenance["host"] == socket.gethostname()


@pytest.mark.parametrize(
    ("seed", "reason"),
    [
        (0, "SystemExit: 0"),
        (1, "SystemExit: exit code 1"),
        (2, "KeyboardInterrupt"),
        (3, "GeneratorExit"),
        (4, "SilentError: (its text could not be made: SystemExit)"),
        (5, "EndlessError: begin "),
        (6, "RuntimeError: its own cause"),
        (7, "TrainingStopped"),
        (8, "Class\x1b[2J: of no kind"),
        (9, "SpokenError: own text"),
        # A storage of the trainer's own, and errors that it raises by itself: of this project's
        # classes, and yet no fault of the machine.
        (10, "StorageError: /dev/null/its own/file cannot be written: Not a directory"),
        (11, "UnknownNameError: unknown layer 'of its own'"),
        (12, "PluginError: of its own"),
        (13, "DatasetMissingError: of its own"),
        (14, "StorageFullError: of its own"),
        (15, "CheckpointError: of its own"),
        (16, "ResultError: of its own"),
        (17, "EvasiveError: of its own"),
    ],
)
def test_whatever_a_trainer_raises_is_an_outcome_with_its_traceback(
    executor: Executor, tmp_path: Path, seed: int, reason: str
) -> None:
    submit(executor, make_task(tmp_path, "raises", seed=seed))
    (outcome,) = wait_for(executor, 1)
    assert isinstance(outcome, Raised)
    assert outcome.kind == "trainer_error"
    assert outcome.reason.startswith(reason)
    assert len(outcome.reason) < 2_200
    assert 'fake_trainers.py", line' in outcome.traceback
    assert len(outcome.traceback) < 101_000
    if seed == 5:
        assert outcome.reason.endswith(" end")
        assert "[... 13,998,678 characters ...]" in outcome.reason


def test_the_text_of_an_error_can_be_read_without_its_trainer() -> None:
    assert type(said_by(fake_trainers.SpokenError())) is str


def test_control_c_in_an_inline_task_that_was_asked_to_stop_is_none_of_its_errors(
    tmp_path: Path,
) -> None:
    asked = iter([False])
    with pytest.raises(KeyboardInterrupt):
        execute(make_task(tmp_path, "raises", seed=2), Heartbeat(lambda: next(asked, True)))


def test_a_process_lost_that_decoded_images_is_a_lost_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(*_: object, **__: object) -> None:
        raise WorkerLostError("worker process 7 was ended by SIGKILL")

    monkeypatch.setattr("sweeper.executors.worker.run", lose)
    outcome = execute(make_task(tmp_path), Heartbeat())
    assert isinstance(outcome, Raised)
    assert outcome.kind == "worker_lost"


@pytest.mark.parametrize(("member", "expected"), [(Member(1, 2, "there"), Stopped), (None, Raised)])
def test_one_of_several_processes_stops_before_it_was_asked_to(
    member: Member | None, expected: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise TrainingStopped("another process of this run was asked to stop")

    monkeypatch.setattr("sweeper.executors.worker.run", stop)
    outcome = execute(make_task(tmp_path, member=member), Heartbeat())
    assert type(outcome) is expected


def test_a_missing_dataset_is_a_machine_fault(executor: Executor, tmp_path: Path) -> None:
    submit(executor, make_task(tmp_path, "loses_its_dataset"))
    (outcome,) = wait_for(executor, 1)
    assert isinstance(outcome, MachineFault)
    assert outcome.kind == "dataset_missing"
    assert outcome.error == "the data are not here; put them there"


def test_storage_that_a_trainer_finds_broken_is_a_machine_fault(
    executor: Executor, tmp_path: Path
) -> None:
    submit(executor, make_task(tmp_path, "loses_its_storage"))
    (outcome,) = wait_for(executor, 1)
    assert isinstance(outcome, MachineFault)
    assert outcome.kind == "storage"
    assert outcome.error.endswith("Not a directory; move away what is there")


def test_an_unknown_plugin_name_on_the_worker_is_a_machine_fault(
    executor: Executor, tmp_path: Path
) -> None:
    task = make_task(tmp_path, "quick")
    model = {**task.config["model"], "name": "from_a_plugin"}
    for unknown in (
        replace(task, config={**task.config, "model": model}),
        replace(task, evaluations=({"noise": "from_a_plugin"},)),
    ):
        submit(executor, unknown)
        (outcome,) = wait_for(executor, 1)
        assert isinstance(outcome, MachineFault)
        assert outcome.kind == "plugin_missing"
        assert "'from_a_plugin'" in outcome.error
        assert f"on {socket.gethostname()}" in outcome.error
        assert "\n" not in outcome.error


def test_a_result_is_stored_before_its_outcome_is_returned(
    executor: Executor, tmp_path: Path
) -> None:
    task = make_task(tmp_path)
    submit(executor, task)
    wait_for(executor, 1)
    assert (tmp_path / "runs" / task.run_id / "1" / "result.json").is_file()


def test_submitting_more_tasks_than_slots_is_an_error(executor: Executor, tmp_path: Path) -> None:
    count = fill(executor, tmp_path, "slow")
    assert not executor.has_room()
    with pytest.raises(RuntimeError, match=r"slot"):
        executor.submit([make_task(tmp_path, seed=99)])
    wait_for(executor, count)


def test_a_killed_task_has_no_outcome(executor: Executor, tmp_path: Path) -> None:
    task = make_task(tmp_path, "hangs_always")
    submit(executor, task)
    executor.kill("another")
    executor.kill(task.run_id)
    submit(executor, make_task(tmp_path, seed=1))
    (outcome,) = wait_for(executor, 1)
    assert outcome.task.config["seed"] == 1
    assert executor.wait(0) == []


@pytest.mark.ray
def test_a_task_asked_to_stop_ends_after_its_epoch(ray_executor: Any, tmp_path: Path) -> None:
    for name in sorted(EXECUTORS):
        with EXECUTORS[name].start(replace(A_QUARTER_CORE, most_slots=1)) as started:
            task = make_task(tmp_path / name, "light", epochs=1000)
            second = tmp_path / name / "runs" / task.run_id / "1" / "epoch-2"
            along = [make_task(tmp_path / name, "light", seed=seed) for seed in (1, 2)]
            while not started.has_room():
                assert started.wait(5) == []
            started.submit([task, *along])
            assert started.running() == 1
            if name == "inline":  # whose `wait` ends with the task
                asking = threading.Thread(target=_ask_when, args=(started, second))
                asking.start()
            else:
                while not second.exists():
                    assert started.wait(0.1) == []
                started.ask_to_stop()
            outcomes = wait_for(started, 3)
            assert outcomes == [Stopped(task), *(Stopped(each, began=False) for each in along)]
            assert started.running() == 0
            assert list(second.parent.glob("epoch-*"))
            assert not (second.parent / "result.json").exists()


def _ask_when(executor: Executor, path: Path) -> None:
    wait_until(path.exists)
    executor.ask_to_stop()


def test_a_worker_with_different_storage_reports_a_storage_fault(
    executor: Executor, tmp_path: Path
) -> None:
    submit(executor, make_task(tmp_path, sentinel="secret"))
    (outcome,) = wait_for(executor, 1)
    assert isinstance(outcome, MachineFault)
    assert outcome.kind == "storage"
    assert "--storage" in outcome.error
    marks = tmp_path / "runs" / SENTINELS
    marks.mkdir(parents=True)
    (marks / "secret").write_text("secret")
    submit(executor, make_task(tmp_path, sentinel="secret"))
    (outcome,) = wait_for(executor, 1)
    assert isinstance(outcome, Finished)


def test_a_missing_gpu_is_a_resource_error(executor: Executor) -> None:
    # More than any machine has, so that the test means the same on one with GPUs.
    kind = type(executor)
    if kind.__name__ == "InlineExecutor":
        import torch

        if torch.cuda.is_available():
            pytest.skip("inline takes whatever GPU there is, and there is one")
    with pytest.raises(ResourceError, match=r"resources\.gpus"):
        kind.start(ExecutorOptions(Resources(gpus=1000), most_slots=1))


def test_an_unknown_executor_error_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean 'ray'.*inline, ray"):
        EXECUTORS["rya"]


def test_a_task_of_a_dead_worker_is_lost_and_the_worker_replaced(
    ray_executor: Any, tmp_path: Path
) -> None:
    submit(ray_executor, make_task(tmp_path, "dies"))
    (outcome,) = wait_for(ray_executor, 1)
    assert isinstance(outcome, Lost)
    # Which signal it was Linux says since 6.15.
    assert re.match(r"its process ended (by SIGKILL, which the system|at once: )", outcome.reason)
    assert outcome.kind == "worker_lost"
    assert outcome.host == socket.gethostname()
    assert outcome.node
    count = fill(ray_executor, tmp_path, "quick")
    assert all(isinstance(o, Finished) for o in wait_for(ray_executor, count))


def test_every_task_of_a_bundle_is_lost_with_its_worker(ray_executor: Any, tmp_path: Path) -> None:
    tasks = [make_task(tmp_path, "dies" if seed == 1 else "quick", seed=seed) for seed in range(3)]
    while not ray_executor.has_room():
        assert ray_executor.wait(5) == []
    ray_executor.submit(tasks)
    outcomes = wait_for(ray_executor, 3)
    assert all(isinstance(outcome, LostInBundle) for outcome in outcomes)
    assert {outcome.task.run_id for outcome in outcomes} == {task.run_id for task in tasks}
    # The first one was done all the same.
    assert (tmp_path / "runs" / tasks[0].run_id / "1" / "result.json").is_file()


def test_killing_one_task_of_a_bundle_loses_the_others(ray_executor: Any, tmp_path: Path) -> None:
    tasks = [make_task(tmp_path, "hangs_always", seed=seed) for seed in range(3)]
    while not ray_executor.has_room():
        assert ray_executor.wait(5) == []
    ray_executor.submit(tasks)
    ray_executor.kill(tasks[1].run_id)
    outcomes = wait_for(ray_executor, 2)
    assert [type(outcome) for outcome in outcomes] == [LostInBundle, LostInBundle]
    assert [outcome.task.run_id for outcome in outcomes] == [tasks[0].run_id, tasks[2].run_id]


def test_a_worker_killed_while_idle_is_replaced_on_later_tasks(
    ray_executor: Any, tmp_path: Path
) -> None:
    submit(ray_executor, make_task(tmp_path))
    wait_for(ray_executor, 1)
    for pid in ray_executor.process_ids():
        os.kill(pid, signal.SIGKILL)
    submit(ray_executor, make_task(tmp_path))
    (outcome,) = wait_for(ray_executor, 1)
    assert isinstance(outcome, Lost)
    while not isinstance(outcome, Finished):
        submit(ray_executor, make_task(tmp_path))
        (outcome,) = wait_for(ray_executor, 1)


def test_slots_reuse_their_worker_process(ray_executor: Any, tmp_path: Path) -> None:
    wait_for(ray_executor, fill(ray_executor, tmp_path, "quick"))
    before = set(ray_executor.process_ids())
    for seed in range(4):
        submit(ray_executor, make_task(tmp_path, seed=seed))
        wait_for(ray_executor, 1)
    assert set(ray_executor.process_ids()) == before


@pytest.mark.ray
def test_workers_import_their_trainers_before_the_first_task(
    ray_executor: Any, tmp_path: Path
) -> None:
    """What shows it is torch, which the fake trainers do not import."""
    options = replace(A_QUARTER_CORE, most_slots=1, trainers=frozenset({BUILT_IN_TRAINER}))
    with EXECUTORS["ray"].start(options) as started:
        submit(started, make_task(tmp_path))
        (outcome,) = wait_for(started, 1)
        assert isinstance(outcome, Finished)
        assert outcome.result["provenance"]["torch"] is not None


UNFIT = [
    (
        replace(A_QUARTER_CORE, trainers=frozenset({"no_such_module:train"})),
        r"^trainer 'no_such_module:train' cannot be imported on",
    ),
    (
        replace(A_QUARTER_CORE, code={"trainer fake_trainers:quick": "0" * 64}),
        r"^the code of trainer fake_trainers:quick on \S+ \(\w{12}, in /\S+\) is not what the sweep"
        r" was planned with \(0{12}\): every machine needs the same, and a process that",
    ),
]
"""What a worker is asked to have and has not, and what it says."""


@pytest.mark.ray
def test_a_worker_in_which_no_run_could_train_is_given_none(
    ray_executor: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its trainers cannot be imported, or are others, or it has other code than the driver."""
    for lacking, said in UNFIT:
        with (
            pytest.raises(ResourceError, match=said),
            EXECUTORS["ray"].start(replace(lacking, most_slots=1)) as started,
        ):
            submit(started, make_task(tmp_path))
    here = own_code()
    other = replace(here, sha256="0" * 64, versions={**here.versions, "numpy": "0.1"})
    monkeypatch.setattr("sweeper.executors.ray.own_code", lambda: other)
    with (
        pytest.raises(
            ResourceError, match=r"numpy is .*, and 0.1 on the driver's .*not the driver"
        ),
        EXECUTORS["ray"].start(replace(A_QUARTER_CORE, most_slots=1)) as started,
    ):
        submit(started, make_task(tmp_path))


@pytest.mark.ray
def test_what_makes_a_worker_unfit_is_told_though_its_task_has_ended_by_it(
    ray_executor: Any, tmp_path: Path
) -> None:
    lacking, said = UNFIT[0]
    with EXECUTORS["ray"].start(replace(lacking, most_slots=2)) as started:
        submit(started, make_task(tmp_path, multiplier=2))
        (worker,) = started._workers  # type: ignore[attr-defined]
        ray.wait([worker.start, worker.outcomes], num_returns=2)  # both before it is looked at
        with pytest.raises(ResourceError, match=said):
            wait_for(started, 1)


@pytest.mark.parametrize(("lacking", "said"), UNFIT)
def test_inline_takes_no_task_without_the_trainers(lacking: ExecutorOptions, said: str) -> None:
    with pytest.raises(ResourceError, match=said):
        EXECUTORS["inline"].start(lacking)


@pytest.mark.ray
def test_tasks_without_heartbeat_are_killed_as_hung(
    ray_executor: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether their trainer hangs, or their process was stopped; others go on."""
    monkeypatch.setattr("sweeper.executors.ray.CHECK_SECONDS", 0.5)
    options = replace(A_QUARTER_CORE, most_slots=3, hung_seconds=6.0)
    with EXECUTORS["ray"].start(options) as started:
        wait_for(started, fill(started, tmp_path, "quick", slots=3))
        suspended = make_task(tmp_path, "light", epochs=1000)
        submit(started, suspended)
        (pid,) = [worker.pid for worker in started._workers if worker.tasks]  # type: ignore[attr-defined]
        os.kill(pid, signal.SIGSTOP)
        hanging, healthy = make_task(tmp_path, "hangs_always"), make_task(tmp_path, "light", 1, 160)
        found: list[Outcome] = []
        for task in (hanging, healthy):
            while not started.has_room():  # the first may be found hung before there is
                found += started.wait(5)
            started.submit([task])
        found += wait_for(started, 3 - len(found))
        outcomes = {outcome.task.run_id: outcome for outcome in found}
        for task in (suspended, hanging):
            hung = outcomes[task.run_id]
            assert isinstance(hung, Lost)
            assert hung.kind == "hung"
            assert "no heartbeat" in hung.reason
        assert isinstance(outcomes[healthy.run_id], Finished)
        for seed in range(3):
            submit(started, make_task(tmp_path, seed=seed))
            assert isinstance(wait_for(started, 1)[0], Finished)


@pytest.mark.ray
def test_a_task_with_a_resource_multiplier_takes_several_slots(
    ray_executor: Any, tmp_path: Path
) -> None:
    options = replace(A_QUARTER_CORE, most_slots=2)
    with EXECUTORS["ray"].start(options) as started:
        fill(started, tmp_path, "slow")
        assert not started.has_room(Demand(multiplier=2))
        wait_for(started, 2)
        assert started.largest_multiplier() == 2
        submit(started, make_task(tmp_path, "slow", multiplier=2))
        assert not started.has_room()
        assert isinstance(wait_for(started, 1)[0], Finished)
        while len(started.process_ids()) < 2:  # type: ignore[attr-defined]
            assert started.wait(5) == []


def gang_task(folder: Path, epochs: int) -> Task:
    """Of two processes, of the real trainer: only that one trains in several."""
    config = RunConfig.model_validate(
        {
            "model": {"name": "zerosnet", "depth": 8, "width": 2},
            "dataset": {"name": "digits", "subset": 32},
            "training": {"epochs": epochs, "batch_size": 8, "data_parallel": 2},
            "seed": 0,
        }
    )
    task = make_task(folder)
    return replace(task, run_id=config.run_id, config=config.to_json(), processes=2)


def test_several_processes_are_more_than_inline_has() -> None:
    with EXECUTORS["inline"].start(A_QUARTER_CORE) as started:
        assert not started.has_room(Demand(processes=2))
        with pytest.raises(ResourceError, match=r"data_parallel 2: --executor ray starts as many"):
            started.require(2)


def test_processes_for_which_there_is_never_room_are_refused_with_what_there_is(
    ray_executor: Any,
) -> None:
    ray_executor.require(2)
    # More than any machine has, as it has but two slots.
    with pytest.raises(ResourceError) as raised:
        ray_executor.require(3)
    assert re.match(
        r"a run with training.data_parallel 3 needs 3 places at once, of 0.25 CPUs each, and Ray"
        r" has \d+ on \S+, of which --slots allows 2: add machines",
        str(raised.value),
    )


def test_a_task_of_several_processes_is_one_until_it_is_over(
    ray_executor: Any, tmp_path: Path
) -> None:
    """One of them is killed: all end, as one loss, and the next attempt begins with all."""
    task = gang_task(tmp_path, epochs=3)
    submit(ray_executor, task)
    assert not ray_executor.has_room()
    assert not ray_executor.has_room(task.demand)
    assert [sum(slots.values()) for slots in ray_executor.held().values()] == [2]
    with pytest.raises(RuntimeError, match=r"no room"):
        ray_executor.submit([make_task(tmp_path, multiplier=2)])
    while not ray_executor.running():
        assert ray_executor.wait(0.5) == []
    pids = ray_executor.process_ids()
    assert len(pids) == 2
    os.kill(pids[1], signal.SIGKILL)
    (outcome,) = wait_for(ray_executor, 1)
    assert isinstance(outcome, Lost)
    assert outcome.task == task
    assert (outcome.kind, outcome.host) == ("worker_lost", socket.gethostname())
    assert outcome.reason.startswith("rank 1 of 2: its process ended")
    wait_until(lambda: not any(map(psutil.pid_exists, pids)))
    submit(ray_executor, replace(task, attempt=2))
    (outcome,) = wait_for(ray_executor, 1)
    assert isinstance(outcome, Finished)
    assert outcome.result["attempt"] == 2
    assert ray_executor.held() == {}
    wait_until(lambda: placement_groups() == [])


def test_of_a_killed_task_no_reservation_is_left(ray_executor: Any, tmp_path: Path) -> None:
    task = gang_task(tmp_path, epochs=1000)
    submit(ray_executor, task)
    assert len(placement_groups()) == 1
    ray_executor.kill(task.run_id)
    wait_until(lambda: placement_groups() == [])
    assert ray_executor.held() == {}
    submit(ray_executor, make_task(tmp_path))
    assert isinstance(wait_for(ray_executor, 1)[0], Finished)


def placement_groups() -> list[Any]:
    """Those of this Ray that have not been given back."""
    from ray.util import placement_group_table

    return [group for group in placement_group_table().values() if group["state"] != "REMOVED"]


@pytest.mark.parametrize(
    ("resources", "node", "slots"),
    [
        (Resources(cpus=1), {"CPU": 4}, 4),
        (Resources(cpus=2), {"CPU": 3}, 1),
        (Resources(cpus=0.5), {"CPU": 2}, 4),
        (Resources(gpus=0.4), {"CPU": 16, "GPU": 2}, 4),
        (Resources(gpus=0.25), {"CPU": 2, "GPU": 1}, 2),
        (Resources(gpus=2), {"CPU": 16, "GPU": 3}, 1),
        (Resources(gpus=2), {"CPU": 16}, 0),
    ],
)
def test_slots_never_span_two_nodes(
    resources: Resources, node: dict[str, float], slots: int
) -> None:
    from sweeper.executors.ray_slots import slots_of_node

    assert slots_of_node(node, resources) == slots


@pytest.mark.parametrize("gpus", [1.5, 0.00001])
def test_gpu_fractions_that_ray_refuses_are_refused_in_the_spec(gpus: float) -> None:
    with pytest.raises(ValueError, match="GPU"):
        Resources(gpus=gpus)


def test_ray_is_told_a_command_in_utf8(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray._private.utils import get_entrypoint_name

    assert ray_connection  # which replaces it
    monkeypatch.setattr("sys.argv", ["sweep", "run", "--home", "h\udcff\u4e2d"])
    name = get_entrypoint_name()
    assert name.encode() == "sweep run --home h\\xff\u4e2d".encode()


def test_signals_wait_until_ray_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    arrived: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: arrived.append(number))
    try:
        with ray_connection.signals_deferred():
            signal.raise_signal(signal.SIGTERM)
            assert arrived == []
        assert arrived == [signal.SIGTERM]
        # Only the main thread may set handlers, and only it is interrupted by them.
        with ThreadPoolExecutor() as pool:
            assert pool.submit(_raise_deferred).result() is None
        assert arrived == [signal.SIGTERM] * 2
    finally:
        signal.signal(signal.SIGTERM, before)


def _raise_deferred() -> None:
    with ray_connection.signals_deferred():
        os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ImportError("no aiohttp"), r"pip install 'ray\[default\]'"),
        (
            RuntimeError("no\n  room"),
            "on this machine: no room; .* has its logs; --executor inline",
        ),
        (Exception("it timed out"), "on this machine: it timed out"),
        (AssertionError(), "on this machine: AssertionError"),
    ],
)
def test_a_local_ray_that_cannot_start_is_a_resource_error(
    error: Exception, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fails(**_: Any) -> None:
        assert os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "0"
        raise error

    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "1")
    monkeypatch.setattr("ray.init", fails)
    with pytest.raises(ResourceError, match=message):
        ray_connection.start_local(RayCalls("again"), tmp_path, True, lambda: False)
    assert os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "1"


def test_the_folder_of_a_ray_whose_start_was_stopped_is_left_for_the_next_driver(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = threading.Event()
    with tempfile.TemporaryDirectory(dir="/tmp") as parent:
        monkeypatch.setenv("RAY_TMPDIR", parent)
        monkeypatch.setattr("ray.is_initialized", lambda: False)
        monkeypatch.setattr("ray.init", lambda **_: ended.wait(60))
        monkeypatch.setattr("ray._private.worker._global_node", None)  # which other tests use
        with pytest.raises(Interrupted):
            EXECUTORS["ray"].start(replace(A_QUARTER_CORE, stop_asked=lambda: True))
        ended.set()
        assert list(Path(parent).glob("sweep-*/driver.lock"))


def test_a_task_that_waits_says_for_what_until_it_is_asked_to_stop() -> None:
    heartbeat = Heartbeat()
    heartbeat.wait("the storage is away")
    assert (heartbeat.count, heartbeat.note) == (1, "the storage is away")
    heartbeat.stop = True
    with pytest.raises(TrainingStopped):
        heartbeat.wait("the storage is still away")


def wait_for_lines(task: Task, count: int) -> list[str]:
    """The log of the task, as soon as it has so many."""
    log = attempt_folder(open_folder(task.storage), task.run_id, 1)
    return wait_until(lambda: lines if len(lines := last_lines(log, 100)) >= count else [])


def test_what_a_task_writes_is_in_its_log(executor: Executor, tmp_path: Path) -> None:
    tasks = []
    for seed in range(2):
        task = make_task(tmp_path, "talks", seed=seed, module="talking_trainers")
        submit(executor, task)
        wait_for(executor, 1)
        tasks.append(task)
    for task in tasks:
        lines = wait_for_lines(task, 6)
        assert lines[0] == f"print of seed {task.config['seed']}"


def test_a_log_survives_the_worker_of_its_task(ray_executor: Any, tmp_path: Path) -> None:
    task = make_task(tmp_path, "dies_once", module="talking_trainers")
    submit(ray_executor, task)
    (outcome,) = wait_for(ray_executor, 1)
    assert isinstance(outcome, Lost)
    assert wait_for_lines(task, 2) == ["attempt 1", "the last words"]
