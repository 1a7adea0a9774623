from __future__ import annotations

import contextlib
import itertools
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

import archives
import databases
from results.archive import merging_sweeps
from results.archive.decisions import STILL_RUNNING
from results.archive.merging import merge
from results.archive.reading import open_archive
from results.database.connect import connect
from results.errors import BadArchiveError, DatabaseError
from results.queries.queries import Queries
from results.store.report_schema import check_report
from results.store.store import Store

OTHER_WEIGHTS = "cd" * 32
RUN = f"{1:016x}"


@contextlib.contextmanager
def second_database(kind, request, tmp_path):
    if kind == "sqlite":
        yield f"sqlite:///{tmp_path}/elsewhere.db"
    else:
        with request.getfixturevalue("postgres_tables").schema() as made:
            yield made


@pytest.fixture
def elsewhere(request, url, tmp_path) -> Iterator[str]:
    """A second database, of the kind of the first."""
    with second_database(url.partition(":")[0], request, tmp_path) as made:
        yield made


@pytest.fixture(params=databases.KINDS)
def anywhere(request, tmp_path) -> Iterator[str]:
    """A second database of each kind: with `url`, every pair of kinds."""
    with second_database(request.param, request, tmp_path) as made:
        yield made


@pytest.fixture
def other(elsewhere) -> Iterator[Store]:
    with Store.open(elsewhere) as opened:
        yield opened


@pytest.fixture
def take(url, elsewhere, store, other, tmp_path):
    """Merges everything from the store's database into the other one."""
    paths = (tmp_path / f"archive{number}" for number in itertools.count())

    def take_all(names=None):
        path = next(paths)
        archives.export_from(url, path)
        merged = archives.import_into(elsewhere, path, names)
        for table, rows in archives.content(path).items():
            counts = merged.counts[table]
            total = counts.inserted + counts.completed + counts.already_here + counts.left_out
            assert total == len(rows), table
        return merged

    return take_all


@pytest.fixture
def there(other, elsewhere) -> Iterator[Queries]:
    with Queries.open(elsewhere) as opened:
        yield opened


def execute(url, statement):
    engine = databases.plain_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def cancel(url, run):
    execute(url, f"UPDATE runs SET state = 'cancelled' WHERE run_id = '{run.run_id}'")


def fail(store, run, **provenance):
    attempt = store.claim(run.run_id, provenance=provenance)
    assert store.fail(run.run_id, attempt, "ValueError: no", "Traceback ...")


def lose(store, run):
    attempt = store.claim(run.run_id, provenance={})
    assert store.release(run.run_id, attempt, "lost", "worker vanished")


def history(queries, run_id=RUN):
    found = queries.run_detail(run_id)["attempt_history"]
    return [(attempt["attempt"], attempt["state"]) for attempt in found]


def fill(store, url, make):
    """Runs in every state but running, two sweeps, two versions of a spec."""
    evaluations = [make.evaluation(1), make.evaluation(2)]
    make.save(store, "one", make.runs(6), evaluations)
    store.save_sweep("two", "a: 1", "two.yaml", ["depth=20"], "äöü", [make.run(3)], [])
    store.save_sweep(
        "two", "a: 2", "two.yaml", [], None, [make.run(7), make.run(3)], [make.evaluation(3)]
    )
    make.finish(
        store,
        make.run(1),
        evaluations=[make.measured(evaluations[1], 71.5)],
        metric_definitions={"f1": {"better": "higher", "unit": "é", "decimals": 3, "label": "F"}},
        # A trainer may count steps, of which there are more than epochs.
        **make.metrics(epochs=5, f1=1 / 3, Recall=1e-300, nan=None),
    )
    lose(store, make.run(2))
    make.finish(
        store,
        make.run(2),
        diverged=True,
        diverged_epoch=2,
        test_accuracy=None,
        generalization_gap=None,
        train_loss=float("nan"),
        learned_coefficients=[[0.1, None], [1 / 3, 1e-300]],
        probes=[
            make.probe(quantity, epoch, layer=layer, value=None if epoch else 1 / 3)
            for quantity in ("Within", "between", "_")
            for epoch in (2, 0)
            for layer in ("", "é", "block10", "Z", "a b", "a-b")
        ],
        blocks=[make.block(2, alpha=[None, 1e-300], beta=None, root_moduli=None), make.block(1)],
    )
    fail(store, make.run(3), host="nœud\n1")
    cancel(url, make.run(4))
    lose(store, make.run(5))


