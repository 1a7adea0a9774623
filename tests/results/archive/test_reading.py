from __future__ import annotations

import hashlib
import math
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import archives
from results.archive.layout import ARCHIVED
from results.archive.reading import Archive
from results.errors import BadArchiveError, NewerArchiveError
from results.store.store import Store

DONE, FAILED, RUNNING = (f"{number:016x}" for number in (1, 2, 3))
TABLES = sorted(ARCHIVED)


@pytest.fixture(scope="module")
def sound(make, tmp_path_factory):
    """An archive with a done, a failed and a running run, in two sweeps."""
    place = tmp_path_factory.mktemp("sound")
    url = f"sqlite:///{place}/results.db"
    with Store.open(url) as store:
        evaluation = make.evaluation(1)
        make.save(store, "one", make.runs(4), [evaluation])
        make.save(store, "two", make.runs(2), [evaluation])
        make.finish(
            store, make.run(1), evaluations=[make.measured(evaluation, 70.0)],
            probes=[make.probe(epoch=0), make.probe()], blocks=[make.block(1), make.block(2)],
        )  # fmt: skip
        store.claim(FAILED, provenance={})
        store.fail(FAILED, 1, "ValueError: no", "Traceback ...")
        store.claim(RUNNING, provenance={})
    archives.export_from(url, place / "archive")
    return place / "archive"


@pytest.fixture
def folder(sound, tmp_path):
    """A copy of it that a test may damage."""
    copy = tmp_path / "archive"
    copy.mkdir()
    for path in sound.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    return copy


def refused(folder, match):
    with pytest.raises(BadArchiveError, match=match) as raised:
        archives.open_archive(folder)
    assert str(folder) in str(raised.value)


def test_a_sound_archive_is_read(sound):
    archive = archives.open_archive(sound)
    assert archive.sweeps == ("one", "two")
    run = next(archive.rows("runs"))
    assert run["config"]["model"] == {"name": "zerosnet", "width": 16}
    found = [(r["run_id"][-1], [a["state"] for a in t]) for r, t in archive.runs_with_attempts()]
    assert found == [("1", ["done"]), ("2", ["failed"]), ("3", ["running"]), ("4", [])]


def test_what_is_no_archive_is_refused(tmp_path):
    refused(tmp_path, "no manifest.json")
    refused(tmp_path / "missing", "no manifest.json")
    (tmp_path / "manifest.json").mkdir()
    refused(tmp_path, "cannot be read")


@pytest.mark.parametrize("text", ["", "{", "[1]", "{}", '{"format": "other"}', "[" * 100_000])
def test_a_manifest_that_is_none_is_refused(folder, text):
    (folder / "manifest.json").write_text(text)
    refused(folder, "manifest.json")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format_version", 0),
        ("format_version", "1"),
        ("format_version", None),
        ("created_at", "yesterday"),
        ("created_at", "2026-01-01T00:00:00"),
        ("sweeps", "one"),
        ("files", []),
        ("files", {}),
        ("more", 1),
    ],
)
def test_a_manifest_with_a_wrong_value_is_refused(folder, key, value):
    archives.edit_manifest(folder, lambda manifest: manifest.update({key: value}))
    refused(folder, "manifest.json")


@pytest.mark.parametrize(
    ("key", "value"), [("rows", -1), ("sha256", "x"), ("columns", 1), ("name", "../runs.parquet")]
)
def test_a_file_entry_with_a_wrong_value_is_refused(folder, key, value):
    archives.edit_manifest(folder, lambda manifest: manifest["files"][0].update({key: value}))
    refused(folder, "manifest.json")


def test_other_sweeps_than_the_manifest_names_are_refused(folder):
    archives.edit_manifest(folder, lambda manifest: manifest.update(sweeps=["one"]))
    refused(folder, "names other sweeps")


def test_a_newer_format_is_refused_with_the_way_out(folder):
    archives.edit_manifest(folder, lambda manifest: manifest.update(format_version=2, new_key=1))
    with pytest.raises(NewerArchiveError, match=r"format is 2.*Install the newer version"):
        archives.open_archive(folder)


