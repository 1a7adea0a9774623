from __future__ import annotations

import os
import socket
from datetime import datetime

import pytest

from results.errors import (
    BadFilterError,
    UnknownColumnError,
    UnknownRunError,
    UnknownSweepError,
)
from results.queries.status import AttemptSpan, rate_per_hour, seconds_left
from results.records import DriverStatus, Fault
from results.run_columns import RUN_KEYS


def test_a_run_in_json_has_the_documented_keys_in_order(store, queries, make):
    make.save(store, "s", [make.run()], [make.evaluation()])
    (row,) = queries.run_rows(["s"])
    assert ", ".join(row) == (
        "run_id, sweep, state, model, scheme, depth, dataset, seed, alpha, beta, trainable,"
        " root_moduli, max_root_modulus, zero_stable, consistent, order, parameters, epochs,"
        " test_accuracy, best_test_accuracy, train_accuracy, generalization_gap, diverged,"
        " train_seconds, images_per_second, attempts, imported, evaluations, metrics, tags"
    )
    assert tuple(queries.run_rows(["s"], config=True)[0]) == (*RUN_KEYS, "config")
    assert queries.run_rows(["s"], config=True)[0]["config"] == make.run().config


def test_values_of_an_unfinished_run_are_null(store, queries, make):
    run = make.run(alpha=None, beta=None, root_moduli=None, zero_stable=None, order=None)
    make.save(store, "s", [run], [make.evaluation()])
    (row,) = queries.run_rows(["s"])
    for key in ("alpha", "beta", "root_moduli", "zero_stable", "order", "test_accuracy"):
        assert row[key] is None
    assert (row["state"], row["attempts"], row["diverged"]) == ("queued", 0, None)
    assert row["trainable"] is False
    assert row["evaluations"] == [
        {
            "name": "gaussian[0.1]", "kind": "gaussian", "level": 0.1, "accuracy": None,
            "imported": False,
        }
    ]  # fmt: skip


def test_run_rows_follow_sweep_order_with_shared_runs_once(store, queries, make):
    make.save(store, "a", [make.run(2), make.run(1)])
    make.save(store, "b", [make.run(3), make.run(1)])
    make.save(store, "c", [make.run(4)])
    make.finish(store, make.run(4))
    make.save(store, "c", [])

    def rows(*names):
        return [(int(r["run_id"], 16), r["sweep"]) for r in queries.run_rows(names)]

    assert rows("a") == [(2, "a"), (1, "a")]
    assert rows("b", "a") == [(3, "b"), (1, "b,a"), (2, "a")]
    assert rows() == [(2, "a"), (1, "a,b"), (3, "b"), (4, "")]
    assert queries.sweep_names() == ["a", "b", "c"]
    with pytest.raises(UnknownSweepError, match=r"unknown sweep 'bb'.*\(known: a, b, c\)"):
        rows("a", "bb")


def test_run_rows_can_be_limited_to_given_run_ids(store, queries, make):
    make.save(store, "a", make.runs(700))
    few = [make.run(n).run_id for n in (5, 3)]
    many = [make.run(n).run_id for n in range(1, 601)]
    assert [r["run_id"] for r in queries.run_rows(run_ids=few)] == sorted(few)
    assert [r["run_id"] for r in queries.run_rows(["a"], run_ids=many)] == many
    assert queries.run_rows(run_ids=["f" * 16]) == []
    assert queries.run_rows(run_ids=[]) == []


def test_run_rows_list_the_sweeps_evaluations_in_its_order(store, queries, make):
    first, second, third = (make.evaluation(n) for n in (1, 2, 3))
    make.save(store, "a", [make.run(1)], [second, first])
    make.save(store, "b", [make.run(1)], [first])
    measured = [make.measured(e, 50.0 + n) for n, e in enumerate((first, second, third))]
    make.finish(store, make.run(1), evaluations=measured)

    def found(*names):
        (row,) = queries.run_rows(names)
        return [(e["name"], e["accuracy"]) for e in row["evaluations"]]

    assert found("a") == [("gaussian[0.2]", 51.0), ("gaussian[0.1]", 50.0)]
    assert found("b") == [("gaussian[0.1]", 50.0)]
    assert found() == [("gaussian[0.2]", 51.0), ("gaussian[0.1]", 50.0), ("gaussian[0.3]", 52.0)]