def unmarked(said):
    """An answer without what says where its parts come from."""
    if isinstance(said, dict):
        marks = {"imported", "imported_from"}
        return {key: unmarked(value) for key, value in said.items() if key not in marks}
    return list(map(unmarked, said)) if isinstance(said, list) else said


def test_importing_into_an_empty_database_round_trips_the_archive(
    store, url, anywhere, make, tmp_path
):
    fill(store, url, make)
    archives.export_from(url, tmp_path / "a")
    merged = archives.import_into(anywhere, tmp_path / "a")
    archives.export_from(anywhere, tmp_path / "b")
    assert archives.content(tmp_path / "a") == archives.content(tmp_path / "b")
    assert merged.conflicts == ()
    assert not any(c.already_here or c.left_out for c in merged.counts.values())
    with Queries.open(url) as here, Queries.open(anywhere) as there:
        assert here.sweep_names() == there.sweep_names() == ["one", "two"]
        assert list(map(unmarked, here.run_rows(["two", "one"]))) == list(
            map(unmarked, there.run_rows(["two", "one"]))
        )
        for number in range(1, 8):
            run_id = f"{number:016x}"
            assert unmarked(here.run_detail(run_id)) == unmarked(there.run_detail(run_id))


def test_import_adds_probes_and_blocks_to_an_imported_run_without_any(
    store, take, other, elsewhere, make, there
):
    make.save(store, "s", make.runs(3))
    measured = {"probes": [make.probe(), make.probe(epoch=2)], "blocks": [make.block()]}
    for number in (1, 2):
        make.finish(store, make.run(number), **measured)
    take()
    # As an archive from before there were such tables would have left it.
    execute(elsewhere, f"DELETE FROM probes WHERE run_id = '{RUN}'")
    execute(elsewhere, f"DELETE FROM blocks WHERE run_id = '{RUN}'")
    make.finish(store, make.run(3), **measured)
    make.finish(other, make.run(3))
    merged = take()
    for number in (1, 2):
        found = there.run_detail(f"{number:016x}")
        assert (found["probes"], found["blocks"]) == (measured["probes"], measured["blocks"])
    # What was trained here has only what was measured here.
    kept = there.run_detail(f"{3:016x}")
    assert (kept["probes"], kept["blocks"]) == ([], [])
    counts = merged.counts["probes"]
    assert (counts.inserted, counts.already_here, counts.left_out) == (2, 2, 2)
    assert not take().changed


def test_importing_twice_changes_nothing(store, url, anywhere, make, tmp_path):
    fill(store, url, make)
    store.claim(f"{6:016x}", provenance={})
    first = archives.merge_databases(url, anywhere, tmp_path / "a")
    before = databases.content(anywhere)
    again = archives.import_into(anywhere, tmp_path / "a")
    assert first.changed
    assert not again.changed
    assert databases.content(anywhere) == before
    assert again.conflicts == ()


def test_imported_runs_can_be_claimed_and_finished(store, take, other, make, there):
    make.save(store, "s", make.runs(2), [make.evaluation(1)])
    take()
    assert other.stored_spec("s").name == "s"
    assert [run.run_id for run in other.pending("s")] == [f"{n:016x}" for n in (1, 2)]
    make.finish(other, make.run(1))
    make.save(other, "new", make.runs(3))
    assert there.sweep_names() == ["s", "new"]


def test_a_run_exported_while_running_is_imported_as_queued(store, take, other, make, there):
    make.save(store, "s", make.runs(1))
    store.claim(RUN, provenance={"driver_host": "far"})
    merged = take()
    assert merged.queued == (RUN,)
    (attempt,) = there.run_detail(RUN)["attempt_history"]
    assert (attempt["state"], attempt["error"]) == ("interrupted", STILL_RUNNING)
    assert attempt["finished_at"] >= attempt["started_at"]
    assert databases.running(other) == []
    assert other.claim(RUN, provenance={}) == 2
    assert databases.running(store) == [(RUN, 1)]


def test_a_run_that_no_sweep_holds_is_not_queued_by_an_import(store, take, make, there):
    make.save(store, "s", make.runs(2))
    for run in make.runs(2):
        store.claim(run.run_id, provenance={})
    make.save(store, "s", [make.run(2)])
    assert take().queued == (f"{2:016x}",)
    assert [row["state"] for row in there.run_rows()] == ["queued", "cancelled"]
    assert not take().changed


