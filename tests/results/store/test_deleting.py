"""Deleting sweeps and results, in the database."""

from __future__ import annotations

import pytest

from results.errors import UnknownSweepError
from results.schema.tables import OF_RESULTS, attempts, runs

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
    assert (taken.results, taken.untried) == ((), ())
    assert taken.cancelled == (filled[1],)
    assert taken.shared == (filled[2],)
    after = content()
    for name in RESULTS - {"runs"}:
        assert after[name] == before[name]
    assert len(after["runs"]) == 4
    assert len(after["sweeps"]) == len(after["sweep_specs"]) == 1
    assert store.counts("b") == {"queued": 1, "running": 0, "done": 1, "failed": 0, "cancelled": 0}


def test_with_results_everything_goes_of_runs_that_no_other_sweep_holds(
    filled, store, queries, content
):
    assert store.to_delete("a", results=True).results == (filled[0], filled[1])
    store.delete_sweep("a", results=True)
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
    store.delete_sweep("a", results=True)
    with pytest.raises(Exception, match="a done run is final"), plain.begin() as connection:
        connection.execute(runs.update().values(attempt=9))


def test_an_unknown_sweep_changes_nothing(filled, store, content):
    before = content()
    with pytest.raises(UnknownSweepError, match="'c'"):
        store.delete_sweep("c", results=True)
    assert content() == before
