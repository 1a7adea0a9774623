from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from results.schema.views import NAMES

DOCUMENT = Path(__file__).parents[3] / "docs" / "database.md"

RUNS_FLAT = [
    "run_id",
    "sweeps",
    "tags",
    "state",
    "model",
    "scheme",
    "depth",
    "dataset",
    "dataset_subset",
    "seed",
    "alpha",
    "beta",
    "trainable",
    "root_moduli",
    "max_root_modulus",
    "zero_stable",
    "consistent",
    "order",
    "parameters",
    "precision",
    "epochs",
    "batch_size",
    "learning_rate",
    "momentum",
    "weight_decay",
    "test_accuracy",
    "best_test_accuracy",
    "best_epoch",
    "train_accuracy",
    "generalization_gap",
    "test_loss",
    "train_loss",
    "diverged",
    "diverged_epoch",
    "train_seconds",
    "images_per_second",
    "attempts",
    "imported",
    "imported_from",
    "host",
    "device",
    "git_commit",
    "weights_sha256",
    "error",
    "created_at",
    "finished_at",
]
EVALUATIONS_FLAT = [
    "run_id",
    "evaluation_id",
    "evaluation",
    "kind",
    "level",
    "accuracy",
    "loss",
    "accuracy_lost",
    "imported",
    "model",
    "scheme",
    "depth",
    "dataset",
    "seed",
    "trainable",
    "max_root_modulus",
    "zero_stable",
    "consistent",
    "order",
    "parameters",
    "epochs",
    "test_accuracy",
    "run_imported",
]
ATTEMPTS_FLAT = [
    "run_id",
    "attempt",
    "state",
    "fault",
    "error",
    "model",
    "scheme",
    "depth",
    "dataset",
    "seed",
    "run_state",
    "host",
    "device",
    "git_commit",
    "storage",
    "first_epoch",
    "imported_from",
    "driver_host",
    "driver_pid",
    "started_at",
    "finished_at",
    "seconds",
]
OF_RUN = ["model", "scheme", "depth", "dataset", "seed"]
METRICS_FLAT = [
    *("run_id", "metric", "value", "better", "unit", "decimals", "label"),
    *OF_RUN,
    *("trainable", "max_root_modulus", "zero_stable", "consistent", "order"),
    *("parameters", "epochs", "diverged", "imported"),
]
EPOCH_METRICS_FLAT = [
    *("run_id", "metric", "epoch", "value"),
    *OF_RUN,
    *("trainable", "max_root_modulus", "zero_stable", "consistent", "order"),
    *("parameters", "epochs", "state", "imported"),
]
PROBES_FLAT = [
    *("run_id", "probe", "quantity", "epoch", "layer", "value"),
    *OF_RUN,
    *("trainable", "max_root_modulus", "zero_stable", "consistent", "order"),
    *("parameters", "epochs", "diverged", "test_accuracy", "imported"),
]
BLOCKS_FLAT = [
    *("run_id", "block", "alpha", "beta", "root_moduli", "max_root_modulus", "zero_stable"),
    *("consistent", "order"),
    *OF_RUN,
    *("parameters", "epochs", "diverged", "test_accuracy", "imported"),
]

#: What a run has none of, if its trainer is no image classifier.
UNKNOWN_TO_A_TRAINER = (
    *("model", "scheme", "depth", "dataset", "alpha", "beta", "trainable", "root_moduli"),
    *("max_root_modulus", "zero_stable", "consistent", "order", "parameters", "epochs"),
)

CONFIG = {
    "seed": 1,
    "dataset": {"name": "digits", "subset": 1000},
    "model": {"name": "zerosnet"},
    "precision": "bf16",
    "training": {
        "epochs": 2,
        "batch_size": 64,
        "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 1e-4},
    },
}