def test_a_newer_schema_is_refused_with_the_way_out(folder):
    archives.edit_manifest(folder, lambda manifest: manifest.update(schema_revision="9999"))
    with pytest.raises(NewerArchiveError, match=r"schema is '9999'.*sweep db upgrade"):
        archives.open_archive(folder)


@pytest.mark.parametrize("table", TABLES)
def test_a_flipped_bit_is_found_wherever_it_is(folder, table):
    path = folder / f"{table}.parquet"
    content = bytearray(path.read_bytes())
    for place in (0, len(content) // 2, len(content) - 1):
        content[place] ^= 1
        path.write_bytes(content)
        refused(folder, f"{table}.parquet was changed")
        content[place] ^= 1


@pytest.mark.parametrize("table", TABLES)
def test_a_missing_or_truncated_file_is_found(folder, table):
    path = folder / f"{table}.parquet"
    os.truncate(path, path.stat().st_size // 2)
    refused(folder, f"{table}.parquet has .* bytes")
    path.unlink()
    refused(folder, f"{table}.parquet is missing")


def test_a_file_that_is_not_parquet_is_refused_though_the_manifest_agrees(folder):
    def agree(manifest):
        (entry,) = (file for file in manifest["files"] if file["name"] == "runs.parquet")
        entry.update(bytes=5, sha256=hashlib.sha256(b"hello").hexdigest())

    (folder / "runs.parquet").write_bytes(b"hello")
    archives.edit_manifest(folder, agree)
    refused(folder, "runs.parquet cannot be read as Parquet")


def test_a_file_that_changes_after_it_was_checked_is_not_read(folder):
    archive = archives.open_archive(folder)
    os.utime(folder / "epochs.parquet", ns=(1, 1))
    with pytest.raises(BadArchiveError, match=r"epochs\.parquet changed"):
        list(archive.rows("epochs"))


def test_an_extra_column_is_refused(folder):
    content = pq.read_table(folder / "epochs.parquet")
    extra = content.append_column("mood", pa.array([1] * len(content)))
    archives.replace_file(folder, "epochs", extra)
    refused(folder, r"epochs\.parquet has a column 'mood'")


def test_columns_other_than_the_manifest_says_are_refused(folder):
    def rename(manifest):
        (entry,) = (file for file in manifest["files"] if file["name"] == "epochs.parquet")
        entry["columns"][2]["type"] = "int64"

    archives.edit_manifest(folder, rename)
    refused(folder, r"epochs\.parquet has other columns than manifest\.json says")


def test_a_column_twice_is_refused(folder):
    content = pq.read_table(folder / "epochs.parquet")
    twice = content.append_column("seconds", content["seconds"])
    archives.replace_file(folder, "epochs", twice)
    refused(folder, r"epochs\.parquet has two columns of one name")


def test_a_column_of_another_type_is_refused(folder):
    content = pq.read_table(folder / "epochs.parquet")
    place = content.schema.get_field_index("epoch")
    texts = content.set_column(place, "epoch", content["epoch"].cast(pa.string()))
    archives.replace_file(folder, "epochs", texts)
    refused(folder, r"epochs\.parquet: epoch is string, where int64 is expected")


def test_a_missing_column_is_refused(folder):
    content = pq.read_table(folder / "attempts.parquet")
    archives.replace_file(folder, "attempts", content.drop_columns("host"))
    refused(folder, r"attempts\.parquet lacks the column 'host'")


def test_an_older_schema_may_lack_columns_that_rows_can_do_without(folder):
    content = pq.read_table(folder / "attempts.parquet")
    archives.replace_file(folder, "attempts", content.drop_columns("host"))
    archives.edit_manifest(folder, lambda manifest: manifest.update(schema_revision="old"))
    archive = Archive.open(folder, revisions=["old", "new"])
    assert "host" not in next(archive.rows("attempts"))
    archives.replace_file(folder, "attempts", content.drop_columns("started_at"))
    with pytest.raises(BadArchiveError, match="lacks the column 'started_at'"):
        Archive.open(folder, revisions=["old", "new"])


def test_another_number_of_rows_is_refused(folder):
    archives.edit_manifest(folder, lambda manifest: manifest["files"][0].update(rows=7))
    refused(folder, "rows, and manifest.json says 7")


def _set(row, **values):
    def change(rows):
        rows[row].update(values)

    return change


def _again(rows):
    rows.insert(0, dict(rows[0]))


def _backwards(rows):
    rows.reverse()


def _all(**values):
    def change(rows):
        for row in rows:
            row.update(values)

    return change


BROKEN = [
    ("runs", _set(0, test_accuracy=140.0), "row 1: test_accuracy is 140.0, and the rule is"),
    ("runs", _set(1, state="finished"), "row 2: state is 'finished', and the rule is"),
    ("runs", _set(1, error=None), "row 2: state is 'failed', error is None, and the rule is"),
    ("runs", _set(0, diverged=None), "row 1: .*diverged"),
    ("runs", _set(3, finished_at=1.0), "row 4: .*finished_at"),
    ("runs", _set(0, parameters=-1), "row 1: parameters is -1"),
    ("runs", _set(0, model=None), "row 1: model is 'None': it may not be empty"),
    ("runs", _set(0, run_id=None), "row 1: run_id .* may not be empty"),
    ("runs", _set(0, run_id="a" * 15), "row 1: run_id is 'a+': an id is 16 hex digits"),
    ("runs", _set(0, run_id="A" * 16), "row 1: .*16 hex digits"),
    ("runs", _set(0, run_id="a" * 16 + "\n"), "row 1: .*16 hex digits"),
    ("runs", _set(0, depth=2**31), "row 1: depth .*at most 32 bits"),
    ("runs", _set(0, depth=-(2**31) - 1), "row 1: depth .*at most 32 bits"),
    ("runs", _set(0, beta=math.nan), "row 1: beta is 'nan': a number that is not finite"),
    ("runs", _set(0, train_loss=math.inf), "row 1: train_loss is 'inf'"),
    ("runs", _set(0, scheme="a\0b"), "row 1: scheme .*no NUL"),
    ("runs", _set(0, config="{"), "row 1: config is not JSON"),
    ("runs", _set(0, config="[1]"), "row 1: config.* dictionary"),
    ("runs", _set(0, config='{"a": NaN}'), "row 1: config is not JSON"),
    ("runs", _set(0, config="[" * 100_000), "row 1: config is not JSON"),
    ("runs", _set(0, alpha='["x"]'), r"row 1: alpha\[0\]"),
    ("runs", _set(0, learned_coefficients="null"), "row 1: .*empty cell"),
    ("runs", _again, "row 2: run_id '0+1' stands in an earlier row too"),
    ("runs", _backwards, "row 2: run_id .* is not in order"),
    ("runs", _set(0, attempt=2), "attempt 1 is done, and run 0+1 is done, attempt 2"),
    ("attempts", _set(0, run_id="0" * 16), "row 1: run_id '0+' is in no other file"),
    ("attempts", _set(0, state="failed"), r"runs\.parquet: run 0+1 is done, and has no such"),
    ("attempts", _set(1, state="done"), "row 2: attempt 1 is done, and run 0+2 is failed"),
    ("attempts", _set(1, state="running"), "row 2: "),
    ("attempts", _set(1, attempt=2), "row 2: attempt 2 comes after the last of run 0+2, 1"),
    ("attempts", _set(2, state="lost", finished_at=1.0), "run 0+3 is running, and has no such"),
    ("attempts", _set(0, provenance="[]"), "row 1: provenance"),
    ("attempts", _set(0, traceback="a\0"), "row 1: traceback .*no NUL"),
    ("attempts", lambda rows: rows.clear(), "run 0+1 is done, and has no such attempt"),
    ("epochs", _set(1, epoch=1), "row 2: run_id '0+1', epoch 1 stands in an earlier row too"),
    ("epochs", _set(0, epoch=0), "row 1: epoch is 0, and the rule is: epoch >= 1"),
    ("epochs", _set(0, train_accuracy=-1.0), "row 1: train_accuracy is -1.0"),
    ("epochs", _all(run_id=FAILED), "row 1: run 0+2 is failed: only done runs have results"),
    ("epochs", _all(run_id="0" * 16), "row 1: run_id '0+' is in no other file"),
    ("probes", _set(0, epoch=-1), "row 1: epoch is -1, and the rule is: epoch >= 0"),
    ("probes", _set(1, epoch=0), "row 2: .*layer 'block1' stands in an earlier row too"),
    ("probes", _set(0, value=math.inf), "row 1: value is 'inf'"),
    ("probes", _all(run_id=FAILED), "row 1: run 0+2 is failed: only done runs have results"),
    ("probes", _all(probe=""), "row 1: probe is '', and the rule is"),
    ("blocks", _set(0, block=0), "row 1: block is 0, and the rule is: block >= 1"),
    ("blocks", _set(0, alpha='["x"]'), r"row 1: alpha\[0\]"),
    ("blocks", _all(run_id=RUNNING), "row 1: run 0+3 is running: only done runs"),
    ("evaluations", _set(0, run_id=RUNNING), "row 1: run 0+3 is running: only done runs"),
    ("evaluations", _set(0, evaluation_id="f" * 16), "row 1: evaluation_id 'f+' is in no other"),
    ("evaluations", _set(0, accuracy=100.1), "row 1: accuracy is 100.1"),
    ("evaluation_configs", _set(0, evaluation_id="x"), "row 1: .*16 hex digits"),
    ("evaluation_configs", _set(0, level=math.inf), "row 1: level is 'inf'"),
    ("evaluation_configs", _set(0, config='"text"'), "row 1: config"),
    ("sweeps", _set(1, name="one"), "row 2: name stands in an earlier row too"),
    ("sweeps", _set(0, name=""), "row 1: name is '', and the rule is"),
    ("sweeps", _set(0, name="a\x1b[2J"), "row 1: name .*printable"),
    ("sweep_specs", _set(0, version=0), "row 1: version is 0"),
    ("sweep_specs", _set(0, overrides="[1]"), r"row 1: overrides\[0\]"),
    ("sweep_specs", _set(0, sweep="three"), "row 1: sweep 'three' is in no other file"),
    ("sweep_specs", _backwards, "row 2: .*is not in order"),
    ("sweep_runs", _set(1, position=0), "row 2: .*position 0 stands in an earlier row too"),
    ("sweep_runs", _set(1, run_id=DONE), "row 2: .*run_id stands in an earlier row too"),
    ("sweep_runs", _set(0, run_id="0" * 16), "row 1: run_id '0+' is in no other file"),
    ("sweep_evaluations", _set(0, evaluation_id="f" * 16), "row 1: .*in no other file"),
]


@pytest.mark.parametrize(("table", "change", "problem"), BROKEN)
def test_content_that_breaks_a_rule_is_refused_by_file_and_row(folder, table, change, problem):
    archives.rewrite(folder, table, change)
    refused(folder, problem)


def test_the_row_is_counted_over_the_whole_file(folder, monkeypatch):
    monkeypatch.setattr("results.archive.layout.ArchivedTable.rows_at_once", 1)
    archives.rewrite(folder, "epochs", _set(1, test_accuracy=101.0))
    refused(folder, r"epochs\.parquet, row 2: test_accuracy is 101\.0")


@pytest.mark.parametrize(("table", "change"), [("sweeps", _set(1, name="one"))])
def test_rows_of_different_batches_are_compared_too(folder, monkeypatch, table, change):
    monkeypatch.setattr("results.archive.layout.ArchivedTable.rows_at_once", 1)
    archives.rewrite(folder, table, change)
    refused(folder, "row 2: name stands in an earlier row too")


def test_text_that_is_not_utf_8_is_refused(folder):
    content = pq.read_table(folder / "epochs.parquet")
    ids = pa.array([b"\xff" * 16] * len(content), pa.binary()).view(pa.string())
    place = content.schema.get_field_index("run_id")
    archives.replace_file(folder, "epochs", content.set_column(place, "run_id", ids))
    refused(folder, r"epochs\.parquet")
