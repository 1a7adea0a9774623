from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Column, LargeBinary, MetaData, String, Table, text

import archives
import databases
import results.schema.tables
from results.archive import staging, writing
from results.archive.layout import ARCHIVED, ArchivedTable
from results.errors import ArchiveError, ArchiveExistsError, UnknownSweepError

#: What means nothing in another database.
LOCAL = {results.schema.tables.sweeps.c.id, results.schema.tables.attempts.c.driver_id}
FILES = {
    f"{table}.parquet" for table in results.schema.tables.metadata.tables if table != "drivers"
}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "archive"


@pytest.fixture
def filled(store, make):
    """Two sweeps that share a run, and a run that is in none."""
    evaluations = [make.evaluation(1), make.evaluation(2)]
    make.save(store, "one", make.runs(3), evaluations)
    make.save(store, "two", [make.run(3), make.run(4)], [make.evaluation(3)])
    make.save(store, "left", [make.run(5)])
    make.save(store, "left", [])
    measured = [make.measured(evaluation, 80.0) for evaluation in evaluations]
    make.finish(store, make.run(1), evaluations=measured)
    make.finish(store, make.run(3), evaluations=measured)
    return store


def ids(*numbers):
    return [f"{number:016x}" for number in numbers]


def column(folder, table, name):
    return [row[name] for row in archives.rows(folder, table)]


def test_every_table_has_a_file_and_every_column_a_place():
    assert {entry.file for entry in ARCHIVED.values()} == FILES
    for entry in ARCHIVED.values():
        kept = [column.kept for column in entry.columns]
        assert [c for c in entry.table.columns if c not in LOCAL] == kept
        assert len(entry.schema) == len(kept)


def test_a_new_column_travels_without_a_change_of_the_archive():
    table = Table("t", MetaData(), Column("a", String, primary_key=True), Column("b_at", String))
    assert [c.name for c in ArchivedTable(table, "").columns] == ["a", "b_at"]


def test_a_column_type_without_a_place_is_an_error_and_not_left_out():
    table = Table("t", MetaData(), Column("a", LargeBinary, primary_key=True))
    with pytest.raises(TypeError, match=r"t\.a has a type"):
        _ = ArchivedTable(table, "").schema


def test_the_whole_database_is_written_if_no_sweep_is_named(filled, url, folder):
    manifest = archives.export_from(url, folder)
    assert manifest.sweeps == ("one", "two", "left")
    assert column(folder, "runs", "run_id") == ids(1, 2, 3, 4, 5)
    assert column(folder, "evaluation_configs", "name") == [
        "gaussian[0.1]",
        "gaussian[0.2]",
        "gaussian[0.3]",
    ]
    assert len(column(folder, "epochs", "epoch")) == 4
    assert column(folder, "attempts", "state") == ["done", "done"]
    assert {path.name for path in folder.iterdir()} == FILES | {"manifest.json", "README.txt"}


def test_a_sweep_goes_with_its_runs_and_everything_measured_of_them(filled, url, folder):
    assert archives.export_from(url, folder, ["two", "two"]).sweeps == ("two",)
    assert column(folder, "sweeps", "name") == ["two"]
    assert column(folder, "runs", "run_id") == ids(3, 4)
    assert column(folder, "attempts", "run_id") == ids(3)
    assert column(folder, "epochs", "run_id") == ids(3, 3)
    # Run 3 was also measured for the other sweep.
    assert len(column(folder, "evaluations", "run_id")) == 2
    assert len(column(folder, "evaluation_configs", "name")) == 3
    assert archives.rows(folder, "sweep_runs") == [
        {"sweep": "two", "run_id": run_id, "position": place}
        for place, run_id in enumerate(ids(3, 4))
    ]


def test_an_unknown_sweep_is_an_error_and_nothing_is_written(filled, url, folder):
    with pytest.raises(UnknownSweepError, match="did you mean 'two'"):
        archives.export_from(url, folder, ["one", "tow"])
    assert list(folder.parent.glob("*archive*")) == []


def test_an_empty_database_is_an_archive_too(store, url, folder):
    archives.export_from(url, folder)
    assert archives.open_archive(folder).sweeps == ()


