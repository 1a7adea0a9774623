from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager

import pytest
from sqlalchemy import text

import archives
import databases
from results.archive import atomic
from results.archive.chosen import ARCHIVED, Chosen
from results.database import sqlite
from results.database.url import sqlite_url
from results.errors import ArchiveError, ArchiveExistsError, DatabaseError, UnknownSweepError
from results.queries.queries import Queries
from results.schema.tables import metadata
from results.store.store import Store


@pytest.fixture
def path(tmp_path):
    return tmp_path / "archive.db"


@pytest.fixture
def filled(store, make):
    """Two sweeps that share a run, and a run that is in none."""
    evaluations = [make.evaluation(1), make.evaluation(2)]
    make.save(store, "one", make.runs(3), evaluations)
    make.save(store, "two", [make.run(3), make.run(4)], [make.evaluation(3)])
    make.save(store, "left", [make.run(5)])
    store.release(make.run(5).run_id, store.claim(make.run(5).run_id, provenance={}), "lost", "so")
    make.save(store, "left", [])
    measured = [make.measured(evaluation, 80.0) for evaluation in evaluations]
    make.finish(store, make.run(1), evaluations=measured)
    make.finish(store, make.run(3), evaluations=measured)
    return store


def ids(*numbers):
    return [f"{number:016x}" for number in numbers]


def column(path, table, name):
    return [row[name] for row in archives.rows(path, table)]


def test_export_without_sweep_names_writes_the_whole_database(filled, url, path):
    counts = archives.export_from(url, path)
    assert archives.names(path) == ("one", "two", "left")
    assert column(path, "runs", "run_id") == ids(1, 2, 3, 4, 5)
    assert column(path, "evaluation_configs", "name") == [
        "gaussian[0.1]",
        "gaussian[0.2]",
        "gaussian[0.3]",
    ]
    assert len(column(path, "epochs", "epoch")) == 4
    assert column(path, "attempts", "state") == ["done", "done", "lost"]
    assert counts == {"imports": 0} | {
        name: len(rows) for name, rows in archives.content(path).items()
    }


def test_exporting_a_sweep_includes_its_runs_and_their_measurements(filled, url, path):
    archives.export_from(url, path, ["two", "two"])
    assert archives.names(path) == ("two",)
    assert column(path, "runs", "run_id") == ids(3, 4)
    assert column(path, "attempts", "run_id") == ids(3)
    assert column(path, "epochs", "run_id") == ids(3, 3)
    # Run 3 was also measured for the other sweep.
    assert len(column(path, "evaluations", "run_id")) == 2
    assert len(column(path, "evaluation_configs", "name")) == 3
    assert archives.rows(path, "sweep_runs") == [
        {"sweep_id": 1, "run_id": run_id, "position": place}
        for place, run_id in enumerate(ids(3, 4))
    ]


def test_exporting_an_unknown_sweep_writes_nothing(filled, url, path):
    with pytest.raises(UnknownSweepError, match="did you mean 'two'"):
        archives.export_from(url, path, ["one", "tow"])
    assert list(path.parent.glob("*archive*")) == []


def test_an_empty_database_can_be_exported(store, url, path):
    archives.export_from(url, path)
    assert archives.names(path) == ()


def test_an_archive_is_one_file_that_can_be_queried_as_a_database(filled, url, path):
    archives.export_from(url, path)
    assert list(path.parent.glob("*archive*")) == [path]
    with Queries.open(sqlite_url(path)) as there, Queries.open(url) as here:
        assert there.run_rows() == here.run_rows()
        assert there.sweep_names() == ["one", "two", "left"]


@pytest.mark.slow
def test_exporting_twice_gives_archives_with_equal_content(filled, url, tmp_path):
    for name in "ab":
        archives.export_from(url, tmp_path / name)
    assert archives.content(tmp_path / "a") == archives.content(tmp_path / "b")
    notes = [note(tmp_path / name) for name in "ab"]
    assert notes[0][1:] == notes[1][1:]


def note(path):
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT created_at, content_sha256 FROM sweep_archive").fetchone()


