"""Deleting sweeps and results, in the database."""

from __future__ import annotations

import os
import threading
import time

import pytest

import databases
from results.errors import DriverBusyError, UnknownSweepError
from results.schema.tables import OF_RESULTS, attempts, runs
from results.store.store import Store

RESULTS = {table.name for table in (*OF_RESULTS, attempts, runs)}


@pytest.fixture
def filled(store, make):
    """Runs 1 to 4; "a" holds 1 to 3, "b" 3 and 4. 1 and 3 are done, 2 was tried, 4 was not."""
    made = make.runs(4)
    one = make.evaluation()
    make.save(store, "a", made[:3], [one])
    make.save(store, "b", made[2:], [one])
    for run in (made[0], made[2]):
        measured = {"evaluations": [make.measured(one, 80.0)], "probes": [make.probe()]}
        make.finish(store, run, **measured, **make.metrics(f1=0.5))
    attempt = store.claim(made[1].run_id, provenance={})
    assert store.release(made[1].run_id, attempt, "lost", "gone", fault="worker_lost")
    store.tag(made[0].run_id, ["x"])
    store.note(made[0].run_id, "y")
    return [run.run_id for run in made]


def test_without_results_all_that_was_measured_stays(filled, store, content):
    before = content()
    taken = store.delete_sweep("a")
    assert (taken.own, taken.untried) == ((filled[0], filled[1]), ())
    assert taken.cancelled == (filled[1],)
    assert taken.shared == (filled[2],)
    after = content()
    for name in RESULTS - {"runs"}:
        assert after[name] == before[name]
    assert len(after["runs"]) == 4
    assert len(after["sweeps"]) == len(after["sweep_specs"]) == 1
    assert store.counts("b") == {"queued": 1, "running": 0, "done": 1, "failed": 0, "cancelled": 0}


def test_everything_goes_of_runs_that_no_other_sweep_holds(filled, store, queries, content):
    assert store.to_delete("a").own == (filled[0], filled[1])
    gone = []
    assert store.delete_runs("a", filled, gone.append) == 2
    assert gone == [filled[0], filled[1]]
    # So far the sweep is there, with what is left of it.
    assert [row["run_id"] for row in queries.run_rows(["a"])] == [filled[2]]
    store.delete_sweep("a")
    assert [row["run_id"] for row in queries.run_rows()] == filled[2:]
    for name, found in content().items():
        if name in RESULTS or name.startswith("run_"):
            assert not any(filled[0] in row for row in found), name
            assert not any(filled[1] in row for row in found), name
    detail = queries.run_detail(filled[2])
    assert all(detail[key] for key in ("epoch_history", "probes", "metrics"))


def test_runs_that_nobody_tried_go_with_their_last_sweep(filled, store, queries):
    assert store.delete_sweep("b").untried == (filled[3],)
    assert [row["run_id"] for row in queries.run_rows()] == filled[:3]


def test_done_is_still_final_for_everything_else(filled, store, plain):
    store.delete_runs("a", filled, lambda run_id: None)
    with pytest.raises(Exception, match="a done run is final"), plain.begin() as connection:
        connection.execute(runs.update().values(attempt=9))


def test_an_unknown_sweep_changes_nothing(filled, store, content):
    before = content()
    with pytest.raises(UnknownSweepError, match="'c'"):
        store.delete_sweep("c")
    assert content() == before


def test_rows_stay_of_runs_whose_files_cannot_be_removed(filled, store, content):
    before = content()

    def fail(run_id):
        if run_id == filled[1]:
            raise OSError("away")

    with pytest.raises(OSError, match="away"):
        store.delete_runs("a", filled, fail)
    assert content() == before


def test_files_go_only_while_a_run_is_as_it_was_listed(filled, store, queries, make):
    kept = {run.run_id: run for run in queries.kept_runs()}
    gone = []

    def cleared(*numbers):
        gone.clear()
        found = store.clear([kept[filled[n]] for n in numbers], lambda run: gone.append(run))
        assert found == gone
        return [filled.index(run.run_id) for run in found]

    assert cleared(0, 1, 2) == [0, 1, 2]
    store.claim(filled[1], provenance={})
    assert cleared(0, 1, 2) == [0, 2]
    # One that another sweep took up.
    make.save(store, "c", make.runs(1))
    assert cleared(0, 1, 2) == [2]


def test_nobody_takes_a_run_up_while_its_files_go(filled, store, queries, make, url):
    """Neither by a claim nor for another sweep: both wait until the files are gone."""
    (run,) = [run for run in queries.kept_runs() if run.run_id == filled[1]]
    order = []

    def claim():
        with Store.open(url) as other:
            order.append(("claimed", other.claim(run.run_id, provenance={})))

    def hold():
        with Store.open(url) as other:
            make.save(other, "c", make.runs(2))
            order.append(("held", None))

    threads = [threading.Thread(target=work) for work in (claim, hold)]

    def remove_files(run):
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        order.append(("removed", None))

    assert store.clear([run], remove_files) == [run]
    for thread in threads:
        thread.join()
    assert order[0] == ("removed", None)
    assert sorted(order[1:]) == [("claimed", 2), ("held", None)]


def test_a_driver_that_starts_while_the_lock_was_lost_is_not_overlooked(postgres_url, make):
    with Store.open(postgres_url) as store, Store.open(postgres_url) as other:
        make.save(store, "a", make.runs(1))
        with store.alone("sweep gc"):
            end_sessions_of_drivers(postgres_url)
            with other.driving(), pytest.raises(DriverBusyError):
                store.delete_sweep("a")
            store.delete_sweep("a")


def end_sessions_of_drivers(url):
    """Their locks go with them."""
    with databases.plain_engine(url).begin() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE application_name LIKE 'sweep driver {os.getpid()} on%%'"
        )
