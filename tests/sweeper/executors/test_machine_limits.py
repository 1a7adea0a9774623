from __future__ import annotations

import os

import psutil
import pytest

from sweeper.executors import machine_limits
from sweeper.executors.machine_limits import usable_cpus, usable_memory
from sweeper.executors.ray_slots import WORKER_BYTES, slots_of_node
from sweeper.spec.resources import Resources

MACHINE_BYTES = 64 * 2**30
UNLIMITED_V1 = str(2**63 - 4096)


@pytest.fixture(autouse=True)
def _a_large_machine(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(32)), raising=False)

    class Memory:
        total = MACHINE_BYTES

    monkeypatch.setattr(psutil, "virtual_memory", Memory)


@pytest.fixture
def process(tmp_path):
    """Makes a folder in /proc, and the files of groups."""

    def make(groups, mounts, files):
        folder = tmp_path / "proc"
        folder.mkdir()
        (folder / "cgroup").write_text("".join(f"{line}\n" for line in groups))
        (folder / "mountinfo").write_text(
            "".join(
                f"{number} 1 0:{number} {root} {tmp_path}/{place} rw,relatime - {kind}\n"
                for number, (root, place, kind) in enumerate(mounts)
            )
        )
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{content}\n")
        return folder

    return make


V2 = [("/", "fs", "cgroup2 cgroup2 rw,nsdelegate")]
V1 = [
    ("/", "fs/cpu,cpuacct", "cgroup cgroup rw,cpu,cpuacct"),
    ("/", "fs/memory", "cgroup cgroup rw,memory"),
    ("/", "fs/unified", "cgroup2 cgroup2 rw"),
]


def used(folder):
    return usable_cpus(folder), usable_memory(folder)


def test_without_limits_it_is_the_machine(process, tmp_path):
    nowhere = tmp_path / "no such process"
    assert used(nowhere) == (32, MACHINE_BYTES)
    folder = process(["0::/a/b"], V2, {"fs/a/b/cpu.max": "max 100000", "fs/a/b/memory.max": "max"})
    assert used(folder) == (32, MACHINE_BYTES)


def test_the_cpus_that_the_process_is_bound_to(process, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5})
    assert usable_cpus(process(["0::/"], V2, {"fs/cpu.max": "800000 100000"})) == 2


def test_version_2_is_limited_by_every_group_above(process):
    folder = process(
        ["0::/slurm/job 1/step"],
        V2,
        {
            "fs/slurm/job 1/step/cpu.max": "max 100000",
            "fs/slurm/job 1/cpu.max": "350000 100000",
            "fs/slurm/cpu.max": "1600000 100000",
            "fs/slurm/job 1/step/memory.max": 8 * 2**30,
            "fs/slurm/memory.max": 2 * 2**30,
        },
    )
    assert used(folder) == (3, 2 * 2**30)


def test_version_1_has_a_hierarchy_for_each_controller(process):
    folder = process(
        ["9:name=systemd:/", "5:memory:/job", "4:cpu,cpuacct:/other/job", "0::/"],
        V1,
        {
            "fs/cpu,cpuacct/other/job/cpu.cfs_quota_us": "-1",
            "fs/cpu,cpuacct/other/job/cpu.cfs_period_us": "100000",
            "fs/cpu,cpuacct/other/cpu.cfs_quota_us": "200000",
            "fs/cpu,cpuacct/other/cpu.cfs_period_us": "50000",
            "fs/memory/job/memory.limit_in_bytes": 3 * 2**30,
            "fs/memory/memory.limit_in_bytes": UNLIMITED_V1,
            "fs/memory/other/job/memory.limit_in_bytes": 1,
        },
    )
    assert used(folder) == (4, 3 * 2**30)


@pytest.mark.parametrize(
    ("root", "group"),
    [
        ("/docker/4f", "/docker/4f"),  # without a namespace of its own
        ("/", "/"),  # with one
        ("/", "/../4f"),  # seen from inside of another one
    ],
)
def test_in_a_container(process, root, group):
    folder = process(
        [f"0::{group}"],
        [(root, "fs", "cgroup2 cgroup2 rw")],
        {"fs/cpu.max": "150000 100000", "fs/memory.max": 2**30},
    )
    assert used(folder) == (1, 2**30)


def test_a_part_of_a_cpu_is_one(process):
    assert usable_cpus(process(["0::/"], V2, {"fs/cpu.max": "50000 100000"})) == 1


def test_a_place_with_a_space(process):
    mounts = [("/", "my\\040fs", "cgroup2 cgroup2 rw")]
    assert usable_cpus(process(["0::/"], mounts, {"my fs/cpu.max": "200000 100000"})) == 2


def test_mounts_of_other_users_have_any_names(process):
    mounts = [("/", "mes\u2028groupes\u00a0à", "cgroup2 cgroup2 rw")]
    folder = process(["0::/"], mounts, {"mes\u2028groupes\u00a0à/cpu.max": "200000 100000"})
    with (folder / "mountinfo").open("ab") as file:
        file.write(b"9 1 0:9 / /tmp/\xff\x85 rw,relatime - fuse.x x rw\n")
    assert usable_cpus(folder) == 2


def test_this_process_is_one_that_can_be_read():
    cpus, memory = used(machine_limits.PROCESS)
    assert 1 <= cpus <= 32
    assert 0 < memory <= MACHINE_BYTES


def test_slots_are_fewer_where_memory_is_short():
    node = {"CPU": 32.0, "memory": 4.0 * WORKER_BYTES}
    assert slots_of_node(node, Resources()) == 4
    assert slots_of_node(node, Resources(cpus=0.25)) == 4
    assert slots_of_node(node, Resources(cpus=16)) == 2
    assert slots_of_node({**node, "memory": 1.0}, Resources()) == 1
    assert slots_of_node({"CPU": 32.0}, Resources()) == 32
    assert slots_of_node({"CPU": 0.0, "memory": 1e12}, Resources()) == 0


def test_ray_is_told_what_this_process_may_use(monkeypatch, tmp_path):
    from sweeper.executors import ray_connection
    from sweeper.executors.ray_calls import RayCalls

    told = {}
    monkeypatch.setattr("ray.init", lambda **options: told.update(options))
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {7})
    monkeypatch.setattr(ray_connection, "usable_memory", lambda: 2**31)
    ray_connection.start_local(RayCalls("advice"), tmp_path, False, lambda: False)
    assert (told["num_cpus"], told["_memory"]) == (1, 2**31)
    assert told["object_store_memory"] < 2**31 / 4
