"""A Ray whose CPUs others use: the sweep waits, says so, and goes on when they are free."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import ray

from sweeper.executors import EXECUTORS, ExecutorOptions
from sweeper.executors.placement import Demand
from sweeper.executors.tasks import Finished, Task
from sweeper.spec.resources import Resources
from trainers.config.run import RunConfig


@contextmanager
def busy_ray(cpus: int, taken: int) -> Iterator[Any]:
    """A process that holds so many CPUs of a Ray."""

    class Greedy:
        def host(self) -> str:
            return socket.gethostname()

    ray.init(address="local", num_cpus=cpus, include_dashboard=False, logging_level=logging.ERROR)
    try:
        actor = ray.remote(num_cpus=taken)(Greedy).remote()
        assert ray.get(actor.host.remote()) == socket.gethostname()
        yield actor
    finally:
        ray.shutdown()


def quick_task(folder: Path) -> Task:
    config = RunConfig.model_validate(
        {
            "model": {"name": "zerosnet", "depth": 8},
            "dataset": "digits",
            "training": {"epochs": 1},
            "trainer": "fake_trainers:quick",
            "seed": 0,
        }
    )
    return Task(
        config.run_id, 1, config.to_json(), (), str(folder), folder, device="cpu", threads=1
    )


@pytest.mark.ray
def test_the_driver_waits_for_cpus_in_use_by_others_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweeper.executors.ray.LONG_START_SECONDS", 0.5)
    task = quick_task(tmp_path)
    with (
        busy_ray(cpus=1, taken=1) as other,
        EXECUTORS["ray"].start(ExecutorOptions(Resources(cpus=1))) as executor,
    ):
        assert executor.notes() == {}
        while not executor.notes():
            assert executor.wait(0.2) == []
        assert "others may use" in executor.notes()["the cluster"]
        assert not executor.has_room()
        ray.kill(other)
        while not executor.has_room():
            assert executor.wait(5) == []
        assert executor.notes() == {}
        executor.submit([task])
        while not (outcomes := executor.wait(5)):
            pass
        assert isinstance(outcomes[0], Finished)


@pytest.mark.ray
def test_small_runs_train_while_several_processes_wait_for_cpus_in_use_by_others(
    tmp_path: Path,
) -> None:
    small = quick_task(tmp_path)
    with (
        busy_ray(cpus=3, taken=2),
        EXECUTORS["ray"].start(ExecutorOptions(Resources(cpus=1))) as executor,
    ):
        assert executor.has_room(Demand(processes=2)), "nobody knows what others use"
        executor.submit([replace(small, run_id="1" * 16, processes=2)])
        for _ in range(2):  # the second one on the slot of the first
            while not executor.has_room():
                assert executor.wait(5) == []
            executor.submit([small])
            while not (outcomes := executor.wait(5)):
                pass
            assert isinstance(outcomes[0], Finished)
        assert not executor.has_room(Demand(processes=2))