def test_evaluations_sharing_a_name_are_distinguished(store, queries, make):
    first = make.evaluation(1)
    other = make.evaluation(2, name=first.name, evaluation_id="abcdef9876543210")
    close = make.evaluation(2, name=first.name)
    make.save(store, "a", [make.run(1)], [first])
    make.save(store, "b", [make.run(1)], [other])
    assert [e["name"] for e in queries.run_rows(["b"])[0]["evaluations"]] == ["gaussian[0.1]"]
    names = [e["name"] for e in queries.run_rows(["a", "b"])[0]["evaluations"]]
    assert names == ["gaussian[0.1]@e00000", "gaussian[0.1]@abcdef"]
    make.save(store, "c", [make.run(1)], [first, close])
    names = [e["name"] for e in queries.run_rows(["c"])[0]["evaluations"]]
    assert names == [f"gaussian[0.1]@{e.evaluation_id}" for e in (first, close)]


def test_a_run_is_found_by_a_prefix_of_its_id(store, queries, make):
    ids = ["abc0000000000000", "abd0000000000000", "1230000000000000"]
    make.save(store, "s", [make.run(n, run_id=key) for n, key in enumerate(ids)])
    assert queries.run_detail("1")["run_id"] == ids[2]
    assert queries.run_detail("ABC")["run_id"] == ids[0]
    assert queries.run_detail(ids[1])["sweeps"] == ["s"]
    with pytest.raises(UnknownRunError, match=r"ambiguous.*abc0000000000000, abd0000000000000"):
        queries.run_detail("ab")
    for bad in ("ff", "", "%", "_bc", ids[0] + "0"):
        with pytest.raises(UnknownRunError, match="no run here has an id that starts with"):
            queries.run_detail(bad)


@pytest.mark.slow
def test_status_lists_the_faults_of_each_run_and_the_drivers(
    store, queries, make, url, monkeypatch
):
    monkeypatch.setattr("results.database.postgres_lock.RESTART_SECONDS", 0.0)
    now = 1000.0
    monkeypatch.setattr("results.database.base.Database.now", lambda self, connection: now)
    make.save(store, "s", make.runs(3))
    make.save(store, "t", [make.run(9)])
    first, second, third = (run.run_id for run in make.runs(3))
    with store.driving():
        for number in (1, 2):
            assert store.claim(second, provenance={}) == number
            reason, where = f"gone {number}", {"host": f"node-{number}"}
            store.release(second, number, "lost", reason, fault="worker_lost", provenance=where)
        assert store.claim(second, provenance={}) == 3
        store.release(second, 3, "lost", "no heartbeat", fault="hung")
        assert store.claim(first, provenance={"host": "node-1"}) == 1
        store.fail(first, 1, "ValueError: no", "trace", fault="trainer_error")
        make.finish(store, make.run(2))
        assert store.claim(third, provenance={}) == 1
        now += 20.0
        (status,) = queries.status("s")
        label = "zerosnet (1/3, 5/9, 1/9; 16/9), depth 32, seed "
        assert status.faults == [
            Fault(first, f"{label}1", "trainer_error", 1, "ValueError: no", "node-1"),
            Fault(second, f"{label}2", "worker_lost", 2, "gone 2", "node-2"),
            Fault(second, f"{label}2", "hung", 1, "no heartbeat", None),
        ]
        me = (socket.gethostname(), os.getpid())
        assert status.drivers == [DriverStatus(*me, runs=1, lease_left=40.0, gone=False)]
        (other,) = queries.status("t")
        assert (other.faults, other.drivers) == ([], [])
        now += 60.0
        gone = [DriverStatus(*me, runs=1, lease_left=0.0, gone=True)]
        assert queries.status("s")[0].drivers == gone
        assert store.renew([]).alive
        assert queries.status("s")[0].drivers[0].lease_left == 60.0
        now -= 6000.0  # the clock is set back
        assert queries.status("s")[0].drivers[0].lease_left == 60.0
        now += 6000.0
        if url.startswith("postgres"):
            store._database._lock.release()  # as if its process had ended
        else:
            monkeypatch.setattr("results.database.sqlite.is_driven", lambda path: False)
        (driver,) = queries.status("s")[0].drivers
        assert (driver.lease_left, driver.gone) == (0.0, True)
    # It left, and no driver works on the run.
    assert queries.status("s")[0].drivers == gone
    assert store.retry("s") == 1
    assert {fault.run_id for fault in queries.status("s")[0].faults} == {second}


