from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from results.database.connect import connect
from results.database.sqlite import writer_lock
from results.database.sqlite_lock import is_driven
from results.errors import DatabaseError, DriverBusyError
from results.store.store import Store

ROOT = Path(__file__).parents[3]

HOLDER = """
import os, sys, time
from results.store.store import Store
with Store.open(sys.argv[1]).driving("", "sweep run spec.yaml"):
    if len(sys.argv) == 2:
        print(0, flush=True)
    elif os.fork() == 0:
        print(os.getpid(), flush=True)  # said by the child, so that it is known to have started
        time.sleep(60)
        os._exit(0)
    time.sleep(60)
"""


@pytest.fixture
def url(sqlite_url):
    """A file; what drivers are to each other on a server is another story."""
    return sqlite_url


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


def kill(process):
    process.kill()
    process.wait()


def becomes_free(store):
    """Whether the lock can be had at last; a minute says no."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with store.driving():
                return True
        except DriverBusyError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)


def test_a_second_driver_is_refused_and_told_who_holds_the_lock(store, url, hold):
    process, _ = hold()
    with pytest.raises(DriverBusyError) as caught, store.driving():
        pytest.fail("two drivers")
    assert f"host {socket.gethostname()}, pid {process.pid}" in str(caught.value)
    assert "sweep run spec.yaml" in str(caught.value)
    assert isinstance(caught.value, DatabaseError)
    assert process.poll() is None


def test_a_killed_process_releases_the_driver_lock(store, hold):
    process, _ = hold()
    kill(process)
    assert becomes_free(store)


def test_whether_a_driver_is_at_work_is_seen_at_once(url, hold, tmp_path):
    database = Path(url.removeprefix("sqlite:///"))
    assert not is_driven(tmp_path / "none.db")
    process, _ = hold()
    assert is_driven(database)
    kill(process)
    assert not is_driven(database)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("lock", ["driver", "write"])
def test_a_pipe_in_the_place_of_a_lock_is_not_waited_for(store, url, lock):
    database = Path(url.removeprefix("sqlite:///"))
    pipe = database.with_name(f"{database.name}.{lock}.lock")
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    assert not is_driven(database)
    held = store.driving() if lock == "driver" else writer_lock(database, 1)
    with pytest.raises(DatabaseError, match=f"{pipe} is no file, but a pipe or the like; remove"):
        held.__enter__()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("suffix", ["", "-wal", "-journal", "-shm"])
def test_a_pipe_in_the_place_of_a_database_is_not_waited_for(tmp_path, suffix):
    database, pipe = tmp_path / "x.db", tmp_path / f"x.db{suffix}"
    database.touch()
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    for purpose in ("create", "write", "read"):
        way_out = "move it away, or name another" if suffix else "name another"
        said = f"{pipe} is no file, but a pipe or the like; {way_out} database"
        with pytest.raises(DatabaseError, match=said):
            connect(f"sqlite:///{database}", purpose)


def test_looking_for_a_driver_keeps_none_from_starting(store, url):
    database = Path(url.removeprefix("sqlite:///"))
    ended = threading.Event()

    def look():
        while not ended.is_set():
            is_driven(database)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(100):
            with store.driving():
                pass
    finally:
        ended.set()
        looking.join()


def test_a_child_of_a_killed_process_does_not_hold_the_driver_lock(store, hold):
    process, child = hold("with a child")
    kill(process)
    os.kill(child, 0)  # it lives on
    assert becomes_free(store)


def test_a_forked_child_does_not_release_its_parents_lock(store, url):
    with store.driving():
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        with Store.open(url) as other, pytest.raises(DriverBusyError), other.driving():
            pytest.fail("two drivers")


def test_a_forked_child_leaving_the_with_block_keeps_its_parents_lock(store, url, make):
    try:
        with store.driving():
            child = os.fork()
            if child == 0:
                raise RuntimeError("leaves")
            assert os.waitpid(child, 0)[1] == 0
            with Store.open(url) as other, pytest.raises(DriverBusyError), other.driving():
                pytest.fail("two drivers")
            make.save(store, "s", [make.run()])
    except RuntimeError:
        os._exit(0)  # the child


def test_the_driver_lock_is_not_reentrant_and_ends_with_the_block(store, url):
    with Store.open(url) as other:
        with (
            store.driving(),
            pytest.raises(DriverBusyError, match=f"pid {os.getpid()}"),
            other.driving(),
        ):
            pytest.fail("two drivers")
        with pytest.raises(RuntimeError, match="mine"), store.driving():
            raise RuntimeError("mine")
        with other.driving():
            pass


def test_of_several_drivers_starting_at_once_one_gets_the_lock(store, url):
    stores = [Store.open(url) for _ in range(4)]
    start = threading.Barrier(len(stores))
    done = threading.Barrier(len(stores))
    got, refused = [], []

    def drive(own):
        start.wait()
        try:
            with own.driving():
                got.append(own)
                done.wait()
        except DriverBusyError as error:
            refused.append(str(error))
            done.wait()

    threads = [threading.Thread(target=drive, args=(own,)) for own in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    assert len(refused) == 3
    for own in stores:
        own.close()


def test_two_paths_of_one_database_file_share_the_lock(sqlite_url, tmp_path):
    with Store.open(sqlite_url) as store:
        (tmp_path / "link.db").symlink_to(store.shown)
        with (
            Store.open(f"sqlite:///{tmp_path}/link.db") as other,
            store.driving(),
            pytest.raises(DriverBusyError),
            other.driving(),
        ):
            pytest.fail("two drivers")


def test_writing_and_reading_need_no_driver_lock(store, queries, hold, make):
    hold()
    make.save(store, "s", [make.run()])
    assert len(queries.run_rows()) == 1


LEAVES_A_CHILD_WHILE_WRITING = """
import os, sys, time
from results.store.store import Store
store = Store.open(sys.argv[1])
def fork_and_die(connection):
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        time.sleep(60)
        os._exit(0)
    time.sleep(60)
