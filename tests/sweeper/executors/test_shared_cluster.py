"""A Ray whose CPUs others use: the sweep waits, says so, and goes on when they are free."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray

from sweeper.executors import EXECUTORS, ExecutorOptions
from sweeper.executors.tasks import Finished, Task
from sweeper.spec.resources import Resources
from trainers.config.run import RunConfig


@pytest.fixture
def busy_ray() -> Iterator[Any]:
    """A process that holds the only CPU of a Ray."""

    class Greedy:
        def host(self) -> str:
            return socket.gethostname()

    ray.init(address="local", num_cpus=1, include_dashboard=False, logging_level=logging.ERROR)
    try:
        actor = ray.remote(num_cpus=1)(Greedy).remote()
        assert ray.get(actor.host.remote()) == socket.gethostname()
        yield actor
    finally:
        ray.shutdown()


def test_the_driver_waits_for_cpus_in_use_by_others_and_says_so(
    busy_ray: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweeper.executors.ray.LONG_START_SECONDS", 0.5)
    config = RunConfig.model_validate(
        {
            "model": {"name": "zerosnet", "depth": 8},
            "dataset": "digits",
            "training": {"epochs": 1},
            "trainer": "fake_trainers:quick",
            "seed": 0,
        }
    )
    task = Task(
        config.run_id, 1, config.to_json(), (), str(tmp_path), tmp_path, device="cpu", threads=1
    )
    with EXECUTORS["ray"].start(ExecutorOptions(Resources(cpus=1))) as executor:
        assert executor.notes() == {}
        while not executor.notes():
            assert executor.wait(0.2) == []
        assert "others may use" in executor.notes()["the cluster"]
        assert not executor.has_room()
        ray.kill(busy_ray)
        while not executor.has_room():
            assert executor.wait(5) == []
        assert executor.notes() == {}
        executor.submit([task])
        while not (outcomes := executor.wait(5)):
            pass
        assert isinstance(outcomes[0], Finished)