@pytest.mark.parametrize("state", ["queued", "failed", "cancelled"])
def test_an_imported_result_completes_a_run_not_done_here(
    store, take, other, elsewhere, make, there, state
):
    make.save(other, "mine", make.runs(1))
    tried = 0
    if state == "failed":
        fail(other, make.run(1))
        tried = 1
    elif state == "cancelled":
        cancel(elsewhere, make.run(1))
    make.save(store, "s", make.runs(1), [make.evaluation(1)])
    lose(store, make.run(1))
    make.finish(store, make.run(1), evaluations=[make.measured(make.evaluation(1), 60.0)])
    merged = take()
    assert merged.adopted == (RUN,)
    assert merged.counts["runs"].completed == 1
    (row,) = there.run_rows()
    assert (row["state"], row["test_accuracy"], row["attempts"]) == ("done", 90.0, tried + 2)
    assert row["evaluations"][0]["accuracy"] == 60.0
    found = there.run_detail(RUN)
    assert found["error"] is None
    assert len(found["epoch_history"]) == 2
    mine = [(1, "failed")] if tried else []
    assert history(there) == [*mine, (tried + 1, "lost"), (tried + 2, "done")]
    assert not take().changed


def test_a_run_not_done_on_either_side_keeps_its_state_and_gains_the_attempts(
    store, take, other, make, there
):
    for opened in (store, other):
        make.save(opened, "s", make.runs(1))
        lose(opened, make.run(1))
    fail(store, make.run(1))
    merged = take()
    assert merged.conflicts == ()
    assert merged.counts["attempts"].inserted == 2
    assert history(there) == [(1, "lost"), (2, "lost"), (3, "failed")]
    assert other.claim(RUN, provenance={}) == 4


@pytest.mark.slow
def test_import_keeps_faults_and_storage_but_not_drivers(store, take, other, make, there):
    make.save(store, "s", make.runs(2))
    with store.driving("/far/runs"):
        lost, stopped = (run.run_id for run in make.runs(2))
        assert store.claim(lost, provenance={}) == 1
        assert store.release(lost, 1, "lost", "gone", fault="worker_lost")
        assert store.claim(stopped, provenance={}) == 1
        assert store.cancel(run_ids=[stopped]) == 1
    take()
    (first,), (second,) = (
        there.run_detail(run_id)["attempt_history"] for run_id in (lost, stopped)
    )
    assert (first["state"], first["fault"], first["storage"]) == (
        "lost",
        "worker_lost",
        "/far/runs",
    )
    assert (second["state"], second["fault"]) == ("cancelled", None)
    assert first["driver_host"] is second["driver_host"] is None
    # They say what happened there, and nothing about machines and places here.
    (pending,) = other.pending("s")
    assert (pending.faults, pending.storages) == ({}, ())
    assert not take().changed


def test_imported_faults_do_not_count_against_a_known_run(store, take, other, make):
    for opened in (store, other):
        make.save(opened, "s", make.runs(1))
        attempt = opened.claim(RUN, provenance={})
        assert opened.release(RUN, attempt, "lost", "gone", fault="worker_lost")
    take()
    (pending,) = other.pending("s")
    assert (pending.attempt, pending.faults) == (2, {})
    assert not take().changed


def test_import_does_not_change_a_done_run(store, take, other, elsewhere, make, there):
    make.save(store, "s", make.runs(1))
    fail(store, make.run(1))
    make.save(other, "s", make.runs(1))
    make.finish(other, make.run(1))
    before = databases.content(elsewhere)
    merged = take()
    assert databases.content(elsewhere) == before
    assert merged.counts["attempts"].left_out == 1
    assert merged.conflicts == ()


def test_import_adds_missing_evaluations_to_a_done_run(store, take, other, make, there):
    first, second, third = (make.evaluation(number) for number in (1, 2, 3))
    for opened, measured in ((store, (second, third)), (other, (first, second))):
        make.save(opened, "s", make.runs(1), [first, second, third])
        results = [make.measured(evaluation, 50.0) for evaluation in measured]
        make.finish(opened, make.run(1), train_seconds=len(results), evaluations=results)
    merged = take()
    assert merged.conflicts == ()
    assert merged.counts["evaluations"].inserted == 1
    assert merged.counts["evaluations"].already_here == 1
    assert merged.counts["epochs"].already_here == 2
    (row,) = there.run_rows()
    assert [e["accuracy"] for e in row["evaluations"]] == [50.0, 50.0, 50.0]
    assert history(there) == [(1, "done")]


