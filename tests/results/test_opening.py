from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import results
from results.errors import DatabaseError, NoDatabaseError
from results.queries import Queries
from results.store import Store

ROOT = Path(results.__file__).parents[1]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://user:secret@host/db", "unsupported database"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///x.db?mode=ro", "options"),
        ("results.db", "not a database URL"),
    ],
)
@pytest.mark.parametrize("opener", [Store.open, Queries.open])
def test_an_unsupported_url_is_refused_with_an_example(opener, url, said):
    with pytest.raises(DatabaseError, match=said) as caught:
        opener(url)
    assert "sqlite:///" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_open_makes_folder_file_and_tables(tmp_path):
    path = tmp_path / "a" / "b c#%?é" / "r.db"
    # '?' starts a URL's options, so it cannot be in a path; everything else can.
    path = Path(str(path).replace("?", ""))
    with Store.open(f"sqlite:///{path}") as store:
        assert store.path == path
        assert store.orphans() == []
    with Queries.open(f"sqlite:///{path}") as queries:
        assert queries.sweep_names() == []


def test_without_create_a_missing_file_is_said_and_not_made(tmp_path):
    path = tmp_path / "a" / "r.db"
    for opener in (lambda u: Store.open(u, create=False), Queries.open):
        with pytest.raises(NoDatabaseError, match=f"no database at {path}"):
            opener(f"sqlite:///{path}")
    assert not path.parent.exists()


@pytest.mark.parametrize("opener", [Store.open, Queries.open])
def test_what_is_no_sweep_database_is_refused_and_kept(opener, tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("not a database, but long enough to have a header " * 10)
    with pytest.raises(DatabaseError, match="not a SQLite database"):
        opener(f"sqlite:///{text}")

    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE songs (id)")
    before = other.read_bytes()
    with pytest.raises(DatabaseError, match="not a sweep database"):
        opener(f"sqlite:///{other}")
    assert other.read_bytes() == before

    with pytest.raises(DatabaseError, match="is a folder"):
        opener(f"sqlite:///{tmp_path}")


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseError, match="cannot be made"):
        Store.open(f"sqlite:///{tmp_path}/file/deeper/r.db")


def test_another_schema_version_is_refused(store, url):
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    for opener in (Store.open, Queries.open):
        with pytest.raises(DatabaseError, match="schema version 99"):
            opener(url)


def test_the_file_is_opened_as_promised(store):
    with store._transaction() as connection:
        pragma = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragma == {
        "journal_mode": "delete",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 10_000,
    }


def test_a_locked_database_is_an_error_that_says_so(store, make, monkeypatch):
    monkeypatch.setattr("results.database.BUSY_SECONDS", 0.05)
    store.close()  # so that the next connection has the short wait
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError, match="locked"):
            make.save(store, "s", [make.run()])
        other.execute("ROLLBACK")
    assert make.save(store, "s", [make.run()]).added == 1


def test_a_number_beyond_64_bits_is_an_error_and_nothing_is_kept(store, make, dump):
    before = dump(store.path)
    with pytest.raises(DatabaseError, match="64 bits"):
        make.save(store, "s", [make.run(1), make.run(2, seed=2**70)])
    assert dump(store.path) == before


def test_the_store_loads_nothing_heavy():
    code = (
        "import sys, results.store, results.queries, results.reports\n"
        "print([m for m in ('rich', 'numpy', 'pandas', 'torch', 'ray') if m in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
