from __future__ import annotations

import itertools
import json
import math
import statistics

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, assume, given, settings
from sqlalchemy import create_engine

import reference_report
from results.analysis import reports
from results.analysis.group_statistics import Moments, summary_of
from results.analysis.statistics import summarize
from results.analysis.unfinished import left_out
from results.errors import BadFilterError, UnknownColumnError, UnknownSweepError
from results.json_values import to_json
from results.queries.further_numbers import OF_RUN
from results.queries.queries import Queries
from results.store.store import Store
from stored_rows import evaluation_id, replace_rows


@pytest.fixture
def report(url, plain):
    """Stores rows and reports on them."""
    Store.open(url).close()

    def stored_report(rows, *arguments, sweeps=(), asked_for=None, **options):
        replace_rows(plain, rows, asked_for)
        with Queries.open(url) as queries:
            return reports.report(queries, sweeps, *arguments, **options)

    return stored_report


def noise(name, accuracy):
    return {"name": name, "kind": "noise", "level": 0.1, "accuracy": accuracy}


def test_a_group_has_its_keys_counts_and_statistics_in_order(report, make):
    rows = [
        make.row(1, test_accuracy=90.0, evaluations=[noise("uniform[-0.08,0]", 80.0)]),
        make.row(2, test_accuracy=92.0, diverged=True, evaluations=[noise("g[1]", None)]),
    ]
    asked_for = {"s": ["uniform[-0.08,0]", "g[1]"]}
    found = report(rows, ["zero_stable", "depth"], asked_for=asked_for)
    assert found.metrics == (
        "test_accuracy", "best_test_accuracy", "generalization_gap", "uniform[-0.08,0]", "g[1]",
    )  # fmt: skip
    (group,) = found.groups
    assert list(group)[:11] == [
        "zero_stable", "depth", "runs", "diverged", "unfinished", "imported", "measured_elsewhere",
        "test_accuracy_mean", "test_accuracy_std", "test_accuracy_min", "test_accuracy_max",
    ]  # fmt: skip
    assert (group["runs"], group["diverged"], group["unfinished"]) == (2, 1, 0)
    assert (group["test_accuracy_mean"], group["test_accuracy_std"]) == (
        91.0,
        pytest.approx(2**0.5),
    )
    assert (group["test_accuracy_min"], group["test_accuracy_max"]) == (90.0, 92.0)
    assert (group["uniform[-0.08,0]_mean"], group["uniform[-0.08,0]_std"]) == (80.0, None)
    assert group["g[1]_mean"] is group["g[1]_max"] is None


def test_a_report_with_unfinished_runs_is_marked_partial(report, make):
    rows = [
        make.row(1),
        make.row(2, state="queued", test_accuracy=None),
        make.row(3, state="failed", depth=56, test_accuracy=None),
    ]
    found = report(rows, ["depth"])
    assert [(g["depth"], g["runs"], g["unfinished"]) for g in found.groups] == [(32, 1, 1)]
    assert (found.runs, found.unfinished) == (1, 2)
    # What is not measured cannot be ruled out; what is known beforehand can.
    assert report(rows, ["depth"], where=["test_accuracy>89"]).unfinished == 2
    assert report(rows, ["depth"], where=["depth=32"]).unfinished == 1
    assert report(rows, ["depth"], where=["state=done"]).unfinished == 0


@pytest.mark.parametrize("key", ["run_id", "state"])
def test_a_report_by_run_or_state_lists_runs_that_are_not_done(report, make, key):
    rows = [make.row(1), make.row(2, state="failed", test_accuracy=None)]
    listed = report(rows, [key]).groups
    assert [group[key] for group in listed] == [rows[0][key], rows[1][key]]
    failed = listed[1]
    assert (failed["runs"], failed["unfinished"], failed["test_accuracy_mean"]) == (0, 1, None)
    assert [group["depth"] for group in report(rows, ["depth"]).groups] == [32]


