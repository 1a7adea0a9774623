"""A sweep as a Ray job: it goes on when the machine that submitted it is gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import network_hosts
from network_hosts import HostNetwork
from ray_hosts import RayHosts
from results.queries.queries import Queries
from waiting import wait_until

JOBS = "http://head:8265"
RUNS = 6

SPEC = f"""
name: submitted
model: zerosnet
depth: 8
dataset: digits
trainer: fake_trainers:paced
training: {{epochs: 30}}
grid: {{scheme: [{{lambda: 10}}], seed: {list(range(RUNS))}}}
"""


WHY_NOT = network_hosts.why_not()

pytestmark = [
    pytest.mark.hosts,
    pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT)),
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with network_hosts.shared_folder() as made:
        yield made


@pytest.fixture(scope="module")
def ray_hosts(folder: Path) -> Iterator[RayHosts]:
    with HostNetwork(folder, ["head", "worker", "laptop", "desk", "intruder"]) as network:
        started = RayHosts(network, folder, "--dashboard-host=0.0.0.0", "--dashboard-port=8265")
        started.add_worker("worker")
        yield started


def test_a_ray_job_with_a_wrong_token_is_refused(ray_hosts: RayHosts) -> None:
    intruder = ray_hosts.network.add("intruder")
    for token in ({"RAY_AUTH_TOKEN": "0" * 64}, {"RAY_AUTH_MODE": "disabled"}):
        refused = intruder.run(
            ["ray", "job", "submit", "--address", JOBS, "--submission-id", "theirs", "--", "true"],
            {**ray_hosts.env, **token},
        )
        assert refused.returncode != 0
        assert "token" in refused.stderr
    known = ray_hosts.head.run(["ray", "job", "list", "--address", JOBS], ray_hosts.env)
    assert known.returncode == 0, known.stderr
    assert "theirs" not in known.stdout


def test_a_ray_job_outlives_the_machine_that_submitted_it(
    ray_hosts: RayHosts, folder: Path
) -> None:
    spec, home = folder / "submitted.yaml", folder / "home"
    spec.write_text(SPEC)
    laptop, desk = ray_hosts.network.add("laptop"), ray_hosts.network.add("desk")
    client = laptop.start(
        ["ray", "job", "submit", "--address", JOBS, "--submission-id", "mine", "--",
         "sweep", "run", str(spec), "--home", str(home), "--ray-address", "auto"],
        ray_hosts.env,
    )  # fmt: skip

    def the_sweep_is_under_way() -> bool:
        assert not client.ended, client.output()
        return any(home.glob("runs/*/*/checkpoint*"))

    wait_until(the_sweep_is_under_way, "the sweep is under way", 120)
    laptop.pull_the_plug()
    # Files are looked at first: to ask Ray takes a second of a core each time.
    wait_until(lambda: len(list(home.glob("runs/*/*/result.json"))) == RUNS, "all runs end")

    def the_job_is_done() -> bool:
        asked = desk.run(["ray", "job", "status", "--address", JOBS, "mine"], ray_hosts.env)
        said = asked.stdout + asked.stderr
        assert "failed" not in said, said
        return "succeeded" in said

    wait_until(the_job_is_done, "the job is done", 120)
    with Queries.open(f"sqlite:///{home / 'sweep.db'}") as queries:
        assert queries.status("submitted")[0].counts["done"] == RUNS
