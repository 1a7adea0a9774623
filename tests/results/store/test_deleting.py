"""Deleting sweeps and results, in the database."""

from __future__ import annotations

import os
import threading
import time

import pytest

from results.errors import DriverBusyError, UnknownRunError, UnknownSweepError
from results.records import Removal
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
    taken = store.delete_sweep("a", nothing)
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
    store.delete_sweep("a", nothing)
    assert [row["run_id"] for row in queries.run_rows()] == filled[2:]
    for name, found in content().items():
        if name in RESULTS or name.startswith("run_"):
            assert not any(filled[0] in row for row in found), name
            assert not any(filled[1] in row for row in found), name
    detail = queries.run_detail(filled[2])
    assert all(detail[key] for key in ("epoch_history", "probes", "metrics"))


def test_runs_that_nobody_tried_go_with_their_last_sweep(filled, store, queries):
    assert store.delete_sweep("b", nothing).untried == (filled[3],)
    assert [row["run_id"] for row in queries.run_rows()] == filled[:3]


def test_done_is_still_final_for_everything_else(filled, store, plain):
    store.delete_runs("a", filled, lambda run_id: None)
    with pytest.raises(Exception, match="a done run is final"), plain.begin() as connection:
        connection.execute(runs.update().values(attempt=9))


def test_an_unknown_sweep_changes_nothing(filled, store, content):
    before = content()
    with pytest.raises(UnknownSweepError, match="'c'"):
        store.delete_sweep("c", nothing)
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
        assert list(found.done) == gone
        return tuple(
            [filled.index(run.run_id) for run in runs]
            for runs in (found.done, found.changed, found.at_work)
        )

    assert cleared(0, 1, 2) == ([0, 1, 2], [], [])
    store.claim(filled[1], provenance={})
    assert cleared(0, 1, 2) == ([0, 2], [1], [])
    # One that another sweep took up.
    make.save(store, "c", make.runs(1))
    assert cleared(0, 1, 2) == ([2], [0, 1], [])


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

    assert store.clear([run], remove_files).done == (run,)
    for thread in threads:
        thread.join()
    assert order[0] == ("removed", None)
    assert sorted(order[1:]) == [("claimed", 2), ("held", None)]


def test_what_a_driver_works_on_is_not_deleted_and_everything_else_is(
    filled, store, queries, make, url
):
    """A driver has the sweep that it saved last, and runs that it claimed or took over."""
    made = make.runs(4)
    called = []
    with Store.open(url) as other, other.driving():
        make.save(other, "c", made[3:])
        attempt = other.claim(filled[1], provenance={})
        # Its row says so after a takeover, too.
        for name, refused in (("c", "sweep c"), ("a", f"run {filled[1]}")):
            with pytest.raises(DriverBusyError, match=f"works on {refused}: .*pid {os.getpid()};"):
                store.delete_sweep(name, lambda: called.append("spec"))
            with pytest.raises(DriverBusyError, match=refused):
                store.delete_runs(name, filled, called.append)
        # A run that was cancelled may be written by its worker for a while.
        store.cancel(run_ids=[filled[1]])
        make.save(store, "a", [made[0]])
        in_no_sweep = [run for run in queries.runs_in_no_sweep() if run.run_id == filled[1]]
        assert [run.state for run in in_no_sweep] == ["cancelled"]
        for remove in (store.delete_runs_in_no_sweep, store.clear):
            assert remove(in_no_sweep, called.append) == Removal(at_work=tuple(in_no_sweep))
        assert called == []
        assert not other.commit(filled[1], attempt, make.result(filled[1], attempt))
        store.delete_sweep("a", lambda: called.append("spec"))
        (kept,) = [run for run in queries.kept_runs() if run.run_id == filled[2]]
        assert store.clear([kept], called.append) == Removal(done=(kept,))
        make.save(other, "d", [])
        store.delete_sweep("c", nothing)
    assert store.delete_runs_in_no_sweep(in_no_sweep, called.append) == Removal(
        done=tuple(in_no_sweep)
    )


def test_runs_in_no_sweep_are_deleted_with_all_that_was_measured(
    filled, store, queries, content, make
):
    store.delete_sweep("a", nothing)
    listed = queries.runs_in_no_sweep()
    assert [(run.run_id, run.state) for run in listed] == [
        (filled[0], "done"),
        (filled[1], "cancelled"),
    ]
    # One that a sweep took up since they were listed stays, and so do those that a sweep holds.
    make.save(store, "c", [make.run(2)])
    gone = []
    held = [run for run in queries.kept_runs() if run.sweeps]
    assert len(held) == 2
    removal = store.delete_runs_in_no_sweep([*listed, *held], gone.append)
    assert removal == Removal(done=(listed[0],), changed=(listed[1],))
    assert gone == [listed[0]]
    assert [row["run_id"] for row in queries.run_rows()] == [filled[2], filled[3], filled[1]]
    for name, found in content().items():
        assert not any(filled[0] in row for row in found), name


def test_rows_of_runs_in_no_sweep_stay_as_long_as_their_files(filled, store, queries, content):
    store.delete_sweep("a", nothing)
    before = content()

    def fail(run):
        raise OSError("away")

    with pytest.raises(OSError, match="away"):
        store.delete_runs_in_no_sweep(queries.runs_in_no_sweep(), fail)
    assert content() == before


def test_the_spec_goes_with_the_sweep_or_not_at_all(filled, store, content):
    before = content()

    def fail():
        raise OSError("away")

    with pytest.raises(OSError, match="away"):
        store.delete_sweep("a", fail)
    assert content() == before


def test_a_sweep_that_is_saved_while_it_is_deleted_is_there_whole(
    filled, store, queries, make, url
):
    """Either before, and its driver is noticed; or after, and it is a new one."""
    saved = threading.Event()

    def save():
        with Store.open(url) as other, other.driving():
            make.save(other, "a", make.runs(3))
            saved.set()

    thread = threading.Thread(target=save)

    def forget_spec():
        thread.start()
        assert not saved.wait(0.3)

    store.delete_sweep("a", forget_spec)
    thread.join()
    assert store.counts("a") == {"queued": 1, "running": 0, "done": 2, "failed": 0, "cancelled": 0}


def test_a_run_that_is_deleted_while_it_is_evaluated_is_unknown(store, queries, make, url):
    """Whoever measured it is told so, as of any run that is not there."""
    make.save(store, "a", make.runs(1))
    make.finish(store, make.run(1))
    make.save(store, "a", [])
    (run,) = queries.kept_runs()
    measured = [make.measured(make.evaluation(1), 50.0)]
    said = []

    def add():
        with Store.open(url) as other:
            try:
                said.append(other.add_evaluations(run.run_id, measured))
            except Exception as error:
                said.append(type(error))

    thread = threading.Thread(target=add)

    def remove_files(run):
        thread.start()
        thread.join(0.3)

    assert store.delete_runs_in_no_sweep([run], remove_files).done == (run,)
    thread.join()
    assert said == [UnknownRunError]


def nothing():
    """There is no spec to forget."""