def test_unfinished_runs_are_counted_by_state(report, make):
    rows = [make.row(n, sweep="s,t", test_accuracy=None, state=state) for n, state in enumerate(
        ["failed", "queued", "failed", "cancelled", "running"]
    )]  # fmt: skip
    states = {"queued": 1, "running": 1, "failed": 2, "cancelled": 1}
    for keys in (["sweep"], ["depth"]):
        assert report(rows, keys).states == states
    assert left_out(states) == "2 not done yet, 2 failed, 1 cancelled: left out"
    assert report(rows, [], where=["state=failed"]).states == {"failed": 2}
    assert left_out({"failed": 2}) == "2 failed and left out"


def test_groups_say_how_many_versions_of_code_they_mix(report, make):
    """Of one trainer or plug-in: two trainers are no two versions."""

    def row(number, trainer, source, **more):
        code = {"trainer": trainer} | ({"source": source * 64} if source else {})
        return make.row(number, config={"seed": number, **code, **more})

    plain = {"plugins": {"model plain": "c" * 64}}
    rows = [
        row(1, "fit:train", "a"), row(2, "fit:train", "b", **plain), row(3, "fit:train", None),
        row(4, "other:train", "c"),
    ]  # fmt: skip
    found = report(rows, ["depth"], ["seed"])
    assert found.code_versions == {"source": 3}
    assert [group["code_versions"] for group in found.groups] == [3]
    by_trainer = report(rows, ["trainer"], ["seed"])
    assert [group["code_versions"] for group in by_trainer.groups] == [3, 1]
    assert "code_versions" not in report(rows, ["source"]).groups[0]
    assert report(rows, ["depth"], where=["trainer=other:train"]).code_versions == {}
    edited = {"plugins": {"model plain": "d" * 64}}
    rows = [row(5, "t", None, **plain), row(6, "t", None, **edited, sweep="s"), make.row(7)]
    for keys in (["model"], ["sweep"], []):
        assert report(rows, keys).code_versions == {"plugins.model plain": 2}
    assert report([*rows[::2], row(8, "fit:train", "a")], []).code_versions == {}


def test_configs_of_runs_without_own_code_are_not_read(url, plain, make):
    if plain.dialect.name != "sqlite":
        pytest.skip("no config that cannot be read can be stored there")
    Store.open(url).close()
    coded = {"trainer": "fit:train", "source": "a" * 64}
    edited = coded | {"source": "b" * 64}
    rows = [
        make.row(1, depth=20), make.row(2, depth=20),
        make.row(3, config=coded), make.row(4, config=edited),
    ]  # fmt: skip
    replace_rows(plain, rows)
    with plain.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER done_is_final")
        connection.exec_driver_sql("UPDATE runs SET config = '{' WHERE depth = 20")
    with Queries.open(url) as queries:
        builtin = reports.report(queries, (), ["depth"], ["test_accuracy"], ["depth=20"])
        assert (builtin.runs, builtin.code_versions) == (2, {})
        own = reports.report(queries, (), ["depth"], ["test_accuracy"], ["depth=32"])
        assert (own.runs, own.code_versions) == (2, {"source": 2})


def test_groups_sort_by_value_with_null_last(report, make):
    def order(key, *values):
        rows = [make.row(n, **{key: value}) for n, value in enumerate(values)]
        return [group[key] for group in report(rows, [key]).groups]

    assert order("depth", 110, 20, 56, 20) == [20, 56, 110]
    assert order("zero_stable", None, True, False) == [False, True, None]
    assert order("max_root_modulus", 1.84, None, 1, 0.5) == [0.5, 1, 1.84, None]
    assert order("model", "zerosnet", "preresnet") == ["preresnet", "zerosnet"]
    assert order("alpha", [10.0, 1.0], None, [2.0, 1.0], [2.0]) == [
        [2.0], [2.0, 1.0], [10.0, 1.0], None,
    ]  # fmt: skip


