"""Metrics, losses and values of probes by name: what the database says, and what rows say."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import reference_report
from results.analysis.group_tests import compare_groups
from results.analysis.reports import report
from results.errors import ResultsError, UnknownColumnError
from results.rendering import render

NUMBERS = itertools.count(1)
SWEEPS = itertools.count(1)
VALUES = st.none() | st.floats(-1e6, 1e6).map(lambda value: round(value, 3))
LOSSES = st.none() | st.floats(0, 1e6).map(lambda value: round(value, 3))
NAMES = (
    "f1", "recall@10", "train_loss", "test_loss", "best_epoch", "gaussian[0.1].loss",
    "feature_norms.norm@block1", "feature_norms.norm@block2", "runtime.model_megabytes",
)  # fmt: skip


def stored(store, make, found):
    """A sweep with a done run for each of `found`, and one that is not done; its name."""
    name, evaluation = f"s{next(SWEEPS)}", make.evaluation(1)
    runs = [make.run(next(NUMBERS), seed=seed) for seed in range(len(found) + 1)]
    make.save(store, name, runs, [evaluation])
    for run, (f1, recall, loss, norm, sharpness) in zip(runs, found, strict=False):
        probes = [
            make.probe(epoch=epoch, value=value, layer=layer)
            for epoch, value in ((0, 7.0), (2, norm))
            for layer in ("block1", "block2")
        ]
        probes += [make.probe("model_megabytes", probe="runtime", layer="", value=sharpness)]
        make.finish(
            store,
            run,
            train_loss=loss,
            probes=probes,
            evaluations=[make.measured(evaluation, 80.0) | {"loss": loss}],
            **make.metrics(**{"f1": f1, "recall@10": recall}),
        )
    return name


@given(st.lists(st.tuples(VALUES, VALUES, LOSSES, VALUES, VALUES), min_size=1, max_size=5), VALUES)
@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_database_and_rows_agree_on_every_name(store, queries, make, found, limit):
    name = stored(store, make, found)
    where = [f"{NAMES[0]}>={limit}" if limit is not None else f"{NAMES[-1]}=null"]
    rows = queries.run_rows([name], config=True, metrics=NAMES)
    for keys in (["zero_stable"], ["f1"], ["feature_norms.norm@block1"]):
        expected = reference_report.report(rows, keys, NAMES, where)
        groups = report(queries, [name], keys, NAMES, where).groups
        assert len(groups) == len(expected.groups)
        for ours, theirs in zip(groups, expected.groups, strict=True):
            assert ours.keys() == theirs.keys()
            for key, value in theirs.items():
                known = value is not None
                assert ours[key] == (pytest.approx(value, rel=1e-9, abs=1e-6) if known else None)


def test_names_stand_for_the_last_value_of_a_probe_and_the_loss_of_an_evaluation(
    store, queries, make
):
    name = stored(store, make, [(0.5, None, 2.5, 3.5, -1.0)])
    (group,) = report(queries, [name], ["model"], NAMES).groups
    means = {metric: group[f"{metric}_mean"] for metric in NAMES}
    assert list(means.values()) == [0.5, None, 2.5, 0.4, 1, 2.5, 3.5, 3.5, -1.0]
    (done, queued) = queries.run_rows([name], metrics=NAMES)
    assert done["numbers"] == {metric: means[metric] for metric in NAMES[2:]}
    assert queued["numbers"] == dict.fromkeys(NAMES[2:])
    assert "numbers" not in queries.run_rows([name])[0]


def test_two_groups_are_tested_in_any_of_them(store, queries, make):
    name, values = f"s{next(SWEEPS)}", [0.5, 0.6, 0.7, 1.5, 1.6, 1.7]
    runs = [
        make.run(number, zero_stable=number > 3, alpha=[float(number)]) for number in range(1, 7)
    ]
    make.save(store, name, runs)
    said = {"f1": {"better": "lower", "unit": "points", "decimals": 3}}
    for run, value in zip(runs, values, strict=True):
        make.finish(
            store, run, train_loss=value, metric_definitions=said,
            probes=[make.probe(value=value)], **make.metrics(f1=value, other=value),
        )  # fmt: skip
    wanted = ["f1", "train_loss", "feature_norms.norm@block1"]
    rows = queries.run_rows([name], config=True, metrics=wanted)
    test = compare_groups(rows, "zero_stable", wanted)
    assert [row["difference"] for row in test.rows()] == [pytest.approx(1)] * 6
    assert test.sentences[0].startswith(
        "f1: 1.600 ± 0.100 points with zero_stable=true (3 runs of 3"
    )
    assert "difference over networks 1.000 points" in test.sentences[0]
    assert "Less is better in f1 and train_loss, and AUC counts it so." in test.notes
    unknown = "Whether more or less is better in feature_norms.norm@block1 is not known"
    assert any(note.startswith(unknown) for note in test.notes)
    by_default = compare_groups(queries.run_rows([name], config=True), "zero_stable")
    assert {row["metric"] for row in by_default.rows()} == {"test_accuracy", "f1", "other"}


def test_runs_without_a_test_accuracy_are_tested_in_what_their_trainer_reported(
    store, queries, make
):
    name = f"s{next(SWEEPS)}"
    make.save(store, name, [make.run(n, zero_stable=n > 1) for n in (1, 2)])
    for n in (1, 2):
        make.finish(store, make.run(n), test_accuracy=None, **make.metrics(f1=float(n)))
    test = compare_groups(queries.run_rows([name], config=True), "zero_stable")
    assert {row["metric"] for row in test.rows()} == {"f1"}


def test_a_name_that_nobody_reported_lists_those_that_were(store, queries, make):
    name = stored(store, make, [(0.5, 0.5, 0.5, 0.5, 0.5)])
    for ask in (
        lambda wrong: report(queries, [name], ["model"], [wrong]),
        lambda wrong: queries.run_rows([name], metrics=[wrong]),
        lambda wrong: queries.run_rows([name], where=[f"{wrong}>1"]),
    ):
        with pytest.raises(UnknownColumnError, match=r"'f2'; did you mean 'f1'") as caught:
            ask("f2")
        assert set(NAMES) <= set(caught.value.known)
        with pytest.raises(UnknownColumnError, match=r"did you mean 'feature_norms.norm@block1'"):
            ask("feature_norms.norm@blok1")
        with pytest.raises(UnknownColumnError):
            ask("gaussian[0.2].loss")


@pytest.mark.parametrize("name", ["runs", "unfinished", "measured_elsewhere", "f1_mean", "f1_std"])
def test_no_report_has_two_values_of_one_name(store, queries, make, name):
    make.save(store, "s", [make.run(1)])
    make.finish(store, make.run(1), **make.metrics(**{name: 7.0, "f1": 0.5}))
    with pytest.raises(ResultsError, match=f"no report can be grouped by '{name}'"):
        report(queries, ["s"], [name], ["f1"])
    (group,) = report(queries, ["s"], ["model"], [name, "f1"]).groups
    assert (group[f"{name}_mean"], group["f1_mean"], group["runs"]) == (7, 0.5, 1)


def test_a_wrong_name_lists_what_was_measured_first_and_no_option_that_no_run_has(
    store, queries, make
):
    name = stored(store, make, [(0.5,) * 5])
    for purpose, asked in (("column", (["f2"],)), ("metric", (["model"], ["f2"]))):
        with pytest.raises(UnknownColumnError) as caught:
            report(queries, [name], *asked)
        first = "run_id" if purpose == "column" else "depth"
        assert f"(known: gaussian[0.1], f1, recall@10, {first}, " in str(caught.value)
        assert "training.epochs" in str(caught.value)
        assert "training.label_smoothing" not in str(caught.value)
    with pytest.raises(UnknownColumnError, match=r"did you mean 'training\.label_smoothing'"):
        report(queries, [name], ["training.label_smothing"])


def test_runs_with_numbers_that_are_not_finite_are_counted(store, queries, make):
    nothing = (None,) * 5
    name = stored(store, make, [nothing, nothing, (0.5,) * 5])
    (group,) = report(queries, [name], ["model"], ["f1", "test_accuracy"]).groups
    assert (group["not_finite"], group["f1_mean"], group["runs"]) == (2, 0.5, 3)
    (group,) = report(queries, [name], ["model"], ["test_accuracy", "train_loss"]).groups
    assert "not_finite" not in group
    table = render(report(queries, [name], ["model"], ["f1"]), "table")
    assert table.splitlines()[0].split() == ["model", "runs", "not_finite", "unfinished", "f1"]
