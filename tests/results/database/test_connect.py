from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

import databases
from results.database.postgres_lock import _TAKE_SCHEMA
from results.errors import DatabaseError, DriverBusyError, NoDatabaseError
from results.queries.queries import Queries
from results.schema import revisions
from results.store.store import Store

ROOT = Path(__file__).parents[3]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def folder(tmp_path):
    """All files of a folder with their content; no SQLite connection may be open meanwhile."""
    return lambda: {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_opening_a_store_creates_folder_file_and_tables(tmp_path):
    path = tmp_path / "a" / "b c#?%41é" / "r.db"
    url = f"sqlite:///{tmp_path}/a/b%20c#%3F%2541é/r.db"
    with Store.open(url) as store:
        assert store.shown == str(path)
        assert databases.running(store) == []
    with Queries.open(url) as queries:
        assert queries.sweep_names() == []


def test_a_database_file_name_may_be_invalid_utf8(tmp_path):
    with Store.open(f"sqlite:///{tmp_path}/%FF.db") as store:
        assert databases.running(store) == []
    assert (tmp_path / os.fsdecode(b"\xff.db")).exists()


def test_tables_are_created_once_and_found_when_reopened(url, make):
    with Store.open(url) as store:
        make.save(store, "s", [make.run(1)])
    with Store.open(url, create=False) as store:
        assert len(store.pending("s")) == 1
    with Queries.open(url) as queries:
        assert queries.sweep_names() == ["s"]


def test_several_threads_can_create_the_same_database_at_once(url):
    start = threading.Barrier(4)
    problems = []

    def make_it():
        start.wait()
        try:
            Store.open(url).close()
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=make_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def test_without_create_a_missing_file_is_an_error_and_not_created(tmp_path):
    path = tmp_path / "a" / "r.db"
    for opener in (lambda u: Store.open(u, create=False), Queries.open):
        with pytest.raises(NoDatabaseError, match=f"no database at {path}"):
            opener(f"sqlite:///{path}")
    assert not path.parent.exists()


def test_without_create_an_empty_postgres_stays_empty(postgres_url):
    for opener in (lambda u: Store.open(u, create=False), Queries.open):
        with pytest.raises(NoDatabaseError, match="no database at postgresql://"):
            opener(postgres_url)
    with Store.open(postgres_url) as store:  # the name is still free
        assert databases.running(store) == []


@pytest.mark.parametrize("opener", [Store.open, Queries.open])
def test_a_file_that_is_no_sweep_database_is_refused_and_unchanged(opener, tmp_path, folder):
    text = tmp_path / "notes.txt"
    text.write_text("not a database, but long enough to have a header " * 10)
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE songs (id)")
    before = folder()
    with pytest.raises(DatabaseError, match="not a SQLite database"):
        opener(f"sqlite:///{text}")
    with pytest.raises(DatabaseError, match="not a sweep database, but has a table 'songs'"):
        opener(f"sqlite:///{tmp_path}/other.db")
    with pytest.raises(DatabaseError, match="is a folder"):
        opener(f"sqlite:///{tmp_path}")
    assert folder() == before


def test_a_postgres_schema_can_be_shared_unless_a_table_name_is_taken(postgres_url, plain_postgres):
    with plain_postgres.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE songs (id integer)")
    with Store.open(postgres_url) as store:
        assert databases.running(store) == []
    with plain_postgres.begin() as connection:
        connection.exec_driver_sql(f"DROP TABLE {revisions.VERSION_TABLE}")
    with pytest.raises(DatabaseError, match="not a sweep database, but has a table 'attempts'"):
        Store.open(postgres_url)


@pytest.mark.parametrize("rows", ["", "('0001'), ('0002')"])
def test_a_modified_version_table_is_an_error(store, url, plain, rows):
    with plain.begin() as connection:
        connection.exec_driver_sql(f"DELETE FROM {revisions.VERSION_TABLE}")
        if rows:
            connection.exec_driver_sql(f"INSERT INTO {revisions.VERSION_TABLE} VALUES {rows}")
    with pytest.raises(DatabaseError, match="another program has changed it"):
        Store.open(url)


@pytest.mark.parametrize("place", ["file/deeper/r.db", f"{'x' * 300}/r.db", f"{'x' * 300}.db"])
def test_a_database_path_that_cannot_exist_is_an_error(tmp_path, place):
    (tmp_path / "file").write_text("")
    for opener in (Store.open, Queries.open):
        with pytest.raises(DatabaseError, match=r"cannot be made|cannot be reached|no database at"):
            opener(f"sqlite:///{tmp_path}/{place}")


def test_sqlite_is_opened_with_the_documented_pragmas(sqlite_url):
    with Store.open(sqlite_url) as store, store._database._engine.begin() as connection:  # type: ignore[attr-defined]
        pragma = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragma == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 10_000,
    }