def test_status_counts_states_and_lists_failures(store, queries, make):
    make.save(store, "s", make.runs(5))
    make.save(store, "t", [make.run(6)])
    make.finish(store, make.run(1), train_seconds=2.5)
    make.finish(store, make.run(2), train_seconds=1.5)
    failed = make.run(3).run_id
    store.fail(failed, store.claim(failed, provenance={}), "it\nbroke", "trace")
    store.claim(make.run(4).run_id, provenance={})
    (status,) = queries.status("s")
    assert status.counts == {"queued": 1, "running": 1, "done": 2, "failed": 1, "cancelled": 0}
    assert (status.runs, status.train_seconds) == (5, 4.0)
    (failure,) = status.failures
    assert (failure.run_id, failure.error, failure.attempts) == (failed, "it broke", 1)
    assert failure.label == "zerosnet (1/3, 5/9, 1/9; 16/9), depth 32, seed 3"
    assert status.rate_per_hour > 0
    assert status.seconds_left == pytest.approx(2 * 3600 / status.rate_per_hour)
    assert [s.sweep for s in queries.status()] == ["s", "t"]
    (untouched,) = queries.status("t")
    assert (untouched.rate_per_hour, untouched.seconds_left) == (None, None)
    assert untouched.last_finished_at is None
    with pytest.raises(UnknownSweepError):
        queries.status("nowhere")


def test_the_rate_is_that_of_the_latest_batch_of_runs():
    old = [AttemptSpan("done", t, t + 10) for t in range(0, 100, 10)]
    new = [AttemptSpan("done", 7200.0 + t, 7220.0 + t) for t in (0, 20, 40)]
    assert rate_per_hour(old) == pytest.approx(360)
    assert rate_per_hour(old + new) == pytest.approx(180)
    assert rate_per_hour(reversed(old + new)) == pytest.approx(180)
    assert rate_per_hour([*old, AttemptSpan("running", 7200.0, None)]) is None
    assert rate_per_hour([]) is None


def test_the_rate_ignores_the_pause_after_a_killed_driver():
    # Its attempts are closed by the next driver, two hours later.
    killed = [AttemptSpan("done", 0.0, 10.0), AttemptSpan("lost", 10.0, 7200.0)]
    after = [AttemptSpan("done", 7200.5, 7210.5)]
    assert rate_per_hour(killed + after) == pytest.approx(360)


def test_the_rate_survives_a_clock_that_is_set():
    jump = 6000.0
    before = [AttemptSpan("done", 10.0 * n, 10.0 * n + 10) for n in range(10)]
    across = [AttemptSpan("done", 100.0, 110.0 + jump)]
    after = [AttemptSpan("done", jump + 10.0 * n, jump + 10.0 * n + 10) for n in range(11, 20)]
    # 20 runs in 200 s; the jump counts as the longest that a run of this sweep might take.
    assert rate_per_hour([*before, *across, *after]) == pytest.approx(20 * 3600 / (190 + 100))
    # Set back by 50 s during the eleventh run.
    back = [AttemptSpan("done", 100.0, 60.0), AttemptSpan("done", 60.0, 70.0)]
    assert rate_per_hour([*before, *back]) == pytest.approx(12 * 3600 / 100)


def test_a_long_run_does_not_end_a_batch():
    spans = [AttemptSpan("done", 0.0, 1000.0), AttemptSpan("done", 1010.0, 2000.0)]
    assert rate_per_hour(spans) == pytest.approx(3.6)
    spans = [AttemptSpan("running", 0.0, None), AttemptSpan("done", 500.0, 1000.0)]
    assert rate_per_hour(spans) == pytest.approx(3.6)


def test_the_rate_is_that_of_runs_that_are_done():
    quick = [AttemptSpan("failed", t, t + 0.01) for t in range(100)]
    assert rate_per_hour(quick) is None
    assert rate_per_hour([*quick, AttemptSpan("done", 0.0, 1000.0)]) == pytest.approx(3.6)
    slow = AttemptSpan("failed", 1000.0, 2000.0)
    assert rate_per_hour([AttemptSpan("done", 0.0, 1000.0), slow]) == pytest.approx(1.8)


def test_seconds_left_follows_from_remaining_runs_and_rate():
    assert seconds_left(10, 3600.0) == 10.0
    assert seconds_left(10, None) is None
    assert seconds_left(0, None) == 0.0


