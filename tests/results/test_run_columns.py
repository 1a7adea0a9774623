"""The one table of a run's columns, and that everything else follows from it."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import inspect

from results.errors import BadResultError
from results.records import NewRun
from results.run_columns import (
    COLUMN,
    DETAIL_KEYS,
    OF_SCHEME,
    PLANNED,
    REPORTED,
    RUN_COLUMNS,
    RUN_KEYS,
    TAG,
)
from results.schema.tables import blocks, runs
from results.store.result_schema import check_result
from sweep_plugins.metric_name import NAMES_OF_EVERY_RUN
from trainers.config.job import BlockScheme, TrainingResult

ROOT = Path(__file__).parents[2]


def names(columns):
    return [column.name for column in columns]


def test_the_keys_of_a_run_are_unchanged():
    said = """run_id sweep state model scheme depth dataset seed alpha beta trainable root_moduli
        max_root_modulus zero_stable consistent order parameters epochs test_accuracy
        best_test_accuracy train_accuracy generalization_gap diverged train_seconds
        images_per_second attempts imported evaluations metrics tags"""
    assert list(RUN_KEYS) == said.split()
    details = """config best_epoch train_loss test_loss diverged_epoch weights_sha256
        learned_coefficients error created_at finished_at"""
    assert list(DETAIL_KEYS) == details.split()


def test_run_columns_are_unique_with_consistent_flags():
    assert len(COLUMN) == len(RUN_COLUMNS)
    for column in RUN_COLUMNS:
        numbers = column.numeric or column.kind == "numbers"
        assert column.whole == (column.kind == "whole"), column.name
        assert numbers or not (column.unit or column.better or column.decimals), column.name
        assert column.wide <= (column.kind == "whole"), column.name
        assert column.measured <= (column.reported is not None), column.name
        assert column.kind != "percent" or column.unit == "percent", column.name


def test_no_metric_can_be_called_what_a_run_has_whoever_trains_it():
    assert {c.name for c in (*RUN_COLUMNS, TAG) if not c.reported} == NAMES_OF_EVERY_RUN


def test_the_runs_table_has_exactly_the_run_columns_and_store_columns():
    stored = [column.stored for column in RUN_COLUMNS if column.name != "sweep"]
    assert set(runs.c.keys()) == {*stored, "config", "retried_after"}
    assert len(set(stored)) == len(stored)
    assert blocks.c.keys() == ["run_id", "block", *names(OF_SCHEME)]


def test_planned_and_reported_columns_match_new_runs_and_results():
    planned = {field.name for field in dataclasses.fields(NewRun)}
    assert planned == {"run_id", "config", *names(PLANNED)}
    lists = {"epochs", "evaluations", "probes", "blocks", "first_epoch"}
    assert set(TrainingResult.__annotations__) == {*names(REPORTED), *lists}
    assert set(BlockScheme.__annotations__) == {"block", *names(OF_SCHEME)}


def test_a_result_is_checked_for_every_reported_column(make):
    good = make.result("a" * 16)
    assert set(check_result("a" * 16, 1, good).columns) == set(names(REPORTED))
    for column in REPORTED:
        wrong = [] if column.kind == "text" else {}
        for value in (wrong, *((None,) if column.reported == "always" else ())):
            with pytest.raises(BadResultError, match=f": {column.name} is .* is expected"):
                check_result("a" * 16, 1, good | {column.name: value})
        if column.reported == "or null":
            columns = check_result("a" * 16, 1, good | {column.name: None}).columns
            assert columns[column.name] is None


def test_runs_flat_has_every_run_column_except_lists(store, plain):
    with plain.begin() as connection:
        view = [column["name"] for column in inspect(connection).get_columns("runs_flat")]
    assert {c.name for c in RUN_COLUMNS if c.kind != "list"} - set(view) == {"sweep"}


def test_row_and_detail_keys_are_derived_from_the_run_columns(store, queries, make):
    make.save(store, "s", [make.run(1)])
    make.finish(store, make.run(1))
    (row,) = queries.run_rows()
    assert tuple(row) == RUN_KEYS
    assert [*queries.run_detail(row["run_id"])][: len(RUN_KEYS + DETAIL_KEYS)] == [
        *RUN_KEYS,
        *DETAIL_KEYS,
    ]


ADDED = """
    _result("peak_memory", "number", label="Peak memory (MB)", unit="count", better="lower",
            decimals=1),
    _result("weights_sha256","""

TRAINER = """
from fake_trainers import quick

def remembering(job):
    return {**quick(job), "peak_memory": 12.25 + job.config.seed}

def forgetful(job):
    return quick(job)
"""

SPEC = """
name: {name}
model: zerosnet
dataset: digits
trainer: new_trainers:{trainer}
training: {{epochs: 1}}
scheme: {{alpha: [1, 1, 1], beta: 1}}
depth: 8
grid: {{seed: [0, 1]}}
"""

# Every place in which a column of a run can be seen.
QUESTIONS = """
import contextlib, io, json, sqlite3, sys
import pyarrow.parquet
import results
from sweeper.cli import app

def said(*arguments):
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        code = app([*arguments, "--home", "home"], standalone_mode=False)
    return stream.getvalue() if code in (0, None) else code

found = {"run": said("run", "spec.yaml", "--executor", "inline")}
connection = sqlite3.connect("home/sweep.db")
found["type"] = dict(row[1:3] for row in connection.execute("PRAGMA table_info(runs)"))
found["view"] = connection.execute("SELECT peak_memory FROM runs_flat ORDER BY 1").fetchall()
found["json"] = json.loads(said("plan", "spec.yaml", "--format", "json"))
report = ("report", "--group-by", "depth", "--metric", "peak_memory")
found["report"] = json.loads(said(*report, "--format", "json"))
found["table"] = said("report", "--group-by", "peak_memory")
found["where"] = json.loads(said(*report, "--where", "peak_memory>13", "--format", "json"))
found["pivot"] = json.loads(
    said("report", "--rows", "seed", "--columns", "depth", *report[3:], "--format", "json")
)
found["test"] = json.loads(said("report", "--test", "seed", *report[3:], "--format", "json"))
said(*report, "--format", "parquet", "--output", "report.parquet")
field = pyarrow.parquet.read_schema("report.parquet").field("peak_memory_std")
found["parquet"] = [str(field.type), field.metadata[b"unit"].decode()]
found["page"] = said("show", found["json"][0]["run_id"])
with results.open("sqlite:///home/sweep.db") as frames:
    found["frame"] = str(frames.runs()["peak_memory"].dtype)
said("run", "forgetful.yaml", "--executor", "inline")
found["failures"] = json.loads(said("status", "forgetful", "--format", "json"))[0]["failures"]
json.dump(found, open("found.json", "w"))
"""


@pytest.mark.slow
@pytest.mark.long
def test_adding_a_run_column_takes_one_row_in_run_columns(tmp_path):
    """All but the trainer, which reports it, learns of it from results/run_columns.py."""
    for package in ("sweeper", "trainers", "results"):
        shutil.copytree(ROOT / package, tmp_path / package, symlinks=True)
    table = tmp_path / "results" / "run_columns.py"
    text = table.read_text()
    assert text.count('\n    _result("weights_sha256",') == 1
    table.write_text(text.replace('\n    _result("weights_sha256",', ADDED))
    (tmp_path / "new_trainers.py").write_text(TRAINER)
    (tmp_path / "spec.yaml").write_text(SPEC.format(name="s", trainer="remembering"))
    forgetful = SPEC.format(name="forgetful", trainer="forgetful").replace("[0, 1]", "[2]")
    (tmp_path / "forgetful.yaml").write_text(forgetful)
    search = os.pathsep.join([str(tmp_path), *os.environ["PYTHONPATH"].split(os.pathsep)])
    done = subprocess.run(
        [sys.executable, "-c", QUESTIONS],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": search},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["type"]["peak_memory"] == "FLOAT"
    assert found["view"] == [[12.25], [13.25]]
    assert [run["peak_memory"] for run in found["json"]] == [12.25, 13.25]
    at = list(RUN_KEYS).index("images_per_second") + 1
    keys = [*RUN_KEYS[:at], "peak_memory", *RUN_KEYS[at:]]
    assert list(found["json"][0])[: len(keys)] == keys
    assert [group["runs"] for group in found["where"]] == [1]
    assert found["report"][0]["peak_memory_mean"] == 12.75
    assert [cell["peak_memory_best"] for cell in found["pivot"]] == [True, False]
    assert found["test"][0]["difference"] == 1.0
    assert found["parquet"] == ["double", "count"]
    assert "12.2 " in found["table"]
    assert "13.2 " in found["table"]
    assert "  peak_memory          12.25\n" in found["page"]
    assert found["frame"] == "float64"
    (failure,) = found["failures"]
    assert "peak_memory is missing" in failure["error"]