store._database.write(fork_and_die, lambda connection: False)
"""


def test_a_child_of_a_killed_writer_does_not_block_others(sqlite_url, make):
    with Store.open(sqlite_url) as store:
        process = subprocess.Popen(
            [sys.executable, "-c", LEAVES_A_CHILD_WHILE_WRITING, sqlite_url],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        child = int(process.stdout.readline())
        kill(process)
        process.stdout.close()
        try:
            assert make.save(store, "s", [make.run()]).added == 1
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_lock_file_that_cannot_be_created_is_reported(sqlite_url, tmp_path):
    with Store.open(sqlite_url) as store:
        (tmp_path / "results.db.driver.lock").mkdir()
        said = r"driver\.lock cannot be opened"
        with pytest.raises(DatabaseError, match=said), store.driving():
            pytest.fail("no lock")


@pytest.mark.parametrize("content", ["", "{", "[]", "[" * 60_000])
def test_a_holder_that_has_not_written_its_name_is_unknown_to_others(store, tmp_path, content):
    lock = tmp_path / "results.db.driver.lock"
    lock.write_text(content)
    with lock.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        said = "another driver works on .*: a process that has not yet said its name; wait for it"
        with pytest.raises(DriverBusyError, match=said), store.driving():
            pytest.fail("two drivers")


def test_a_holder_that_writes_its_name_a_moment_later_is_waited_for(store, tmp_path, monkeypatch):
    lock = tmp_path / "results.db.driver.lock"
    lock.touch()
    name = '{"host": "node-1", "pid": 7}'
    monkeypatch.setattr(
        "results.database.sqlite_lock.time.sleep", lambda seconds: lock.write_text(name)
    )
    with lock.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        said = "host node-1, pid 7; wait for it"
        with pytest.raises(DriverBusyError, match=said), store.driving():
            pytest.fail("two drivers")


def test_a_lock_file_that_cannot_be_written_is_reported(store, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    said = r"driver\.lock cannot be written"
    with pytest.raises(DatabaseError, match=said), store.driving():
        pytest.fail("no lock")


def test_a_file_system_without_locks_is_reported(store, monkeypatch):
    def refuse(descriptor, operation):
        if operation & fcntl.LOCK_EX:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("results.database.sqlite_lock.fcntl.flock", refuse)
    said = r"driver\.lock cannot be locked \(No locks available\): keep the database on a local"
    with pytest.raises(DatabaseError, match=said), store.driving():
        pytest.fail("no lock")


def test_who_can_only_read_a_database_cannot_open_its_locks(store, make, tmp_path):
    database = next(tmp_path.rglob("*.db"))
    locks = [database.with_name(f"{database.name}.{name}.lock") for name in ("driver", "write")]
    for of_database, of_locks in ((0o644, 0o600), (0o664, 0o660), (0o666, 0o666), (0o600, 0o600)):
        database.chmod(of_database)
        with store.driving():
            assert {stat.S_IMODE(lock.stat().st_mode) for lock in locks} == {of_locks}


def test_a_lock_that_is_a_link_is_not_followed(store, tmp_path):
    database = next(tmp_path.rglob("*.db"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("theirs")
    database.with_name(f"{database.name}.driver.lock").symlink_to(elsewhere)
    with pytest.raises(DatabaseError, match=r"driver\.lock cannot be opened"), store.driving():
        pytest.fail("another's file was locked")
    assert elsewhere.read_text() == "theirs"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_lock_of_another_user_is_refused(store, tmp_path):
    database = next(tmp_path.rglob("*.db"))
    lock = database.with_name(f"{database.name}.driver.lock")
    lock.touch()
    os.chown(lock, 12345, 12345)
    with pytest.raises(DatabaseError, match="it belongs to another user"), store.driving():
        pytest.fail("a lock that another can hold")
    os.chown(database, 12345, 12345)
    with store.driving():
        pass