@pytest.mark.parametrize(
    ("difference", "columns", "added"),
    [
        ({"weights_sha256": OTHER_WEIGHTS}, ["weights_sha256"], 0),
        ({"test_accuracy": 12.5}, ["test_accuracy"], 1),
        ({"test_accuracy": None, "diverged": True}, ["test_accuracy", "diverged"], 1),
        ({"weights_sha256": None}, ["weights_sha256"], 0),
    ],
)
def test_a_different_result_is_a_conflict_and_the_local_one_is_kept(
    store, take, other, make, there, difference, columns, added
):
    make.save(other, "s", make.runs(1))
    make.finish(other, make.run(1))
    make.save(store, "s", make.runs(1), [make.evaluation(1)])
    measured = [make.measured(make.evaluation(1), 50.0)]
    make.finish(store, make.run(1), evaluations=measured, **difference)
    merged = take()
    (conflict,) = merged.conflicts
    assert (conflict.kind, conflict.run_id) == ("result", RUN)
    assert [d.column for d in conflict.differences] == columns
    assert conflict.differences[-1].archived == difference[columns[-1]]
    assert merged.counts["runs"].left_out == 1
    # Measurements of other weights are not this network's.
    assert merged.counts["evaluations"].inserted == added
    assert there.run_rows()[0]["test_accuracy"] == 90.0
    assert any(RUN in sentence for sentence in merged.sentences())


def test_an_evaluation_with_a_different_value_is_a_conflict(store, take, other, make, there):
    for opened, accuracy in ((store, 41.0), (other, 40.0)):
        make.save(opened, "s", make.runs(1), [make.evaluation(1)])
        make.finish(opened, make.run(1), evaluations=[make.measured(make.evaluation(1), accuracy)])
    merged = take()
    (conflict,) = merged.conflicts
    assert (conflict.kind, conflict.run_id) == ("measurement", RUN)
    assert conflict.evaluation_id == make.evaluation(1).evaluation_id
    (difference,) = conflict.differences
    assert (difference.column, difference.here, difference.archived) == ("accuracy", 40.0, 41.0)
    assert merged.sentences()[-1] == (
        f"evaluation {conflict.evaluation_id} of run {RUN} has another value here: accuracy 40.0"
        " here, 41.0 in the archive"
    )
    assert there.run_rows()[0]["evaluations"][0]["accuracy"] == 40.0


def test_one_run_id_with_two_configs_is_a_conflict(store, take, other, make, there):
    make.save(other, "s", [make.run(1, config={"seed": 0})])
    make.save(store, "s", make.runs(1))
    make.finish(store, make.run(1))
    merged = take()
    assert [conflict.kind for conflict in merged.conflicts] == ["config"]
    assert merged.sentences()[-1] == (f"run {RUN} has another config here; its rows were left out")
    assert there.run_rows()[0]["state"] == "queued"


def test_one_evaluation_id_with_two_configs_is_a_conflict(store, take, other, make, there):
    evaluation = make.evaluation(1)
    make.save(other, "s", make.runs(1), [replace(evaluation, config={"noise": "other"})])
    make.save(store, "s", make.runs(1), [evaluation])
    make.finish(store, make.run(1), evaluations=[make.measured(evaluation, 1.0)])
    merged = take()
    (conflict,) = merged.conflicts
    assert (conflict.kind, conflict.evaluation_id) == ("evaluation", evaluation.evaluation_id)
    assert merged.sentences()[-1] == (
        f"evaluation {evaluation.evaluation_id} is another one here: config {{'noise': 'other'}}"
        " here, {'noise': 'gaussian', 'std': 0.1} in the archive"
    )
    assert merged.counts["evaluations"].left_out == 1
    (row,) = there.run_rows()
    assert (row["state"], row["evaluations"][0]["accuracy"]) == ("done", None)


def test_import_leaves_a_run_that_is_running_here_to_its_driver(store, take, other, make, there):
    make.save(other, "s", make.runs(1))
    other.claim(RUN, provenance={})
    make.save(store, "s", make.runs(1))
    assert take().conflicts == ()
    make.finish(store, make.run(1))
    merged = take()
    assert [conflict.kind for conflict in merged.conflicts] == ["running"]
    assert merged.sentences()[-1] == (
        f"run {RUN} is running here, and was left alone: import again when it has ended"
    )
    assert merged.counts["epochs"].left_out == 2
    assert databases.running(other) == [(RUN, 1)]
    assert other.release(RUN, 1, "interrupted", None)
    assert take().adopted == (RUN,)