@pytest.fixture
def look(plain):
    """Rows of a query as dicts."""

    def ask(query, **values):
        with plain.begin() as connection:
            return [dict(row) for row in connection.execute(text(query), values).mappings()]

    return ask


def documented(view):
    """The columns that the document lists for a view, in its order."""
    said = re.split(rf"\n`{view}`, one row an? ", DOCUMENT.read_text())[1].split("\n\n", 1)[0]
    return re.findall(r"`(\w+)`", said)


@pytest.mark.parametrize(
    ("view", "columns"),
    [
        *zip(
            NAMES,
            (
                RUNS_FLAT,
                EVALUATIONS_FLAT,
                ATTEMPTS_FLAT,
                METRICS_FLAT,
                EPOCH_METRICS_FLAT,
                PROBES_FLAT,
                BLOCKS_FLAT,
            ),
            strict=True,
        )
    ],
)
def test_views_have_the_documented_columns(store, plain, view, columns):
    with plain.begin() as connection:
        assert [column["name"] for column in inspect(connection).get_columns(view)] == columns
    assert documented(view) == columns


def test_runs_flat_matches_the_runs(store, queries, make, look):
    failed = make.run(3, alpha=None, root_moduli=None, zero_stable=None)
    make.save(store, "s", [make.run(1, config=CONFIG), make.run(2), failed])
    make.save(store, "t", [make.run(1), make.run(4)])
    make.finish(store, make.run(1))
    assert store.claim(failed.run_id, provenance={"host": "node-2"}) == 1
    store.fail(failed.run_id, 1, "broke", None)
    rows = {row["run_id"]: row for row in look("SELECT * FROM runs_flat")}
    details = {run_id: queries.run_detail(run_id) for run_id in rows}
    assert len(rows) == 4
    otherwise = {"sweeps", "tags", "alpha", "root_moduli", "created_at", "finished_at"}
    for run_id, row in rows.items():
        for name in row.keys() & details[run_id].keys() - otherwise:
            assert row[name] == details[run_id][name], name
    first, second, third, _ = (rows[make.run(number).run_id] for number in (1, 2, 3, 4))
    assert (first["sweeps"], second["sweeps"]) == ("s,t", "s")
    assert [row["state"] for row in rows.values()].count("queued") == 2
    assert (first["test_accuracy"], first["test_loss"], first["best_epoch"]) == (90.0, 0.4, 1)
    assert (first["attempts"], first["host"], first["device"]) == (1, "node-1", "cpu")
    assert (third["attempts"], third["host"], third["error"]) == (1, "node-2", "broke")
    assert (second["attempts"], second["host"], second["finished_at"]) == (0, None, None)


def test_runs_flat_extracts_settings_from_the_config(store, make, look):
    other = {
        **CONFIG,
        "dataset": {"name": "digits"},
        "training": {"batch_size": 64.5, "optimizer": {"lr": 1, "momentum": None}},
    }
    make.save(store, "s", [make.run(1, config=CONFIG), make.run(2, config=other)])
    query = (
        "SELECT dataset_subset, precision, batch_size, learning_rate, momentum, weight_decay"
        " FROM runs_flat ORDER BY run_id"
    )
    assert [tuple(row.values()) for row in look(query)] == [
        (1000, "bf16", 64, 0.1, 0.9, 1e-4),
        (None, "bf16", None, 1.0, None, None),
    ]


@pytest.mark.parametrize("odd", ["a text", "64", True, None, [1], {"a": 1}, 1.5, "\0"])
def test_configs_with_unexpected_types_do_not_break_runs_flat(store, make, look, odd):
    config = {
        "dataset": {"subset": odd},
        "precision": odd,
        "training": {"batch_size": odd, "optimizer": {"lr": odd, "momentum": odd}},
    }
    make.save(store, "s", [make.run(1, config=config), make.run(2, config=CONFIG)])
    odd_row, row = look("SELECT * FROM runs_flat ORDER BY run_id")
    assert (row["dataset_subset"], row["batch_size"], row["learning_rate"]) == (1000, 64, 0.1)
    numeric = isinstance(odd, int | float) and not isinstance(odd, bool)
    assert odd_row["learning_rate"] == (odd if numeric else None)
    assert odd_row["batch_size"] is None


