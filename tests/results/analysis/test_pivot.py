from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_report import report
from results.analysis.pivot import pivot
from results.errors import PivotError, ResultsError
from results.metrics import metric_of_evaluation
from results.run_columns import COLUMN, DEFAULT_METRICS


def table(rows, down, across, metrics=("test_accuracy",)):
    return pivot(report(rows, [*down, *across], metrics), down, across)


def best(found, metric="test_accuracy"):
    """Which cells are the best of their columns, as rows of true and false; None is no cell."""
    return [[cell and metric in cell.best for cell in line] for line in found.cells]


def test_a_pivot_cell_holds_the_group_of_its_row_and_column(make):
    rows = [
        make.row(n, depth=depth, scheme=scheme, test_accuracy=80.0 + n)
        for n, (scheme, depth) in enumerate([("b", 32), ("b", 32), ("a", 32), ("b", 44)])
    ]
    found = table(rows, ["scheme"], ["depth"])
    assert found.row_values == (("a",), ("b",))
    assert found.column_values == ((32,), (44,))
    assert found.cells[0][1] is None
    cell = found.cells[1][0]
    assert cell.group["runs"] == 2
    assert cell.group["test_accuracy_mean"] == 80.5
    assert cell.group["test_accuracy_std"] == pytest.approx(math.sqrt(0.5))
    assert (found.runs, found.unfinished) == (4, 0)


def test_several_keys_combine_into_sorted_rows(make):
    rows = [
        make.row(1, zero_stable=True, root_moduli=[1.0, 0.5], scheme="b"),
        make.row(2, zero_stable=False, root_moduli=[1.8, 0.7], scheme="a"),
        make.row(3, zero_stable=True, root_moduli=[0.9, 0.5], scheme="c"),
    ]
    found = table(rows, ["zero_stable", "root_moduli", "scheme"], ["depth"])
    assert found.row_values == (
        (False, [1.8, 0.7], "a"),
        (True, [0.9, 0.5], "c"),
        (True, [1.0, 0.5], "b"),
    )


def test_rows_and_columns_are_sorted_by_value_not_as_text(make):
    rows = [
        make.row(1, depth=110, seed=10, max_root_modulus=1.5),
        make.row(2, depth=9, seed=10, max_root_modulus=None),
        make.row(3, depth=20, seed=9, max_root_modulus=0.25),
    ]
    # The first row has no run in the first column.
    assert table(rows, ["seed"], ["depth"]).column_values == ((9,), (20,), (110,))
    assert table(rows, ["depth"], ["seed"]).row_values == ((9,), (20,), (110,))
    found = table(rows, ["max_root_modulus"], ["depth"])
    assert found.row_values == ((0.25,), (1.5,), (None,))


def accuracies(make, columns, name="test_accuracy"):
    """One run a cell: a list of values for each depth."""
    return [
        make.row(10 * j + i, scheme=f"scheme {i}", depth=20 + 12 * j, **{name: value})
        for j, column in enumerate(columns)
        for i, value in enumerate(column)
    ]


def test_the_highest_accuracy_of_each_column_is_best(make):
    rows = accuracies(make, [[90.0, 91.0, 89.0], [70.0, 60.0, None]])
    assert best(table(rows, ["scheme"], ["depth"])) == [
        [False, True],
        [True, False],
        [False, False],
    ]


@pytest.mark.parametrize("metric", ["generalization_gap", "train_seconds"])
def test_the_lowest_gap_and_time_of_each_column_are_best(make, metric):
    rows = accuracies(make, [[3.0, 1.0], [2.0, 4.0]], metric)
    found = table(rows, ["scheme"], ["depth"], [metric])
    assert best(found, metric) == [[False, True], [True, False]]


@pytest.mark.parametrize("metric", ["parameters", "seed", "training.optimizer.lr"])
def test_metrics_without_a_direction_have_no_best_cell(make, metric):
    rows = [make.row(1, seed=1), make.row(2, seed=2, parameters=3, scheme="b")]
    assert best(table(rows, ["scheme"], ["depth"], [metric]), metric) == [[False], [False]]


def test_every_default_metric_has_a_direction():
    better = {name: column.better for name, column in COLUMN.items()}
    assert better["test_accuracy"] == metric_of_evaluation("blur").better == "higher"
    assert better["images_per_second"] == "higher"
    assert better["generalization_gap"] == better["test_loss"] == "lower"
    assert better["depth"] is None
    assert all(better[name] for name in DEFAULT_METRICS)