def test_import_completes_an_attempt_exported_while_running_without_duplicating_it(
    store, take, other, make, there
):
    make.save(store, "s", make.runs(1))
    attempt = store.claim(RUN, provenance={"driver_host": "far"})
    take()
    fail(other, make.run(1))
    store.commit(RUN, attempt, make.result(RUN, attempt))
    merged = take()
    assert merged.adopted == (RUN,)
    assert merged.counts["attempts"].completed == 1
    assert history(there) == [(1, "done"), (2, "failed")]
    (done, _) = there.run_detail(RUN)["attempt_history"]
    assert done["error"] is None
    assert done["provenance"]["python"] == "3.11"
    assert there.run_rows()[0]["attempts"] == 1
    assert not take().changed


def test_attempts_with_equal_start_times_are_distinguished_by_provenance(
    store, take, other, make, there, monkeypatch
):
    monkeypatch.setattr("time.time", lambda: 1e9)
    for opened, host in ((store, "far"), (other, "near")):
        make.save(opened, "s", make.runs(1))
        fail(opened, make.run(1), driver_host=host)
    assert take().counts["attempts"].inserted == 1
    found = there.run_detail(RUN)["attempt_history"]
    assert [attempt["provenance"]["driver_host"] for attempt in found] == ["near", "far"]
    assert not take().changed


@pytest.mark.slow
def test_importing_an_older_archive_after_a_newer_one_changes_nothing(
    store, url, other, elsewhere, make, there, tmp_path
):
    make.save(store, "s", make.runs(1))
    attempt = store.claim(RUN, provenance={"driver_host": "far"})
    archives.export_from(url, tmp_path / "early")
    store.release(RUN, attempt, "lost", "worker vanished")
    archives.export_from(url, tmp_path / "late")
    archives.import_into(elsewhere, tmp_path / "late")
    assert not archives.import_into(elsewhere, tmp_path / "early").changed
    assert history(there) == [(1, "lost")]


def test_merging_there_and_back_duplicates_nothing(
    store, url, other, elsewhere, make, queries, tmp_path
):
    make.save(store, "s", make.runs(2))
    fail(store, make.run(1))
    fail(store, make.run(2))
    archives.merge_databases(url, elsewhere, tmp_path / "there")
    other.retry("s")
    make.finish(other, make.run(1))
    merged = archives.merge_databases(elsewhere, url, tmp_path / "back")
    assert merged.adopted == (RUN,)
    assert history(queries) == [(1, "failed"), (2, "done")]
    archives.export_from(url, tmp_path / "here")
    states = [run["state"] for run in archives.rows(tmp_path / "here", "runs")]
    assert states == ["done", "failed"]


def specs(url, sweep):
    query = text(
        "SELECT version, text FROM sweep_specs JOIN sweeps ON sweeps.id = sweep_id"
        " WHERE name = :name ORDER BY version"
    )
    with archives.viewing(url) as connection:
        return [tuple(row) for row in connection.execute(query, {"name": sweep})]


def members(url, sweep):
    with Queries.open(url) as opened:
        return [int(row["run_id"], 16) for row in opened.run_rows([sweep])]


def save(store, make, text, numbers, evaluations=(), overrides=()):
    runs = [make.run(number) for number in numbers]
    asked = [make.evaluation(number) for number in evaluations]
    store.save_sweep("s", text, "s.yaml", overrides, None, runs, asked)


def test_import_appends_missing_runs_to_a_sweep_with_the_same_spec(
    store, url, take, other, elsewhere, make
):
    save(other, make, "same", [2, 1], [2])
    save(store, make, "same", [1, 3, 2, 4], [1, 2])
    merged = take()
    assert members(elsewhere, "s") == [2, 1, 3, 4]
    with Queries.open(elsewhere) as there:
        names = [e["name"] for e in there.run_rows(["s"])[0]["evaluations"]]
    assert names == ["gaussian[0.2]", "gaussian[0.1]"]
    assert merged.other_specs == ()
    assert specs(elsewhere, "s") == [(1, "same")]


def test_a_sweep_with_another_spec_keeps_its_runs_and_both_spec_texts(
    store, take, other, elsewhere, make
):
    save(other, make, "old", [1])
    save(other, make, "mine", [1])
    save(store, make, "first", [2])
    save(store, make, "old", [2])
    save(store, make, "yours", [2])
    merged = take()
    assert merged.other_specs == ("s",)
    assert any("another spec" in sentence for sentence in merged.sentences())
    assert specs(elsewhere, "s") == [(1, "old"), (2, "first"), (3, "yours"), (4, "mine")]
    assert other.stored_spec("s").text == "mine"
    assert members(elsewhere, "s") == [1, 2]
    again = take()
    assert not again.changed
    assert again.other_specs == ("s",)


