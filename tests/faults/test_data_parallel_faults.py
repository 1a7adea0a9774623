"""One of several processes that train a network is lost: all end, and the run goes on from there.

To the same bits as undisturbed, and counted once.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import drivers
import gang_faults
from drivers import Driver
from killed_raylets import RayNodes, ray_nodes
from waiting import wait_until

pytestmark = [pytest.mark.ray, pytest.mark.timeout(1800)]

HUNG_SECONDS = 60
"""More than a step takes on a machine that is busy with other tests."""

NEVER = 86_400

Facts = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder in which faults are told, to processes that tests start as well."""
    folder = tmp_path_factory.mktemp("faults")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in gang_faults.install(folder).items():
            patch.setenv(name, value)
        patch.setenv("OMP_NUM_THREADS", "1")
        yield folder


@pytest.fixture(scope="module")
def undisturbed_gang(plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """What the run comes to if nothing happens."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with start(folder, folder / "home") as driver:
        driver.finish()
    return drivers.facts(drivers.database_of(folder / "home"))


def write_spec(folder: Path, resources: str = "", hung_seconds: int = NEVER) -> Path:
    spec = folder / "spec.yaml"
    spec.write_text(
        gang_faults.SPEC.format(name=drivers.NAME, resources=resources, hung_seconds=hung_seconds)
    )
    return spec


def start(folder: Path, home: Path, hung_seconds: int = NEVER) -> Driver:
    return Driver(write_spec(folder, hung_seconds=hung_seconds), home, executor="ray")


def are_gone(pids: dict[int, int]) -> bool:
    return not any(map(psutil.pid_exists, pids.values()))


def only_run(home: Path) -> list[dict[str, Any]]:
    """Its attempts."""
    (tries,) = drivers.attempts_in_full(drivers.database_of(home)).values()
    return tries


def kill(rank: int) -> Callable[[Path, dict[int, int]], None]:
    return lambda plugin, pids: os.kill(pids[rank], signal.SIGKILL)


def suspend(rank: int) -> Callable[[Path, dict[int, int]], None]:
    return lambda plugin, pids: os.kill(pids[rank], signal.SIGSTOP)


def tell(what: str, rank: int) -> Callable[[Path, dict[int, int]], None]:
    return lambda plugin, pids: gang_faults.cause(plugin, what, rank)


@pytest.mark.parametrize(
    ("disturb", "fault", "error"),
    [
        pytest.param(kill(0), "worker_lost", "rank 0 of 2: its process ended", id="rank 0 killed"),
        pytest.param(kill(1), "worker_lost", "rank 1 of 2: its process ended", id="rank 1 killed"),
        pytest.param(suspend(1), "hung", "rank 1 of 2: no heartbeat for", id="rank 1 suspended"),
        pytest.param(
            tell("raise", 1),
            "trainer_error",
            "rank 1 of 2: RuntimeError: as it",
            id="rank 1 raises",
        ),
        pytest.param(
            tell("out of memory", 1),
            "out_of_memory",
            "out of memory: rank 1 of 2: ",
            id="no memory",
        ),
    ],
)
def test_a_run_goes_on_after_one_of_its_processes_was_lost(
    disturb: Callable[[Path, dict[int, int]], None],
    fault: str,
    error: str,
    plugin: Path,
    undisturbed_gang: Facts,
    home: Path,
    tmp_path: Path,
) -> None:
    with start(tmp_path, home, HUNG_SECONDS if fault == "hung" else NEVER) as driver:
        driver.wait_until(lambda: drivers.some_run_is_half_trained(home, 2))
        before = gang_faults.pids(plugin)
        disturb(plugin, before)
        # None of them hears of it from a timeout of its own: those are of hours.
        driver.wait_until(lambda: are_gone(before))
        driver.finish()
    lost, done = only_run(home)
    assert (lost["state"], lost["fault"], done["state"]) == ("lost", fault, "done")
    assert error in lost["error"]
    assert done["first_epoch"] > 1, "it began from the beginning"
    assert drivers.facts(drivers.database_of(home)) == undisturbed_gang


def test_a_driver_that_is_killed_leaves_no_process_and_another_goes_on(
    plugin: Path, undisturbed_gang: Facts, home: Path, tmp_path: Path
) -> None:
    with start(tmp_path, home) as driver:
        driver.wait_until(lambda: drivers.some_run_is_half_trained(home, 2))
        before = gang_faults.pids(plugin)
        driver.kill_alone()
        wait_until(lambda: are_gone(before))
    with start(tmp_path, home) as driver:
        driver.finish()
    lost, done = only_run(home)
    assert (lost["fault"], done["state"]) == ("driver_lost", "done")
    assert done["first_epoch"] > 1
    assert drivers.facts(drivers.database_of(home)) == undisturbed_gang


@pytest.mark.parametrize("times", [1, 2])
def test_a_run_that_is_stopped_goes_on_where_all_its_processes_were(
    times: int, plugin: Path, undisturbed_gang: Facts, home: Path, tmp_path: Path
) -> None:
    with start(tmp_path, home) as driver:
        driver.wait_until(lambda: drivers.some_run_is_half_trained(home, 2))
        before = gang_faults.pids(plugin)
        driver.signal(signal.SIGINT)
        if times == 2:
            driver.wait_until(lambda: "Control-C again" in driver.output())
            driver.signal(signal.SIGINT)
        assert driver.end() == 130, driver.output()
        # Of what is not waited for Ray's own process on the machine sees the end.
        wait_until(lambda: are_gone(before))
    (stopped,) = only_run(home)
    assert (stopped["state"], stopped["fault"]) == ("interrupted", "stopped")
    with start(tmp_path, home) as driver:
        driver.finish()
    _, done = only_run(home)
    assert done["first_epoch"] > 1
    assert drivers.facts(drivers.database_of(home)) == undisturbed_gang


@pytest.fixture
def nodes(plugin: Path) -> Iterator[RayNodes]:
    """Two of them, with a CPU each."""
    with ray_nodes(1) as started:
        yield started


def test_a_run_that_spans_nodes_goes_on_when_one_was_lost_and_another_has_come(
    plugin: Path, undisturbed_gang: Facts, nodes: RayNodes, home: Path, tmp_path: Path
) -> None:
    spec = write_spec(tmp_path, ", nodes: 2")
    more = ["--ray-address", nodes.address]
    with Driver(spec, home, executor="ray", more=more) as driver:
        driver.wait_until(lambda: drivers.some_run_is_half_trained(home, 2))
        before = gang_faults.pids(plugin)
        (victim,) = nodes.others()
        assert nodes.trains(victim)
        nodes.kill_raylet(victim)
        driver.wait_until(lambda: are_gone(before))
        driver.wait_until(lambda: "needs 2 places at once on 2 machines" in driver.output())
        nodes.add()
        driver.finish()
        nodes.seconds_until_free(180.0)
    # Ray tells of a process before it knows of its node, to which the next attempt is given then.
    lost, *not_begun, done = only_run(home)
    assert all(each["fault"] is None for each in not_begun)
    assert (lost["state"], lost["fault"], done["state"]) == ("lost", "worker_lost", "done")
    assert drivers.facts(drivers.database_of(home)) == undisturbed_gang
    assert nodes.placement_groups() == []