def test_cost_samples_are_means_by_kind_of_run_and_device(store, queries, make):
    runs = [*make.runs(4), make.run(5, depth=56), make.run(6), make.run(7)]
    make.save(store, "s", runs)

    def finish(number, seconds, **changes):
        provenance = {"host": "a", "device": "cpu", "first_epoch": changes.pop("first_epoch", 1)}
        provenance["device"] = changes.pop("device", "cpu")
        make.finish(
            store, runs[number - 1], train_seconds=seconds, provenance=provenance, **changes
        )

    finish(1, 2.0, images_per_second=100.0)
    finish(2, 4.0, images_per_second=200.0)
    finish(3, 0.1, device="cuda")
    finish(4, 99.0, diverged=True)
    finish(5, 7.0)
    finish(6, 99.0, first_epoch=2)
    found = [
        (c.depth, c.device, c.runs, c.train_seconds, c.images_per_second)
        for c in queries.cost_samples()
    ]
    assert sorted(found) == [
        (32, "cpu", 2, 3.0, 150.0),
        (32, "cuda", 1, 0.1, 1200.0),
        (56, "cpu", 1, 7.0, 1200.0),
    ]
    assert {c.host for c in queries.cost_samples()} == {"a"}
    assert all(c.config["model"]["name"] == "zerosnet" for c in queries.cost_samples())


@pytest.mark.parametrize("key", ["precision", "compile"])
def test_cost_samples_distinguish_settings_that_affect_speed(store, queries, make, key):
    runs = [make.run(1), make.run(2, config={**make.run(2).config, key: True})]
    make.save(store, "s", runs)
    for run, rate in zip(runs, (100.0, 300.0), strict=True):
        make.finish(store, run, images_per_second=rate, provenance={"device": "cpu"})
    assert sorted(c.images_per_second for c in queries.cost_samples()) == [100.0, 300.0]


def test_timestamps_are_iso_8601_in_utc(store, queries, make, plain):
    make.save(store, "s", [make.run()])
    with plain.begin() as connection:
        connection.exec_driver_sql("UPDATE runs SET created_at = 0.5")
    found = queries.run_detail(make.run().run_id)
    assert found["created_at"] == "1970-01-01T00:00:00.500+00:00"
    assert found["finished_at"] is None


def test_runs_are_filtered_in_the_database(store, queries, make):
    runs = [make.run(1, depth=20), make.run(2), make.run(3, depth=56), make.run(4)]
    make.save(store, "s", runs, [make.evaluation()])
    make.save(store, "t", [make.run(5)])
    make.finish(store, runs[2], evaluations=[make.measured(make.evaluation(), 60.0)])
    make.finish(store, runs[1], test_accuracy=80.0)

    def seeds(*where, sweeps=("s",), **options):
        return [row["seed"] for row in queries.run_rows(sweeps, where=where, **options)]

    assert seeds() == [1, 2, 3, 4]
    assert seeds("depth>=32") == [2, 3, 4]
    assert seeds("depth>=32", sweeps=()) == [2, 3, 4, 5]
    assert seeds("depth>=32", run_ids=[make.run(n).run_id for n in (1, 4)]) == [4]
    # What is not known yet is null.
    assert seeds("test_accuracy>=80") == [2, 3]
    assert seeds("test_accuracy=null") == [1, 4]
    assert seeds("gaussian[0.1]<70", "training.optimizer.lr=0.1") == [3]
    (row,) = queries.run_rows(["s"], where=["gaussian[0.1]=60"])
    assert [e["accuracy"] for e in row["evaluations"]] == [60.0]
    with pytest.raises(UnknownColumnError, match=r"unknown column 'gaussian\[0.1\]' \(known"):
        seeds("gaussian[0.1]>0", sweeps=("t",))
    with pytest.raises(BadFilterError):
        seeds("depth")


def test_optional_keys_come_last_with_their_stored_values(store, queries, make):
    coefficients = [[0.5, None], [1 / 3, 1e-300]]
    make.save(store, "s", [make.run()])
    make.finish(store, make.run(), learned_coefficients=coefficients)
    (row,) = queries.run_rows(config=True, learned_coefficients=True)
    assert tuple(row) == (*RUN_KEYS, "config", "learned_coefficients")
    assert row["learned_coefficients"] == coefficients
    (row,) = queries.run_rows(learned_coefficients=True)
    assert tuple(row) == (*RUN_KEYS, "learned_coefficients")