def test_the_same_spec_text_with_other_overrides_is_another_spec(
    store, take, other, elsewhere, make
):
    save(other, make, "same", [1])
    save(store, make, "same", [1], overrides=["seed=1"])
    assert take().other_specs == ("s",)
    assert other.stored_spec("s").overrides == []


@pytest.mark.slow
def test_a_sweep_can_be_imported_under_another_name(store, take, other, elsewhere, make):
    make.save(other, "s", [make.run(1)])
    make.save(store, "s", [make.run(2)])
    merged = take({"s": "theirs"})
    assert merged.renamed == {"s": "theirs"}
    assert members(elsewhere, "s") == [1]
    assert members(elsewhere, "theirs") == [2]
    # Going on with it means the sweep of the new name, whatever the text calls it.
    assert other.stored_spec("theirs").overrides == ['name="theirs"']
    assert not take({"s": "theirs"}).changed


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ({"three": "x"}, "no sweep 'three'"),
        ({"one": ""}, "'' is not a name"),
        ({"one": "a\x1b"}, "is not a name"),
        ({"one": "two"}, "2 of its sweeps would be called 'two'"),
    ],
)
def test_invalid_sweep_names_are_refused_before_import_writes(
    store, take, elsewhere, make, names, problem
):
    make.save(store, "one", make.runs(1))
    make.save(store, "two", make.runs(1))
    before = databases.content(elsewhere)
    with pytest.raises(BadArchiveError, match=problem):
        take(names)
    assert databases.content(elsewhere) == before


def test_a_failed_import_leaves_the_database_unchanged(
    store, url, take, elsewhere, make, monkeypatch
):
    fill(store, url, make)
    before = databases.content(elsewhere)

    def fail_late(*_):
        raise RuntimeError("late")

    monkeypatch.setattr(merging_sweeps, "_merge_members", fail_late)
    with pytest.raises(RuntimeError, match="late"):
        take()
    assert databases.content(elsewhere) == before


def test_merging_a_database_equals_importing_its_archive(store, url, elsewhere, make, tmp_path):
    if not url.startswith("sqlite"):
        pytest.skip("only a file can be named")
    fill(store, url, make)
    with store.driving():
        store.claim(f"{6:016x}", provenance={"driver_host": "near"})
        merged = archives.import_into(elsewhere, tmp_path / "results.db")
        assert merged.queued == (f"{6:016x}",)
        assert not archives.import_into(elsewhere, tmp_path / "results.db").changed
    archives.export_from(elsewhere, tmp_path / "theirs")
    archives.export_from(url, tmp_path / "ours")
    theirs, ours = archives.content(tmp_path / "theirs"), archives.content(tmp_path / "ours")
    assert {table for table, rows in ours.items() if theirs[table] != rows} == {"runs", "attempts"}


def test_a_merge_in_small_batches_gives_the_same_database(
    store, url, elsewhere, make, tmp_path, monkeypatch
):
    monkeypatch.setattr("results.archive.reading.rows_at_once", lambda table: 2)
    monkeypatch.setattr("results.archive.merging_runs.NAMED_AT_ONCE", 2)
    monkeypatch.setattr("results.archive.merging_code._ROWS_AT_ONCE", 1)
    monkeypatch.setattr("results.archive.merging_sweeps.NAMED_AT_ONCE", 2)
    fill(store, url, make)
    archives.merge_databases(url, elsewhere, tmp_path / "a")
    archives.export_from(elsewhere, tmp_path / "b")
    assert archives.content(tmp_path / "a") == archives.content(tmp_path / "b")


def test_the_merge_summary_reads_as_documented(store, take, other, elsewhere, make):
    make.save(other, "s", make.runs(20))
    for number in range(1, 13):
        make.finish(other, make.run(number))
    save(store, make, "another text", range(1, 21), [1])
    for number in range(1, 14):
        measured = [make.measured(make.evaluation(1), 50.0)]
        make.finish(store, make.run(number), test_accuracy=12.5, evaluations=measured)
    make.save(store, "more", [make.run(21)])
    store.claim(f"{21:016x}", provenance={})
    sentences = take({"more": "most"}).sentences()
    assert sentences[:6] == [
        "1 run added, 1 given the archive's result, 7 already here, 12 left as they are here",
        "13 measurements added, 0 already here, 0 left out",
        "sweep more was imported as most",
        "running elsewhere when the archive was written, and queued here: 1 run",
        "sweep s has another spec in the archive: its runs were added to the sweep, its text is"
        " kept as an older version",
        f"run {RUN} is done here with another result: test_accuracy 90.0 here, 12.5 in the archive",
    ]
    assert len(sentences) == 5 + 10 + 1
    assert sentences[-1] == "and 2 more such differences"