def test_views_give_lists_as_json_and_times_in_utc(store, make, look, url):
    make.save(store, "s", [make.run(1)])
    before = datetime.now(UTC)
    make.finish(store, make.run(1))
    (row,) = look("SELECT * FROM runs_flat")
    made, finished = row["created_at"], row["finished_at"]
    if url.startswith("sqlite"):
        assert made.endswith("Z")
        made, finished = (datetime.fromisoformat(text) for text in (made, finished))
        assert look("SELECT json_extract(alpha, '$[2]') AS last FROM runs_flat") == [
            {"last": 1 / 9}
        ]
        assert look("SELECT json_array_length(root_moduli) AS n FROM runs_flat") == [{"n": 3}]
    else:
        assert look("SELECT alpha ->> 2 AS last FROM runs_flat") == [{"last": str(1 / 9)}]
        assert look("SELECT json_array_length(root_moduli) AS n FROM runs_flat") == [{"n": 3}]
    assert made.utcoffset().total_seconds() == 0 or url.startswith("postgres")
    assert made <= before
    assert abs((finished - before).total_seconds()) < 5
    (stored,) = look("SELECT created_at FROM runs")
    assert made.timestamp() == pytest.approx(stored["created_at"], abs=0.001)


def test_evaluations_flat_matches_the_runs(store, queries, make, look):
    asked = [make.evaluation(1), make.evaluation(2)]
    make.save(store, "s", make.runs(3), asked)
    for number, accuracies in ((1, (80.0, None)), (2, (70.0,))):
        measured = [make.measured(e, a) for e, a in zip(asked, accuracies, strict=False)]
        make.finish(store, make.run(number), evaluations=measured)
    rows = look("SELECT * FROM evaluations_flat ORDER BY run_id, evaluation")
    assert [(r["seed"], r["evaluation"], r["accuracy"], r["accuracy_lost"]) for r in rows] == [
        (1, "gaussian[0.1]", 80.0, 10.0),
        (1, "gaussian[0.2]", None, None),
        (2, "gaussian[0.1]", 70.0, 20.0),
    ]
    details = {run["run_id"]: run for run in queries.run_rows(["s"])}
    of_measurement = {"evaluation_id", "evaluation", "kind", "level", "accuracy", "loss"}
    for row in rows:
        for name in row.keys() - of_measurement - {"accuracy_lost", "run_imported"}:
            assert row[name] == details[row["run_id"]][name], name
    assert (rows[0]["kind"], rows[0]["level"], rows[0]["loss"]) == ("gaussian", 0.1, 0.5)


def test_attempts_flat_matches_the_attempts(store, queries, make, look):
    make.save(store, "s", make.runs(2))
    first, second = (run.run_id for run in make.runs(2))
    assert store.claim(second, provenance={"host": "node-2"}) == 1
    with store.driving("/runs"):
        assert store.claim(first, provenance={}) == 1
        lost_on = {"host": "node-1", "device": "cuda"}
        assert store.release(first, 1, "lost", "gone", fault="worker_lost", provenance=lost_on)
        assert store.claim(first, provenance={}) == 2
        assert store.commit(first, 2, make.result(first, 2))
    rows = look("SELECT * FROM attempts_flat ORDER BY run_id, attempt")
    assert [(row["run_id"], row["attempt"], row["run_state"]) for row in rows] == [
        (first, 1, "done"),
        (first, 2, "done"),
        (second, 1, "running"),
    ]
    assert (rows[0]["fault"], rows[0]["storage"]) == ("worker_lost", "/runs")
    assert [row["driver_pid"] for row in rows] == [os.getpid(), os.getpid(), None]
    assert [row["first_epoch"] for row in rows] == [None, 1, None]
    details = {run["run_id"]: run for run in map(queries.run_detail, (first, second))}
    for row in rows:
        run = details[row["run_id"]]
        history = run["attempt_history"][row["attempt"] - 1]
        of_run = {"run_id", "model", "scheme", "depth", "dataset", "seed"}
        for name in row.keys() - {"run_state", "started_at", "finished_at", "seconds"}:
            assert row[name] == (run if name in of_run else history)[name], name
        assert (row["seconds"] is None) == (row["finished_at"] is None)


