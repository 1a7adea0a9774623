from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event, select, update

import databases
from results.errors import DatabaseError, UnknownRunError, UnknownSweepError
from results.schema.tables import runs
from results.store.store import Store


@pytest.fixture
def set_state(plain):
    def change(run_id, state):
        with plain.begin() as connection:
            connection.execute(update(runs).where(runs.c.run_id == run_id).values(state=state))

    return change


def states(store):
    with store._database.reading() as connection:
        query = select(runs.c.run_id, runs.c.state).order_by(runs.c.run_id)
        return {row.run_id: row.state for row in connection.execute(query)}


def test_new_runs_of_a_sweep_are_queued_in_order(store, make):
    runs = [make.run(n) for n in (3, 1, 2)]
    change = make.save(store, "s", runs, [make.evaluation(2), make.evaluation(1)])
    assert (change.added, change.already_known, change.removed) == (3, 0, 0)
    assert (change.spec_version, change.spec_changed) == (1, True)
    pending = store.pending("s")
    assert [p.run_id for p in pending] == [r.run_id for r in runs]
    assert pending[0].config == runs[0].config
    assert pending[0].missing_evaluations == (make.evaluation(2), make.evaluation(1))
    assert (pending[0].state, pending[0].attempt) == ("queued", 0)


def test_saving_the_same_sweep_again_changes_only_its_time(store, make, content):
    def all_but_times():
        return {table: rows for table, rows in content().items() if table != "sweeps"}

    make.save(store, "s", make.runs(3), [make.evaluation()])
    before = all_but_times()
    change = make.save(store, "s", make.runs(3), [make.evaluation()])
    assert (change.added, change.already_known, change.removed) == (0, 3, 0)
    assert not change.spec_changed
    assert all_but_times() == before


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(1, 6), max_size=8), min_size=1, max_size=4), st.randoms())
@pytest.mark.slow
def test_the_last_save_alone_decides_the_runs_of_a_sweep(make, emptied_store, saves, random):
    store = emptied_store()
    members: set[int] = set()
    for numbers in saves:
        change = make.save(store, "s", [make.run(n) for n in numbers])
        assert change.added == len(set(numbers) - members)
        assert change.already_known == len(set(numbers) & members)
        assert change.removed == len(members - set(numbers))
        members = set(numbers)
        expected = [make.run(n).run_id for n in dict.fromkeys(numbers)]
        assert [p.run_id for p in store.pending("s")] == expected
    assert states(store).keys() == {make.run(n).run_id for n in members}
    # In another order it is the same sweep: nothing is added, nothing leaves.
    shuffled = list(members)
    random.shuffle(shuffled)
    change = make.save(store, "s", [make.run(n) for n in shuffled])
    assert (change.added, change.already_known, change.removed) == (0, len(members), 0)
    assert {p.run_id for p in store.pending("s")} == {make.run(n).run_id for n in members}


def test_a_run_removed_from_a_sweep_keeps_its_results(store, queries, make):
    make.save(store, "s", make.runs(2))
    make.finish(store, make.run(1))
    assert make.save(store, "s", [make.run(2)]).removed == 1
    assert [r["run_id"] for r in queries.run_rows(["s"])] == [make.run(2).run_id]
    assert queries.run_detail(make.run(1).run_id)["test_accuracy"] == 90.0


def test_two_sweeps_can_share_a_run(store, queries, make):
    make.save(store, "a", [make.run(1)])
    assert make.save(store, "b", make.runs(2)).already_known == 1
    make.finish(store, make.run(1))
    assert [p.run_id for p in store.pending("b")] == [make.run(2).run_id]
    assert store.pending("a") == []


def test_saving_a_known_run_again_does_not_change_it(store, queries, make):
    make.save(store, "s", [make.run(1)])
    make.finish(store, make.run(1))
    before = queries.run_detail(make.run(1).run_id)
    make.save(store, "s", [make.run(1, depth=56, scheme="another label")])
    assert queries.run_detail(make.run(1).run_id) == before


def test_saving_a_sweep_queues_its_cancelled_runs_again(store, make, set_state):
    make.save(store, "s", make.runs(2))
    make.save(store, "other", [make.run(3)])
    for number in (1, 3):
        set_state(make.run(number).run_id, "cancelled")
    assert make.save(store, "s", make.runs(2)).requeued == 1
    assert list(states(store).values()) == ["queued", "queued", "cancelled"]


def test_every_version_of_a_spec_is_kept(store, content):
    def save(text, overrides):
        return store.save_sweep("s", text, "s.yaml", overrides, None, [], [])

    assert save("a", []).spec_version == 1
    assert save("a", []).spec_version == 1
    assert save("b", []).spec_version == 2
    assert save("b", ["seed=1"]).spec_version == 3
    assert save("a", []).spec_version == 4
    assert store.stored_spec("s") == ("s", "a", "s.yaml", [], None)
    assert len(content()["sweep_specs"]) == 4