def test_a_report_groups_by_several_keys_and_config_paths(report, make):
    def config(lr, width):
        return {"model": {"width": width}, "training": {"optimizer": {"lr": lr}}}

    rows = [
        make.row(1, config=config(0.1, 16)),
        make.row(2, config=config(0.05, 16)),
        make.row(3, config=config(0.1, 32)),
        make.row(4, config={"model": {}}),
    ]
    found = report(rows, ["training.optimizer.lr", "model.width"], ["model.width"])
    assert [(g["training.optimizer.lr"], g["model.width"], g["runs"]) for g in found.groups] == [
        (0.05, 16, 1), (0.1, 16, 1), (0.1, 32, 1), (None, None, 1),
    ]  # fmt: skip
    assert found.groups[2]["model.width_mean"] == 32


def test_a_report_without_keys_has_one_group(report, make):
    assert [g["runs"] for g in report([make.row(1), make.row(2)], []).groups] == [2]
    assert report([], []).groups == []


def test_grouping_by_diverged_replaces_the_diverged_count(report, make):
    rows = [make.row(1), make.row(2, diverged=True)]
    assert [g["diverged"] for g in report(rows, ["diverged"]).groups] == [False, True]


def test_grouping_distinguishes_true_from_1_but_not_1_from_1_0(report, make):
    rows = [make.row(n, config={"flag": value}) for n, value in enumerate((True, 1, 1.0))]
    assert [(g["flag"], g["runs"]) for g in report(rows, ["flag"]).groups] == [(True, 1), (1, 2)]


def test_a_config_path_of_1000_levels_is_an_unknown_column(report, make):
    with pytest.raises(UnknownColumnError):
        report([make.row(1)], [".".join("a" * 1000)])


@pytest.mark.parametrize(
    ("arguments", "name", "nearest"),
    [
        ((["zero_stabel"],), "zero_stabel", "zero_stable"),
        ((["training.optimizer.lrr"],), "training.optimizer.lrr", "training.optimizer.lr"),
        ((["training.optimizer"],), "training.optimizer", "training.optimizer"),
        ((["evaluations"],), "evaluations", ""),
        (([], ["gaussian[0.2]"]), "gaussian[0.2]", "gaussian[0.1]"),
        (([], ["test_acc"]), "test_acc", "test_accuracy"),
        (([], ["scheme"]), "scheme", ""),
        (([], ["zero_stable"]), "zero_stable", ""),
        (([], None, ["dept=3"]), "dept", "depth"),
    ],
)
def test_an_unknown_column_error_lists_the_nearest_and_all_known_columns(
    report, make, arguments, name, nearest
):
    rows = [make.row(1, evaluations=[noise("gaussian[0.1]", 1.0)])]
    with pytest.raises(UnknownColumnError) as caught:
        report(rows, *arguments)
    assert repr(name) in str(caught.value)
    if nearest:
        assert f"did you mean '{nearest}" in str(caught.value)
    for known in ("depth", "gaussian[0.1]", "training.optimizer.lr"):
        assert known in str(caught.value)
    assert name not in caught.value.known


def test_a_run_in_several_sweeps_belongs_to_each_and_counts_once(report, make):
    rows = [make.row(1, sweep="a,b"), make.row(2, sweep="b"), make.row(3, sweep="")]
    asked_for = {"a": [], "b": []}

    def by_sweep(*sweeps, where=(), runs=None):
        found = report(rows, ["sweep"], [], where, sweeps=sweeps, asked_for=asked_for)
        assert runs is None or found.runs == runs
        return [(group["sweep"], group["runs"]) for group in found.groups]

    assert by_sweep(runs=3) == [("", 1), ("a", 1), ("b", 2)]
    assert by_sweep("a", runs=1) == [("a", 1)]
    assert by_sweep("b", "a", runs=2) == [("a", 1), ("b", 2)]
    assert by_sweep("b", "a", "b") == by_sweep("b", "a")
    assert by_sweep("b", where=["sweep=a"], runs=1) == [("b", 1)]
    assert by_sweep(where=["sweep=b"], runs=2) == [("a", 1), ("b", 2)]
    assert by_sweep(where=["sweep!=a"], runs=2) == [("", 1), ("b", 1)]
    assert by_sweep(where=["sweep!=b"], runs=1) == [("", 1)]
    assert by_sweep(where=["sweep=null"]) == [("", 1)]
    assert by_sweep(where=["sweep!=null"]) == [("a", 1), ("b", 2)]
    assert by_sweep(where=["sweep=a,b"]) == []
    with pytest.raises(UnknownSweepError, match=r"unknown sweep 'c' \(known: a, b\)"):
        by_sweep("a", "c")


