from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

import databases
from results.errors import DatabaseError
from results.queries.queries import Queries
from results.schema.tables import runs
from results.store.store import Store

ROOT = Path(__file__).parents[3]


def states(view):
    return sorted(view.execute(select(runs.c.state)).scalars())


def test_a_reader_is_not_stopped_by_an_open_transaction(store, queries, plain, make):
    make.save(store, "s", make.runs(2))
    with plain.connect() as writer:
        transaction = writer.begin()
        writer.exec_driver_sql("UPDATE runs SET depth = 1")
        assert [row["depth"] for row in queries.run_rows(["s"])] == [32, 32]
        transaction.commit()
    assert [row["depth"] for row in queries.run_rows(["s"])] == [1, 1]


@pytest.mark.timeout(60)  # else a commit waits for the view's end, which is after it
def test_a_view_is_a_snapshot_and_does_not_block_commits(store, url, make):
    make.save(store, "s", make.runs(2))
    reader = Queries.open(url)
    with reader.view() as view:
        assert states(view) == ["queued", "queued"]
        make.finish(store, make.run(1))
        make.finish(store, make.run(2))
        assert states(view) == ["queued", "queued"]
    with reader.view() as view:
        assert states(view) == ["done", "done"]
    reader.close()


def test_a_reader_sees_only_whole_transactions_of_a_concurrent_writer(store, url, make):
    runs = make.runs(40)
    make.save(store, "s", runs, [make.evaluation()])
    stop = threading.Event()
    problems = []
    reads = []

    def read():
        try:
            with Queries.open(url) as queries:
                while not stop.is_set():
                    rows = queries.run_rows(["s"])
                    reads.append(len(rows))
                    for row in rows:
                        (evaluation,) = row["evaluations"]
                        if (row["state"] == "done") != (evaluation["accuracy"] == 80.0):
                            problems.append(row)
        except Exception as error:
            problems.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        for run in runs:
            make.finish(store, run, evaluations=[make.measured(make.evaluation(), 80.0)])
    finally:
        stop.set()
        thread.join()
    assert problems == []
    assert reads
    assert set(reads) == {40}


@pytest.mark.slow
def test_a_store_works_while_a_reader_prevents_wal_mode(sqlite_url, make):
    with Store.open(sqlite_url) as store:
        make.save(store, "s", make.runs(2))
    reader = Queries.open(sqlite_url)
    finished = []
    with reader.view() as view:
        assert states(view) == ["queued", "queued"]
        store = Store.open(sqlite_url)
        with store._database.reading() as connection:
            mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
        assert mode == "delete"
        # Its commit has to wait until the view ends, as ever without WAL.
        writer = threading.Thread(target=lambda: finished.append(make.finish(store, make.run(1))))
        writer.start()
        writer.join(0.2)
        assert finished == []
        assert states(view) == ["queued", "queued"]
    writer.join()
    with reader.view() as view:
        assert states(view) == ["done", "queued"]
    reader.close()
    store.close()


def test_a_reader_cannot_write(store, queries):
    with pytest.raises(DatabaseError, match="cannot be written"), queries.view() as view:
        view.exec_driver_sql("DELETE FROM runs")