def test_export_writes_many_rows_in_batches(filled, url, path, monkeypatch):
    monkeypatch.setattr("results.archive.chosen.rows_at_once", lambda table: 2)
    archives.export_from(url, path)
    assert column(path, "runs", "run_id") == ids(1, 2, 3, 4, 5)
    assert column(path, "sweep_runs", "run_id") == ids(1, 2, 3, 3, 4)
    archives.names(path)


def test_export_does_not_overwrite_an_existing_file(filled, url, path):
    archives.export_from(url, path)
    before = path.read_bytes()
    with pytest.raises(ArchiveExistsError, match="exists already"):
        archives.export_from(url, path, ["one"])
    assert path.read_bytes() == before
    assert list(path.parent.glob("*archive*")) == [path]


def test_export_with_replace_replaces_an_archive(filled, url, path):
    archives.export_from(url, path)
    archives.export_from(url, path, ["two"], replace=True)
    assert archives.names(path) == ("two",)
    assert list(path.parent.glob("*archive*")) == [path]


def _file(path):
    path.write_text("mine")


def _folder(path):
    path.mkdir()


def _database(path):
    Store.open(sqlite_url(path)).close()


@pytest.mark.parametrize("put", [_file, _folder, _database])
def test_export_with_replace_refuses_files_that_are_no_archive(filled, url, path, put):
    put(path)
    before = sorted(file.name for file in path.parent.iterdir())
    with pytest.raises(ArchiveExistsError, match="not replaced"):
        archives.export_from(url, path, replace=True)
    assert sorted(file.name for file in path.parent.iterdir()) == before


def test_export_to_an_unwritable_path_is_an_error(filled, url, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchiveError, match="cannot be written"):
        archives.export_from(url, tmp_path / "file" / "archive.db")


def test_exporting_a_damaged_database_is_an_error(make, tmp_path, path):
    url = f"sqlite:///{tmp_path}/typed.db"
    with Store.open(url) as store:
        make.save(store, "s", make.runs(1))
    engine = databases.plain_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE runs SET max_root_modulus = 'large'"))
    with pytest.raises(ArchiveError, match=r"damaged: runs\.max_root_modulus is 'large' where"):
        archives.export_from(url, path)
    with pytest.raises(ArchiveError, match=r"runs\.max_root_modulus"):
        archives.export_parquet_from(url, path)
    with engine.begin() as connection:
        connection.execute(text("UPDATE runs SET max_root_modulus = 9e999"))
    with pytest.raises(ArchiveError, match=r"damaged: runs\.max_root_modulus is inf where run_id"):
        archives.export_from(url, path)
    assert list(path.parent.glob("*archive*")) == []


def _after_some_tables(monkeypatch, act):
    queries = Chosen.queries

    def stopping(self, table):
        if table is ARCHIVED[3]:
            act()
        return queries(self, table)

    monkeypatch.setattr(Chosen, "queries", stopping)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("export", [archives.export_from, archives.export_parquet_from])
def test_a_failed_export_leaves_no_file(filled, url, path, monkeypatch, export, error):
    def fail():
        raise error

    _after_some_tables(monkeypatch, fail)
    expected = ArchiveError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        export(url, path)
    assert list(path.parent.glob("*archive*")) == []


@pytest.mark.parametrize("name", ["o'neil", "50%", "a?b", "a#b", 'q"x', "a;b", "é"])
def test_a_database_of_any_name_is_exported(make, tmp_path, path, name):
    url = sqlite_url(tmp_path / f"{name}.db")
    with Store.open(url) as store:
        make.save(store, "s", make.runs(1))
    archives.export_from(url, path)
    assert archives.names(path) == ("s",)


def test_an_error_in_the_source_of_an_export_names_the_source(make, tmp_path, path):
    source = tmp_path / "source.db"
    with Store.open(sqlite_url(source)) as store:
        make.save(store, "s", make.runs(1))
    engine = databases.plain_engine(sqlite_url(source))
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE probes"))
    with pytest.raises(DatabaseError, match=f"^{source}: SQLite says no such table"):
        archives.export_from(sqlite_url(source), path)
    assert list(path.parent.glob("*archive*")) == []