def test_the_last_store_to_close_leaves_a_single_file(sqlite_url, make, tmp_path):
    journal = tmp_path / "results.db-wal"
    first, second = Store.open(sqlite_url), Store.open(sqlite_url)
    make.save(first, "s", make.runs(3))
    assert journal.stat().st_size > 0
    first.close()
    assert journal.exists()
    second.close()
    assert {path.name for path in tmp_path.iterdir()} == {"results.db", "results.db.write.lock"}
    copy = tmp_path / "copy.db"
    copy.write_bytes((tmp_path / "results.db").read_bytes())
    with Queries.open(f"sqlite:///{copy}") as queries:
        assert len(queries.run_rows(["s"])) == 3


def test_closing_a_store_while_a_reader_is_open_checkpoints_the_wal(sqlite_url, make, tmp_path):
    store = Store.open(sqlite_url)
    make.save(store, "s", make.runs(3))
    with Queries.open(sqlite_url) as queries:
        queries.run_rows()
        store.close()
        assert (tmp_path / "results.db-wal").stat().st_size == 0
    Store.open(sqlite_url).close()
    assert {path.name for path in tmp_path.iterdir()} == {"results.db", "results.db.write.lock"}


def test_closing_a_store_whose_file_was_deleted_makes_no_new_one(sqlite_url, tmp_path):
    store = Store.open(sqlite_url)
    (tmp_path / "results.db").unlink()
    store.close()
    assert not (tmp_path / "results.db").exists()