def test_other_writers_wait_until_a_merge_has_ended(store, url, other, elsewhere, make, tmp_path):
    make.save(store, "s", make.runs(2))
    make.save(other, "s", [make.run(3)])
    archives.export_from(url, tmp_path / "a")
    merged, go_on = threading.Event(), threading.Event()

    def apply(connection):
        with open_archive(tmp_path / "a") as archive:
            outcome = merge(connection, archive)
        merged.set()
        assert go_on.wait(30)
        return outcome

    def merge_slowly():
        with closing(connect(elsewhere, "write")) as database:
            database.write(apply, lambda c: False)

    with ThreadPoolExecutor() as pool:
        merging = pool.submit(merge_slowly)
        assert merged.wait(30)
        claiming = pool.submit(other.claim, f"{3:016x}", provenance={})
        with pytest.raises(TimeoutError):
            claiming.result(0.3)
        go_on.set()
        merging.result(30)
        assert claiming.result(30) == 1


# The law: merging is a union. ---------------------------------------------------------------


@pytest.fixture(params=databases.KINDS)
def two_databases(request):
    """Two URLs of new databases of one kind, and a folder, at each call."""

    @contextlib.contextmanager
    def fresh():
        with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
            urls = [f"sqlite:///{place}/{name}.db" for name in "ab"]
            if request.param == "postgres":
                tables = request.getfixturevalue("postgres_tables")
                urls = [stack.enter_context(tables.schema()) for _ in urls]
            yield *urls, Path(place)

    return fresh


LIVES = st.fixed_dictionaries(
    {
        "state": st.sampled_from(
            ["absent", "queued", "failed", "lost", "cancelled", "running", "done"]
        ),
        "failures": st.integers(0, 2),
        "measured": st.sets(st.integers(1, 3)),
    }
)


def live(store, url, make, number, life):
    """Gives a run of the store this life. Training is deterministic, so results agree."""
    run = make.run(number)
    for _ in range(life["failures"]):
        fail(store, run)
        store.retry(run_ids=[run.run_id])
    match life["state"]:
        case "failed":
            fail(store, run)
        case "lost":
            lose(store, run)
        case "cancelled":
            cancel(url, run)
        case "running":
            store.claim(run.run_id, provenance={})
        case "done":
            measured = [make.measured(make.evaluation(n), 10.0 * n) for n in life["measured"]]
            make.finish(store, run, weights_sha256=f"{number:064x}", evaluations=measured)


def build(url, make, lives):
    present = {number: life for number, life in lives.items() if life["state"] != "absent"}
    with Store.open(url) as store:
        runs = [make.run(number) for number in present]
        make.save(store, "s", runs, [make.evaluation(n) for n in (1, 2, 3)])
        for number, life in present.items():
            live(store, url, make, number, life)


def facts(path):
    """What an archive holds, without what differs between two trainings of the same run."""
    runs = {row["run_id"]: row for row in archives.rows(path, "runs")}
    done = {run_id for run_id, row in runs.items() if row["state"] == "done"}
    members = sorted(archives.rows(path, "sweep_runs"), key=itemgetter("position"))
    return SimpleNamespace(
        runs=runs,
        done={run_id: runs[run_id]["weights_sha256"] for run_id in done},
        epochs={(r["run_id"], r["epoch"], r["train_loss"]) for r in archives.rows(path, "epochs")},
        measured={
            (row["run_id"], row["evaluation_id"], row["accuracy"])
            for row in archives.rows(path, "evaluations")
        },
        members=[row["run_id"] for row in members],
        attempts=[(row["run_id"], row["started_at"]) for row in archives.rows(path, "attempts")],
    )


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    mine=st.fixed_dictionaries(dict.fromkeys(range(1, 5), LIVES)),
    yours=st.fixed_dictionaries(dict.fromkeys(range(1, 5), LIVES)),
)
@pytest.mark.slow
@pytest.mark.long
def test_merging_in_either_direction_gives_the_union_of_both_databases(
    two_databases, make, mine, yours
):
    with two_databases() as (a, b, folder):
        urls = {"a": a, "b": b}
        build(urls["a"], make, mine)
        build(urls["b"], make, yours)
        before = {}
        for name, url in urls.items():
            archives.export_from(url, folder / name)
            before[name] = facts(folder / name)
        for here, there in (("a", "b"), ("b", "a")):
            _check_union(urls[here], folder / there, before[here], before[there])