def test_the_same_content_gives_the_same_bytes(filled, url, tmp_path):
    archives.export_from(url, tmp_path / "a")
    archives.export_from(url, tmp_path / "b")
    assert archives.parquet(tmp_path / "a") == archives.parquet(tmp_path / "b")


def test_the_manifest_says_what_each_file_is(filled, url, folder):
    archives.export_from(url, folder, schema="0002")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["format"] == "sweep archive"
    assert manifest["format_version"] == 1
    assert manifest["program"].startswith("sweep ")
    assert manifest["schema_revision"] == "0002"
    assert {file["name"] for file in manifest["files"]} == FILES
    for file in manifest["files"]:
        content = (folder / file["name"]).read_bytes()
        assert file["bytes"] == len(content)
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
        assert file["rows"] == len(archives.rows(folder, file["name"].removesuffix(".parquet")))
    (runs,) = (file for file in manifest["files"] if file["name"] == "runs.parquet")
    columns = {column["name"]: column for column in runs["columns"]}
    assert columns["test_accuracy"] == {
        "name": "test_accuracy",
        "type": "double",
        "unit": "percent",
    }
    assert columns["config"] == {"name": "config", "type": "string", "content": "JSON"}
    assert columns["trainable"]["type"] == "bool"
    assert columns["seed"]["type"] == "int64"


def test_pandas_reads_a_file_without_our_code(filled, url, folder):
    import pandas

    archives.export_from(url, folder)
    frame = pandas.read_parquet(folder / "runs.parquet")
    assert list(frame.test_accuracy.dropna()) == [90.0, 90.0]
    assert json.loads(frame.config[0])["training"]["optimizer"]["name"] == "sgd"
    joined = pandas.read_parquet(folder / "evaluations.parquet").merge(frame, on="run_id")
    assert set(joined.accuracy) == {80.0}


def test_the_readme_names_every_file_and_says_where_the_weights_are(filled, url, folder):
    archives.export_from(url, folder)
    readme = (folder / "README.txt").read_text()
    for name in FILES:
        assert name in readme
    assert "Weights and checkpoints are not part of an archive" in readme


def test_many_rows_are_written_in_several_groups(filled, url, folder, monkeypatch):
    monkeypatch.setattr(ArchivedTable, "rows_at_once", 2)
    archives.export_from(url, folder)
    assert column(folder, "runs", "run_id") == ids(1, 2, 3, 4, 5)
    assert column(folder, "sweep_runs", "run_id") == ids(1, 2, 3, 3, 4)
    archives.open_archive(folder)


def test_what_exists_is_not_overwritten(filled, url, folder):
    archives.export_from(url, folder)
    before = archives.parquet(folder)
    with pytest.raises(ArchiveExistsError, match="exists already"):
        archives.export_from(url, folder, ["one"])
    assert archives.parquet(folder) == before
    assert [path.name for path in folder.parent.glob("*archive*")] == ["archive"]


def test_an_archive_is_replaced_on_request(filled, url, folder):
    archives.export_from(url, folder)
    archives.export_from(url, folder, ["two"], replace=True)
    assert archives.open_archive(folder).sweeps == ("two",)
    assert [path.name for path in folder.parent.glob("*archive*")] == ["archive"]


def _file(folder):
    folder.write_text("mine")


def _empty_folder(folder):
    folder.mkdir()


def _other_folder(folder):
    folder.mkdir()
    (folder / "manifest.json").write_text('{"format": "of another program", "files": []}')


@pytest.mark.parametrize("put", [_file, _empty_folder, _other_folder])
def test_what_is_not_an_archive_is_never_replaced(filled, url, folder, put):
    put(folder)
    before = [path.name for path in folder.parent.rglob("*")]
    with pytest.raises(ArchiveExistsError, match="not replaced"):
        archives.export_from(url, folder, replace=True)
    assert [path.name for path in folder.parent.rglob("*")] == before


def test_an_archive_with_files_of_others_is_not_replaced(filled, url, folder):
    archives.export_from(url, folder)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(ArchiveExistsError, match="not replaced"):
        archives.export_from(url, folder, replace=True)
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_an_error(filled, url, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchiveError, match="cannot be written"):
        archives.export_from(url, tmp_path / "file" / "archive")