def test_a_reader_of_a_locked_file_is_told_of_the_lock_and_not_of_a_killed_program(
    sqlite_url, tmp_path, monkeypatch
):
    monkeypatch.setattr("results.database.sqlite.BUSY_SECONDS", 0.05)
    Store.open(sqlite_url).close()
    monkeypatch.setattr("results.database.sqlite.os.access", lambda path, mode: False)
    with closing(sqlite3.connect(tmp_path / "results.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DatabaseError, match=r"locked for 0\.05 s"):
            Queries.open(sqlite_url)


def test_a_locked_database_is_an_error_saying_it_is_locked(sqlite_url, make, monkeypatch):
    monkeypatch.setattr("results.database.sqlite.BUSY_SECONDS", 0.05)
    with (
        Store.open(sqlite_url) as store,
        closing(sqlite3.connect(store.shown, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError, match=r"locked for 0\.05 s"):
            make.save(store, "s", [make.run()])
        other.execute("ROLLBACK")
        assert make.save(store, "s", [make.run()]).added == 1


def test_a_store_that_waits_too_long_for_a_lock_says_so(sqlite_url, make, monkeypatch):
    monkeypatch.setattr("results.database.sqlite.BUSY_SECONDS", 0.05)
    with Store.open(sqlite_url) as store, Store.open(sqlite_url) as other:

        def write_meanwhile(connection):
            with pytest.raises(DatabaseError, match=r"locked for 0\.05 s"):
                make.save(store, "s", [make.run()])

        other._database.write(write_meanwhile, lambda connection: False)
        assert make.save(store, "s", [make.run()]).added == 1


def test_a_driver_waits_for_a_locked_file_and_reports_it(sqlite_url, make, monkeypatch):
    monkeypatch.setattr("results.database.sqlite.BUSY_SECONDS", 0.05)
    told = []

    def on_wait(sentence):
        told.append(sentence)
        other.execute("ROLLBACK")

    with (
        Store.open(sqlite_url, on_wait=on_wait, retry_seconds=60) as store,
        store.driving(),
        closing(sqlite3.connect(store.shown, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        assert make.save(store, "s", [make.run()]).added == 1
    assert len(told) == 1
    assert "stayed locked for 0.05 s" in told[0]
    assert "trying again for 60 s" in told[0]


def test_a_driver_stops_waiting_for_a_locked_file_eventually(sqlite_url, make, monkeypatch):
    monkeypatch.setattr("results.database.sqlite.BUSY_SECONDS", 0.05)
    told = []
    with (
        Store.open(sqlite_url, on_wait=told.append, retry_seconds=0.2) as store,
        store.driving(),
        closing(sqlite3.connect(store.shown, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError, match=r"locked for 0\.05 s"):
            make.save(store, "s", [make.run()])
        assert told
        other.execute("ROLLBACK")
        assert make.save(store, "s", [make.run()]).added == 1


def test_a_locked_postgres_is_waited_for_and_reported(
    postgres_url, plain_postgres, make, monkeypatch
):
    monkeypatch.setattr("results.database.postgres.LOCK_SECONDS", 0.1)
    told = []
    with Store.open(postgres_url, on_wait=told.append) as store:
        make.save(store, "s", [make.run(1)])
        with plain_postgres.connect() as other:
            transaction = other.begin()
            other.exec_driver_sql("UPDATE runs SET depth = 56")
            waiting = threading.Thread(
                target=store.claim, args=(make.run(1).run_id,), kwargs={"provenance": {}}
            )
            waiting.start()
            waiting.join(0.4)
            transaction.commit()
            waiting.join()
        assert databases.running(store) == [(make.run(1).run_id, 1)]
    (said,) = told
    assert "stayed locked for 0.1 s: another session is changing it; trying again" in said


def test_a_number_beyond_64_bits_is_an_error_and_writes_nothing(store, make, content):
    before = content()
    with pytest.raises(DatabaseError, match="64 bits"):
        make.save(store, "s", [make.run(1), make.run(2, seed=2**70)])
    assert content() == before


def test_a_url_that_never_connected_fails_at_once(monkeypatch):
    monkeypatch.setattr(
        "results.database.retry.time.sleep", lambda seconds: pytest.fail("it waited")
    )
    url = f"postgresql://user@127.0.0.1:{free_port()}/lab"
    for opener in (Store.open, Queries.open):
        with pytest.raises(DatabaseError, match=r"cannot be reached.*refused.*check --db"):
            opener(url)


def test_a_missing_postgres_database_is_named(postgres_url):
    missing = make_url(postgres_url).set(database="no_such_lab")
    with pytest.raises(DatabaseError, match='database "no_such_lab" does not exist'):
        Store.open(missing.render_as_string(hide_password=False))


def test_what_postgres_says_of_a_changed_table_is_passed_on(postgres_url, plain_postgres):
    Store.open(postgres_url).close()
    with Queries.open(postgres_url) as queries:
        with plain_postgres.begin() as connection:
            connection.exec_driver_sql("DROP TABLE sweep_specs CASCADE")
        with pytest.raises(DatabaseError, match=r"Postgres says .*sweep_specs.* does not exist"):
            queries.spec_rows([])


def test_a_postgres_lock_held_by_no_driver_is_reported_without_a_name(postgres_url, plain_postgres):
    with Store.open(postgres_url) as store, plain_postgres.connect() as other:
        assert other.execute(_TAKE_SCHEMA).scalar_one()
        said = "a process that has not yet said its name"
        with pytest.raises(DriverBusyError, match=said), store.driving():
            pytest.fail("two drivers")


@pytest.mark.slow
def test_a_sqlite_store_imports_no_heavy_library(sqlite_url):
    heavy = ("rich", "numpy", "pandas", "torch", "ray", "alembic", "psycopg", "scipy", "matplotlib")
    code = (
        "import sys, results.store.store, results.queries.queries, results.analysis.reports\n"
        "results.store.store.Store.open(sys.argv[1]).close()\n"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, sqlite_url],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout.strip() == "[]"
