from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import results
from results.errors import DatabaseError, DriverBusyError
from results.store import Store

ROOT = Path(results.__file__).parents[1]

HOLDER = """
import os, sys, time
from results.store import Store
with Store.open(sys.argv[1]).driver_lock("sweep run spec.yaml"):
    if len(sys.argv) == 2:
        print(0, flush=True)
    elif os.fork() == 0:
        print(os.getpid(), flush=True)  # said by the child, so that it is known to have started
        time.sleep(60)
        os._exit(0)
    time.sleep(60)
"""


@pytest.fixture
def hold(url):
    """Starts a process that holds the lock; gives it and the id of its child."""
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, url, *arguments],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        child = int(process.stdout.readline())
        started.append((process, child))
        return process, child

    yield start
    for process, child in started:
        process.kill()
        process.wait()
        process.stdout.close()
        if child:
            os.kill(child, signal.SIGKILL)


def test_a_second_driver_is_told_who_the_first_is(store, hold):
    process, _ = hold()
    with pytest.raises(DriverBusyError) as caught, store.driver_lock():
        pytest.fail("two drivers")
    assert f"host {socket.gethostname()}, pid {process.pid}" in str(caught.value)
    assert "sweep run spec.yaml" in str(caught.value)
    assert isinstance(caught.value, DatabaseError)
    assert process.poll() is None


def test_the_lock_goes_with_a_killed_process(store, hold):
    process, _ = hold()
    process.kill()
    process.wait()
    with store.driver_lock():
        pass


def test_a_child_of_the_killed_process_does_not_keep_the_lock(store, hold):
    process, child = hold("with a child")
    process.kill()
    process.wait()
    os.kill(child, 0)  # it lives on
    with store.driver_lock():
        pass


def test_a_child_does_not_end_its_parents_lock(store, url):
    with store.driver_lock():
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        with Store.open(url) as other, pytest.raises(DriverBusyError), other.driver_lock():
            pytest.fail("two drivers")


def test_one_process_cannot_hold_it_twice_and_it_ends_with_the_block(store, url):
    with Store.open(url) as other:
        with (
            store.driver_lock(),
            pytest.raises(DriverBusyError, match=f"pid {os.getpid()}"),
            other.driver_lock(),
        ):
            pytest.fail("two drivers")
        with pytest.raises(RuntimeError, match="mine"), store.driver_lock():
            raise RuntimeError("mine")
        with other.driver_lock():
            pass


def test_two_names_of_one_file_share_the_lock(store, tmp_path):
    link = tmp_path / "link.db"
    link.symlink_to(store.path)
    with (
        Store.open(f"sqlite:///{link}") as other,
        store.driver_lock(),
        pytest.raises(DriverBusyError),
        other.driver_lock(),
    ):
        pytest.fail("two drivers")


def test_writing_and_reading_need_no_lock(store, queries, hold, make):
    hold()
    make.save(store, "s", [make.run()])
    assert len(queries.run_rows()) == 1
