"""What a trainer of one's own can do with its job, and what becomes of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from trainers.config.trainer_run import TrainerRun
from trainers.errors import ResultError, TrainerError, TrainingStopped
from trainers.own.declaration import Declaration, Reported
from trainers.own.job import Checkpoint, Job
from trainers.own.result import result_of
from trainers.storage import open_folder

CONFIG = TrainerRun(trainer="mine:train", options={"depth": 2}, seed=1)


def job_in(folder=None, **more):
    return Job(CONFIG, {"depth": 2}, data_dir=None, folder=folder, **more)


def result(job, returned=None, **said):
    return result_of(job, Declaration(**said), returned, 1.5)


def test_the_value_of_the_greatest_epoch_is_the_runs_unless_another_is_returned():
    job = job_in()
    job.report(2, {"val/loss": np.float32(0.5)}, loss=torch.tensor(0.5))
    job.report(1, loss=1.0, f1=0.25)
    found = result(job, {"f1": 0.75})
    assert found["metrics"] == {"loss": 0.5, "f1": 0.75, "val/loss": 0.5}
    assert found["epoch_metrics"] == [
        {"epoch": 1, "values": {"loss": 1.0, "f1": 0.25}},
        {"epoch": 2, "values": {"val/loss": 0.5, "loss": 0.5}},
    ]
    assert (found["train_seconds"], found["diverged"], found["parameters"]) == (1.5, False, None)


def test_a_trainer_that_reports_and_returns_nothing_has_a_result_without_metrics():
    job = job_in()
    assert result(job)["metrics"] == {}
    job.report(1)
    assert (result(job)["metrics"], result(job)["epoch_metrics"]) == ({}, [])


def test_names_that_every_run_has_go_where_the_built_in_trainer_puts_them():
    job = job_in()
    job.report(1, test_accuracy=80.0, train_loss=0.5)
    job.report(2, test_accuracy=90.0, train_accuracy=95.0, f1=1)
    job.report(3, test_accuracy=85.0, train_accuracy=97.0)
    found = result(job, {"parameters": 10})
    assert [row["test_accuracy"] for row in found["epochs"]] == [80.0, 90.0, 85.0]
    assert (found["test_accuracy"], found["train_accuracy"], found["parameters"]) == (85, 97, 10)
    assert (found["best_test_accuracy"], found["best_epoch"]) == (90.0, 2)
    assert found["generalization_gap"] == 12.0
    assert found["metrics"] == {"f1": 1.0}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, torch.tensor(math.nan)])
def test_what_is_not_finite_is_null(value):
    job = job_in()
    job.report(1, loss=value)
    assert result(job)["metrics"] == {"loss": None}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("run_id; drop table runs", 1, "cannot be called 'run_id; drop table runs'"),
        ("", 1, "cannot be called ''"),
        ("x" * 101, 1, "has at most 100 letters"),
        ("training.lr", 1, "it would hide training.lr of the config, .*: call it training/lr, say"),
        ("source", 1, "it would hide source of the config, .*: call it source_, say"),
        ("f1", "good", "the metric f1 is 'good', where a number is expected"),
        ("f1", None, "the metric f1 is None"),
        ("f1", True, "the metric f1 is True"),
        ("f1", [1, 2], r"the metric f1 is \[1, 2\]"),
        ("f1", torch.zeros(2), r"the metric f1 is tensor\(\[0., 0.\]\)"),
        ("f1", 1e80, r"the metric f1 is 1e\+80, beyond"),
    ],
)
def test_a_metric_that_cannot_be_stored_is_refused_where_it_is_reported(name, value, said):
    with pytest.raises(TrainerError, match=said):
        job_in().report(1, {name: value})
    with pytest.raises(ResultError, match=said):
        result(job_in(), {name: value})


@pytest.mark.parametrize("epoch", [-1, 0.5, "1", None, True, math.nan])
def test_an_epoch_is_a_whole_number(epoch):
    with pytest.raises(TrainerError, match="the epoch is a whole number from 0"):
        job_in().report(epoch, f1=1)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("run_id", "that is something else that every run has"),
        ("depth", "that is something else that every run has"),
        ("parameters", "return it, as it is of the whole run"),
        ("best_test_accuracy", "return it, as it is of the whole run"),
    ],
)
def test_a_name_that_every_run_has_is_refused_where_it_is_reported(name, said):
    with pytest.raises(TrainerError, match=f"cannot be called {name}: {said}"):
        job_in().report(1, {name: 1.0})


@pytest.mark.parametrize(
    ("epoch", "values", "said"),
    [
        (0, {"train_loss": 1.0}, "train_loss was reported for epoch 0: epochs count from 1"),
        (2**31, {"test_accuracy": 1}, "was reported for epoch 2147483648: epochs count from 1"),
        (1, {"test_accuracy": 101}, "test_accuracy is 101, where percent from 0 to 100 are"),
        (1, {"train_accuracy": -1}, "train_accuracy is -1, where percent from 0 to 100 are"),
        (1, {"seconds": -1}, "seconds is -1, where at least 0 is expected"),
    ],
)
def test_what_every_run_has_is_refused_at_once_where_it_could_not_be_stored(epoch, values, said):
    with pytest.raises(TrainerError, match=said):
        job_in().report(epoch, values, f1=0.5)
    job = job_in()
    job.report(0, accuracy=101.0)
    job.report(1, test_accuracy=100, train_loss=math.nan)
    assert result(job)["metrics"] == {"accuracy": 101.0}


@pytest.mark.parametrize("name", ["run_id", "state", "alpha", "tag"])
def test_a_name_that_every_run_has_is_refused_where_it_is_returned(name):
    with pytest.raises(ResultError, match=f"returned {name}, which is something else that every"):
        result(job_in(), {name: 1.0})


def test_more_metrics_than_are_stored_are_refused_where_they_are_reported(tmp_path, monkeypatch):
    monkeypatch.setattr("trainers.own.job.MOST_METRICS", 3)
    monkeypatch.setattr("trainers.own.job.MOST_METRIC_VALUES", 6)
    job = job_in(open_folder(tmp_path))
    job.report(1, a=1, b=2, c=3)
    with pytest.raises(TrainerError, match="4 metrics with 4 values by now, where a run may"):
        job.report(2, d=1)
    job = job_in(open_folder(tmp_path))
    job.report(1, a=1, b=2, c=3)
    job.checkpoint(1, {})
    again = job_in(open_folder(tmp_path))
    again.resume()
    again.report(2, a=1, b=2, c=3)
    with pytest.raises(TrainerError, match="3 metrics with 7 values by now"):
        again.report(3, a=1)


@pytest.mark.parametrize("returned", [3, "text", [1], object()])
def test_what_is_neither_nothing_nor_a_dict_is_no_result(returned):
    with pytest.raises(ResultError, match="where None or a dict is expected"):
        result(job_in(), returned)


def test_what_is_declared_of_a_metric_goes_with_it():
    job = job_in()
    job.report(1, f1=0.5)
    said = {"f1": Reported(better="higher", unit="points", decimals=3), "never": Reported()}
    assert result(job, metrics=said)["metric_definitions"] == {
        "f1": {"better": "higher", "unit": "points", "decimals": 3, "label": None}
    }


def test_a_checkpoint_comes_back_with_what_was_reported(tmp_path):
    state = {"weights": torch.arange(3.0), "pickled": b"\0\1", "note": "x", "list": [1, None]}
    first = job_in(open_folder(tmp_path / "1"))
    assert first.resume() is None
    for epoch in (1, 2):
        first.report(epoch, loss=1 / epoch)
        first.checkpoint(epoch, state | {"epoch": epoch})
    first.report(3, loss=9.0)
    second = job_in(open_folder(tmp_path / "2"), earlier=[first.folder])
    found = second.resume()
    assert isinstance(found, Checkpoint)
    assert found.epoch == 2
    assert torch.equal(found.state.pop("weights"), state.pop("weights"))
    assert found.state == state | {"epoch": 2}
    assert second.reported == {1: {"loss": 1.0}, 2: {"loss": 0.5}}
    assert result(second)["first_epoch"] == 3


def test_a_checkpoint_may_have_any_number_that_the_next_one_can_follow(tmp_path):
    job = job_in(open_folder(tmp_path))
    with pytest.raises(TrainerError, match=r"job.checkpoint\(9223372036854775807, ...\): the"):
        job.checkpoint(2**63 - 1, {})
    job.report(2**63 - 2, loss=1.0)
    job.checkpoint(2**63 - 2, {})
    assert job.resume() == Checkpoint(2**63 - 2, {})
    assert result(job)["first_epoch"] == 2**63 - 1


class Odd:
    pass


@pytest.mark.parametrize("state", [Odd(), {"model": Odd()}, np.zeros(2)])
def test_a_state_that_could_not_be_read_back_is_refused_at_once(tmp_path, state):
    with pytest.raises(TrainerError, match="could not be read back: it may hold tensors"):
        job_in(open_folder(tmp_path)).checkpoint(1, state)


def test_a_checkpoint_ends_a_run_that_is_to_stop(tmp_path):
    job = job_in(open_folder(tmp_path), stop_asked=lambda: True)
    with pytest.raises(TrainingStopped):
        job.checkpoint(1, {"x": 1})
    assert job.resume() == Checkpoint(1, {"x": 1})


def test_a_trainer_that_returns_since_it_should_stop_is_not_done():
    job = job_in(stop_asked=lambda: True)
    assert job.should_stop
    with pytest.raises(TrainingStopped):
        result(job, {"f1": 1.0})


def test_a_thread_that_goes_on_after_its_trainer_adds_nothing(tmp_path):
    job = job_in(open_folder(tmp_path))
    job.report(1, f1=0.5)
    job.end()
    with pytest.raises(TrainerError, match=r"job\.report: the trainer has returned"):
        job.report(2, f1=0.75)
    with pytest.raises(TrainerError, match=r"job\.checkpoint: the trainer has returned"):
        job.checkpoint(2, {"x": 1})
    assert result(job)["metrics"] == {"f1": 0.5}
    assert job.resume() is None


def test_a_handler_may_report_while_its_trainer_reports():
    def interrupts(epoch, values, first):
        if epoch == 1:
            job.report(2, f1=0.75)

    job = job_in(on_report=interrupts)
    job.report(1, f1=0.5)
    assert result(job)["metrics"] == {"f1": 0.75}
