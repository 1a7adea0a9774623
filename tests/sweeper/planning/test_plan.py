from __future__ import annotations

import os
import subprocess
import sys

import pytest

from results.run_columns import RUN_KEYS
from results.store.store import Store
from sweeper.planning.cost import CostModel
from sweeper.planning.plan import ESTIMATED_KEYS, new_evaluation, new_run, plan_rows, planned
from sweeper.spec.spec import spec_from_text
from trainers.models.counting import write_counts

SPEC = """\
name: mine
model: zerosnet
depth: 32
dataset: digits
training: {epochs: 6}
grid:
  scheme: [{lambda: -9/5}, {alpha: [1, 1, 1], beta: 1}, {lambda: 1, trainable: true}]
evaluations:
  - {noise: gaussian, std: 0.1}
  - {noise: uniform, low: -0.08, high: 0}
"""

# DESIGN.md, "A run in JSON".
_KEYS = """
    run_id sweep state model scheme depth dataset seed alpha beta trainable root_moduli
    max_root_modulus zero_stable consistent order parameters epochs test_accuracy
    best_test_accuracy train_accuracy generalization_gap diverged train_seconds
    images_per_second attempts imported evaluations metrics tags
"""
KEYS = _KEYS.split()
NOT_MEASURED = {"accuracy": None, "imported": False}


@pytest.fixture
def spec():
    return spec_from_text(SPEC, "s.yaml")


def rows_of(spec, stored=None):
    return plan_rows(spec, stored or {}, CostModel({}))


def test_plan_rows_have_the_keys_of_a_run_then_the_cost(spec):
    assert tuple(KEYS) == RUN_KEYS
    for row in rows_of(spec):
        assert list(row) == [*KEYS, *ESTIMATED_KEYS, "settings"]


def test_an_unknown_run_is_planned_as_new_without_results(spec):
    row = rows_of(spec)[0]
    config = spec.configs[0]
    assert row["run_id"] == config.run_id
    assert (row["sweep"], row["state"], row["attempts"]) == ("mine", "new", 0)
    assert (row["model"], row["depth"], row["dataset"], row["seed"]) == (
        "zerosnet",
        32,
        "digits",
        0,
    )
    assert row["scheme"] == "1/3, 5/9, 1/9; 16/9"
    assert row["alpha"] == [1 / 3, 5 / 9, 1 / 9]
    assert row["beta"] == 16 / 9
    assert row["trainable"] is False
    # ZeroSNet, Theorem 3: moduli 1, 1/3, 1/3; a list for JSON.
    assert isinstance(row["root_moduli"], list)
    assert row["root_moduli"] == pytest.approx([1, 1 / 3, 1 / 3])
    assert row["max_root_modulus"] == row["root_moduli"][0]
    assert (row["zero_stable"], row["consistent"], row["order"]) == (True, True, 2)
    assert row["epochs"] == 6
    for key in ("test_accuracy", "best_test_accuracy", "train_accuracy", "generalization_gap"):
        assert row[key] is None
    assert row["diverged"] is None
    assert row["train_seconds"] is None


def test_plan_shows_that_a_scheme_is_not_zero_stable(spec):
    row = rows_of(spec)[1]
    assert (row["zero_stable"], row["consistent"]) == (False, False)
    assert row["max_root_modulus"] > 1.8


def test_plan_shows_no_roots_for_a_trainable_scheme(spec):
    row = rows_of(spec)[2]
    assert row["trainable"] is True
    for key in ("root_moduli", "max_root_modulus", "zero_stable", "consistent", "order"):
        assert row[key] is None
    assert (row["alpha"], row["beta"]) == (None, None)
    assert row["scheme"] == "lambda_n from 1"
    assert row["parameters"] == rows_of(spec)[0]["parameters"] + 13


def test_plan_shows_start_values_of_learned_coefficients():
    text = SPEC.replace("{lambda: 1, trainable: true}", "{alpha: [1, 0], beta: 1, trainable: true}")
    row = rows_of(spec_from_text(text, "s.yaml"))[2]
    assert (row["trainable"], row["alpha"], row["beta"]) == (True, [1, 0], 1)
    assert row["root_moduli"] is None
    assert row["scheme"] == "learned from 1, 0; 1"


def test_plan_lists_evaluations_before_they_are_measured(spec):
    assert rows_of(spec)[0]["evaluations"] == [
        {"name": "gaussian[0.1]", "kind": "gaussian", "level": 0.1} | NOT_MEASURED,
        {"name": "uniform[-0.08,0]", "kind": "uniform", "level": -0.08} | NOT_MEASURED,
    ]


def test_plan_shows_stored_states_and_results(spec):
    done, failed = (config.run_id for config in spec.configs[:2])
    stored = {
        done: {
            "run_id": done,
            "sweep": "other",
            "state": "done",
            "attempts": 2,
            "test_accuracy": 90.5,
            "diverged": False,
            "train_seconds": 3.5,
            "evaluations": [
                NOT_MEASURED | {"name": "gaussian[0.1]", "accuracy": 80.0},
                NOT_MEASURED | {"name": "gaussian[9]", "accuracy": 10.0},
            ],
        },
        failed: {
            "run_id": failed,
            "state": "failed",
            "attempts": 3,
            "evaluations": [],
            "metrics": [],
        },
    }
    rows = rows_of(spec, stored)
    assert [row["state"] for row in rows] == ["done", "failed", "new"]
    assert [row["attempts"] for row in rows] == [2, 3, 0]
    assert [row["test_accuracy"] for row in rows] == [90.5, None, None]
    assert rows[0]["train_seconds"] == 3.5
    assert rows[0]["diverged"] is False
    assert {row["sweep"] for row in rows} == {"mine"}
    assert [e["accuracy"] for e in rows[0]["evaluations"]] == [80.0, None]
    assert list(rows[0]) == [*KEYS, *ESTIMATED_KEYS, "settings"]