def test_epoch_rows_follow_the_order_of_the_runs(store, queries, make):
    make.save(store, "s", [make.run(2), make.run(1), make.run(3)])
    make.save(store, "t", [make.run(4)])
    for number in (4, 1, 2):
        make.finish(store, make.run(number))

    def found(*sweeps, where=()):
        rows = queries.epoch_rows(sweeps, where=where)
        return [(int(row["run_id"], 16), row["epoch"]) for row in rows]

    assert found("s") == [(2, 1), (2, 2), (1, 1), (1, 2)]
    assert found("t", "s") == [(4, 1), (4, 2), *found("s")]
    assert found(where=["seed<2"]) == [(1, 1), (1, 2)]
    assert queries.epoch_rows(["s"])[0] == {
        "run_id": make.run(2).run_id, "epoch": 1, "learning_rate": 0.1, "train_loss": 1.0,
        "train_accuracy": 40.0, "test_loss": 1.1, "test_accuracy": 45.0, "seconds": 1.25,
    }  # fmt: skip
    with pytest.raises(UnknownSweepError):
        found("nowhere")


def test_evaluation_rows_follow_the_order_of_the_runs(store, queries, make):
    first, second = make.evaluation(1), make.evaluation(2)
    make.save(store, "s", [make.run(2), make.run(1)], [second])
    for number in (1, 2):
        measured = [make.measured(first, 50.0), make.measured(second, 60.0 + number)]
        make.finish(store, make.run(number), evaluations=measured)
    rows = queries.evaluation_rows(["s"])
    assert [(int(r["run_id"], 16), r["accuracy"]) for r in rows] == [(2, 62.0), (1, 61.0)]
    assert rows[0] == {
        "run_id": make.run(2).run_id, "evaluation_id": second.evaluation_id,
        "evaluation": "gaussian[0.2]", "kind": "gaussian", "level": 0.2, "accuracy": 62.0,
        "loss": 0.5, "imported": False,
    }  # fmt: skip
    assert len(queries.evaluation_rows(where=["gaussian[0.1]=50"])) == 4
    assert queries.evaluation_rows(["s"], where=["gaussian[0.2]>100"]) == []


def test_run_detail_names_the_newest_specs_requesting_the_run(store, queries, make):
    run = make.run()
    store.save_sweep("b", "name: b\n", "b.yaml", [], None, [run], [], published="zerosnet/table3")
    store.save_sweep("a", "old", "a.yaml", [], None, [run], [])
    store.save_sweep("a", "new", "/home/me/a.yaml", ["depth=20"], None, [run], [])
    make.save(store, "other", [make.run(2)])
    detail = queries.run_detail(run.run_id)
    assert detail["sweeps"] == ["b", "a"]
    found = [
        (spec["name"], spec["version"], spec["source"], spec["overrides"], spec["text"])
        for spec in detail["sweep_specs"]
    ]
    assert found == [
        ("b", 1, "b.yaml", [], "name: b\n"),
        ("a", 2, "/home/me/a.yaml", ["depth=20"], "new"),
    ]
    assert datetime.fromisoformat(detail["sweep_specs"][0]["created_at"]).tzinfo is not None
    make.finish(store, make.run(2))
    make.save(store, "other", [])
    assert queries.run_detail(make.run(2).run_id)["sweep_specs"] == []


def test_the_published_table_is_taken_from_the_newest_spec(store, queries, make):
    def save(text, published):
        store.save_sweep("s", text, "s.yaml", [], None, [make.run()], [], published=published)

    save("1", None)
    assert queries.published_name("s") is None
    save("2", "zerosnet/table3")
    assert queries.published_name("s") == "zerosnet/table3"
    save("3", None)
    assert queries.published_name("s") is None
    with pytest.raises(UnknownSweepError, match=r"unknown sweep 'z' \(known: s\)"):
        queries.published_name("z")


def test_probe_rows_can_be_limited_to_chosen_probes(store, queries, make):
    make.save(store, "s", [make.run(2), make.run(1)])
    probes = [make.probe(epoch=2), make.probe(), make.probe("seconds", probe="runtime", layer="")]
    make.finish(store, make.run(1), probes=probes)
    make.finish(store, make.run(2), probes=[make.probe(probe="angles")])

    def found(**options):
        rows = queries.probe_rows(["s"], **options)
        return [(int(row["run_id"], 16), row["probe"], row["epoch"]) for row in rows]

    everything = [
        (2, "angles", 1), (1, "feature_norms", 1), (1, "feature_norms", 2), (1, "runtime", 1),
    ]  # fmt: skip
    assert found() == everything
    assert found(probes=["runtime", "angles"]) == [everything[0], everything[3]]
    assert found(probes=["runtime"], where=["depth<0"]) == found(probes=["nothing"]) == []
    assert found(probes=[]) == []
