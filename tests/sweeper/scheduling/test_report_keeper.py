"""What a driver stores of what its running tasks report."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from results.errors import DatabaseError
from results.queries.queries import Queries
from results.records import NewRun
from results.store.store import Store
from sweeper.executors import Executor
from sweeper.scheduling import report_keeper
from sweeper.scheduling.report_keeper import ReportKeeper
from waiting import wait_until

A, B = (f"{number:016x}" for number in (1, 2))


class Reporters:
    """An executor as far as it reports."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.asked = 0

    def reports(self) -> list[Any]:
        self.asked += 1
        told, self.told = self.told, []
        return told


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/results.db"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """With two runs, running under attempt 1."""
    empty = dict.fromkeys(NewRun.__dataclass_fields__)
    runs = [
        NewRun(**{**empty, "run_id": r, "config": {"trainer": "a:b"}, "seed": 0}) for r in (A, B)
    ]
    with Store.open(url) as opened:
        opened.save_sweep("s", "", "s.yaml", [], None, runs, [])
        opened.claim_all([A, B], provenance={})
        yield opened


@pytest.fixture
def executor() -> Any:
    return Reporters()


@pytest.fixture
def refused() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def keeper(store: Store, executor: Executor, refused: list[tuple[str, str]]) -> ReportKeeper:
    made = ReportKeeper(store, lambda *said: refused.append(said))
    made._executor = executor
    return made


@pytest.fixture
def stored(url: str) -> Callable[[str], list[int]]:
    def epochs(run_id: str) -> list[int]:
        with Queries.open(url) as queries:
            return [row["epoch"] for row in queries.run_detail(run_id)["metric_history"]]

    return epochs


def told(run: str, *epochs: int, attempt: int = 1, first: int = 1, **values: Any) -> Any:
    return {
        "run_id": run,
        "attempt": attempt,
        "first": first,
        "epochs": [{"epoch": epoch, "values": values or {"f1": 0.5}} for epoch in epochs],
    }


def count_transactions(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Each, as it takes place, with the runs of its reports."""
    made: list[Any] = []
    report = store.report

    def noted(checked: Any) -> set[str]:
        made.append([one.run_id for one in checked])
        return report(checked)

    monkeypatch.setattr(store, "report", noted)
    return made


def test_all_runs_are_stored_in_one_transaction_and_nothing_in_none(
    store: Store, keeper: Any, executor: Any, stored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = count_transactions(store, monkeypatch)
    keeper.flush()
    executor.told = [told(A, 1, 2), told(B, 1), told(A, 3)]
    keeper.flush()
    keeper.flush()
    assert made == [[A, B, A]]
    assert (stored(A), stored(B)) == ([1, 2, 3], [1])


def test_only_the_first_report_of_an_attempt_replaces(
    store: Store, keeper: Any, executor: Any, stored: Any
) -> None:
    executor.told = [told(A, 1, 2, 3)]
    keeper.flush()
    executor.told = [told(A, 2)]
    keeper.flush()
    assert stored(A) == [1, 2, 3]
    store.release(A, 1, "lost", None)
    store.claim(A, provenance={})
    executor.told = [told(A, 2, attempt=2, first=2), told(A, 4, attempt=2, first=2)]
    keeper.flush()
    assert stored(A) == [1, 2, 4]
    # It went back to a checkpoint while it ran.
    executor.told = [told(A, 5, attempt=2, first=2), told(A, 2, attempt=2, first=1)]
    keeper.flush()
    assert stored(A) == [1, 2, 4, 5]
    keeper.flush()
    assert stored(A) == [2]


def test_a_transaction_has_a_bounded_number_of_values(
    store: Store, keeper: Any, executor: Any, stored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_keeper, "MOST_VALUES", 5)
    made = count_transactions(store, monkeypatch)
    executor.told = [told(A, 1, 2, 3), told(B, 1, 2), told(A, 4), told(B, *range(3, 20))]
    asked = executor.asked
    for _ in range(3):
        assert keeper.flush()
    assert made == [[A, B], [A], [B]]
    assert executor.asked == asked + 1  # what waits here first
    assert not keeper.flush()
    assert (stored(A), stored(B)) == ([1, 2, 3, 4], list(range(1, 20)))


def test_what_cannot_be_stored_is_told_once_and_no_other_run_suffers(
    keeper: Any, executor: Any, refused: Any, stored: Any
) -> None:
    executor.told = [told(A, 1, seed=3.0), told(B, 1), told(A, 2), None, "x", {"run_id": A}, [1]]
    keeper.flush()
    executor.told = [told(A, 3), {"run_id": A, "attempt": 1}]
    keeper.flush()
    assert (stored(A), stored(B)) == ([], [1])
    assert [run for run, _ in refused].count(A) <= 2
    assert refused[0] == (A, refused[0][1])
    assert "epoch_metrics[0].values.seed is the name of something else" in refused[0][1]


def test_a_run_has_no_more_values_than_a_result_may_have(
    keeper: Any, executor: Any, refused: Any, stored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_keeper, "MOST_METRIC_VALUES", 3)
    for epochs in ((1, 2), (3, 4), (5,)):
        executor.told = [told(A, *epochs)]
        keeper.flush()
    assert stored(A) == [1, 2]
    assert refused == [(A, "it reports more than 3 values")]


def test_what_a_database_did_not_take_is_stored_later(
    store: Store, keeper: Any, executor: Any, stored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(checked: Any) -> None:
        raise DatabaseError("away")

    executor.told = [told(A, 1)]
    with monkeypatch.context() as patch:
        patch.setattr(store, "report", away)
        with pytest.raises(DatabaseError):
            keeper.flush()
    executor.told = [told(A, 2)]
    keeper.flush()
    assert stored(A) == [1]
    keeper.flush()
    assert stored(A) == [1, 2]


def test_it_follows_in_a_thread_and_survives_a_lost_database(
    store: Store, keeper: Any, executor: Any, stored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_keeper, "STORE_SECONDS", 0.01)
    threads = threading.active_count()
    with keeper.following(executor):
        with monkeypatch.context() as patch:
            failed = threading.Event()

            def away(checked: Any) -> None:
                failed.set()
                raise DatabaseError("away")

            patch.setattr(store, "report", away)
            executor.told = [told(A, 1)]
            assert failed.wait(10)
        wait_until(lambda: stored(A) == [1])
    assert threading.active_count() == threads
