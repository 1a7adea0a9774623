"""Hosts with networks of their own: a cluster that loses and gains machines in mid-sweep."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import network_hosts
from network_hosts import Host, HostNetwork
from ray_hosts import HEAD, RayHosts
from results.queries.queries import Queries
from waiting import wait_until

RUNS = 16
EPOCHS = 60

SPEC = f"""
name: moving
model: zerosnet
depth: 8
dataset: digits
trainer: fake_trainers:paced
training: {{epochs: {EPOCHS}}}
grid: {{scheme: [{{lambda: 10}}], seed: {list(range(RUNS))}}}
"""

NO_HOSTS = network_hosts.why_not()

SILENT = pytest.mark.skipif(
    os.environ.get("SWEEP_FAULTS") != "full",
    reason="Ray takes half a minute to give up a machine that says nothing: make test-faults",
)

pytestmark = [
    pytest.mark.hosts,
    pytest.mark.skipif(NO_HOSTS is not None, reason=str(NO_HOSTS)),
    pytest.mark.timeout(300),
]


@pytest.fixture
def folder() -> Iterator[Path]:
    with network_hosts.shared_folder() as made:
        yield made


@pytest.fixture
def ray_hosts(folder: Path) -> Iterator[RayHosts]:
    with HostNetwork(folder, ["head", "first", "second", "third"]) as network:
        yield RayHosts(network, folder)


def kill_the_raylet(host: Host) -> None:
    (raylet,) = [process for process in host.processes() if process.name() == "raylet"]
    raylet.send_signal(signal.SIGKILL)


def cut_the_power(host: Host) -> None:
    """From one moment to the next no packet comes from it, not even a goodbye of the kernel."""
    host.cut_the_cable()
    host.pull_the_plug()


def run_and_lose(
    ray_hosts: RayHosts, folder: Path, lose: Callable[[Host], None]
) -> list[dict[str, Any]]:
    """A sweep on two machines that loses one and gets another; all attempts of all runs."""
    spec, home = folder / "moving.yaml", folder / "home"
    spec.write_text(SPEC)
    first, _ = ray_hosts.add_worker("first"), ray_hosts.add_worker("second")
    command = ["sweep", "run", str(spec), "--home", str(home), "--ray-address", HEAD]
    driver = ray_hosts.head.start(command, ray_hosts.env)

    def both_machines_train() -> bool:
        assert not driver.ended, driver.output()
        return len({path.parent for path in home.glob("runs/*/*/checkpoint*")}) == 4

    wait_until(both_machines_train, "both machines train")
    lose(first)
    ray_hosts.add_worker("third")
    assert driver.wait(200) == 0, driver.output()
    with Queries.open(f"sqlite:///{home / 'sweep.db'}") as queries:
        details = [queries.run_detail(row["run_id"]) for row in queries.run_rows(["moving"])]
    found = {detail["seed"]: detail["test_accuracy"] for detail in details}
    assert found == {seed: accuracy_of(seed) for seed in range(RUNS)}
    return [attempt for detail in details for attempt in detail["attempt_history"]]


def accuracy_of(seed: int) -> float:
    """What `fake_trainers.paced` comes to if every epoch is done once and in order."""
    chain = f"seed {seed}"
    for epoch in range(1, EPOCHS + 1):
        chain = hashlib.sha256(f"{chain}, epoch {epoch}".encode()).hexdigest()
    return int(chain[:8], 16) / 2**32 * 100


def hosts(attempts: list[dict[str, Any]], state: str) -> set[str]:
    return {attempt["host"] for attempt in attempts if attempt["state"] == state}


@pytest.mark.parametrize("lose", [kill_the_raylet, pytest.param(cut_the_power, marks=SILENT)])
def test_a_sweep_survives_a_lost_machine_and_uses_a_new_one(
    ray_hosts: RayHosts, folder: Path, lose: Callable[[Host], None]
) -> None:
    attempts = run_and_lose(ray_hosts, folder, lose)
    assert hosts(attempts, "lost") == {"first"}
    assert hosts(attempts, "done") >= {"second", "third"}
    # What the lost machine had reached was not lost with it.
    again = [attempt for attempt in attempts if attempt["attempt"] == 2]
    assert len(again) == 2
    assert all(attempt["first_epoch"] > 1 for attempt in again)
    wait_until(lambda: ray_hosts.cpus_in_use() == "0.0/4.0 CPU", "no CPU is reserved")


@SILENT
def test_results_finished_by_a_disconnected_machine_are_adopted(
    ray_hosts: RayHosts, folder: Path
) -> None:
    # It still reaches the storage, as one whose way to the head alone is broken.
    attempts = run_and_lose(ray_hosts, folder, Host.cut_the_cable)
    assert hosts(attempts, "done") == {"first", "second", "third"}
    assert {attempt["state"] for attempt in attempts} == {"done"}