def test_exporting_an_unknown_sweep_makes_no_folder(filled, url, tmp_path):
    with pytest.raises(UnknownSweepError):
        archives.export_from(url, tmp_path / "new" / "archive.db", ["nope"])
    assert not (tmp_path / "new").exists()


def test_an_export_is_one_view_of_what_others_change_meanwhile(
    filled, url, path, tmp_path, make, monkeypatch
):
    archives.export_from(url, tmp_path / "before.db")
    with Store.open(url) as store, monkeypatch.context() as patch:
        _after_some_tables(patch, lambda: make.save(store, "later", make.runs(9)))
        archives.export_from(url, path)
    assert archives.content(path) == archives.content(tmp_path / "before.db")
    archives.export_from(url, tmp_path / "after.db")
    assert "later" in archives.names(tmp_path / "after.db")


def test_a_failed_export_keeps_the_archive_it_would_have_replaced(filled, url, path, monkeypatch):
    archives.export_from(url, path)
    before = path.read_bytes()

    def fail(source, target):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(ArchiveError, match="Input/output error"):
        archives.export_from(url, path, ["two"], replace=True)
    assert path.read_bytes() == before
    assert list(path.parent.glob("*archive*")) == [path]


_KILLED = """
import os, signal, sys
from pathlib import Path
import archives
from results.archive import atomic, chosen, writing

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

url, path, moment = sys.argv[1:]
if moment == "writing":
    queries, seen = chosen.Chosen.queries, []
    def dying(self, table):
        seen.append(table)
        return die() if len(seen) == 5 else queries(self, table)
    chosen.Chosen.queries = dying
elif moment == "checking":
    writing.content_sha256 = die
else:
    os.replace = die
archives.export_from(url, Path(path), replace=moment == "replacing")
"""


def _killed_export(url, path, moment):
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, url, str(path), moment],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def _left_behind(path):
    return [p for p in path.parent.iterdir() if p.name.startswith(f".{path.name}.")]


@pytest.mark.parametrize("moment", ["writing", "checking", "renaming"])
@pytest.mark.slow
def test_a_killed_export_leaves_no_archive(filled, url, path, moment):
    _killed_export(url, path, moment)
    assert not path.exists()
    assert len(_left_behind(path)) == 1
    archives.export_from(url, path)
    archives.names(path)
    assert _left_behind(path) == []


@pytest.mark.slow
def test_an_export_killed_before_the_rename_keeps_the_old_archive(filled, url, path):
    archives.export_from(url, path)
    before = path.read_bytes()
    _killed_export(url, path, "replacing")
    assert path.read_bytes() == before
    assert len(_left_behind(path)) == 1
    archives.export_from(url, path, replace=True)
    assert _left_behind(path) == []


@pytest.mark.timeout(20)
def test_a_pipe_with_the_name_of_an_abandoned_export_is_left_alone(path):
    pipe = path.with_name(f".{path.name}.x{atomic._PARTIAL}")
    os.mkfifo(pipe)
    with atomic.atomic_path(path) as partial:
        partial.write_text("new")
    assert path.read_text() == "new"
    assert pipe.exists()


def test_of_two_concurrent_exports_the_first_to_finish_wins(path):
    def both():
        with atomic.atomic_path(path) as slow:
            slow.write_text("slow")
            with atomic.atomic_path(path) as fast:
                fast.write_text("fast")
            # What a living process writes is not taken for abandoned.
            assert slow.exists()

    with pytest.raises(ArchiveExistsError):
        both()
    assert path.read_text() == "fast"
    assert _left_behind(path) == []


def test_a_full_disk_during_export_names_the_archive(filled, url, path, monkeypatch):
    new_file = sqlite.new_file

    @contextmanager
    def small_file(partial, source):
        with new_file(partial, source) as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 30")
            yield connection

    monkeypatch.setattr(sqlite, "new_file", small_file)
    with pytest.raises(DatabaseError, match=rf"{path} cannot grow: the disk is full"):
        archives.export_from(url, path)
    assert list(path.parent.glob("*archive*")) == []


def test_an_archive_holds_every_table_of_the_database():
    # Except drivers, which mean nothing elsewhere.
    assert {table.name for table in ARCHIVED} == metadata.tables.keys() - {"drivers"}