def test_a_report_shows_only_evaluations_requested_by_the_named_sweeps(report, make):
    one, two = noise("g[1]", 50.0), noise("g[2]", 60.0)
    rows = [make.row(1, sweep="a", evaluations=[one, two]), make.row(2, sweep="b")]
    asked_for = {"a": ["g[1]"], "b": ["g[3]", "g[1]"], "empty": ["g[4]"]}

    def noises(*sweeps):
        found = report(rows, [], sweeps=sweeps, asked_for=asked_for)
        return found.metrics[3:]

    assert noises("a") == ("g[1]",)
    assert noises("b", "a") == ("g[3]", "g[1]")
    assert noises("a", "empty") == ("g[1]",)
    assert noises() == ("g[1]", "g[3]", "g[2]")
    (group,) = report(rows, [], sweeps=["b", "a"], asked_for=asked_for).groups
    assert (group["g[1]_mean"], group["g[3]_mean"]) == (50.0, None)
    assert report(rows, [], sweeps=["empty"], asked_for=asked_for).metrics[3:] == ()


def test_evaluations_sharing_a_name_are_separate_metrics(report, make):
    other = noise("g[1]", 70.0) | {"evaluation_id": "abcdef9876543210"}
    rows = [make.row(1, evaluations=[noise("g[1]", 50.0)]), make.row(2, evaluations=[other])]
    (group,) = report(rows, []).groups
    assert group[f"g[1]@{evaluation_id('g[1]')[:6]}_mean"] == 50.0
    assert group["g[1]@abcdef_mean"] == 70.0
    with pytest.raises(UnknownColumnError, match="did you mean 'g\\[1\\]@"):
        report(rows, [], ["g[1]"])


