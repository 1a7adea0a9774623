"""What a worker keeps of what its run reports, and gives away."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from sweeper.executors import reporting
from sweeper.executors.heartbeat import Heartbeat
from sweeper.executors.reporting import ALL, Reporting
from sweeper.executors.tasks import Raised, Stopped, Task
from sweeper.executors.worker import execute
from trainers.config.trainer_run import TrainerRun
from trainers.own.job import Job


@pytest.fixture
def kept() -> Reporting:
    return Reporting("r", 3)


def taken(kept: Reporting, most: int = ALL) -> list[int]:
    report = kept.take(most)
    return [] if report is None else [item["epoch"] for item in report["epochs"]]


def test_what_was_taken_is_not_given_again(kept: Reporting) -> None:
    assert kept.take(ALL) is None
    kept.add(4, {"loss": 1.0})
    kept.add(5, {"loss": 0.5})
    assert kept.take(ALL) == {
        "run_id": "r",
        "attempt": 3,
        "first": 4,
        "epochs": [{"epoch": 4, "values": {"loss": 1.0}}, {"epoch": 5, "values": {"loss": 0.5}}],
    }
    assert kept.take(ALL) is None
    kept.add(5, {"loss": 0.25})
    assert taken(kept) == [5]


def test_of_much_the_oldest_goes_first_and_the_rest_stays(kept: Reporting) -> None:
    for epoch in range(10):
        kept.add(epoch, {"a": 1.0, "b": None})
    assert taken(kept, 5) == [0, 1]
    assert taken(kept, 0) == []
    assert taken(kept, 1) == [2]
    assert taken(kept) == [3, 4, 5, 6, 7, 8, 9]


def test_a_job_that_goes_on_says_from_where_it_replaces(kept: Reporting, tmp_path: Path) -> None:
    from trainers.storage import open_folder

    def job(attempt: int) -> Job:
        folders = [open_folder(str(tmp_path / str(n))) for n in range(attempt, 0, -1)]
        config = TrainerRun(trainer="mine:train", options={}, seed=1)
        return Job(
            config, {}, data_dir=tmp_path, folder=folders[0], earlier=folders[1:],
            on_report=kept.add,
        )  # fmt: skip

    first = job(1)
    first.report(10, loss=1.0)
    first.report(20, loss=0.5)
    first.checkpoint(2, {})
    first.report(30, loss=0.25)
    assert first.reported[20] == {"loss": 0.5}
    report = kept.take(ALL)
    assert report is not None
    assert report["first"] == 0
    second = job(2)
    assert second.resume() is not None
    second.report(25, loss=0.3)
    second.report(25, f1=1)
    report = kept.take(ALL)
    assert report is not None
    assert report["first"] == 21
    assert report["epochs"] == [{"epoch": 25, "values": {"loss": 0.3, "f1": 1.0}}]


NONSENSE: list[Any] = [
    {"epoch": 1, "loss": "x"}, {"epoch": True, "loss": 1}, {"epoch": "1"}, {"loss": 1}, [], None,
    {"epoch": 1, 3: 1}, {"epoch": 1, "x; drop table": 1}, {"epoch": 1, "loss": 1e80},
]  # fmt: skip


@pytest.mark.parametrize("metrics", NONSENSE)
def test_what_is_no_epoch_is_left_to_the_result(kept: Reporting, metrics: Any) -> None:
    kept.add_metrics(metrics)
    assert kept.take(ALL) is None


def test_one_thread_reports_while_another_takes(kept: Reporting) -> None:
    found: list[int] = []
    ended = threading.Event()

    def take() -> None:
        while not ended.is_set():
            found.extend(taken(kept, 7))

    thread = threading.Thread(target=take)
    thread.start()
    for epoch in range(20_000):
        kept.add(epoch, {"loss": 1.0})
    ended.set()
    thread.join()
    assert [*found, *taken(kept)] == list(range(20_000))


def task(tmp_path: Path, epochs: int) -> Task:
    return Task(
        run_id="r",
        attempt=1,
        config={"trainer": "reporting_trainers:reports", "options": {"epochs": epochs}, "seed": 0},
        evaluations=(),
        storage=str(tmp_path),
        data_dir=tmp_path,
        device="cpu",
        threads=1,
    )


def test_a_task_that_ends_without_a_result_brings_what_was_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is taken of it while it is young, so that short runs cost nothing."""
    heartbeat = Heartbeat()
    outcome = execute(task(tmp_path, 3), heartbeat)
    assert isinstance(outcome, Raised)
    assert outcome.report is not None
    assert [item["epoch"] for item in outcome.report["epochs"]] == [1, 2, 3]
    assert heartbeat.take_report(ALL) is None
    heartbeat.reporting = Reporting("r", 1)
    heartbeat.reporting.add(1, {"loss": 1.0})
    assert heartbeat.take_report(ALL) is None
    monkeypatch.setattr(reporting, "YOUNG_SECONDS", 0)
    assert heartbeat.take_report(ALL) is not None
    # It is asked to stop when it has begun.
    asked = Heartbeat(lambda: asked.reporting is not None)
    stopped = execute(task(tmp_path, -1), asked)
    assert isinstance(stopped, Stopped)
    assert stopped.report is not None
    assert [item["epoch"] for item in stopped.report["epochs"]] == [1]
