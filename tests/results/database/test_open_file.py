"""A database file that is deleted, moved, replaced or damaged while it is open."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from results.database import backups
from results.database.base import Database
from results.database.connect import connect, open_unchecked
from results.database.open_file import OpenFile
from results.errors import DamagedDatabaseError, DatabaseGoneError, NoDatabaseError
from results.queries.queries import Queries
from results.store.store import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "sweep.db"


def open_store(path: Path) -> Store:
    return Store.open(f"sqlite:///{path}")


def fill(store: Store, make: Any, count: int = 300) -> None:
    """So much that a part of it is in the file, and a part still in the log beside it."""
    for start in range(0, count, 100):
        runs = make.runs(start + 100)
        store.save_sweep("a", str(start), "a.yaml", [], None, runs, [])


def another(path: Path, make: Any) -> Path:
    other = path.with_name("other.db")
    with open_store(other) as store:
        store.save_sweep("other", "", "other.yaml", [], None, make.runs(7), [])
    return other


def replace(path: Path, make: Any) -> None:
    os.replace(another(path, make), path)


def overwrite(path: Path, make: Any) -> None:
    with path.open("r+b") as file:
        file.write(b"x" * 4096)


def delete_everything(path: Path, make: Any) -> None:
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


HURTS: dict[str, Callable[[Path, Any], object]] = {
    "was deleted": lambda path, make: path.unlink(),
    "was deleted ": delete_everything,
    "was deleted  ": lambda path, make: shutil.rmtree(path.parent),
    "was moved away": lambda path, make: path.rename(path.with_name("elsewhere.db")),
    "was replaced by another file": replace,
    "was cut short": lambda path, make: os.truncate(path, 0),
    "was cut short ": lambda path, make: os.truncate(path, path.stat().st_size // 2),
    "was overwritten": overwrite,
    "has lost sweep.db-wal": lambda path, make: path.with_name("sweep.db-wal").unlink(),
}
RESCUED = {"was deleted", "was moved away", "was replaced by another file", "has lost sweep.db-wal"}


def claim(store: Store, make: Any, number: int) -> None:
    store.claim(make.run(number).run_id, provenance={})


def drive(store: Store, work: Callable[[], object]) -> None:
    with store.driving():
        work()


@pytest.mark.parametrize("what", HURTS)
def test_no_commit_to_a_file_that_is_gone_is_believed(what: str, path: Path, make: Any) -> None:
    with open_store(path) as store, store.driving():
        fill(store, make)
        claim(store, make, 1)
        HURTS[what](path, make)
        for _ in range(2):  # and no later one
            with pytest.raises(DatabaseGoneError) as caught:
                claim(store, make, 2)
    assert f"{path} {what.strip()}" in str(caught.value)
    rescued = caught.value.rescued
    if rescued is None:
        assert what.strip() not in RESCUED
        assert "'sweep db rebuild'" in str(caught.value)
        return
    assert isinstance(rescued, Path)
    assert rescued.parent == path.parent
    assert f"'sweep db restore {rescued}'" in str(caught.value)
    backups.restore(f"sqlite:///{path}", rescued)
    with Queries.open(f"sqlite:///{path}") as queries:
        (status,) = queries.status("a")
    assert (status.runs, status.counts["running"]) == (300, 1)


def test_what_went_with_the_whole_folder_is_not_promised(path: Path, make: Any) -> None:
    with open_store(path) as store:
        fill(store, make)
        path.parent.rename(path.parent.with_name("moved"))
        said = "was moved away with its whole folder .* a storage outside of that folder"
        with pytest.raises(DatabaseGoneError, match=said) as caught:
            claim(store, make, 1)
    rescued = caught.value.rescued
    for purpose in ("read", "write"):
        with pytest.raises(NoDatabaseError, match=f"'sweep db restore {rescued}' puts back"):
            connect(f"sqlite:///{path}", purpose)
    # Nor is a new one made, as a sweep would that begins again.
    with pytest.raises(NoDatabaseError, match="empty one, move that copy away"):
        connect(f"sqlite:///{path}", "create")
    assert not path.exists()
    assert isinstance(rescued, Path)
    rescued.rename(path.with_name("aside"))
    connect(f"sqlite:///{path}", "create").close()


def test_the_message_about_a_damaged_database_says_what_to_do(path: Path, make: Any) -> None:
    with open_store(path) as store:
        fill(store, make)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 8192))
    said = f"{path} is damaged .*'sweep db restore' .* 'sweep db rebuild'"
    with pytest.raises(DamagedDatabaseError, match=said):
        connect(f"sqlite:///{path}", "read")


def test_the_file_that_has_the_name_now_is_left_as_it_was_put(path: Path, make: Any) -> None:
    with open_store(path) as store:
        fill(store, make)
        replace(path, make)
        with pytest.raises(DatabaseGoneError):
            claim(store, make, 1)
    # Our log beside it would have been taken for a part of it.
    assert not path.with_name("sweep.db-wal").exists()
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("SELECT count(*) FROM runs").fetchone() == (7,)


def done(store: Store, make: Any, number: int) -> None:
    run_id = make.run(number).run_id
    attempt = store.claim(run_id, provenance={})
    assert attempt == 1
    assert store.commit(run_id, attempt, make.result(run_id))


def test_pages_that_were_damaged_are_found_before_a_driver_ends_well(path: Path, make: Any) -> None:
    with open_store(path) as store:
        fill(store, make)

    def work() -> None:
        done(store, make, 1)
        with path.open("r+b") as file:
            file.seek(40960)
            file.write(b"x" * 40960)

    with open_store(path) as store, pytest.raises(DatabaseGoneError, match="is damaged"):
        drive(store, work)


def test_an_older_copy_over_the_file_is_found_before_a_driver_ends_well(
    path: Path, make: Any
) -> None:
    with open_store(path) as store:
        fill(store, make)
    older = shutil.copy(path, path.with_name("older.db"))

    def work() -> None:
        for number in range(1, 40):
            done(store, make, number)
        with closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copyfile(older, path)

    with (
        open_store(path) as store,
        pytest.raises(DatabaseGoneError, match=r"was overwritten|is damaged"),
    ):
        drive(store, work)


def test_other_writers_and_readers_do_not_look_like_damage(path: Path, make: Any) -> None:
    with open_store(path) as store, store.driving():
        fill(store, make)
        for number in range(1, 20):
            with open_store(path) as other:  # each tries to make one plain file of it
                other.cancel(run_ids=[make.run(100 + number).run_id])
            done(store, make, number)
        with closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            other.execute("VACUUM")
        done(store, make, 50)
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "sweep.db", "sweep.db.driver.lock", "sweep.db.write.lock",
    ]  # fmt: skip


def test_a_second_control_c_during_a_statement_leaves_the_database_there(
    path: Path, make: Any
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with open_store(path) as store:
        fill(store, make, 100)
        database: Any = store._database
        event.listen(database._engine, "do_execute", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fill(store, make, 200)
        event.remove(database._engine, "do_execute", interrupt)
        fill(store, make, 300)
        assert Queries.of(store).run_ids("a") == {run.run_id for run in make.runs(300)}
    assert [file.name for file in path.parent.iterdir() if "lock" not in file.name] == [path.name]


def test_a_store_that_was_closed_can_be_used_again(path: Path, make: Any) -> None:
    store = open_store(path)
    for count in (3, 5):
        store.save_sweep("a", str(count), "a.yaml", [], None, make.runs(count), [])
        assert store.counts("a")["queued"] == count
        store.close()
        assert not path.with_name("sweep.db-wal").exists()


def test_an_upgrade_of_a_file_that_is_gone_is_not_believed(path: Path, make: Any) -> None:
    with open_store(path) as store:
        fill(store, make)

    def upgrade(database: Database) -> None:
        with database.upgrading() as connection:
            connection.exec_driver_sql("CREATE TABLE more (x INTEGER)")
            path.unlink()

    database = open_unchecked(f"sqlite:///{path}", "write")
    with closing(database), pytest.raises(DatabaseGoneError, match="was deleted"):
        upgrade(database)


def test_a_file_whose_log_was_moved_into_it_in_part_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "sweep.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE numbers (number)")
    opened = OpenFile(path)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(28)
        file.write((size // 4096 + 2).to_bytes(4, "big"))  # pages, two of which are in the log
    assert opened.problem() is None
    os.truncate(path, size + 4096)
    assert opened.problem() is None
    os.truncate(path, size)
    assert opened.problem() == "was cut short"
    opened.close()