def test_means_equal_when_printed_are_both_best(make):
    rows = accuracies(make, [[90.004, 89.996, 89.99]])
    assert best(table(rows, ["scheme"], ["depth"])) == [[True], [True], [False]]


def test_a_single_value_in_a_column_is_not_marked_best(make):
    rows = accuracies(make, [[90.0], [80.0, None]])
    assert best(table(rows, ["scheme"], ["depth"])) == [[False, False], [None, False]]


def test_each_metric_has_its_own_best_cell(make):
    rows = [
        make.row(1, scheme="a", test_accuracy=90.0, generalization_gap=5.0),
        make.row(2, scheme="b", test_accuracy=80.0, generalization_gap=1.0),
    ]
    found = table(rows, ["scheme"], ["depth"], ["test_accuracy", "generalization_gap"])
    assert [cell.best for (cell,) in found.cells] == [{"test_accuracy"}, {"generalization_gap"}]
    assert [g["generalization_gap_best"] for g in found.groups] == [False, True]


def test_infinite_and_nan_means_are_never_best(make):
    rows = accuracies(make, [[math.inf, 80.0, 70.0, math.nan]])
    assert best(table(rows, ["scheme"], ["depth"])) == [[False], [True], [False], [False]]


def test_unfinished_runs_are_counted_but_have_no_pivot_cell(make):
    rows = [make.row(1), make.row(2, state="running", depth=44, test_accuracy=None)]
    found = table(rows, ["scheme"], ["depth"])
    assert found.column_values == ((32,),)
    assert (found.runs, found.unfinished) == (1, 1)


@pytest.mark.parametrize(
    ("down", "across", "says"),
    [
        ([], ["depth"], "--rows and --columns"),
        (["depth"], [], "--rows and --columns"),
        (["depth", "seed"], ["depth"], "'depth' is asked for twice"),
        (["seed"], ["depth", "depth"], "'depth' is asked for twice"),
        (["seed"], ["scheme"], "its keys are seed, scheme, .* grouped by seed, depth"),
        (["seed"], ["depth", "scheme"], "grouped by seed, depth"),
    ],
)
def test_invalid_pivot_keys_are_refused_with_the_reason(make, down, across, says):
    with pytest.raises(PivotError, match=f"this pivot table cannot be made: .*{says}"):
        pivot(report([make.row(1)], ["seed", "depth"]), down, across)
    assert issubclass(PivotError, ResultsError)


def test_a_pivot_table_without_a_metric_is_refused(make):
    with pytest.raises(PivotError, match="needs a metric"):
        pivot(report([make.row(1)], ["seed", "depth"], []), ["seed"], ["depth"])


PLACES = st.tuples(st.integers(0, 3), st.booleans(), st.integers(-5, 120))
RUNS = st.lists(st.tuples(PLACES, st.floats(0, 100) | st.none()), max_size=12)


@given(RUNS)
def test_every_group_has_one_cell_and_the_greatest_mean_is_best(make, runs):
    rows = [
        make.row(n, scheme="abcd"[scheme], trainable=trainable, depth=depth, test_accuracy=value)
        for n, ((scheme, trainable, depth), value) in enumerate(runs)
    ]
    made = report(rows, ["scheme", "trainable", "depth"], ["test_accuracy"])
    found = pivot(made, ["scheme", "trainable"], ["depth"])
    cells = [cell for line in found.cells for cell in line if cell is not None]
    key = ("scheme", "trainable", "depth")
    assert sorted(tuple(cell.group[k] for k in key) for cell in cells) == sorted(
        tuple(group[k] for k in key) for group in made.groups
    )
    assert [{k: v for k, v in g.items() if not k.endswith("_best")} for g in found.groups] == [
        cell.group for cell in cells
    ]
    assert list(found.row_values) == sorted(found.row_values)
    assert list(found.column_values) == sorted(found.column_values)
    for j, _ in enumerate(found.column_values):
        column = [line[j] for line in found.cells if line[j] is not None]
        means = [cell.group["test_accuracy_mean"] for cell in column]
        known = [mean for mean in means if mean is not None]
        for cell, mean in zip(column, means, strict=True):
            if "test_accuracy" in cell.best:
                assert mean > max(known) - 0.0101
            elif mean is not None and len(known) > 1:
                assert mean < max(known)