def _check_union(url, archive, here, there):
    merged = archives.import_into(url, archive)
    after = archive.with_name(f"{archive.name}_after")
    archives.export_from(url, after)
    archives.names(after)
    found = facts(after)

    held = {run_id for run_id, row in here.runs.items() if row["state"] == "running"}
    lost = {c.run_id for c in merged.conflicts}
    assert {c.kind for c in merged.conflicts} <= {"running"}
    assert lost <= held
    assert lost >= held & there.done.keys()

    taken = {run_id: sha for run_id, sha in there.done.items() if run_id not in held}
    assert found.done == here.done | taken
    assert found.runs.keys() == here.runs.keys() | there.runs.keys()
    assert found.epochs == here.epochs | {row for row in there.epochs if row[0] not in held}
    assert found.measured == here.measured | {row for row in there.measured if row[0] not in held}
    assert found.members[: len(here.members)] == here.members
    assert sorted(found.members) == sorted({*here.members, *there.members})
    for run_id, row in here.runs.items():
        if row["state"] == "done":
            assert found.runs[run_id] == row
    # No attempt is doubled, none from here is lost, and those of runs not settled here are added.
    assert len(set(found.attempts)) == len(found.attempts)
    settled = held | here.done.keys()
    assert set(found.attempts) == {
        *here.attempts,
        *(attempt for attempt in there.attempts if attempt[0] not in settled),
    }

    assert not archives.import_into(url, archive).changed
    again = archive.with_name(f"{archive.name}_again")
    archives.export_from(url, again)
    assert archives.content(again) == archives.content(after)


def test_a_trigger_refuses_updates_of_a_done_run(store, url, make):
    """The trigger that the merge relies on: a done run is final for everybody."""
    make.save(store, "s", make.runs(1))
    make.finish(store, make.run(1))
    with closing(connect(url, "write")) as database, pytest.raises(DatabaseError, match="final"):
        database.write(lambda c: c.execute(text("UPDATE runs SET attempt = 9")), lambda c: False)


def report(store, run, attempt=1, **values):
    """Its first two epochs, while it runs."""
    epochs = [{"epoch": epoch, "values": values} for epoch in (1, 2)]
    told = {"run_id": run.run_id, "attempt": attempt, "first": 0, "epochs": epochs}
    assert store.report([check_report(told)])


def reported(queries, run):
    detail = queries.run_detail(run.run_id)
    accuracies = {row["test_accuracy"] for row in detail["epoch_history"]}
    return accuracies, {row["value"] for row in detail["metric_history"]}


def test_what_an_unfinished_run_reported_comes_with_it(store, other, make, take, there):
    running, failed = make.runs(2)
    make.save(store, "s", [running, failed])
    for run in (running, failed):
        store.claim(run.run_id, provenance={})
        report(store, run, test_accuracy=40.0, f1=0.25)
    store.fail(failed.run_id, 1, "ValueError: no", None)
    assert take().counts["epochs"].inserted == 4
    assert [row["state"] for row in there.run_rows()] == ["queued", "failed"]
    for run in (running, failed):
        assert reported(there, run) == ({40.0}, {0.25})
    again = take()
    assert not again.changed
    assert again.counts["epochs"].left_out == 4


def test_what_a_run_reported_here_stays_until_it_has_a_result(store, other, make, take, there):
    run = make.run()
    for place, accuracy in ((store, 40.0), (other, 60.0)):
        make.save(place, "s", [run])
        place.claim(run.run_id, provenance={"host": str(accuracy)})
        report(place, run, test_accuracy=accuracy, f1=accuracy / 100, g=1.0)
    assert take().counts["epochs"].left_out == 2
    assert reported(there, run) == ({60.0}, {0.6, 1.0})
    other.fail(run.run_id, 1, "ValueError: no", None)
    store.commit(run.run_id, 1, make.result(run.run_id) | make.metrics(f1=0.5))
    take()
    assert there.run_rows()[0]["state"] == "done"
    assert reported(there, run) == ({45.0, 90.0}, {0.5})
