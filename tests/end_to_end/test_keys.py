"""What `sweep report` groups, filters and joins by: all digits, every sweep, all that varies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from command_line import sweep
from results.store.store import Store
from saved_specs import save_spec
from sweeper.spec.spec import spec_from_text

HEAD = """
model: zerosnet
dataset: digits
depth: 8
training: {epochs: 2}
"""
SCHEMES = """
name: schemes
grid:
  scheme: [{alpha: [1.0000001], beta: 1}, {alpha: [1], beta: 1}]
  seed: [0, 1]
"""
RATES = """
name: rates
grid:
  training.optimizer.lr: [0.3, 0.1, 0.03, 0.01]
  seed: [0, 1]
"""
MONDAY = "name: monday\ngrid: {seed: [0, 1]}"
TUESDAY = "name: tuesday\ngrid: {seed: [1, 2]}"


@pytest.fixture
def ask(tmp_path: Path, make_result: Any) -> Any:
    """Runs specs to their end, with numbers made up, and asks for reports of them in JSON."""
    url = f"sqlite:///{tmp_path}/results.db"

    def report(specs: list[str], *arguments: str, format: str = "json") -> Any:  # noqa: A002
        with Store.open(url) as store:
            for text in specs:
                spec = spec_from_text(text + HEAD, "spec.yaml")
                save_spec(store, spec)
                for pending in store.pending(spec.name):
                    attempt = store.claim(pending.run_id, provenance={})
                    assert attempt is not None
                    result = make_result(pending, attempt)
                    assert store.commit(pending.run_id, attempt, result)
        done = sweep("report", "--db", url, "--metric", "test_accuracy", *arguments,
                     "--format", format)  # fmt: skip
        assert done.exit_code == 0, done.stderr
        return json.loads(done.stdout) if format == "json" else done.stdout

    return report


@pytest.fixture
def make_result() -> Any:
    def made(run: Any, attempt: int) -> dict[str, Any]:
        accuracies = ("test_accuracy", "best_test_accuracy", "train_accuracy")
        return {
            "format": 1,
            "run_id": run.run_id,
            "attempt": attempt,
            "parameters": run.parameters,
            "epochs": [],
            "evaluations": [],
            "provenance": {},
            "diverged": False,
            "diverged_epoch": None,
            **dict.fromkeys(accuracies, 90.0),
            **dict.fromkeys(
                (
                    "best_epoch", "generalization_gap", "test_loss", "train_loss", "train_seconds",
                    "images_per_second", "weights_sha256", "learned_coefficients",
                )
            ),
        }  # fmt: skip

    return made


def test_schemes_that_differ_in_the_eighth_digit_are_two_rows(ask: Any) -> None:
    groups = ask([SCHEMES], "schemes", "--group-by", "scheme,zero_stable")
    assert [(g["scheme"], g["zero_stable"], g["runs"]) for g in groups] == [
        ("1.0000001; 1", False, 2), ("1; 1", True, 2),
    ]  # fmt: skip
    (one,) = ask([], "--group-by", "zero_stable", "--where", "scheme=1; 1")
    assert (one["zero_stable"], one["runs"]) == (True, 2)
    table = ask([], "--rows", "depth", "--columns", "scheme", format="markdown")
    assert table.splitlines()[0].count("1.0000001; 1") == 1
    lines = ask([], format="csv").splitlines()
    assert [line.split(",")[:4] for line in lines[1:]] == [
        ["zerosnet", "1.0000001; 1", "8", "2"], ["zerosnet", "1; 1", "8", "2"],
    ]  # fmt: skip


def test_learning_rates_are_not_pooled(ask: Any) -> None:
    groups = ask([RATES], "rates")
    rates = [(g["training.optimizer.lr"], g["runs"]) for g in groups]
    assert rates == [(0.01, 2), (0.03, 2), (0.1, 2), (0.3, 2)]
    assert "training.optimizer.lr" not in ask([], "--where", "training.optimizer.lr=3/10")[0]
    gaps = ask([], "--gap")
    assert sorted(line["training.optimizer.lr"] for line in gaps) == [0.01, 0.03, 0.1, 0.3]


def test_a_run_that_two_sweeps_share_is_in_both(ask: Any) -> None:
    def runs(*arguments: str, specs: tuple[str, ...] = ()) -> list[int]:
        return [group["runs"] for group in ask([*specs], "--group-by", "model", *arguments)]

    assert runs(specs=(MONDAY, TUESDAY)) == [3]
    assert runs("monday") == runs("--where", "sweep=monday") == [2]
    assert runs("--where", "sweep!=monday") == runs("tuesday", "--where", "sweep!=monday") == [1]
    assert runs("tuesday", "--where", "sweep=monday") == [1]
    groups = ask([], "--group-by", "sweep")
    assert [(group["sweep"], group["runs"]) for group in groups] == [("monday", 2), ("tuesday", 2)]
    note = ask([], "--group-by", "sweep", format="table").splitlines()[-1]
    assert note == "3 runs; a run of several sweeps counts in each; mean ± std (n-1)"


def test_an_option_that_no_run_has_is_a_column_of_nulls(ask: Any) -> None:
    options = ("compile", "precision", "training.test_every", "dataset.subset", "model.survival")
    (group,) = ask([MONDAY], "--group-by", ",".join(options))
    assert [group[option] for option in options] == [None, "fp32", None, None, None]
    (group,) = ask([], "--metric", "dataset.subset", "--where", "compile=null")
    assert (group["runs"], group["dataset.subset_mean"]) == (2, None)
    assert ask([], "--where", "training.test_every>1", "--where", "compile=true") == []
