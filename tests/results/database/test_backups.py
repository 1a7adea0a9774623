"""Backups of a SQLite database: whole while a driver works, and put back without a remnant."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from databases import content
from results.database import backups
from results.errors import BackupError, DatabaseError, DriverBusyError
from results.store.store import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sweep.db"


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def sound(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as database:
        return database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def save(path: Path, make: Any, name: str, count: int = 3) -> None:
    with Store.open(url_of(path)) as store:
        store.save_sweep(name, name, "a.yaml", [], None, make.runs(count), [])


def test_a_backup_has_all_that_was_committed_when_it_was_made(path: Path, make: Any) -> None:
    backup = path.with_name("backup.db")
    with Store.open(url_of(path)) as store, store.driving():
        store.save_sweep("a", "", "a.yaml", [], None, make.runs(3), [])
        before = content(url_of(path))
        backups.backup(url_of(path), backup)
        store.save_sweep("b", "", "b.yaml", [], None, make.runs(3), [])
    assert content(url_of(backup)) == before
    assert not list(path.parent.glob("backup.db-*"))
    with pytest.raises(BackupError, match="exists already"):
        backups.backup(url_of(path), backup)


def test_restoring_over_a_database_of_a_driver_that_was_killed_gives_the_backup(
    path: Path, make: Any
) -> None:
    save(path, make, "a", 1000)
    backup = path.with_name("backup.db")
    backups.backup(url_of(path), backup)
    before = content(url_of(path))
    # As a killed driver leaves it: a file, and its newest changes beside it.
    killed = path.with_name("killed")
    killed.mkdir()
    with Store.open(url_of(path)) as store:
        store.cancel("a")
        for file in path.parent.glob("sweep.db*"):
            shutil.copy(file, killed)
    changed = content(url_of(path))
    for file in killed.iterdir():
        shutil.copy(file, path.parent)
    assert path.with_name("sweep.db-wal").stat().st_size > 0

    by_hand = path.with_name("by_hand.db")
    shutil.copy(backup, by_hand)
    shutil.copy(path.with_name("sweep.db-wal"), by_hand.with_name("by_hand.db-wal"))
    with closing(sqlite3.connect(by_hand)) as database:
        copied = database.execute("SELECT count(*) FROM runs WHERE state = 'queued'").fetchone()
    assert copied != (1000,)  # what this is for: the log of one is applied to the other

    aside = backups.restore(url_of(path), backup)
    assert not path.with_name("sweep.db-wal").exists()
    assert content(url_of(path)) == before
    assert sound(path)
    assert aside is not None
    assert content(url_of(aside)) == changed  # nothing is lost


def test_a_database_in_use_is_copied_with_what_is_beside_it(path: Path, make: Any) -> None:
    with Store.open(url_of(path)) as store:
        store.save_sweep("a", "", "a.yaml", [], None, make.runs(3), [])
        other = path.with_name("other.db")
        assert backups.restore(url_of(other), path) is None
    assert content(url_of(other)) == content(url_of(path))


def test_nothing_is_restored_under_a_driver(path: Path, make: Any) -> None:
    save(path, make, "a")
    backup = path.with_name("backup.db")
    backups.backup(url_of(path), backup)
    with Store.open(url_of(path)) as store, store.driving(), pytest.raises(DriverBusyError):
        backups.restore(url_of(path), backup)


@pytest.mark.parametrize("case", ["itself", "missing", "empty", "no database", "cut", "archive"])
def test_what_is_no_backup_changes_nothing(case: str, path: Path, make: Any) -> None:
    from results.archive import writing
    from results.queries.queries import Queries

    save(path, make, "a", 500)
    before = content(url_of(path))
    source = path.with_name("source.db")
    if case == "itself":
        source = path
    elif case == "empty":
        source.touch()
    elif case == "no database":
        source.write_text("nothing " * 1000)
    elif case == "cut":
        whole = path.read_bytes()
        source.write_bytes(whole[: len(whole) // 2])
    elif case == "archive":
        with Queries.open(url_of(path)) as queries, queries.view() as connection:
            writing.export(connection, source)
    with pytest.raises((BackupError, DatabaseError), match=str(source)):
        backups.restore(url_of(path), source)
    assert content(url_of(path)) == before
    assert not list(path.parent.glob("*replaced*"))
    assert not list(path.parent.glob(".*"))


def test_no_folder_is_made_for_what_cannot_be_put_there(path: Path, make: Any) -> None:
    save(path, make, "a", 1)
    page = path.with_name("page.html")
    page.write_text("<html>")
    elsewhere = path.parent / "elsewhere" / "sweep.db"
    with pytest.raises(
        BackupError, match=f"{page} is no whole .*name what 'sweep db backup' wrote"
    ):
        backups.restore(url_of(elsewhere), page)
    assert not elsewhere.parent.exists()
    with pytest.raises(BackupError, match=r"page.html cannot be made .*: check --home and --db"):
        backups.restore(url_of(page / "sweep.db"), path)


@pytest.mark.parametrize("call", [backups.backup, backups.restore])
def test_a_server_has_tools_of_its_own(call: Any, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="pg_dump"):
        call("postgresql://user@host/lab", tmp_path / "backup.db")