HOSTILE = (
    "a'b", 'a"b', "a.b", "a;b", "a%b", "a%sb", "a$1b", "a:b", "a\\b", "a\nb", "--", "/*", "ä\u2028",
    "", " ", "{}", "[0]", "$", "$.a", "NULL", "run_values", "key_0", "\N{SNOWMAN}", "\ud800", "\0",
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_report_names_and_values_cannot_inject_sql(report, make, text):
    rows = [
        make.row(1, config={text: {text: 1}, "plain": text}, scheme="x"),
        make.row(2, config={text: {text: 2}, "plain": "y"}, scheme="x"),
    ]
    found = report(rows, ["plain"], [])
    assert len(found.groups) == 2
    if text.strip() and "\n" not in text and text.isprintable():
        assert report(rows, ["plain"], [], [f"plain={text}"]).runs == 1
    name = f"{text}.{text}"
    # A key with a dot ends there, and keys that JSON escapes cannot be named.
    if "." not in text and json.dumps(text, ensure_ascii=False) == f'"{text}"' and text != "\ud800":
        assert [group[name] for group in report(rows, [name], [name]).groups] == [1, 2]
        if text.strip() == text != "":
            assert report(rows, [], [], [f"{name}>=2"]).runs == 1
    else:
        with pytest.raises(UnknownColumnError, match="known: run_id, sweep"):
            report(rows, [name])


def test_config_paths_descend_through_objects_only(report, make):
    rows = [
        make.row(1, config={"a": {"b": 1}}),
        make.row(2, config={"a": [1, 2]}),
        make.row(3, config={"a": "b"}),
        make.row(4, config={}),
    ]
    assert [g["a.b"] for g in report(rows, ["a.b"]).groups] == [1, None]
    groups = [(g["a"], g["runs"]) for g in report(rows, ["a"]).groups]
    assert groups == [("b", 1), ([1, 2], 1), (None, 2)]
    with pytest.raises(UnknownColumnError):
        report(rows, ["a.0"])


def test_equal_lists_of_ints_and_floats_form_one_group(report, make):
    rows = [
        make.row(1, alpha=[1, 2], test_accuracy=10.0),
        make.row(2, alpha=[1.0, 2.0], test_accuracy=20.0),
        make.row(3, alpha=[1, 2.0], test_accuracy=60.0),
        make.row(4, alpha=[1, 2], test_accuracy=None),
    ]
    (group,) = report(rows, ["alpha"], ["test_accuracy"]).groups
    assert (group["alpha"], group["runs"]) == ([1, 2], 4)
    assert (group["test_accuracy_mean"], group["test_accuracy_min"]) == (30.0, 10.0)
    assert group["test_accuracy_std"] == pytest.approx(statistics.stdev([10, 20, 60]), rel=1e-12)


def test_a_report_can_have_more_metrics_than_one_sql_result_has_columns(report, make):
    names = [f"g[{number}]" for number in range(250)]
    rows = [
        make.row(run, evaluations=[noise(name, float(run)) for name in names]) for run in (1, 3)
    ]
    (group,) = report(rows, []).groups
    assert {group[f"{name}_mean"] for name in names} == {2.0}
    assert {group[f"{name}_std"] for name in names} == {math.sqrt(2)}


# Exact in binary, so that offsets of 10^9 leave the differences between values as they are.
steps = st.integers(0, 40).map(lambda number: number / 2**20)
samples = st.tuples(st.sampled_from([0.0, 50.0, 1e9, -1e9]), st.lists(steps, max_size=12)).map(
    lambda made: [made[0] + step for step in made[1]]
)


@given(st.lists(samples, min_size=1, max_size=3), st.sampled_from([0.0, 50.0, 1e9]))
def test_merged_moments_give_the_summary_of_the_values(parts, center):
    def moments(values, around):
        deviations = [value - around for value in values]
        return Moments(
            len(values), around, sum(deviations), sum(d * d for d in deviations),
            min(values), max(values),
        )  # fmt: skip

    known = [part for part in parts if part]
    assume(known)
    near = [moments(part, sum(part) / len(part)) for part in known]
    assert_equal_summaries(summary_of(near), [value for part in known for value in part])
    for part in known:
        roughly = moments(part, center)
        if roughly.are_precise:
            assert_equal_summaries(summary_of([roughly]), part)


def test_moments_of_equal_values_merge_without_rounding_noise():
    far = 1e9
    tenths, fifths = (
        Moments(3, far, sum([value - far] * 3), sum([(value - far) ** 2] * 3), value, value)
        for value in (0.1, 0.2)
    )
    assert all(part.are_precise for part in (tenths, fifths))
    assert_equal_summaries(summary_of([tenths, fifths]), [0.1] * 3 + [0.2] * 3)


def assert_equal_summaries(found, values):
    expected = summarize(values)
    assert (found.min, found.max) == (expected.min, expected.max)
    assert found.mean == pytest.approx(expected.mean, rel=1e-12, abs=1e-12)
    if expected.std is None:
        assert found.std is None
    else:
        assert found.std == pytest.approx(statistics.stdev(values), rel=1e-9, abs=0)
        assert found.min <= found.mean <= found.max
        assert (found.std == 0) == (found.min == found.max)


@pytest.mark.parametrize("offset", [0.0, 1e9])
def test_a_tiny_spread_far_from_other_groups_is_measured_exactly(report, make, offset):
    # Two groups lie 10^7 spreads apart, so that no one center is near to both.
    spread = [n / 2**20 for n in (0, 1, 5, 2, 7, 7)]
    near = [offset + x for x in spread]
    far = [offset + 97 + x for x in spread]
    rows = [
        make.row(
            n, depth=depth, beta=value, test_accuracy=x + 50 * (depth == 32),
            evaluations=[noise("g[1]", x + 50 * (depth == 20))],
        )
        for depth, values in ((20, near), (32, far))
        for n, (value, x) in enumerate(zip(values, spread, strict=True), start=depth)
    ]  # fmt: skip
    groups = report(rows, ["depth"], ["beta", "test_accuracy", "g[1]"]).groups
    for group, values in zip(groups, (near, far), strict=True):
        assert group["beta_std"] == pytest.approx(statistics.stdev(values), rel=1e-9, abs=0)
        for name in ("test_accuracy", "g[1]"):
            deviation = pytest.approx(statistics.stdev(spread), rel=1e-9, abs=0)
            assert group[f"{name}_std"] == deviation


def test_equal_values_have_standard_deviation_zero(report, make):
    rows = [make.row(n, beta=0.1, test_accuracy=100 / 3) for n in range(1, 50)]
    (group,) = report(rows, [], ["beta", "test_accuracy"]).groups
    assert (group["beta_mean"], group["beta_std"]) == (0.1, 0.0)
    assert (group["test_accuracy_mean"], group["test_accuracy_std"]) == (100 / 3, 0.0)


accuracies = st.none() | st.integers(0, 400).map(lambda number: number / 4)
leaves = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        1,
        1.0,
        -2.5,
        2**53 + 1,
        "1",
        "x",
        "true",
        "",
        [],
        [1],
        [1.0],
        ["x", None],
    ]
)
configs = st.fixed_dictionaries(
    {
        "lr": st.none() | st.sampled_from([0.1, 0.05, 1, 1.0]),
        "any": leaves | st.dictionaries(st.just("b"), leaves),
    },
    optional={"it's": st.sampled_from(["a", 'b"', "c%"]), "depth": st.integers(0, 2)},
)
SWEEPS = {"a": ["g[1]", "g[2]"], "b": ["g[3]", "g[1]"], "o'c": []}


