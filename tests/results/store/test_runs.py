from __future__ import annotations

import copy
import sqlite3
import threading
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, IntegrityError

import databases
from results.errors import BadResultError, DatabaseError, UnknownRunError, UnknownSweepError
from results.queries.queries import Queries
from results.run_columns import RUN_KEYS
from results.schema import bounds
from results.store.store import Store

RUN = f"{1:016x}"
NO_TEXT = "a\0b\udc80c"
ESCAPED = "a\\x00b\\udc80c"
CLAIMED = {"host": "driver", "executor": "ray"}


@pytest.fixture
def running(store, make):
    """A store with one run, running under attempt 1."""
    make.save(store, "s", [make.run(1)], [make.evaluation(1)])
    assert store.claim(RUN, provenance=CLAIMED) == 1
    return store


def test_a_queued_run_can_be_claimed_once(running, queries):
    assert running.claim(RUN, provenance={}) is None
    assert running.claim("f" * 16, provenance={}) is None
    assert databases.running(running) == [(RUN, 1)]
    (attempt,) = queries.run_detail(RUN)["attempt_history"]
    assert attempt["state"] == "running"
    assert attempt["provenance"] == CLAIMED


def test_of_concurrent_claims_one_wins(store, url, make):
    make.save(store, "s", make.runs(30))
    stores = [Store.open(url) for _ in range(3)]
    won = [[] for _ in stores]
    start = threading.Barrier(len(stores))

    def claim_all(own, mine):
        start.wait()
        for run in make.runs(30):
            # By code that nobody has stored so far.
            if own.claim(run.run_id, provenance={"sources": len(mine) // 3}) is not None:
                mine.append(run.run_id)

    threads = [
        threading.Thread(target=claim_all, args=pair) for pair in zip(stores, won, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for opened in stores:
        opened.close()
    everything = [run_id for mine in won for run_id in mine]
    assert sorted(everything) == [run.run_id for run in make.runs(30)]
    assert databases.running(store) == [(run.run_id, 1) for run in make.runs(30)]


def test_claim_all_claims_only_the_queued_runs(running, make, queries):
    make.save(running, "s", make.runs(4))
    ids = [run.run_id for run in make.runs(4)]
    assert running.claim_all([*ids[::-1], "f" * 16], provenance=CLAIMED) == dict.fromkeys(
        ids[1:], 1
    )
    assert running.claim_all(ids, provenance={}) == {}
    assert running.claim_all([], provenance={}) == {}
    # The first was running; the others begin one after the other, as they were given.
    claimed = ((None, 0), (ids[2], 2), (ids[3], 1), (None, 0))
    for run_id, (after, place) in zip(ids, claimed, strict=True):
        (attempt,) = queries.run_detail(run_id)["attempt_history"]
        noted = {"after_run": after, "place": place} if after else {}
        assert (attempt["state"], attempt["provenance"]) == ("running", {**CLAIMED, **noted})


def begun(queries, make, count):
    """Numbers of the runs that are running as people are told, and how many wait."""
    (status,) = queries.status("s")
    running = {run.run_id for run in queries.running("s")}
    assert len(running) == status.counts["running"] == sum(d.runs for d in status.drivers)
    numbers = [run.seed for run in make.runs(count) if run.run_id in running]
    return numbers, status.counts["queued"]


def test_what_comes_after_a_cancelled_run_of_a_claim_waits_for_those_before(store, make, queries):
    make.save(store, "s", make.runs(6))
    ids = [run.run_id for run in make.runs(6)]
    with store.driving():
        store.claim_all(ids[:5], provenance={})
        store.claim(ids[5], provenance={})
        assert begun(queries, make, 6) == ([1, 6], 4)
        store.cancel(run_ids=ids[1:3])
        assert store.waiting() == {*ids[3:5]}
        assert begun(queries, make, 6) == ([1, 6], 2)
        assert store.commit(ids[0], 1, make.result(ids[0]))
        assert store.waiting() == {ids[4]}
        assert begun(queries, make, 6) == ([4, 6], 1)
        # Claimed again, it is of another claim.
        assert store.release(ids[4], 1, "interrupted", "stopped")
        assert store.claim_all([ids[4]], provenance={}) == {ids[4]: 2}
        assert store.waiting() == set()
    with store.driving():
        assert len(store.take_over()) == 3
        assert begun(queries, make, 6) == ([4, 5, 6], 0)


def test_what_a_dead_driver_claimed_waits_for_those_before_it_still(store, make, queries):
    make.save(store, "s", make.runs(4))
    ids = [run.run_id for run in make.runs(4)]
    with store.driving():
        store.claim_all(ids, provenance={})
        store.cancel(run_ids=[ids[1]])
    with store.driving():
        store.take_over()
        assert store.waiting() == {*ids[2:]}
        assert begun(queries, make, 4) == ([1], 2)
        store.release(ids[0], 1, "lost", "its driver ended")
        assert store.waiting() == {ids[3]}


def test_commit_all_stores_all_results_except_of_superseded_attempts(store, make, queries):
    make.save(store, "s", make.runs(4), [make.evaluation(1)])
    ids = [run.run_id for run in make.runs(4)]
    assert store.claim_all(ids[:3], provenance=CLAIMED) == dict.fromkeys(ids[:3], 1)
    assert store.release(ids[1], 1, "lost", "gone")
    assert store.claim(ids[1], provenance={}) == 2
    measured = [make.measured(make.evaluation(1), 80.0)]
    results = [
        (run_id, 1, make.result(run_id, 1, evaluations=measured, provenance={"host": run_id}))
        for run_id in ids
    ]
    assert store.commit_all(results) == {ids[0], ids[2]}
    assert store.commit_all(results) == set()
    assert store.commit_all([]) == set()
    assert [row["state"] for row in queries.run_rows()] == ["done", "running", "done", "queued"]
    for run_id, noted in ((ids[0], {}), (ids[2], {"after_run": ids[1], "place": 2})):
        found = queries.run_detail(run_id)
        assert len(found["epoch_history"]) == len(make.result(run_id)["epochs"])
        assert found["evaluations"][0]["accuracy"] == 80.0
        kept = {**CLAIMED, **noted, "host": run_id}
        assert found["attempt_history"][0]["provenance"] == kept


def test_commit_all_writes_nothing_if_one_result_is_malformed(store, make, content):
    make.save(store, "s", make.runs(2))
    ids = [run.run_id for run in make.runs(2)]
    store.claim_all(ids, provenance={})
    before = content()
    bad = {**make.result(ids[1]), "test_accuracy": 101.0}
    with pytest.raises(BadResultError, match="101") as caught:
        store.commit_all([(ids[0], 1, make.result(ids[0])), (ids[1], 1, bad)])
    assert caught.value.run_id == ids[1]
    assert content() == before


@pytest.mark.parametrize("outcome", ["lost", "interrupted"])
def test_a_released_run_is_queued_again(running, queries, outcome):
    assert running.release(RUN, 1, outcome, "worker\n  vanished")
    assert databases.running(running) == []
    assert running.claim(RUN, provenance={}) == 2
    history = queries.run_detail(RUN)["attempt_history"]
    assert [(a["state"], a["error"]) for a in history] == [
        (outcome, "worker vanished"),
        ("running", None),
    ]
    assert history[0]["finished_at"] is not None


def test_release_accepts_only_lost_and_interrupted(running):
    with pytest.raises(ValueError, match="'done'"):
        running.release(RUN, 1, "done", None)
    assert databases.running(running) == [(RUN, 1)]


def test_a_failed_run_keeps_its_one_line_reason_and_traceback(running, queries):
    assert running.fail(RUN, 1, "ValueError:\n bad shape", "Traceback ...\n  line")
    found = queries.run_detail(RUN)
    assert (found["state"], found["error"]) == ("failed", "ValueError: bad shape")
    (attempt,) = found["attempt_history"]
    assert attempt["error"] == "ValueError: bad shape"
    assert attempt["traceback"] == "Traceback ...\n  line"
    assert running.claim(RUN, provenance={}) is None


def writes(make, attempt):
    return [
        lambda store: store.release(RUN, attempt, "lost", "late"),
        lambda store: store.release(RUN, attempt, "interrupted", "late"),
        lambda store: store.fail(RUN, attempt, "late", "late"),
        lambda store: store.commit(
            RUN,
            attempt,
            make.result(
                RUN, attempt, evaluations=[make.measured(make.evaluation(7), 1.0)], parameters=1
            ),
        ),
    ]


def supersede(store, make, how):
    """Brings the run, running under attempt 1, to a state that attempt 1 no longer owns."""
    if how == "released":
        store.release(RUN, 1, "lost", None)
    elif how == "superseded":
        store.release(RUN, 1, "lost", None)
        assert store.claim(RUN, provenance={}) == 2
    elif how == "done":
        store.commit(RUN, 1, make.result(RUN))
    elif how == "failed":
        store.fail(RUN, 1, "broke", None)


@pytest.mark.parametrize("how", ["released", "superseded", "done", "failed"])
@pytest.mark.parametrize("write", range(4))
def test_a_write_of_a_superseded_attempt_changes_nothing(running, make, content, how, write):
    supersede(running, make, how)
    before = content()
    assert writes(make, 1)[write](running) is False
    assert content() == before


@pytest.mark.parametrize("write", range(4))
def test_a_write_of_an_attempt_that_never_existed_changes_nothing(running, make, content, write):
    before = content()
    assert writes(make, 2)[write](running) is False
    assert content() == before


@pytest.mark.parametrize("write", range(4))
def test_a_write_of_the_current_attempt_takes_effect(running, make, content, write):
    before = content()
    assert writes(make, 1)[write](running) is True
    assert content() != before


def test_a_done_run_cannot_be_changed_even_by_sql(running, make, plain):
    running.commit(RUN, 1, make.result(RUN))
    assert running.retry() == 0
    with pytest.raises(DBAPIError, match="a done run is final"), plain.begin() as connection:
        connection.exec_driver_sql("UPDATE runs SET test_accuracy = 99")


def test_table_constraints_refuse_invalid_runs_and_attempts(running, plain):
    for statement in (
        "UPDATE runs SET state = 'paused'",
        "UPDATE runs SET state = 'failed', finished_at = 1",
        "UPDATE runs SET state = 'done', finished_at = 1",
        "UPDATE runs SET state = 'done', diverged = false",
        "UPDATE runs SET attempt = 0",
        "UPDATE runs SET test_accuracy = 101",
        "UPDATE attempts SET state = 'done'",
        f"INSERT INTO attempts (run_id, attempt, state, started_at, provenance)"
        f" VALUES ('{RUN}', 2, 'running', 1, '{{}}')",
        f"INSERT INTO evaluations (run_id, evaluation_id) VALUES ('{RUN}', 'nowhere')",
        f"INSERT INTO epochs (run_id, epoch) VALUES ('{RUN}', 0)",
        f"INSERT INTO probes VALUES ('{RUN}', 'p', 'q', -1, '', 1)",
        f"INSERT INTO probes VALUES ('{RUN}', '', 'q', 0, '', 1)",
        f"INSERT INTO probes VALUES ('{RUN}', 'p', '', 0, '', 1)",
        "INSERT INTO probes VALUES ('nowhere', 'p', 'q', 0, '', 1)",
        f"INSERT INTO blocks (run_id, block, alpha) VALUES ('{RUN}', 0, '[1]')",
        f"INSERT INTO blocks (run_id, block) VALUES ('{RUN}', 1)",
        "INSERT INTO blocks (run_id, block, alpha) VALUES ('nowhere', 1, '[1]')",
        "DELETE FROM runs",
        "UPDATE runs SET retried_after = -1",
        "UPDATE attempts SET driver_id = 7",
        "UPDATE attempts SET fault = 'hung'",
        "UPDATE attempts SET state = 'done', finished_at = 1, fault = 'hung'",
        "UPDATE attempts SET state = 'lost', finished_at = 1, fault = 'tired'",
        "INSERT INTO sweeps (name, created_at, updated_at) VALUES ('s', 1, 1)",
    ):
        with plain.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA foreign_keys = ON")
            with pytest.raises(IntegrityError):
                connection.exec_driver_sql(statement)


def test_a_commit_stores_every_value_of_a_result(running, queries, make):
    known, unknown = make.evaluation(1), make.evaluation(2)
    result = make.result(
        RUN,
        parameters=471_835,
        learned_coefficients=[[1.0, 2.0]],
        evaluations=[make.measured(known, 80.0), make.measured(unknown, None)],
    )
    assert running.commit(RUN, 1, result)
    found = queries.run_detail(RUN)
    assert found["state"] == "done"
    for key in result.keys() & found.keys() - {"epochs", "evaluations", "attempt"}:
        assert found[key] == result[key], key
    assert found["parameters"] == 471_835
    assert found["epochs"] == 2
    assert found["epoch_history"] == result["epochs"]
    here = {"kind": "gaussian", "imported": False}
    assert found["evaluations"] == [
        here | {"name": "gaussian[0.1]", "level": 0.1, "accuracy": 80.0},
        here | {"name": "gaussian[0.2]", "level": 0.2, "accuracy": None},
    ]
    (attempt,) = found["attempt_history"]
    assert (attempt["state"], attempt["first_epoch"]) == ("done", 1)
    assert attempt["provenance"] == CLAIMED | result["provenance"]


def test_a_diverged_run_is_stored_as_done(running, queries, make, plain):
    inf = float("inf")
    result = make.result(
        RUN, diverged=True, diverged_epoch=2, test_loss=float("nan"), train_loss=inf,
        test_accuracy=10.0, best_epoch=None, best_test_accuracy=None,
    )  # fmt: skip
    result["epochs"][1]["train_loss"] = inf
    result["learned_coefficients"] = [[inf, 1.0]]
    assert running.commit(RUN, 1, result)
    found = queries.run_detail(RUN)
    assert (found["state"], found["diverged"], found["diverged_epoch"]) == ("done", True, 2)
    assert (found["test_loss"], found["train_loss"]) == (None, None)
    assert found["epoch_history"][1]["train_loss"] is None
    assert found["learned_coefficients"] == [[None, 1.0]]
    with plain.begin() as connection:
        assert connection.exec_driver_sql("SELECT train_loss FROM runs").all() == [(None,)]


def nested(levels: int) -> list:
    value: list = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (["format"], 2, "format is 2"),
        (["run_id"], "f" * 16, "another run"),
        (["attempt"], 2, "attempt is 2, where 1"),
        (["parameters"], "many", "parameters is 'many'"),
        (["parameters"], True, "parameters is True"),
        (["diverged"], 1, "diverged is 1"),
        (["best_epoch"], 2**31, "best_epoch is 2147483648, where at most"),
        (["test_accuracy"], 100.5, "percent"),
        (["epochs"], None, "epochs is None, where a list"),
        (["epochs", 0], 3, r"epochs\[0\] is not a JSON object"),
        (["epochs", 1, "epoch"], 1, r"epochs\[1\].epoch is 1 a second time"),
        (["epochs", 1, "epoch"], 0, r"epochs\[1\].epoch is 0"),
        (["evaluations", 0, "accuracy"], -1, r"evaluations\[0\].accuracy is -1"),
        (["evaluations", 0, "evaluation_id"], "e", "not 16"),
        (["evaluations", 0, "evaluation_id"], "e" * 15 + "\0", "not 16"),
        (["evaluations", 0, "name"], "x" * 1001, r"name has 1,001 characters"),
        (["evaluations", 0, "config"], {"a": nested(60)}, "more than 50 levels"),
        (["provenance", "first_epoch"], "1", "provenance.first_epoch"),
        (["provenance", "note"], "x" * 2_000_000, "provenance holds more than 1,000,000"),
        (["provenance", "note"], -(10**400), "provenance holds a number beyond"),
        (["provenance", "note"], nested(5_000), "provenance has more than 50 levels"),
        (["train_seconds"], 1e308, r"train_seconds is 1e\+308, where a number from 0 to 1e\+10"),
        (["train_seconds"], -1.0, "train_seconds is -1.0, where a number from 0"),
        (["images_per_second"], 1e300, "images_per_second is 1e"),
        (["train_loss"], 10**400, "train_loss is 1000"),
        (["generalization_gap"], 101, "generalization_gap is 101, where a number from -100 to 100"),
        (["epochs", 0, "seconds"], 1e11, r"epochs\[0\].seconds is 1"),
        (["learned_coefficients"], [1.0], r"learned_coefficients\[0\] is 1.0, where a list"),
        (
            ["learned_coefficients"],
            [["x"]],
            r"learned_coefficients\[0\]\[0\] is 'x', where a number",
        ),
        (["learned_coefficients"], [[0.1] * 101], r"learned_coefficients\[0\] has 101 items"),
        (["learned_coefficients"], nested(5_000), r"learned_coefficients\[0\]\[0\] is \[\["),
        (["weights_sha256"], "x" * 10_000, "weights_sha256 has 10,000 characters"),
    ],
)
def test_a_malformed_result_is_refused_and_writes_nothing(
    running, make, content, place, value, said
):
    result = make.result(RUN, evaluations=[make.measured(make.evaluation(1), 80.0)])
    *path, last = place
    target = result
    for key in path:
        target = target[key]
    target[last] = value
    before = content()
    with pytest.raises(BadResultError, match=said):
        running.commit(RUN, 1, result)
    assert content() == before


def test_probes_and_blocks_are_stored_with_the_result(running, queries, make):
    probes = [
        make.probe("between", 0, layer=NO_TEXT, value=None),
        make.probe("norm", 1, layer="block2"),
        make.probe("norm", 1, layer="block10", value=-2),
    ]
    nothing = dict.fromkeys(
        ("beta", "root_moduli", "max_root_modulus", "zero_stable", "consistent", "order")
    )
    blocks = [make.block(2, alpha=[None, 0.5], **nothing), make.block(1, order=-1)]
    assert running.commit(RUN, 1, make.result(RUN, probes=probes, blocks=blocks))
    found = queries.run_detail(RUN)
    assert found["probes"] == [probes[0] | {"layer": ESCAPED}, *probes[1:]]
    assert found["blocks"] == blocks[::-1]


@pytest.mark.parametrize("changes", [{}, {"probes": []}, {"blocks": None}, {"blocks": []}])
def test_a_result_without_probes_and_blocks_adds_no_rows(running, queries, make, changes):
    assert running.commit(RUN, 1, make.result(RUN, **changes))
    found = queries.run_detail(RUN)
    assert (found["state"], found["probes"], found["blocks"]) == ("done", [], [])


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("key", "index", "change", "said"),
    [
        ("probes", 1, {"value": NAN}, r"probes\[1\]\.value is nan, where null"),
        ("probes", 0, {"value": INF}, r"probes\[0\]\.value is inf, where null"),
        ("probes", 0, {"value": 10**400}, r"probes\[0\]\.value is 10*\.\.\.0*, where a number"),
        ("probes", 0, {"value": "1"}, r"probes\[0\]\.value is '1', where a number or null"),
        ("probes", 0, {"value": True}, r"probes\[0\]\.value is True"),
        ("probes", 0, {"probe": ""}, r"probes\[0\]\.probe is empty"),
        ("probes", 0, {"quantity": None}, r"probes\[0\]\.quantity is None, where text"),
        ("probes", 0, {"layer": None}, r"probes\[0\]\.layer is None, where text"),
        ("probes", 0, {"epoch": -1}, r"probes\[0\]\.epoch is -1, where at least 0"),
        ("probes", 0, {"epoch": 1.0}, r"probes\[0\]\.epoch is 1\.0"),
        ("probes", 0, {"unit": "rad"}, r"probes\[0\]\.'unit' is unknown \(known: epoch, layer"),
        ("probes", 1, {"epoch": 0}, r"probes\[1\]\.layer is 'block1' a second time for"),
        ("blocks", 0, {"block": 0}, r"blocks\[0\]\.block is 0, where at least 1"),
        ("blocks", 1, {"block": 1}, r"blocks\[1\]\.block is 1 a second time"),
        ("blocks", 0, {"alpha": None}, r"blocks\[0\]\.alpha is None, where a list"),
        ("blocks", 0, {"alpha": [1, NAN]}, r"blocks\[0\]\.alpha\[1\] is nan, where null"),
        ("blocks", 0, {"alpha": ["x"]}, r"blocks\[0\]\.alpha\[0\] is 'x'"),
        ("blocks", 0, {"root_moduli": 1.0}, r"blocks\[0\]\.root_moduli is 1\.0"),
        ("blocks", 0, {"zero_stable": 1}, r"blocks\[0\]\.zero_stable is 1, where true"),
        ("blocks", 0, {"order": 1.5}, r"blocks\[0\]\.order is 1\.5"),
        ("blocks", 0, {"order": 2**31}, r"blocks\[0\]\.order is 2147483648, where at most"),
        ("blocks", 0, {"note": ""}, r"blocks\[0\]\.'note' is unknown"),
    ],
)
def test_malformed_probes_and_blocks_are_refused_and_write_nothing(
    running, make, content, key, index, change, said
):
    result = make.result(
        RUN, probes=[make.probe(epoch=0), make.probe()], blocks=[make.block(1), make.block(2)]
    )
    result[key][index] |= change
    before = content()
    with pytest.raises(BadResultError, match=said):
        running.commit(RUN, 1, result)
    assert content() == before


@pytest.mark.parametrize("changes", [{"probes": None}, {"probes": {}}, {"blocks": {}}])
def test_probes_and_blocks_must_be_lists(running, make, changes):
    with pytest.raises(BadResultError, match="where a list"):
        running.commit(RUN, 1, make.result(RUN, **changes))


def test_probe_names_equal_after_escaping_are_duplicates(running, make):
    probes = [make.probe(layer="a\0"), make.probe(layer="a\\x00")]
    with pytest.raises(BadResultError, match="a second time"):
        running.commit(RUN, 1, make.result(RUN, probes=probes))


def test_a_result_without_probes_and_blocks_needs_no_extra_statement(running, make):
    said = []

    def note(connection, cursor, statement, *others):
        said.append(statement)

    engine = running._database._engine
    event.listen(engine, "before_cursor_execute", note)
    assert running.commit(RUN, 1, make.result(RUN))
    assert any("INSERT INTO epochs" in statement for statement in said)
    assert not any("probes" in statement or "blocks" in statement for statement in said)


def test_every_key_of_a_result_is_required(running, make):
    complete = make.result(RUN, evaluations=[make.measured(make.evaluation(1), 80.0)])
    for key in complete:
        result = copy.deepcopy(complete)
        del result[key]
        with pytest.raises(BadResultError, match=f"{key} is missing"):
            running.commit(RUN, 1, result)
    with pytest.raises(BadResultError, match="not a JSON object"):
        running.commit(RUN, 1, [])
    assert running.commit(RUN, 1, complete)


def test_adding_evaluations_does_not_change_existing_ones(running, queries, make):
    first, second = make.evaluation(1), make.evaluation(2)
    assert running.add_evaluations(RUN, [make.measured(first, 10.0)]) == 0, "it is not done"
    running.commit(RUN, 1, make.result(RUN, evaluations=[make.measured(first, 80.0)]))
    added = [make.measured(first, 10.0), make.measured(second, 70.0)]
    assert running.add_evaluations(RUN, added) == 1
    assert running.add_evaluations(RUN, added) == 0
    assert [e["accuracy"] for e in queries.run_detail(RUN)["evaluations"]] == [80.0, 70.0]
    with pytest.raises(UnknownRunError):
        running.add_evaluations("f" * 16, added)
    with pytest.raises(BadResultError, match=r"evaluations\[1\].evaluation_id.*a second time"):
        running.add_evaluations(RUN, [added[0], added[0]])


def test_a_write_that_reads_first_waits_for_another_writer(sqlite_url, make):
    running = Store.open(sqlite_url)
    make.save(running, "s", [make.run(1)], [make.evaluation(1)])
    assert running.claim(RUN, provenance=CLAIMED) == 1
    running.commit(RUN, 1, make.result(RUN))
    with closing(sqlite3.connect(running.shown, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE sweeps SET updated_at = 1")
        waiting = threading.Thread(
            target=running.add_evaluations, args=(RUN, [make.measured(make.evaluation(1), 80.0)])
        )
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
        other.execute("COMMIT")
    waiting.join()
    assert running.pending("s") == []
    running.close()


BROKEN = {
    "sqlite": (
        "CREATE TRIGGER broken BEFORE INSERT ON evaluations"
        " BEGIN SELECT RAISE(ABORT, 'broken here'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION break_it() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'broken here'; END $$",
        "CREATE TRIGGER broken BEFORE INSERT ON evaluations FOR EACH ROW"
        " EXECUTE FUNCTION break_it()",
    ),
}


def test_a_commit_that_fails_half_way_writes_nothing(running, make, content, plain):
    with plain.begin() as connection:
        for statement in BROKEN[connection.dialect.name]:
            connection.exec_driver_sql(statement)
    before = content()
    with pytest.raises(DatabaseError, match="broken here"):
        running.commit(
            RUN, 1, make.result(RUN, evaluations=[make.measured(make.evaluation(1), 80.0)])
        )
    assert content() == before


def test_text_a_database_cannot_store_is_escaped(store, queries, make, content):
    asked = make.evaluation(1, name=NO_TEXT, kind=NO_TEXT, config={"noise": NO_TEXT})
    config = {NO_TEXT: [NO_TEXT, {"deep": NO_TEXT}], "untouched": "ü\\u0000\n\U0001f40d"}
    run = make.run(1, model=NO_TEXT, scheme=NO_TEXT, dataset=NO_TEXT, config=config)
    for _ in range(2):
        change = store.save_sweep(
            NO_TEXT,
            NO_TEXT,
            NO_TEXT,
            [NO_TEXT],
            NO_TEXT,
            [run, make.run(2)],
            [asked],
            published=NO_TEXT,
        )
        assert change.spec_version == 1, "the same text is the same version"
    assert store.stored_spec(NO_TEXT) == (ESCAPED, ESCAPED, ESCAPED, [ESCAPED], None)
    assert len(store.pending(NO_TEXT)) == 2
    provenance = {"host": NO_TEXT, "device": NO_TEXT, "git_commit": NO_TEXT}
    assert store.claim(RUN, provenance=provenance) == 1
    assert store.release(RUN, 1, "lost", NO_TEXT)
    assert store.claim(RUN, provenance=provenance) == 2
    assert store.commit(
        RUN,
        2,
        make.result(RUN, 2, evaluations=[make.measured(asked, 80.0)], provenance={"host": NO_TEXT}),
    )
    other = make.run(2).run_id
    assert store.claim(other, provenance={}) == 1
    assert store.fail(other, 1, NO_TEXT, NO_TEXT)

    found = queries.run_detail(RUN)
    assert (found["model"], found["scheme"], found["dataset"]) == (ESCAPED,) * 3
    assert found["config"] == {
        ESCAPED: [ESCAPED, {"deep": ESCAPED}],
        "untouched": "ü\\u0000\n\U0001f40d",
    }
    assert [attempt["error"] for attempt in found["attempt_history"]] == [ESCAPED, None]
    assert found["attempt_history"][1]["provenance"] == dict.fromkeys(provenance, ESCAPED)
    assert [e["name"] for e in found["evaluations"]] == [ESCAPED]
    failed = queries.run_detail(other)
    assert failed["error"] == ESCAPED
    assert failed["attempt_history"][0]["traceback"] == ESCAPED
    assert "\0" not in str(content())


def test_looking_up_names_a_database_cannot_store_finds_nothing(store, queries, make):
    make.save(store, "s", [make.run(1)])
    for name in (NO_TEXT, "\0", "\udc80"):
        with pytest.raises(UnknownSweepError):
            store.pending(name)
        with pytest.raises(UnknownRunError):
            store.retry(run_ids=[name])
        with pytest.raises(UnknownRunError):
            queries.run_detail(name)
        assert store.claim(name, provenance={}) is None


PERCENT = st.none() | st.floats(0, 100)
NOT_FINITE = st.sampled_from([float("inf"), float("-inf"), float("nan")])
NUMBER = st.none() | st.floats(*bounds.NUMBER) | NOT_FINITE
SECONDS = st.none() | st.floats(*bounds.SECONDS) | NOT_FINITE
SPEED = st.none() | st.floats(*bounds.SPEED) | NOT_FINITE
GAP = st.none() | st.floats(*bounds.GAP) | NOT_FINITE
COUNT = st.integers(0, 2**62)
EPOCH = st.integers(0, 2**31 - 1)


@st.composite
def results(draw):
    epoch = st.fixed_dictionaries(
        {
            "learning_rate": NUMBER,
            "train_loss": NUMBER,
            "train_accuracy": PERCENT,
            "test_loss": NUMBER,
            "test_accuracy": PERCENT,
            "seconds": SECONDS,
        }
    )
    changes = draw(
        st.fixed_dictionaries(
            {
                "parameters": COUNT,
                "test_accuracy": PERCENT,
                "best_test_accuracy": PERCENT,
                "train_accuracy": PERCENT,
                "best_epoch": st.none() | EPOCH,
                "generalization_gap": GAP,
                "test_loss": NUMBER,
                "train_loss": NUMBER,
                "train_seconds": SECONDS,
                "images_per_second": SPEED,
                "diverged": st.booleans(),
                "diverged_epoch": st.none() | EPOCH,
                "learned_coefficients": st.none() | st.lists(st.lists(NUMBER, max_size=3)),
            }
        )
    )
    changes["epochs"] = [
        {"epoch": number, **draw(epoch)} for number in range(1, draw(st.integers(0, 4)) + 1)
    ]
    return changes, draw(st.lists(PERCENT, max_size=4))


def nulled(value):
    """What is to come back: numbers that are not finite as None."""
    if isinstance(value, list):
        return [nulled(item) for item in value]
    if isinstance(value, dict):
        return {key: nulled(item) for key, item in value.items()}
    if isinstance(value, float) and value - value != 0:
        return None
    return value


@settings(max_examples=40, deadline=None)
@given(results())
@pytest.mark.slow
def test_any_result_round_trips_through_the_store(make, emptied_store, drawn):
    changes, accuracies = drawn
    store = emptied_store()
    asked = [make.evaluation(n) for n in range(1, len(accuracies) + 1)]
    make.save(store, "s", [make.run(1)], asked)
    measured = [make.measured(e, a) for e, a in zip(asked, accuracies, strict=True)]
    make.finish(store, make.run(1), **copy.deepcopy(changes), evaluations=measured)
    found = Queries(store._database).run_detail(RUN)
    assert found["epoch_history"] == nulled(changes.pop("epochs"))
    assert {key: found[key] for key in changes} == nulled(changes)
    assert [e["accuracy"] for e in found["evaluations"]] == accuracies
    assert tuple(found)[: len(RUN_KEYS)] == RUN_KEYS
