"""Rows of runs that are not done, on both kinds of database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import databases
from results.errors import BadResultError
from results.store.report_schema import check_report
from results.store.store import Store
from sweep_plugins.metric_name import LARGEST_EPOCH

RUN = f"{1:016x}"
TYPED = {"train_loss": 0.5, "test_accuracy": 80.0}


def report(epochs, attempt=1, first=1, run=RUN, **values):
    """These epochs, each with these values."""
    told = [{"epoch": epoch, "values": values or TYPED} for epoch in epochs]
    return check_report({"run_id": run, "attempt": attempt, "first": first, "epochs": told})


@pytest.fixture
def running(store, make):
    """A store with one run, running under attempt 1."""
    make.save(store, "s", [make.run(1), make.run(2)])
    assert store.claim(RUN, provenance={}) == 1
    return store


def epochs(queries, run=RUN):
    found = queries.run_detail(run)["epoch_history"]
    return {row["epoch"]: row["test_accuracy"] for row in found}


def values(queries, run=RUN):
    found = queries.run_detail(run)["metric_history"]
    return {(row["name"], row["epoch"]): row["value"] for row in found}


def test_what_a_run_reports_is_there_while_it_runs(running, queries):
    assert running.report([report([1, 2])]) == {RUN}
    more = replace(report([3], f1=0.5, test_accuracy=81), begins=False)
    assert running.report([more]) == {RUN}
    assert epochs(queries) == {1: 80.0, 2: 80.0, 3: 81.0}
    assert values(queries) == {("f1", 3): 0.5}
    assert queries.run_detail(RUN)["state"] == "running"


def test_a_second_report_of_an_epoch_replaces_the_first(running, queries):
    running.report([report([1], f1=0.5), report([1], f1=0.25, train_loss=1.5)])
    assert values(queries) == {("f1", 1): 0.25}
    assert queries.run_detail(RUN)["epoch_history"][0]["train_loss"] == 1.5


def test_an_attempt_that_is_not_the_newest_writes_nothing(running, queries, content):
    assert running.release(RUN, 1, "lost", "its worker vanished")
    before = content()
    assert running.report([report([1])]) == set()
    assert running.claim(RUN, provenance={}) == 2
    claimed = content()
    assert running.report([report([1]), report([1], run="f" * 16)]) == set()
    assert content() == claimed != before
    assert running.report([report([1], attempt=2), report([1], run=f"{2:016x}")]) == {RUN}
    assert epochs(queries) == {1: 80.0}


def test_a_run_of_another_driver_is_not_written(running, queries, url):
    with running.driving():
        assert running.report([report([1])]) == set()
        running.take_over()
        assert running.report([report([1])]) == {RUN}
    assert epochs(queries) == {1: 80.0}


def test_an_attempt_that_goes_on_replaces_what_came_after(running, queries):
    running.report([report([1, 2, 3, 4]), report([1, 2, 3, 4], f1=0.5)])
    running.release(RUN, 1, "lost", "its worker vanished")
    running.claim(RUN, provenance={})
    assert epochs(queries) == dict.fromkeys([1, 2, 3, 4], 80.0)
    running.report([report([3], attempt=2, first=3, f1=0.25, test_accuracy=90)])
    assert epochs(queries) == {1: 80.0, 2: 80.0, 3: 90.0}
    assert values(queries) == {("f1", 1): 0.5, ("f1", 2): 0.5, ("f1", 3): 0.25}


def test_a_run_that_fails_keeps_what_it_reported(running, queries):
    running.report([report([1])])
    running.fail(RUN, 1, "it raised", None, report=replace(report([2]), begins=False))
    assert epochs(queries) == {1: 80.0, 2: 80.0}
    assert queries.run_detail(RUN)["state"] == "failed"
    running.retry(run_ids=[RUN])
    assert running.cancel(run_ids=[RUN]) == 1
    assert epochs(queries) == {1: 80.0, 2: 80.0}


def test_a_result_replaces_all_of_it(running, queries, make, content, url):
    """A done run is as if nothing had been stored before: to the bit."""
    result = make.result(RUN) | make.metrics(f1=0.5)
    running.report([report([1, 2, 3], f1=0.1, other=3.0, train_loss=2.0)])
    assert running.commit(RUN, 1, result)
    live = {table: content()[table] for table in ("epochs", "epoch_metrics", "metrics")}
    running._database.write(databases.empty, lambda connection: False)
    make.save(running, "s", [make.run(1), make.run(2)])
    running.claim(RUN, provenance={})
    assert running.commit(RUN, 1, result)
    assert live == {table: content()[table] for table in live}
    assert running.report([report([5])]) == set()
    assert set(epochs(queries)) == {1, 2}


@pytest.fixture
def another(url) -> Iterator[Store]:
    """The store of a later process, on the same database."""
    with Store.open(url) as opened:
        yield opened


def finished(queries, run=RUN):
    """The state, and the epochs under each name, of a run of `Make.result`."""
    found = queries.run_detail(run)
    return found["state"], epochs(queries, run), values(queries, run)


DONE = ("done", {1: 45.0, 2: 90.0}, {})


def report_and_leave(store):
    """As a driver that claims a run, stores what it reports, and is gone before its result."""
    with store.driving():
        assert store.claim(RUN, provenance={}) == 1
        assert store.report([report([1, 2, 3], f1=0.1, train_loss=2.0)]) == {RUN}


@pytest.mark.parametrize("then", ["commit", "commit twice", "report first"])
def test_a_result_is_adopted_of_a_run_whose_driver_is_gone(store, another, queries, make, then):
    make.save(store, "s", [make.run(1), make.run(2)])
    report_and_leave(store)
    with another.driving():
        assert [(orphan.run_id, orphan.attempt) for orphan in another.take_over()] == [(RUN, 1)]
        if then == "report first":
            more = replace(report([4], f1=0.5), begins=False)
            assert another.report([more]) == {RUN}
        assert another.held() == [(RUN, 1)]
        assert another.commit(RUN, 1, make.result(RUN))
        if then == "commit twice":
            assert not another.commit(RUN, 1, make.result(RUN))
    assert finished(queries) == DONE


def test_a_result_is_adopted_of_a_run_that_went_through_two_drivers(store, another, queries, make):
    """The first has it again, and knows nothing of what the second stored."""
    make.save(store, "s", [make.run(1), make.run(2)])
    report_and_leave(store)
    with another.driving():
        another.take_over()
        assert another.report([report([1, 2, 3, 4, 5], f1=0.5)]) == {RUN}
    with store.driving():
        assert [orphan.run_id for orphan in store.take_over()] == [RUN]
        assert store.commit_all([(RUN, 1, make.result(RUN))]) == {RUN}
    assert finished(queries) == DONE


def test_a_result_of_a_later_attempt_replaces_what_any_driver_wrote(store, another, queries, make):
    make.save(store, "s", [make.run(1), make.run(2)])
    report_and_leave(store)
    with another.driving():
        another.take_over()
        assert another.release(RUN, 1, "lost", "its worker vanished")
        assert another.claim(RUN, provenance={}) == 2
        assert another.commit(RUN, 2, make.result(RUN, 2))
    assert finished(queries) == DONE


def test_results_of_runs_with_and_without_reports_are_adopted_together(
    store, another, queries, make
):
    ids = [run.run_id for run in make.runs(3)]
    make.save(store, "s", make.runs(3))
    with store.driving():
        store.claim_all(ids, provenance={})
        assert store.report([report([1, 2, 3], run=ids[1], f1=0.5)]) == {ids[1]}
    with another.driving():
        another.take_over()
        assert another.commit_all([(i, 1, make.result(i)) for i in ids]) == {*ids}
    assert [finished(queries, run_id) for run_id in ids] == [DONE] * 3


BAD = [
    None, [], {}, {"run_id": 1}, {"run_id": RUN}, {"run_id": RUN, "attempt": True, "first": 1},
    {"run_id": RUN, "attempt": 1, "first": -1}, {"run_id": RUN, "attempt": 1, "first": 2**63},
    *(
        {"run_id": RUN, "attempt": 1, "first": 1, "epochs": [item]}
        for item in (
            None, 3, {}, {"epoch": 1}, {"epoch": 1, "values": []},
            {"epoch": 0, "values": TYPED},  # epochs of every run count from 1
            {"epoch": "1", "values": TYPED}, {"epoch": 10**400, "values": {"f1": 1}},
            {"epoch": -1, "values": {"f1": 1}}, {"epoch": 1, "values": {"f1": "0.5"}},
            {"epoch": 1, "values": {"run_id": 1}}, {"epoch": 1, "values": {"x; drop": 1}},
            {"epoch": 1, "values": {3: 1}}, {"epoch": 1, "values": {"f1": 1e80}},
            {"epoch": 1, "values": {"test_accuracy": 101}}, {"epoch": 1, "values": {"f1": [1]}},
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize("told", BAD, ids=lambda told: repr(told)[:60])
def test_what_no_run_can_report_is_refused(told):
    with pytest.raises(BadResultError):
        check_report(told)


def test_not_finite_is_null():
    nan = float("nan")
    checked = report([1], f1=nan, train_loss=float("inf"))
    assert [row["value"] for rows in checked.rows.values() for row in rows if "value" in row] == [
        None
    ]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["run_id", "attempt", "first", "epochs", "epoch", "values", "f1"]),
            inner,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=60)
@given(anything)
def test_whatever_a_worker_sends_is_checked_or_refused(told):
    with suppress(BadResultError):
        check_report(told)


def test_a_run_goes_on_from_whatever_its_trainer_counts_to(running, queries, make):
    last = LARGEST_EPOCH
    assert running.report([report([last], f1=0.5), report([], first=last + 1)]) == {RUN}
    assert values(queries) == {("f1", last): 0.5}
    told = {"host": "here", "first_epoch": last + 1}
    assert running.commit(RUN, 1, make.result(RUN, 1, provenance=told))
    assert queries.run_detail(RUN)["attempt_history"][0]["first_epoch"] == last + 1


def test_a_store_takes_rows_of_many_runs_at_once(store, make):
    runs = make.runs(30)
    make.save(store, "s", runs)
    store.claim_all([run.run_id for run in runs], provenance={})
    many = [report(range(1, 40), run=run.run_id, f1=0.5, train_loss=1.0) for run in runs]
    assert len(store.report(many)) == 30
    with store._database.reading() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM epoch_metrics").scalar_one()
    assert count == 30 * 39
