"""Nodes of a Ray cluster die in mid-sweep: their runs go on elsewhere, and no CPU stays taken."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

import drivers
from attempts_by_driver import Watch
from drivers import Driver, Sweep, Undisturbed
from figures import Figure, Times
from killed_raylets import RayNodes, ray_nodes

OTHER_NODES = 2

FREE_SECONDS = 180.0
"""If a CPU is still held then for a driver that has ended, or was killed, it stays so."""

TRAINERS = (drivers.LIGHT, drivers.PACED)
"""Checkpoints need torch, which every worker of every node would import."""

pytestmark = [pytest.mark.ray, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def nodes() -> Iterator[RayNodes]:
    """One cluster for all tests: who dies in one is replaced."""
    with ray_nodes(OTHER_NODES) as started:
        yield started


def start(sweep: Sweep, home: Path, db: str, nodes: RayNodes) -> Driver:
    return Driver(sweep.spec, home, db=db, executor="ray", more=["--ray-address", nodes.address])


def test_a_sweep_survives_raylets_that_are_killed(
    tmp_path: Path,
    home: Path,
    nodes: RayNodes,
    database: str,
    request: pytest.FixtureRequest,
    times: Times,
    chance: random.Random,
    undisturbed: Undisturbed,
    figure: Figure,
) -> None:
    if database == "postgres" and times(0, 1) == 0:
        pytest.skip("the database makes no difference to nodes; SWEEP_FAULTS=full tests it")
    db = request.getfixturevalue("db")
    # Five nodes may die under one run; it is not the run's fault.
    sweep = drivers.write_spec(
        tmp_path,
        runs=times(8, 40),
        epochs=times(10, 20),
        trainer=TRAINERS[times(0, 1)],
        more="faults: {worker_lost: {attempts: 10}}\n",
    )
    expected = undisturbed(sweep)
    kills = times(1, 5)
    points = sorted(chance.sample(range(1, sweep.runs // 2), kills))
    with Watch(db) as watch:
        with start(sweep, home, db, nodes) as driver:
            for point in points:
                driver.wait_until(lambda done=point: len(watch.done()) >= done, pause=0.1)  # type: ignore[misc]
                victim = chance.choice(nodes.others())
                driver.wait_until(lambda node=victim: nodes.trains(node), pause=0.1)  # type: ignore[misc]
                nodes.kill_raylet(victim)
                nodes.add()
            driver.finish()
            after_end = nodes.seconds_until_free(FREE_SECONDS)
        found = drivers.facts(db)
        lost = sum(attempt.fault == "worker_lost" for attempt in watch.attempts())
        figure(
            "raylet killed",
            database=database,
            trainer="fake",
            done=sum(found.get(run_id) == facts for run_id, facts in expected.items()),
            of=sweep.runs,
            kills=kills,
            nodes=1 + OTHER_NODES,
            attempts_lost=lost,
            cpus_free_after_s=round(after_end, 1),
        )
        drivers.assert_same(found, expected)
        drivers.assert_trained_once(db, {})


def test_a_killed_driver_leaves_no_cpu_reserved(
    tmp_path: Path,
    home: Path,
    nodes: RayNodes,
    times: Times,
    undisturbed: Undisturbed,
    figure: Figure,
) -> None:
    sweep = drivers.write_spec(tmp_path, runs=4, epochs=20, trainer=TRAINERS[times(0, 1)])
    expected = undisturbed(sweep)
    with start(sweep, home, drivers.database_of(home), nodes) as driver:
        driver.wait_until(lambda: drivers.some_run_is_half_trained(home))
        assert nodes.reserved_cpus() > 0
        driver.kill_alone()
        free = nodes.seconds_until_free(FREE_SECONDS)
    with start(sweep, home, drivers.database_of(home), nodes) as again:
        again.finish()
        nodes.seconds_until_free(FREE_SECONDS)
        drivers.assert_same(drivers.facts(again.db), expected)
    figure(
        "driver on a cluster killed",
        database="sqlite",
        trainer="fake",
        done=1,
        of=1,
        cpus_free_after_s=round(free, 1),
    )
