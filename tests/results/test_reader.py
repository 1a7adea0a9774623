from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import pytest

from results.errors import DatabaseError
from results.queries import Queries


def test_a_reader_is_not_stopped_by_an_open_transaction(store, queries, make):
    make.save(store, "s", make.runs(2))
    with closing(sqlite3.connect(store.path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE runs SET depth = 1")
        assert [row["depth"] for row in queries.run_rows(["s"])] == [32, 32]
        writer.execute("COMMIT")
    assert [row["depth"] for row in queries.run_rows(["s"])] == [1, 1]


def test_a_reader_beside_a_writer_sees_whole_transactions(store, url, make):
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


def test_a_reader_cannot_write(store, queries):
    with pytest.raises(DatabaseError, match="cannot be written"), queries._reader.view() as view:
        view.exec_driver_sql("DELETE FROM runs")


def test_a_reader_leaves_no_file_behind(store, url, make):
    make.save(store, "s", make.runs(2))
    store.close()
    before = {path.name: path.read_bytes() for path in store.path.parent.iterdir()}
    with Queries.open(url) as queries:
        queries.run_rows()
        queries.status()
    assert {path.name: path.read_bytes() for path in store.path.parent.iterdir()} == before


DIES_IN_MID_COMMIT = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 5")  # so that pages reach the file before the commit
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE runs SET scheme = hex(randomblob(2000))")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("opened_before", [True, False])
def test_a_reader_copes_with_a_driver_killed_in_mid_commit(store, url, make, opened_before):
    make.save(store, "s", make.runs(200))
    store.close()
    early = Queries.open(url)
    subprocess.run([sys.executable, "-c", DIES_IN_MID_COMMIT, str(store.path)], check=False)
    journal = store.path.with_name(store.path.name + "-journal")
    assert journal.stat().st_size > 512, "the writer left no half-written transaction"
    with closing(early):
        late = early if opened_before else Queries.open(url)
        with closing(late):
            rows = late.run_rows(["s"])
    assert {row["scheme"] for row in rows} == {make.run().scheme}
    assert len(rows) == 200