def test_plan_reads_run_states_from_a_database(spec, tmp_path):
    from results.queries.queries import Queries

    url = f"sqlite:///{tmp_path}/sweep.db"
    with Store.open(url) as store, Queries.open(url) as queries:
        runs = [new_run(config) for config in spec.configs]
        evaluations = [new_evaluation(evaluation) for evaluation in spec.evaluations]
        store.save_sweep("mine", spec.text, spec.source, (), None, runs[:2], evaluations)
        assert store.claim(runs[0].run_id, provenance={}) == 1
        stored = {row["run_id"]: row for row in queries.run_rows()}
    rows = rows_of(spec, stored)
    assert [row["state"] for row in rows] == ["running", "queued", "new"]
    # What is planned and what is stored say the same of a run.
    for row in rows[:2]:
        for key in KEYS[3:18]:
            assert row[key] == stored[row["run_id"]][key], key


def test_a_planned_run_round_trips_through_the_store(spec):
    from trainers.config.run import RunConfig

    for config in spec.configs:
        assert RunConfig.model_validate(new_run(config).config).run_id == config.run_id


_CHECK = """
import sys
sys.argv = ["sweep", *sys.argv[1:]]
from sweeper.cli import main
try:
    main()
except SystemExit as ended:
    code = ended.code or 0
else:
    code = 0
heavy = sorted({"torch", "torchvision", "ray", "sklearn"} & set(sys.modules))
print(f"heavy={heavy} code={code}", file=sys.stderr)
"""


@pytest.mark.parametrize("command", ["--help", "plan", "status", "report"])
@pytest.mark.slow
def test_read_only_commands_import_neither_torch_nor_ray(command, spec, tmp_path):
    path, url = tmp_path / "s.yaml", f"sqlite:///{tmp_path}/sweep.db"
    path.write_text(SPEC)
    with Store.open(url) as store:
        runs = [new_run(config) for config in spec.configs]
        store.save_sweep("mine", spec.text, spec.source, (), None, runs, ())
    arguments = {
        "--help": ["--help"],
        "plan": ["plan", str(path), "--db", url],
        "status": ["status", "mine", "--db", url],
        "report": ["report", "mine", "--db", url],
    }
    write_counts(tmp_path / "networks.json")
    done = subprocess.run(
        [sys.executable, "-c", _CHECK, *arguments[command]],
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "200", "SWEEP_NETWORKS": "networks.json"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stderr.splitlines()[-1] == "heavy=[] code=0", done.stderr
    assert "Traceback" not in done.stderr
    if command != "report":
        # No run is done, so that a report may be empty.
        assert done.stdout.strip()


def test_an_image_folder_can_be_planned_without_its_files():
    text = SPEC.replace(
        "dataset: digits",
        "dataset: {name: image_folder, folder: pets, size: 64, classes: [dog, cat]}",
    )
    rows = rows_of(spec_from_text(text, "s.yaml"))
    assert [row["dataset"] for row in rows] == ["pets"] * 3
    digits = rows_of(spec_from_text(SPEC, "s.yaml"))
    # Three channels for one, 3x3 each, and two classes for ten.
    assert rows[0]["parameters"] - digits[0]["parameters"] == 2 * 9 * 16 - 8 * 65
    assert rows[0]["estimated_seconds"] > 60 * digits[0]["estimated_seconds"]


def test_planned_cost_includes_the_gradients_of_attacks():
    more = SPEC + "  - {attack: pgd, epsilon: 8/255, steps: 40}\n"
    plain, attacked = (
        rows_of(spec_from_text(text, "s.yaml"))[0]["estimated_seconds"] for text in (SPEC, more)
    )
    # 6 epochs, a test after each, and two noises; 40 gradients and the last pass on top of these.
    train, test = 6 * 1297, 0.3 * 500
    expected = (train + (8 + 121) * test) / (train + 8 * test)
    assert attacked / plain == pytest.approx(expected, rel=0.02)


def test_planned_rows_say_what_they_were_estimated_from(spec):
    row = rows_of(spec)[0]
    low, high = row["estimated_low_seconds"], row["estimated_high_seconds"]
    assert 0 < low < row["estimated_seconds"] < high
    assert (row["estimated_from"], row["device"]) == ("figures of the device", "CPU core")
    assert row["device_hours"] == pytest.approx(row["estimated_seconds"] / 3600)
    assert row["starting_multiplier"] == 1
    assert 2**29 < row["memory_bytes"] < 2**30


def test_a_plan_is_for_the_gpu_that_is_named_or_there_or_usual(spec, tmp_path):
    gpus = spec_from_text(SPEC + "resources: {gpus: 0.5}\n", "s.yaml")
    url = f"sqlite:///{tmp_path}/none.db"
    for device, there, name in (
        ("a100", (), "A100"),
        ("a100", ("Tesla T4",), "A100"),
        (None, ("Tesla T4", "NVIDIA H100 80GB HBM3"), "T4"),
        (None, (), "RTX 2080 Ti"),
    ):
        plan = planned(gpus, url, device, there)
        assert {row["device"] for row in plan.rows} == {name}
        hours = [row["estimated_seconds"] * 0.5 / 3600 for row in plan.rows]
        assert [row["device_hours"] for row in plan.rows] == pytest.approx(hours)
    on_cpus = planned(spec, url, "A100", ("Tesla T4",))
    assert {row["device"] for row in on_cpus.rows} == {"CPU core"}
