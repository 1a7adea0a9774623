"""Runs that leave their last sweep: nobody asks for them any more, and none stays queued."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest
from sqlalchemy import event

from results.analysis.reports import report
from results.analysis.unmatched import unmatched
from results.errors import RunInNoSweepError
from results.store import saving
from results.store.store import Store


def states(queries):
    return {int(row["run_id"], 16): row["state"] for row in queries.run_rows()}


def test_a_run_that_leaves_its_last_sweep_leaves_the_queue(store, queries, make):
    """1 was never tried, 2 failed and was queued again, 3 is done, 4 failed, 5 is in two sweeps."""
    made = make.runs(5)
    make.save(store, "a", made)
    make.save(store, "b", made[4:])
    make.finish(store, made[2])
    for run in (made[1], made[3]):
        assert store.fail(run.run_id, store.claim(run.run_id, provenance={}), "so", None)
    assert store.retry(run_ids=[made[1].run_id]) == 1
    store.tag(made[0].run_id, ["x"])
    change = make.save(store, "a", [])
    assert change.removed == 5
    assert states(queries) == {2: "cancelled", 3: "done", 4: "failed", 5: "queued"}
    # A sweep that asks for them again has them as they were.
    assert make.save(store, "a", made).requeued == 1
    assert states(queries) == {1: "queued", 2: "queued", 3: "done", 4: "failed", 5: "queued"}


def test_a_run_that_is_given_back_to_no_sweep_is_cancelled(store, queries, make, url):
    made = make.runs(2)
    make.save(store, "a", made)
    with Store.open(url) as other, other.driving():
        attempts = {run.run_id: other.claim(run.run_id, provenance={}) for run in made}
        make.save(store, "a", [])
        assert states(queries) == {1: "running", 2: "running"}
        # Its result counts, as ever.
        assert other.commit(made[0].run_id, 1, make.result(made[0].run_id))
        assert other.release(made[1].run_id, attempts[made[1].run_id], "lost", "gone")
    assert states(queries) == {1: "done", 2: "cancelled"}


def test_nobody_queues_a_run_that_no_sweep_holds(store, queries, make, content):
    made = make.runs(2)
    make.save(store, "a", made)
    for run in made:
        assert store.fail(run.run_id, store.claim(run.run_id, provenance={}), "so", None)
    make.save(store, "a", made[:1])
    before = content()
    with pytest.raises(RunInNoSweepError, match="0002 is in no sweep, so that nobody asks for it"):
        store.retry(run_ids=[made[0].run_id, made[1].run_id])
    assert content() == before
    assert store.retry() == 1
    assert states(queries) == {1: "queued", 2: "failed"}


def test_a_report_does_not_wait_for_runs_in_no_sweep(store, queries, make):
    made = make.runs(4)
    make.save(store, "a", made)
    make.finish(store, made[0])
    make.finish(store, made[1])
    for run in made[2:]:
        assert store.fail(run.run_id, store.claim(run.run_id, provenance={}), "so", None)
    found = report(queries, [], [])
    assert (found.runs, found.unfinished) == (2, 2)
    make.save(store, "a", [made[0], made[2]])
    found = report(queries, [], [])
    assert (found.runs, found.unfinished, found.states) == (2, 1, {"failed": 1})
    assert found.groups[0]["unfinished"] == 1
    assert report(queries, [], [], where=["seed=4"]).unfinished == 0
    assert unmatched(queries, [], ["seed=4"]) == [
        "no run of seed=4 is done, and no sweep holds one"
    ]


def delete_while_another_saves(store, url, make, runs):
    """Deletes sweep a; in the middle of that, another process begins to make b one of these."""

    def save():
        with Store.open(url) as other:
            make.save(other, "b", runs)

    thread = threading.Thread(target=save)

    def in_the_middle():
        thread.start()
        thread.join(0.3)

    store.delete_sweep("a", in_the_middle)
    thread.join()


def test_two_sweeps_that_give_a_run_up_at_once_leave_it_to_nobody(store, queries, make, url):
    """The second to commit sees that the first has gone."""
    (run,) = make.runs(1)
    for name in ("a", "b"):
        make.save(store, name, [run])
    assert store.fail(run.run_id, store.claim(run.run_id, provenance={}), "so", None)
    store.retry()

    delete_while_another_saves(store, url, make, [])
    assert states(queries) == {1: "cancelled"}


def test_a_run_that_is_deleted_while_another_sweep_takes_it_up(store, queries, make, url):
    """It is in that sweep, queued, whoever came first."""
    made = make.runs(3)
    make.save(store, "a", made[:2])

    delete_while_another_saves(store, url, make, made[1:])
    assert states(queries) == {2: "queued", 3: "queued"}
    assert store.counts("b")["queued"] == 2


@pytest.mark.parametrize("kept", [[], [3, 4]], ids=["alone", "beside others"])
def test_sweeps_that_exchange_runs_at_once_do_not_wait_for_each_other(
    store, queries, make, url, monkeypatch, kept
):
    """A server would break such a tie, and one of them would begin again."""
    first, second, *others = (make.run(number) for number in [1, 2, *kept])
    make.save(store, "a", [first, *others])
    make.save(store, "b", [second, *others])
    both_have_locks = threading.Barrier(2)
    begun = []
    save = saving.save_sweep

    def save_sweep(connection, name, *arguments):
        begun.append(name)

        def wait(connection, cursor, statement, *more):
            if statement.rstrip().endswith(("FOR UPDATE", "FOR KEY SHARE")):
                with suppress(threading.BrokenBarrierError):
                    both_have_locks.wait(0.3)

        event.listen(connection, "after_cursor_execute", wait)
        return save(connection, name, *arguments)

    monkeypatch.setattr(saving, "save_sweep", save_sweep)

    def exchange(name, run):
        with Store.open(url) as other:
            make.save(other, name, [run, *others])

    swapped = (("a", second), ("b", first))
    threads = [threading.Thread(target=exchange, args=each) for each in swapped]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(begun) == ["a", "b"]
    assert sum(store.counts("a").values()) == sum(store.counts("b").values()) == 1 + len(kept)
