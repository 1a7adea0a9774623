"""The contract of sweeper.executors.base, over every executor."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sweeper.errors import ResourceError
from sweeper.executors import EXECUTORS, Executor, executor_class
from sweeper.spec import Resources
from sweeper.worker import Finished, Lost, Outcome, Raised, Task
from trainers.config import RunConfig
from trainers.errors import UnknownNameError

NOISE = {"noise": "gaussian", "std": 0.1}


@pytest.fixture(params=sorted(EXECUTORS), scope="module")
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    # Half a core each, so that a machine with one core has two slots to tell apart.
    with executor_class(request.param).start(
        Resources(cpus=0.5), address=None, most_slots=2
    ) as started:
        yield started


@pytest.fixture(scope="module")
def ray_executor() -> Iterator[Any]:
    with executor_class("ray").start(Resources(cpus=0.5), address=None, most_slots=2) as started:
        yield started


def make_task(folder: Path, trainer: str = "quick", seed: int = 0) -> Task:
    config = RunConfig.model_validate(
        {
            "model": {"name": "zerosnet", "depth": 8},
            "dataset": "digits",
            "training": {"epochs": 1},
            "trainer": f"fake_trainers:{trainer}",
            "seed": seed,
        }
    )
    return Task(
        run_id=config.run_id,
        attempt=1,
        config=config.to_json(),
        evaluations=(NOISE,),
        runs_folder=folder / "runs",
        data_dir=folder / "data",
        device="cpu",
        threads=1,
    )


def wait_for(executor: Executor, count: int) -> list[Outcome]:
    outcomes: list[Outcome] = []
    while len(outcomes) < count:
        outcomes += executor.wait(5)
    return outcomes


def test_every_task_comes_out_once(executor: Executor, tmp_path: Path) -> None:
    tasks = [make_task(tmp_path, seed=seed) for seed in range(6)]
    waiting, outcomes = list(tasks), []
    free = executor.slots
    while len(outcomes) < len(tasks):
        while free and waiting:
            executor.submit(waiting.pop())
            free -= 1
        arrived = executor.wait(5)
        free += len(arrived)
        outcomes += arrived
    assert sorted(o.task.run_id for o in outcomes) == sorted(t.run_id for t in tasks)
    for outcome in outcomes:
        assert isinstance(outcome, Finished)
        assert outcome.result["test_accuracy"] == 50 + outcome.task.config["seed"]
        assert [e["accuracy"] for e in outcome.result["evaluations"]] == [
            outcome.result["test_accuracy"] - 10
        ]
    assert executor.wait(0) == []


def test_what_a_task_raises_comes_back_as_data(executor: Executor, tmp_path: Path) -> None:
    executor.submit(make_task(tmp_path, "odd_seeds_raise", seed=1))
    (outcome,) = wait_for(executor, 1)
    assert isinstance(outcome, Raised)
    assert outcome.error == "RuntimeError: seed 1 is odd"
    assert "fake_trainers.py" in outcome.traceback
    assert outcome.kind == "trainer"


def test_a_missing_dataset_is_told_apart(executor: Executor, tmp_path: Path) -> None:
    executor.submit(make_task(tmp_path, "loses_its_dataset"))
    (outcome,) = wait_for(executor, 1)
    assert isinstance(outcome, Raised)
    assert outcome.kind == "dataset_missing"
    assert outcome.error == "the data are not here; put them there"


def test_the_result_is_stored_before_the_outcome_arrives(
    executor: Executor, tmp_path: Path
) -> None:
    task = make_task(tmp_path)
    executor.submit(task)
    wait_for(executor, 1)
    assert (tmp_path / "runs" / task.run_id / "1" / "result.json").is_file()


def test_no_more_tasks_than_slots(executor: Executor, tmp_path: Path) -> None:
    for seed in range(executor.slots):
        executor.submit(make_task(tmp_path, "slow", seed=seed))
    with pytest.raises(RuntimeError, match="slot"):
        executor.submit(make_task(tmp_path, seed=99))
    wait_for(executor, executor.slots)


def test_a_gpu_that_is_not_there(executor: Executor) -> None:
    # More than any machine has, so that the test means the same on one with GPUs.
    kind = type(executor)
    if kind.__name__ == "InlineExecutor":
        import torch

        if torch.cuda.is_available():
            pytest.skip("inline takes whatever GPU there is, and there is one")
    with pytest.raises(ResourceError, match=r"resources\.gpus"):
        kind.start(Resources(gpus=1000), address=None, most_slots=1)


def test_an_unknown_executor_lists_the_known() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean 'ray'.*inline, ray"):
        executor_class("rya")


def test_inline_has_no_cluster() -> None:
    with pytest.raises(ResourceError, match="--executor ray"):
        executor_class("inline").start(Resources(), address="127.0.0.1:6379", most_slots=1)


def test_a_worker_that_dies_is_lost_and_replaced(ray_executor: Any, tmp_path: Path) -> None:
    ray_executor.submit(make_task(tmp_path, "dies"))
    (outcome,) = wait_for(ray_executor, 1)
    assert isinstance(outcome, Lost)
    assert "Died" in outcome.reason
    for seed in range(ray_executor.slots):
        ray_executor.submit(make_task(tmp_path, seed=seed))
    assert all(isinstance(o, Finished) for o in wait_for(ray_executor, ray_executor.slots))


def test_a_worker_killed_while_idle_is_lost_at_the_next_task(
    ray_executor: Any, tmp_path: Path
) -> None:
    for pid in ray_executor.process_ids():
        os.kill(pid, signal.SIGKILL)
    ray_executor.submit(make_task(tmp_path))
    (outcome,) = wait_for(ray_executor, 1)
    assert isinstance(outcome, Lost)


def test_slots_keep_their_process(ray_executor: Any, tmp_path: Path) -> None:
    for seed in range(2 * ray_executor.slots):
        ray_executor.submit(make_task(tmp_path, seed=seed))
        wait_for(ray_executor, 1)
    before = set(ray_executor.process_ids())
    ray_executor.submit(make_task(tmp_path, seed=77))
    wait_for(ray_executor, 1)
    assert set(ray_executor.process_ids()) == before


@pytest.mark.parametrize(
    ("resources", "nodes", "slots"),
    [
        (Resources(cpus=1), [{"CPU": 4}], 4),
        (Resources(cpus=2), [{"CPU": 3}, {"CPU": 3}], 2),
        (Resources(cpus=0.5), [{"CPU": 2}], 4),
        (Resources(gpus=0.4), [{"CPU": 16, "GPU": 2}], 4),
        (Resources(gpus=0.25), [{"CPU": 2, "GPU": 1}], 2),
        (Resources(gpus=2), [{"CPU": 16, "GPU": 3}, {"CPU": 16, "GPU": 2}, {"CPU": 8}], 2),
    ],
)
def test_a_slot_is_whole_on_one_node(
    resources: Resources, nodes: list[dict[str, float]], slots: int
) -> None:
    from sweeper.executors.ray import _slots_of

    described = [{"Alive": True, "Resources": node} for node in nodes]
    dead = {"Alive": False, "Resources": {"CPU": 64, "GPU": 8}}
    assert _slots_of([*described, dead], resources) == slots


@pytest.mark.parametrize("gpus", [1.5, 0.00001])
def test_a_share_of_a_gpu_that_ray_refuses_is_refused_in_the_spec(gpus: float) -> None:
    with pytest.raises(ValueError, match="GPU"):
        Resources(gpus=gpus)
