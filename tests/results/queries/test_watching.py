"""What can be asked of runs that are not done, and that nothing else notices them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from results.analysis import reports
from results.analysis.unfinished import values_so_far
from results.errors import UnknownColumnError
from results.figures import FIGURES, possible
from results.frames import Results
from results.store.report_schema import check_report

DONE, RUNNING, SILENT, FAILED = (f"{number:016x}" for number in (1, 2, 3, 4))


def report(store, run, epochs, begins=True, **values):
    told = [{"epoch": epoch, "values": values} for epoch in epochs]
    checked = check_report({"run_id": run, "attempt": 1, "first": 1, "epochs": told})
    assert store.report([replace(checked, begins=begins)]) == {run}


@pytest.fixture
def watched(store, make, queries):
    """Four runs: done, running, running and silent, failed."""
    make.save(store, "s", make.runs(4))
    make.finish(store, make.run(1), **make.metrics(f1=0.9))
    for run_id in (RUNNING, SILENT, FAILED):
        store.claim(run_id, provenance={})
    report(store, RUNNING, [1, 2, 3], test_accuracy=30.0, f1=0.5, late=None)
    last = {"test_accuracy": None, "train_loss": 0.25, "test_accuracy_5": 1.0, "f1": 0.75}
    report(store, RUNNING, [3], begins=False, **last)
    report(store, FAILED, [1], test_accuracy=10.0, f1=0.1)
    store.fail(FAILED, 1, "ValueError: no", None)
    return queries


def test_running_runs_are_shown_with_the_last_that_each_reported(watched):
    found = {run.run_id: run for run in watched.running("s")}
    assert found.keys() == {RUNNING, SILENT}
    run = found[RUNNING]
    assert (run.epoch, run.epochs, run.attempt) == (3, 2, 1)
    assert 0 <= run.seconds < 600
    assert run.label == "zerosnet (1/3, 5/9, 1/9; 16/9), depth 32, seed 2"
    assert run.values == {
        "test_accuracy": 30.0, "train_loss": 0.25, "f1": 0.75, "late": None, "test_accuracy_5": 1.0,
    }  # fmt: skip
    assert (found[SILENT].epoch, found[SILENT].values) == (None, {})


def test_runs_of_an_own_trainer_are_called_by_what_varies_in_their_sweep(store, make, queries):
    runs = [make.own_run(n, n % 2, lr=0.1 * n, epochs=3) for n in (1, 2, 3)]
    make.save(store, "own", runs)
    for run in runs[:2]:
        store.claim(run.run_id, provenance={})
    store.fail(runs[1].run_id, 1, "ValueError: no", None, fault="trainer_error")
    (running,) = queries.running("own")
    label = "lr 0.1, seed 1 (fit:train, epochs 3)"
    assert (running.label, running.short) == (label, "lr 0.1, seed 1")
    assert queries.progress_of(runs[0].run_id).label == label
    (status,) = queries.status("own")
    (failure,), (fault,) = status.failures, status.faults
    assert failure.label == fault.label == "lr 0.2, seed 0 (fit:train, epochs 3)"


def test_a_run_is_followed_from_an_epoch_on(watched):
    progress = watched.progress_of(RUNNING, 3)
    assert (progress.state, progress.attempt, progress.epochs) == ("running", 1, 2)
    assert progress.reported == {
        3: {"train_loss": 0.25, "f1": 0.75, "late": None, "test_accuracy_5": 1.0}
    }
    assert list(watched.progress_of(RUNNING).reported) == [1, 2, 3]
    assert watched.progress_of(SILENT).reported == {}
    assert watched.progress_of(FAILED).error == "ValueError: no"


def test_unfinished_runs_count_only_where_their_state_is_asked_for(watched):
    assert {row["run_id"] for row in watched.epoch_rows()} == {DONE}
    assert {row["run_id"] for row in watched.epoch_metric_rows(where=["seed>0"])} == {DONE}
    assert watched.count_epochs() == len(watched.epoch_rows()) == 2
    running = watched.epoch_rows(where=["state = running"])
    assert [(row["run_id"], row["epoch"]) for row in running] == [(RUNNING, n) for n in (1, 2, 3)]
    assert watched.count_epochs(where=["state=running"]) == 3
    assert watched.count_epochs(where=["state!=done"], metric="f1") == 4
    lab = Results(watched)
    assert set(lab.epochs().run_id) == {DONE}
    assert set(lab.epoch_metrics(where="state=failed").run_id) == {FAILED}
    assert [row["metrics"] for row in watched.run_rows()][1:] == [[], [], []]
    (failed,) = watched.run_rows(where=["state=failed"])
    assert [(m["name"], m["value"]) for m in failed["metrics"]] == [("f1", 0.1)]
    assert failed["test_accuracy"] is None


def test_reports_are_of_done_runs_alone(watched):
    found = reports.report(watched, [], ["model"], ["test_accuracy", "f1", "best_test_accuracy"])
    (group,) = found.groups
    assert (group["runs"], group["unfinished"], found.unfinished) == (1, 3, 3)
    assert group["f1_mean"] == group["f1_max"] == 0.9
    assert group["best_test_accuracy_mean"] == 91.5


def test_a_metric_that_no_done_run_has_is_no_unknown_name(watched):
    found = reports.report(watched, [], ["model"], ["late"])
    assert found.groups[0]["late_mean"] is None
    with pytest.raises(UnknownColumnError):
        reports.report(watched, [], ["model"], ["latest"])


def test_the_last_values_of_unfinished_runs_are_rows(watched):
    where = ["state=running"]
    found, note = values_so_far(watched, ["s"], ["depth"], None, where)
    assert note == "none of these runs is done: the last values that each reported"
    assert found[0] == {
        "run_id": RUNNING, "depth": 32, "seed": 2, "state": "running", "epoch": 3, "f1": 0.75,
        "late": None, "test_accuracy": 30.0, "test_accuracy_5": 1.0, "train_loss": 0.25,
    }  # fmt: skip
    assert (found[1]["run_id"], found[1]["epoch"], found[1]["f1"]) == (SILENT, None, None)
    (failed,) = values_so_far(watched, [], ["seed"], ["f1"], ["state=failed"]).rows
    assert failed == {
        "run_id": FAILED, "seed": 4, "state": "failed", "epoch": 1, "f1": 0.1,
        "error": "ValueError: no",
    }  # fmt: skip
    assert values_so_far(watched, [], [], None, ["state=queued"]).rows == []
    lr = "training.optimizer.lr"
    assert values_so_far(watched, [], [lr], None, ["state=failed", "seed=99"]).rows == []
    silent, note = values_so_far(watched, [], [], None, [f"run_id={SILENT}"])
    assert silent == [{"run_id": SILENT, "seed": 3, "state": "running", "epoch": None}]
    assert note == "none of these runs is done, and none has reported anything"


def test_training_curves_are_drawn_of_runs_none_of_which_is_done(watched):
    def reasons(where, metric="test_accuracy"):
        rows = watched.run_rows(where=where, config=True, learned_coefficients=True)
        epochs = [*watched.epoch_rows(where=where)]
        for row in watched.epoch_metric_rows(where=where, metrics=[metric]):
            epochs.append({"run_id": row["run_id"], "epoch": row["epoch"], metric: row["value"]})
        return possible(rows, epochs, metric=metric)

    assert watched.default_metric(where=["state=running"]) == "test_accuracy"
    for where in (["state=running"], ["state=failed"], ["state!=done"]):
        for metric in ("test_accuracy", "f1"):
            found = reasons(where, metric)
            assert found.pop("training_curves") is None
            assert set(found.values()) == {"no run is done"}
    assert reasons(["seed>=2"]) == dict.fromkeys(FIGURES, "no run is done")
    assert reasons([])["training_curves"] is None