def test_probes_flat_and_blocks_flat_match_the_runs(store, queries, make, look):
    make.save(store, "s", make.runs(2))
    learned = make.block(2, zero_stable=False, max_root_modulus=1.25)
    make.finish(store, make.run(1), probes=[make.probe(), make.probe(epoch=0, value=None)])
    make.finish(store, make.run(2), blocks=[make.block(1), learned])
    details = [queries.run_detail(run.run_id) for run in make.runs(2)]
    rows = look("SELECT * FROM probes_flat ORDER BY epoch")
    assert [(row["epoch"], row["value"]) for row in rows] == [(0, None), (1, 1.5)]
    blocks = look("SELECT * FROM blocks_flat ORDER BY block")
    assert [(row["block"], row["zero_stable"]) for row in blocks] == [(1, True), (2, False)]
    assert [row["max_root_modulus"] for row in blocks] == [1.0, 1.25]
    for row, run in ((rows[0], details[0]), (blocks[0], details[1])):
        for name in (*OF_RUN, "parameters", "epochs", "diverged", "test_accuracy"):
            assert row[name] == run[name], name
    assert rows[0]["max_root_modulus"] == details[0]["max_root_modulus"]


def test_metrics_flat_and_epoch_metrics_flat_match_the_runs(store, queries, make, look):
    make.save(store, "s", [make.run(1, **dict.fromkeys(UNKNOWN_TO_A_TRAINER))])
    said = {"metric_definitions": {"f1": {"better": "higher", "unit": "points"}}}
    make.finish(store, make.run(1), **make.metrics(f1=0.5, loss=None), **said, parameters=None)
    run = queries.run_detail(make.run(1).run_id)
    rows = look("SELECT * FROM metrics_flat ORDER BY metric")
    assert [(row["metric"], row["value"], row["better"], row["unit"]) for row in rows] == [
        ("f1", 0.5, "higher", "points"),
        ("loss", None, None, None),
    ]
    history = look("SELECT * FROM epoch_metrics_flat ORDER BY metric, epoch")
    assert [(row["metric"], row["epoch"], row["value"]) for row in history] == [
        ("f1", 1, 0.5),
        ("f1", 2, 0.5),
        ("loss", 1, None),
        ("loss", 2, None),
    ]
    assert history[0]["state"] == run["state"] == "done"
    for row in (*rows, *history):
        for name in (*OF_RUN, "parameters", "epochs"):
            assert row[name] == run[name], name
    assert [run[name] for name in UNKNOWN_TO_A_TRAINER] == [None] * len(UNKNOWN_TO_A_TRAINER)


@pytest.mark.parametrize("view", NAMES)
def test_views_are_read_only(store, make, plain, content, view):
    make.save(store, "s", make.runs(2), [make.evaluation(1)])
    make.finish(store, make.run(1), evaluations=[make.measured(make.evaluation(1), 80.0)])
    before = content()
    for statement in (
        f"UPDATE {view} SET depth = 1",
        f"DELETE FROM {view}",
        f"INSERT INTO {view} (run_id) VALUES ('x')",
    ):
        with (
            pytest.raises(DBAPIError, match=r"cannot (modify|update|delete|insert)"),
            plain.begin() as connection,
        ):
            connection.exec_driver_sql(statement)
    assert content() == before
