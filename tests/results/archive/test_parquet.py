from __future__ import annotations

import json
import subprocess

import pyarrow.parquet as pq
import pytest
from sqlalchemy import Column, LargeBinary, MetaData, String, Table

import archives
from results.archive import parquet
from results.archive.chosen import ARCHIVED
from results.archive.parquet import SUMS
from results.errors import ArchiveExistsError
from results.schema.tables import attempts, sweeps

#: What means nothing to others.
LOCAL = {sweeps.c.id, attempts.c.driver_id}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "archive"


@pytest.fixture
def filled(store, make):
    evaluations = [make.evaluation(1), make.evaluation(2)]
    make.save(store, "one", make.runs(3), evaluations)
    make.save(store, "two", [make.run(3), make.run(4)])
    measured = [make.measured(evaluation, 80.0) for evaluation in evaluations]
    make.finish(store, make.run(1), evaluations=measured)
    make.finish(store, make.run(3), evaluations=measured)
    return store


def rows(folder, table):
    return pq.read_table(folder / f"{table}.parquet").to_pylist()


def test_parquet_export_writes_every_table_and_column(filled, url, folder):
    counts = archives.export_parquet_from(url, folder)
    tables = {f"{table.name}.parquet" for table in ARCHIVED}
    assert {path.name for path in folder.iterdir()} == {*tables, SUMS}
    for table in ARCHIVED:
        written = pq.read_table(folder / f"{table.name}.parquet")
        kept = [
            "sweep" if c.name == "sweep_id" else c.name for c in table.columns if c not in LOCAL
        ]
        assert written.schema.names == kept
        assert written.num_rows == counts[table.name]
    assert counts["runs"] == 4


def test_a_flipped_bit_in_a_parquet_file_shows_in_its_sum(filled, url, folder):
    archives.export_parquet_from(url, folder)
    check = ["sha256sum", "--check", "--strict", SUMS]
    said = subprocess.run(check, cwd=folder, capture_output=True, text=True)
    assert (said.returncode, said.stdout.count(": OK")) == (0, len(ARCHIVED))
    content = bytearray((folder / "epochs.parquet").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "epochs.parquet").write_bytes(content)
    said = subprocess.run(check, cwd=folder, capture_output=True, text=True)
    assert said.returncode == 1
    assert "epochs.parquet: FAILED" in said.stdout


def test_parquet_export_refers_to_sweeps_by_name(filled, url, folder):
    archives.export_parquet_from(url, folder, ["two"])
    assert [row["name"] for row in rows(folder, "sweeps")] == ["two"]
    assert rows(folder, "sweep_runs") == [
        {"sweep": "two", "run_id": f"{number:016x}", "position": number - 3} for number in (3, 4)
    ]


def test_parquet_export_is_deterministic_to_the_byte(filled, url, tmp_path):
    for name in "ab":
        archives.export_parquet_from(url, tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_parquet_columns_have_types_and_units(filled, url, folder):
    archives.export_parquet_from(url, folder)
    schema = pq.read_schema(folder / "runs.parquet")
    types = {name: str(schema.field(name).type) for name in ("config", "trainable", "seed")}
    assert types == {"config": "string", "trainable": "bool", "seed": "int64"}
    assert schema.field("test_accuracy").metadata[b"unit"] == b"percent"
    assert schema.field("config").metadata[b"content"] == b"JSON"


def test_pandas_reads_exported_parquet_without_our_code(filled, url, folder):
    import pandas

    archives.export_parquet_from(url, folder)
    frame = pandas.read_parquet(folder / "runs.parquet")
    assert list(frame.test_accuracy.dropna()) == [90.0, 90.0]
    assert json.loads(frame.config[0])["training"]["optimizer"]["name"] == "sgd"
    joined = pandas.read_parquet(folder / "evaluations.parquet").merge(frame, on="run_id")
    assert set(joined.accuracy) == {80.0}


def test_many_rows_are_written_in_several_row_groups(filled, url, folder, monkeypatch):
    monkeypatch.setattr("results.archive.chosen.rows_at_once", lambda table: 2)
    archives.export_parquet_from(url, folder)
    assert pq.ParquetFile(folder / "runs.parquet").num_row_groups == 2
    assert len(rows(folder, "runs")) == 4


def test_parquet_export_does_not_overwrite_an_existing_folder(filled, url, folder):
    folder.mkdir()
    with pytest.raises(ArchiveExistsError, match="exists already"):
        archives.export_parquet_from(url, folder)
    assert list(folder.iterdir()) == []


def test_a_column_type_without_a_parquet_type_is_an_error():
    table = Table("t", MetaData(), Column("a", LargeBinary), Column("b_at", String))
    with pytest.raises(TypeError, match=r"t\.a has a type"):
        parquet._type(table.c.a)
    assert str(parquet._type(table.c.b_at)) == "string"