def test_a_value_of_the_wrong_type_is_an_error(make, tmp_path, folder):
    from results.store.store import Store

    url = f"sqlite:///{tmp_path}/typed.db"
    with Store.open(url) as store:
        make.save(store, "s", make.runs(1))
    engine = databases.plain_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE runs SET max_root_modulus = 'large'"))
    engine.dispose()
    with pytest.raises(ArchiveError, match=r"runs\.max_root_modulus"):
        archives.export_from(url, folder)
    assert list(folder.parent.glob("*archive*")) == []


def _after_two_files(monkeypatch, act):
    write = writing._write_table

    def stopping(partial, entry, batches):
        if entry.name == "attempts":
            assert (partial / "runs.parquet").exists()
            act()
        return write(partial, entry, batches)

    monkeypatch.setattr(writing, "_write_table", stopping)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_error_half_way_leaves_nothing(filled, url, folder, monkeypatch, error):
    def fail():
        raise error

    _after_two_files(monkeypatch, fail)
    expected = ArchiveError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        archives.export_from(url, folder)
    assert list(folder.parent.glob("*archive*")) == []


def test_an_error_half_way_leaves_the_archive_that_was_to_be_replaced(
    filled, url, folder, monkeypatch
):
    archives.export_from(url, folder)
    before = archives.parquet(folder)

    def fail(source, target):
        if Path(target) == folder and source.suffix == ".partial":
            raise OSError(5, "Input/output error")
        rename(source, target)

    rename = os.rename
    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(ArchiveError, match="Input/output error"):
        archives.export_from(url, folder, ["two"], replace=True)
    assert archives.parquet(folder) == before
    assert [path.name for path in folder.parent.glob("*archive*")] == ["archive"]


_KILLED = """
import os, signal, sys
from pathlib import Path
import archives
from results.archive import staging, writing

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

url, folder, moment = sys.argv[1:]
if moment == "writing":
    write, seen = writing._record_batch, []
    def dying(entry, rows):
        seen.append(entry.name)
        return die() if seen.count("epochs") == 2 else write(entry, rows)
    writing._record_batch = dying
    writing.ArchivedTable.rows_at_once = 1
else:
    rename = os.rename
    def dying(source, target):
        die() if source.suffix == ".partial" else rename(source, target)
    staging.os.rename = dying
archives.export_from(url, Path(folder), replace=moment == "replacing")
"""


def _killed_export(url, folder, moment):
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, url, str(folder), moment],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def _left_behind(folder):
    return [path for path in folder.parent.iterdir() if path.name.startswith(f".{folder.name}.")]


@pytest.mark.parametrize("moment", ["writing", "renaming"])
@pytest.mark.slow
def test_a_killed_export_leaves_nothing_under_the_name(filled, url, folder, moment):
    _killed_export(url, folder, moment)
    assert not folder.exists()
    assert len(_left_behind(folder)) == 1
    archives.export_from(url, folder)
    archives.open_archive(folder)
    assert _left_behind(folder) == []


def test_an_export_killed_between_old_and_new_keeps_both_until_the_next(filled, url, folder):
    archives.export_from(url, folder)
    before = archives.parquet(folder)
    _killed_export(url, folder, "replacing")
    assert not folder.exists()
    old, new = sorted(_left_behind(folder), key=lambda path: path.suffix, reverse=True)
    assert archives.parquet(old) == before
    archives.open_archive(new)
    archives.export_from(url, folder)
    archives.open_archive(folder)
    assert _left_behind(folder) == []


def test_of_two_exports_at_once_the_first_to_end_has_the_name(tmp_path, folder):
    def both():
        with staging.whole_folder(folder, None) as slow:
            with staging.whole_folder(folder, None) as fast:
                (fast / "whose").write_text("fast")
            # What a living process writes is not taken for abandoned.
            assert slow.is_dir()

    with pytest.raises(ArchiveExistsError):
        both()
    assert (folder / "whose").read_text() == "fast"
    assert _left_behind(folder) == []
