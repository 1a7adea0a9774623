"""Runs and evaluations whose code was another, in both kinds of database."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from results.analysis.reports import report
from results.analysis.unmatched import unmatched
from results.errors import BadFilterError
from results.json_values import to_json
from results.records import NewEvaluation
from results.rendering import render

OLD, NEW = "a" * 64, "b" * 64


def test_runs_are_found_by_the_code_of_their_trainer(make, store, queries):
    made = [
        make.run(number, config={"seed": number, "trainer": "fit:train", "source": source})
        for number, source in enumerate((OLD, OLD, NEW, NEW, OLD, OLD, OLD), start=1)
    ]
    make.save(store, "s", made)
    files = {OLD: {"fit.py": "1" * 64}}
    for run in made[:3]:
        store.claim(run.run_id, provenance={"sources": files})
        store.commit(run.run_id, 1, make.result(run.run_id))
    ids = [run.run_id for run in made]
    for run_id in ids[4:6]:
        store.claim(run_id, provenance={})
    store.fail(ids[4], 1, "it broke", None)
    store.release(ids[5], 1, "interrupted", None)
    models = {made[0].model}
    by_other = queries.runs_by_other_code("fit:train", {"source": NEW, "plugins": None}, models)
    reached = {0: "done", 1: "done", 4: "failed", 5: "begun", 6: "not begun"}
    found = list(by_other)
    assert set(found) == {
        (ids[at], to_json(made[at].config), stage) for at, stage in reached.items()
    }
    assert [run_id for run_id, _, stage in found if stage == "done"] == ids[1::-1]
    assert not list(queries.runs_by_other_code("other:train", {"source": NEW}, models))
    assert not list(queries.runs_by_other_code("fit:train", {"source": NEW}, {None}))
    stages = ("done", "done", "done", "not begun", "failed", "begun", "not begun")
    assert queries.stages_of([*ids, "0" * 16]) == dict(zip(ids, stages, strict=True))
    assert queries.stages_of([]) == {}
    assert queries.files_of_source(ids[3:] + ids[:1], OLD) == files[OLD]
    assert queries.files_of_source(ids, NEW) is None


def test_code_of_plugins_is_found_with_that_of_the_trainer(make, store, queries):
    codes = [(None, {}), (None, {"model a b": OLD}), (NEW, {"model a b": OLD, 'probe "é': NEW})]
    made = []
    for number, (source, plugins) in enumerate(codes, start=1):
        code = {"source": source, "plugins": plugins}
        config = {"seed": number, "trainer": "t", **{k: v for k, v in code.items() if v}}
        made.append(make.run(number, config=config))
    make.save(store, "s", made)
    for run in made:
        make.finish(store, run)
    models = {None, made[0].model}
    for now, run in zip(codes, made, strict=True):
        code = {"source": now[0], "plugins": now[1] or None}
        found = list(queries.runs_by_other_code("t", code, models))
        assert found == [
            (r.run_id, to_json(r.config), "done") for r in reversed(made) if r is not run
        ]


def test_measurements_are_found_by_the_code_of_their_evaluation(make, store, queries):
    of_code = [
        NewEvaluation(digit * 16, "mine[1]", "mine", 1.0, {"noise": "mine", **code})
        for digit, code in (("1", {}), ("2", {"plugin_source": OLD}))
    ]
    made = make.runs(2)
    make.save(store, "s", made, of_code)
    for run in made:
        make.finish(store, run)
    store.add_evaluations(made[0].run_id, [dict(asdict(of_code[1]), accuracy=50.0, loss=1.0)])
    assert sorted(queries.sources_of_evaluation("mine"), key=str) == [None, OLD]
    assert queries.sources_of_evaluation("other") == []
    ids = [run.run_id for run in made]
    assert queries.measured_among("mine", ids) == {(ids[0], "2" * 16)}
    assert queries.measured_among("mine", ids[1:]) == set()
    assert queries.measured_among("other", ids) == set()


def test_the_start_of_a_digest_stands_for_the_one_that_begins_so(make, store, queries):
    codes = [OLD, "ab" * 32, NEW]
    made = [
        make.run(number, config={"seed": number, "source": code, "plugins": {"model a": code}})
        for number, code in enumerate(codes, start=1)
    ]
    make.save(store, "s", made)
    make.save(store, "others", [make.run(4, config={"seed": 4, "source": "bc" * 32})])

    def kept(*where, sweeps=("s",)):
        return [row["seed"] for row in queries.run_rows(sweeps, where=where)]

    assert kept("source=b") == kept(f"source={NEW}") == kept("plugins.model a=bbb") == [3]
    assert kept("source!=aa") == [2, 3]
    assert kept("source=c") == []
    assert unmatched(queries, ["s"], ["source=c"]) == [
        "no run has source=c (known: aaaaaaaaaaaa, abababababab, bbbbbbbbbbbb)"
    ]
    with pytest.raises(BadFilterError, match=r"several values of source begin with 'a'; give more"):
        kept("source=a")
    with pytest.raises(BadFilterError, match=rf"of one of {NEW}, {'bc' * 32}$"):
        kept("source=b", sweeps=())


def test_tables_for_people_have_the_first_digits_of_code(make, store, queries):
    code = {"source": OLD, "plugins": {"model a": NEW}}
    make.save(store, "s", [make.run(1, config={"seed": 1, **code})])
    make.finish(store, make.run(1))
    found = report(queries, ["s"], ["source", "plugins.model a"], ["test_accuracy"])
    for format in ("table", "markdown", "latex", "html"):  # noqa: A001
        shown = render(found, format)
        assert OLD[:12] in shown
        assert NEW[:12] in shown
        assert OLD[:13] not in shown
    for format in ("json", "csv"):  # noqa: A001
        assert OLD in render(found, format)
        assert NEW in render(found, format)