def test_a_reader_leaves_no_file_behind(sqlite_url, tmp_path, make):
    def folder():
        return {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    with Store.open(sqlite_url) as store:
        make.save(store, "s", make.runs(2))
    before = folder()
    with Queries.open(sqlite_url) as queries:
        queries.run_rows()
        queries.status()
    assert folder() == before


DIES_IN_MID_COMMIT = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 5")  # so that pages reach the file before the commit
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE runs SET scheme = hex(randomblob(2000))")
os.kill(os.getpid(), signal.SIGKILL)
"""


def left_half_written(path):
    subprocess.run([sys.executable, "-c", DIES_IN_MID_COMMIT, str(path)], check=False)
    journal = path.with_name(path.name + "-journal")
    assert journal.stat().st_size > 512, "the writer left no half-written transaction"


@pytest.mark.parametrize("opened_before", [True, False])
def test_a_reader_recovers_from_a_program_killed_in_mid_commit(
    sqlite_url, tmp_path, make, opened_before
):
    with Store.open(sqlite_url) as store:
        make.save(store, "s", make.runs(200))
    early = Queries.open(sqlite_url)
    left_half_written(tmp_path / "results.db")
    with closing(early):
        late = early if opened_before else Queries.open(sqlite_url)
        with closing(late):
            rows = late.run_rows(["s"])
    assert {row["scheme"] for row in rows} == {make.run().scheme}
    assert len(rows) == 200
    with closing(sqlite3.connect(tmp_path / "results.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


KILLED_STORE = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from results.store.store import Store
store = Store.open(sys.argv[1])
assert store.claim(f"{1:016x}", provenance={}) == 1
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def left_in_wal_mode(sqlite_url, tmp_path, make):
    """The URL of a database with its last commit in the WAL file: its Store was killed."""
    with Store.open(sqlite_url) as store:
        make.save(store, "s", make.runs(2))
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_STORE, sqlite_url, str(ROOT)], check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "results.db-wal").stat().st_size > 0
    return sqlite_url


def test_commits_of_a_killed_store_are_readable(left_in_wal_mode, tmp_path):
    with Queries.open(left_in_wal_mode) as queries:
        assert [row["state"] for row in queries.run_rows()] == ["running", "queued"]
    with Store.open(left_in_wal_mode) as store:
        assert databases.running(store) == [(f"{1:016x}", 1)]
    assert not (tmp_path / "results.db-wal").exists()
    with Queries.open(left_in_wal_mode) as queries:
        assert [row["state"] for row in queries.run_rows()] == ["running", "queued"]


def forget_that_we_may_write_anything():
    """Root's rights to files go beyond their permissions; this ends that in a process to be."""
    if os.geteuid() == 0:
        drop_from_bounding_set, override, read_search, owner = 24, 1, 2, 3
        for capability in (override, read_search, owner):
            assert ctypes.CDLL(None).prctl(drop_from_bounding_set, capability) == 0


READS_AND_WRITES = """
import sys
sys.path.insert(0, sys.argv[2])
from results.errors import DatabaseError
from results.queries.queries import Queries
from results.store.store import Store
for work in (lambda q: [row["state"] for row in q.run_rows()], lambda q: q.sweep_names()):
    try:
        with Queries.open(sys.argv[1]) as queries:
            print(work(queries))
    except DatabaseError as error:
        print(error)
try:
    with Store.open(sys.argv[1]) as store:
        store.claim("x", provenance={})
except DatabaseError as error:
    print(error)
"""


@contextlib.contextmanager
def made_read_only(folder):
    for path in (*folder.iterdir(), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        yield
    finally:
        folder.chmod(0o755)


def read_and_write(url, folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with made_read_only(folder):
        found = subprocess.run(
            [sys.executable, "-c", READS_AND_WRITES, url, str(ROOT)],
            capture_output=True,
            text=True,
            preexec_fn=forget_that_we_may_write_anything,
            check=False,
        )
    assert found.stderr == ""
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert after["results.db"] == before["results.db"]
    assert after.keys() == before.keys()
    return found.stdout.splitlines()


def test_a_read_only_database_file_can_be_read(sqlite_url, tmp_path, make):
    with Store.open(sqlite_url) as store:
        make.save(store, "s", make.runs(2))
    states, names, error = read_and_write(sqlite_url, tmp_path)
    assert (states, names) == ("['queued', 'queued']", "['s']")
    assert "results.db cannot be written: " in error
    assert "check your rights" in error


@pytest.mark.slow
def test_a_killed_stores_files_can_be_read_without_write_permission(left_in_wal_mode, tmp_path):
    states, names, error = read_and_write(left_in_wal_mode, tmp_path)
    assert (states, names) == ("['running', 'queued']", "['s']")
    assert "cannot be written" in error


def test_a_half_written_change_needs_write_permission_to_recover(sqlite_url, tmp_path, make):
    with Store.open(sqlite_url) as store:
        make.save(store, "s", make.runs(200))
    left_half_written(tmp_path / "results.db")
    states, names, _ = read_and_write(sqlite_url, tmp_path)
    assert states == names
    assert "left in the middle of a change by a program that was killed" in states