def test_stored_spec_is_that_of_the_last_saved_sweep(store, make):
    with pytest.raises(UnknownSweepError, match="no sweep yet"):
        store.stored_spec()
    make.save(store, "a", [])
    make.save(store, "b", [])
    assert store.stored_spec().name == "b"
    make.save(store, "a", [])
    assert store.stored_spec() == ("a", "name: a\n", "a.yaml", [], None)
    with pytest.raises(UnknownSweepError, match=r"unknown sweep 'c' \(known: a, b\)"):
        store.stored_spec("c")


def test_a_row_violating_a_constraint_rolls_back_the_whole_save(store, make, content):
    before = content()
    with pytest.raises(DatabaseError, match="id_length"):
        make.save(store, "s", [make.run(1), make.run(2, run_id="short")])
    assert content() == before


def test_pending_lists_done_runs_that_lack_evaluations(store, make):
    first, second = make.evaluation(1), make.evaluation(2)
    make.save(store, "s", make.runs(3), [first])
    make.finish(store, make.run(1), evaluations=[make.measured(first, 80.0)])
    make.finish(store, make.run(2), evaluations=[make.measured(first, None)])
    assert [p.run_id for p in store.pending("s")] == [make.run(3).run_id]

    make.save(store, "s", make.runs(3), [first, second])
    found = {p.run_id: p for p in store.pending("s")}
    assert found[make.run(1).run_id].missing_evaluations == (second,)
    assert found[make.run(1).run_id].state == "done"
    assert found[make.run(1).run_id].attempt == 1
    assert found[make.run(3).run_id].missing_evaluations == (first, second)

    assert store.add_evaluations(make.run(1).run_id, [make.measured(second, 70.0)]) == 1
    assert [p.run_id for p in store.pending("s")] == [make.run(2).run_id, make.run(3).run_id]
    with pytest.raises(UnknownSweepError):
        store.pending("nowhere")


def test_pending_ignores_evaluations_of_other_sweeps(store, make):
    first, second = make.evaluation(1), make.evaluation(2)
    make.save(store, "a", [make.run(1)], [first])
    make.save(store, "b", [make.run(1)], [second])
    make.finish(store, make.run(1), evaluations=[make.measured(first, 80.0)])
    assert store.pending("a") == []
    assert [p.missing_evaluations for p in store.pending("b")] == [(second,)]


def test_retry_queues_failed_and_cancelled_runs(store, queries, make, set_state):
    make.save(store, "a", make.runs(3))
    make.save(store, "b", [make.run(4)])
    for number in (1, 2, 4):
        run_id = make.run(number).run_id
        store.fail(run_id, store.claim(run_id, provenance={}), "broke", "trace")
    set_state(make.run(3).run_id, "cancelled")
    assert store.retry(run_ids=[make.run(1).run_id]) == 1
    assert store.retry("a") == 2
    assert store.retry("a") == 0
    assert states(store)[make.run(4).run_id] == "failed"
    assert store.retry() == 1
    assert store.claim(make.run(1).run_id, provenance={}) == 2
    history = queries.run_detail(make.run(1).run_id)["attempt_history"]
    assert [(a["attempt"], a["state"], a["error"]) for a in history] == [
        (1, "failed", "broke"),
        (2, "running", None),
    ]


def test_retry_of_an_unknown_sweep_or_run_changes_nothing(store, make, content):
    make.save(store, "a", [make.run(1)])
    store.fail(make.run(1).run_id, store.claim(make.run(1).run_id, provenance={}), "broke", None)
    before = content()
    with pytest.raises(UnknownRunError):
        store.retry(run_ids=[make.run(1).run_id, make.run(9).run_id])
    with pytest.raises(UnknownSweepError):
        store.retry("nowhere")
    assert content() == before


@pytest.mark.slow
def test_ten_thousand_runs_are_saved_in_few_statements(store, make):
    runs = make.runs(10_000)
    statements = []

    def note(connection, cursor, statement, *more):
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    assert make.save(store, "s", runs, [make.evaluation()]).added == 10_000
    assert make.save(store, "s", runs, [make.evaluation()]).already_known == 10_000
    assert len(store.pending("s")) == 10_000
    event.remove(Engine, "before_cursor_execute", note)
    assert len(statements) < 200


@pytest.mark.postgres
def test_runs_are_not_compared_with_all_others_before_statistics_know_of_them(make, postgres):
    asked = []

    def note(connection, cursor, statement, parameters, *more):
        asked.append((statement, parameters))

    def looked_at(plan):
        rows = plan["Actual Rows"] + plan.get("Rows Removed by Join Filter", 0)
        return rows * plan["Actual Loops"] + sum(map(looked_at, plan.get("Plans", ())))

    with databases.postgres_schema(postgres) as url, Store.open(url) as store:
        make.save(store, "small", make.runs(5), [make.evaluation()])
        engine = databases.plain_engine(url)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
        many = [make.run(number) for number in range(100, 2100)]
        make.save(store, "s", many, [make.evaluation()])
        event.listen(Engine, "before_cursor_execute", note)
        assert len(store.pending("s")) == len(many)
        event.remove(Engine, "before_cursor_execute", note)
        with engine.connect() as connection:
            for statement, parameters in asked:
                explained = "EXPLAIN (ANALYZE, FORMAT JSON) " + statement
                ((plan,),) = connection.exec_driver_sql(explained, parameters).scalars().all()
                assert looked_at(plan["Plan"]) < 100 * len(many)