@st.composite
def stored_rows(draw, make):
    rows = []
    for number in range(1, draw(st.sampled_from([6, 5, 4, 3, 0])) + 1):
        state = draw(st.sampled_from(["done"] * 6 + ["queued", "failed"]))
        done = state == "done"
        names = draw(st.sets(st.sampled_from(["g[1]", "g[2]", "g[3]", "g[4]"]))) if done else ()
        rows.append(
            make.row(
                number,
                sweep=draw(st.sampled_from(["a", "a,b", "b", "a,b,o'c", "o'c", ""])),
                state=state,
                model=draw(st.sampled_from(["m", "M", "m'", "1"])),
                depth=draw(st.sampled_from([8, 20])),
                beta=draw(st.sampled_from([None, 5 / 9, 1.0, 1 + 1e-13, -3.0, 1e9, 1e9 + 2**-10])),
                alpha=draw(st.sampled_from([None, [1], [1.0], [1, 2.5], []])),
                zero_stable=draw(st.sampled_from([None, True, False])),
                order=draw(st.sampled_from([None, 0, 1])),
                test_accuracy=draw(accuracies) if done else None,
                best_test_accuracy=draw(accuracies) if done else None,
                generalization_gap=draw(accuracies) if done else None,
                diverged=draw(st.booleans()) if done else None,
                evaluations=[noise(name, draw(accuracies)) for name in sorted(names)],
                config=draw(configs),
            )
        )
    return rows


