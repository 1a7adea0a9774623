from __future__ import annotations

import pytest

from results.analysis.group_tests import compare_groups
from results.analysis.reports import report
from results.analysis.unmatched import of_other_runs
from results.errors import UnknownColumnError
from results.html_report.build import build_page

HIGHER, LOWER = {"better": "higher"}, {"better": "lower"}


@pytest.mark.parametrize(
    ("accuracy", "names", "said", "expected"),
    [
        (None, [], {}, "test_accuracy"),
        (90.0, ["f1"], {"f1": HIGHER}, "test_accuracy"),
        (None, ["b", "a"], {}, "a"),
        (None, ["a", "b", "c"], {"c": LOWER, "b": HIGHER}, "b"),
    ],
)
def test_it_is_the_accuracy_or_the_first_that_a_trainer_judges(
    store, queries, make, accuracy, names, said, expected
):
    make.save(store, "s", make.runs(2))
    make.finish(
        store,
        make.run(1),
        test_accuracy=accuracy,
        metric_definitions=said,
        **make.metrics(**dict.fromkeys(names, 1.0)),
    )
    assert queries.default_metric(["s"]) == expected
    assert queries.default_metric(["s"], where=["state!=done"]) == "test_accuracy"


_NAMES = (
    "test_accuracy", "best_test_accuracy", "generalization_gap", "train_accuracy", "train_loss",
    "test_loss", "parameters", "images_per_second",
)  # fmt: skip


@pytest.fixture
def finish(store, make):
    """Saves a sweep of one run of somebody's own trainer, which reports these numbers only."""

    def finish(number, *, metrics=None, **reported):
        run = make.own_run(number)
        run.config.update(source="1" * 64, trainer=f"fit{number}:train")
        make.save(store, f"s{number}", [run])
        result = {**dict.fromkeys(_NAMES), **reported}
        make.finish(store, run, epochs=[], **result, **make.metrics(**(metrics or {})))

    return finish


def test_runs_of_other_trainers_are_shown_in_what_they_have_values_of(store, queries, make, finish):
    finish(1, train_loss=0.5, test_loss=0.75)
    assert queries.default_metrics(["s1"]) == ["train_loss", "test_loss"]
    assert queries.default_metric(["s1"]) == "test_loss"
    assert report(queries, ["s1"], ["trainer"]).groups[0]["test_loss_mean"] == 0.75
    finish(2, train_loss=0.5, metrics={"mae": 1.0})
    assert queries.default_metrics(["s2"]) == ["train_loss", "mae"]
    assert queries.default_metric(["s2"]) == "mae"
    finish(3, test_accuracy=90.0, test_loss=0.1)
    assert queries.default_metrics(["s3"]) == ["test_accuracy", "test_loss"]
    assert queries.default_metric(["s3"]) == "test_accuracy"
    finish(4)
    assert queries.default_metrics(["s4"]) == []
    (group,) = report(queries, ["s4"], ["trainer"]).groups
    assert group["runs"] == 1
    assert not any(key.endswith("_mean") for key in group)
    # Networks are shown in what they have in common, beside others too.
    make.save(store, "networks", [make.run(9)])
    of_networks = ["test_accuracy", "best_test_accuracy", "generalization_gap"]
    assert queries.default_metrics(["networks"]) == of_networks
    make.finish(store, make.run(9))
    assert queries.default_metrics(["networks", "s1"]) == [*of_networks, "train_loss", "test_loss"]
    assert queries.default_metrics(where=["trainer=fit1:train"]) == ["train_loss", "test_loss"]


def test_what_only_other_runs_reported_has_no_column_and_is_said(queries, finish):
    finish(1, test_loss=0.75)
    finish(2, metrics={"mae": 1.0, "f1": 0.5})
    found = report(queries, [], ["trainer"], where=["trainer=fit1:train"])
    assert found.metrics == ("test_loss",)
    said = "left out, as none of these runs has a value: f1, mae"
    assert of_other_runs(queries, found, []) == said
    # Where no run passes, nobody has named what is missing.
    assert report(queries, ["s1"], ["trainer"], where=["seed=9"]).metrics == ("test_loss",)
    assert queries.default_metric(["s1"], where=["seed=9"]) == "test_loss"
    assert of_other_runs(queries, report(queries, [], ["trainer"]), []) is None


def test_a_metric_that_no_run_has_is_an_error_which_lists_those_that_some_have(queries, finish):
    finish(1, train_loss=0.5, metrics={"mae": 1.0})
    said = r"unknown metric 'test_accuracy' \(known: train_loss, mae\)"
    with pytest.raises(UnknownColumnError, match=said):
        report(queries, ["s1"], ["trainer"], ["test_accuracy"])
    with pytest.raises(UnknownColumnError, match=said):
        queries.run_rows(["s1"], metrics=["test_accuracy"])
    assert report(queries, ["s1"], ["trainer"], ["train_seconds"]).runs == 1


def test_tests_and_pages_are_of_them_too(store, queries, make):
    runs = [make.own_run(n, k=n % 2, seed=n) for n in range(1, 7)]
    for run in runs:
        run.config.update(source="1" * 64)
    make.save(store, "s", runs)
    for number, run in enumerate(runs):
        result = {**dict.fromkeys(_NAMES), "train_loss": 0.5, "test_loss": 0.1 * number}
        make.finish(store, run, **result, **make.metrics(mae=0.5))
    names = ["train_loss", "test_loss", "mae"]
    assert queries.default_metrics() == names
    rows = queries.run_rows(config=True, metrics=names, keys=["options.k"])
    found = compare_groups(rows, "options.k")
    assert list(dict.fromkeys(row["metric"] for row in found.rows())) == names
    page = build_page(queries, [], [], ((), ()), "options.k", [], None, "sweep report")
    assert page.sections[0].tables[0].data.metrics == tuple(names)
    assert {row["metric"] for row in page.sections[1].tables[0].data} == set(names)
    assert [figure.caption for figure in page.sections[-1].figures] == [
        "test_loss by setting", "Training curves: test_loss", "train_loss by setting",
        "mae by setting", "Training curves: mae",
    ]  # fmt: skip