KEYS = (
    "zero_stable", "depth", "model", "beta", "alpha", "order", "sweep", "state", "diverged",
    "test_accuracy", "g[1]", "g[4]", "lr", "any", "any.b", "it's", "run_id",
)  # fmt: skip
METRICS = ("test_accuracy", "beta", "order", "g[1]", "lr", "seed", "any")
FITTING = {
    "zero_stable": ["true", "false"], "depth": ["8", "20.0", "65/4"], "model": ["m", "m'", "1"],
    "beta": ["5/9", "1", "-3", "1e9", "0.999999999999"], "alpha": ["[1]", "1, 5/2", "[]"],
    "order": ["0", "1", "1/2", "-1e30"], "sweep": ["a", "b", "a,b", "b,a", ""],
    "state": ["done", "queued"], "diverged": ["true"], "test_accuracy": ["50", "0", "100/3"],
    "g[1]": ["50", "25"], "g[4]": ["50"], "lr": ["1/10", "1"], "it's": ["a", 'b"'],
    "any": ["1", "1.0", "true", "x", "", "[1]", '["x", null]', str(2**53 + 1)],
    "any.b": ["1", "x"], "run_id": ["0000000000000001"],
}  # fmt: skip
UNORDERED = ("zero_stable", "model", "alpha", "sweep", "state", "diverged", "it's", "run_id")
filters = st.one_of(
    [
        st.builds(
            "{}{}{}".format,
            st.just(key),
            st.sampled_from(["=", "!="] if key in UNORDERED else ["=", "!=", "<", "<=", ">", ">="]),
            st.sampled_from([*values, "null"]),
        )
        for key, values in FITTING.items()
    ]
)
questions = st.fixed_dictionaries(
    {
        "group_by": st.lists(st.sampled_from(KEYS), max_size=2),
        "metrics": st.none() | st.lists(st.sampled_from(METRICS), max_size=2),
        "where": st.lists(filters, max_size=2),
        "sweeps": st.just([]) | st.lists(st.sampled_from(list(SWEEPS)), max_size=3, unique=True),
    }
)


def rows_seen(rows, sweeps):
    """What run rows say if these sweeps are named: sweeps in that order, evaluations known."""
    chosen = sweeps or list(SWEEPS)
    used = [name for name in chosen if any(name in row["sweep"].split(",") for row in rows)]
    known = dict.fromkeys(e for name in used for e in SWEEPS[name])
    if not sweeps:
        known |= dict.fromkeys(sorted(e["name"] for row in rows for e in row["evaluations"]))
    seen = []
    for row in rows:
        members = [name for name in chosen if name in row["sweep"].split(",")]
        if members or not sweeps:
            measured = {e["name"]: e["accuracy"] for e in row["evaluations"]}
            evaluations = [noise(name, measured.get(name)) for name in known]
            changes = {"sweep": ",".join(members), "all_sweeps": row["sweep"]}
            seen.append(row | changes | {"evaluations": evaluations})
    return seen


def assert_same_answer(queries, rows, question):
    arguments = (question["group_by"], question["metrics"], question["where"])
    found = answer(lambda: reports.report(queries, question["sweeps"], *arguments))
    expected = answer(
        lambda: reference_report.report(rows_seen(rows, question["sweeps"]), *arguments)
    )
    if not isinstance(expected, reports.Report):
        assert found == expected
        return
    assert (found.group_by, found.metrics) == (expected.group_by, expected.metrics)
    assert (found.runs, found.unfinished) == (expected.runs, expected.unfinished)
    assert len(found.groups) == len(expected.groups)
    for group, wanted in zip(found.groups, expected.groups, strict=True):
        assert list(group) == list(wanted)
        for name, value in wanted.items():
            if name in found.group_by:
                sortable = reference_report.sortable
                assert sortable(group[name]) == sortable(value)
            elif value is None:
                assert group[name] is None
            else:
                assert group[name] == pytest.approx(value, rel=1e-9, abs=0)


def answer(ask):
    """What `ask` returns, or what is wrong with the question."""
    try:
        return ask()
    except BadFilterError as error:
        return str(error)
    except UnknownColumnError as error:
        # Paths are listed as they are found, in no certain order; rows do not know losses.
        return error.name, {n for n in error.known if n not in OF_RUN and not n.endswith(".loss")}


def some_rows(make):
    """Every value that a filter of FITTING tells from others, and runs in every state."""
    betas = [5 / 9, 5 / 9 + 1e-13, 1.0, -3.0, 1e9, 1e9 + 0.5, 1e9 + 2, None]
    anys = [1, 1.0, True, "x", "", [1], [1.0], ["x", None], 2**53 + 1, {"b": 1}, {"b": "x"}, None]
    memberships = ["a", "b", "a,b", "", "a,b,o'c"]
    rows = []
    for n in range(24):
        state = ("done", "done", "done", "queued", "failed")[n % 5]
        names = ["g[1]", "g[3]", "g[4]"][: n % 4] if state == "done" else []
        rows.append(
            make.row(
                n,
                sweep=memberships[n % 7 % 5],
                state=state,
                model=["m", "M", "m'", "1"][n % 4],
                depth=[8, 16, 20][n % 3],
                beta=betas[n % 8],
                alpha=[[1], [1, 2.5], [1.0], [], None][n % 5],
                zero_stable=[True, False, None][n % 3],
                order=[0, 1, None][n // 2 % 3],
                test_accuracy=[50.0, 100 / 3, None, 0.0][n % 4] if state == "done" else None,
                diverged=n % 7 == 0 if state == "done" else None,
                evaluations=[noise(name, [50.0, None, 25.0][n % 3]) for name in names],
                config={"lr": [0.1, 1, None][n % 3], "it's": 'ab"'[n % 3], "any": anys[n % 12]},
            )
        )
    return rows


@pytest.fixture
def queries_about_some_rows(url, plain, make):
    Store.open(url).close()
    rows = some_rows(make)
    replace_rows(plain, rows, SWEEPS)
    with Queries.open(url) as queries:
        yield queries, rows


@pytest.mark.slow
@pytest.mark.long
def test_sql_filters_keep_the_same_runs_as_python(queries_about_some_rows):
    queries, rows = queries_about_some_rows
    texts = [
        f"{key}{sign}{value}"
        for key, values in FITTING.items()
        for sign in ("=", "!=", "<", "<=", ">", ">=")
        for value in (*values, "null", "x")
    ]
    for text in texts:
        question = {"group_by": ["run_id"], "metrics": [], "where": [text], "sweeps": []}
        assert_same_answer(queries, rows, question)
        expected = answer(lambda text=text: run_ids(reference_report.select_rows(rows, [text])))
        found = answer(lambda text=text: run_ids(queries.run_rows(where=[text])))
        assert found == expected, text


def run_ids(rows):
    return {row["run_id"] for row in rows}


@pytest.mark.parametrize("sweeps", [[], ["b", "a"]])
@pytest.mark.slow
def test_sql_grouping_matches_python_for_every_key(queries_about_some_rows, sweeps):
    for key, other in itertools.product(KEYS, ([], ["depth"], ["alpha"])):
        question = {"group_by": [key, *other], "metrics": None, "where": [], "sweeps": sweeps}
        queries, rows = queries_about_some_rows
        assert_same_answer(queries, rows, question)


def test_sql_summaries_match_python_for_every_metric(queries_about_some_rows):
    for metric in METRICS:
        question = {"group_by": ["depth"], "metrics": [metric], "where": [], "sweeps": []}
        queries, rows = queries_about_some_rows
        assert_same_answer(queries, rows, question)


# One database serves all examples; each of them replaces what is in it.
shared = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.fixture
def check(url, plain):
    """Compares the two answers to a question about rows."""
    Store.open(url).close()
    engine = create_engine(plain.url, json_serializer=to_json)
    with Queries.open(url) as queries:

        def check_one_example(rows, question):
            replace_rows(engine, rows, SWEEPS)
            assert_same_answer(queries, rows, question)

        yield check_one_example
    engine.dispose()


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@settings(max_examples=150, deadline=None, suppress_health_check=shared)
@given(data=st.data(), question=questions)
@pytest.mark.slow
@pytest.mark.long
def test_random_reports_on_sqlite_match_python(check, make, data, question):
    check(data.draw(stored_rows(make)), question)


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
@settings(max_examples=30, deadline=None, suppress_health_check=shared)
@given(data=st.data(), question=questions)
def test_random_reports_on_postgres_match_python(check, make, data, question):
    check(data.draw(stored_rows(make)), question)
