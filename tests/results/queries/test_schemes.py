"""Two schemes that differ in the eighth digit, stored under one rounded label."""

from __future__ import annotations

import csv
import io

import pytest

from results.analysis import reports
from results.analysis.group_tests import compare_groups
from results.analysis.pivot import pivot
from results.analysis.replicates import by_network
from results.figures import draw
from results.figures.data import select
from results.figures.replicates import replicate_groups
from results.html_report.provenance import runs_of_groups
from results.queries.queries import Queries
from results.rendering import render
from results.store.store import Store
from stored_rows import replace_rows

LABELS = ["1.0000001; 1", "1; 1"]
READ_BY_PEOPLE = ("table", "markdown", "latex", "html")


def of_scheme(make, number, alpha, **changes):
    """A run under a label that is rounded to six digits."""
    config = make.run(number).config | {"scheme": {"alpha": [alpha], "beta": 1.0}}
    return make.row(
        number, scheme="1; 1", alpha=[alpha], beta=1.0, root_moduli=[alpha],
        max_root_modulus=alpha, zero_stable=alpha <= 1, config=config, **changes,
    )  # fmt: skip


@pytest.fixture
def queries(url, plain, make):
    Store.open(url).close()
    rows = [of_scheme(make, n, 1.0 if n % 2 else 1.0000001) for n in range(1, 7)]
    rows += [of_scheme(make, 7, 1.0, state="failed", test_accuracy=None)]
    replace_rows(plain, rows)
    with Queries.open(url) as opened:
        yield opened


def test_two_schemes_that_differ_in_the_eighth_digit_are_two_everywhere(queries):
    rows = queries.run_rows(config=True)
    assert {row["scheme"] for row in rows} == set(LABELS)
    found = reports.report(queries, [], ["scheme"], ["test_accuracy"])
    assert [(group["scheme"], group["runs"]) for group in found.groups] == [
        (LABELS[0], 3), (LABELS[1], 3),
    ]  # fmt: skip
    for name in READ_BY_PEOPLE:
        assert render(found, name).count("1.0000001; 1") == 1
    lines = list(csv.DictReader(io.StringIO(render(found, "csv"))))
    assert [line["scheme"] for line in lines] == LABELS
    table = pivot(
        reports.report(queries, [], ["scheme", "zero_stable"]), ["zero_stable"], ["scheme"]
    )
    assert render(table, "table").count("1.0000001; 1") == len(table.metrics)
    assert [len(ids) for _, ids in runs_of_groups(found, rows)] == [3, 3]
    assert [len(runs) for runs in by_network(row for row in rows if row["state"] == "done")] == [
        3,
        3,
    ]
    test = compare_groups(rows, "scheme")
    assert test.values == tuple(LABELS)


def test_filters_take_one_of_two_schemes_with_one_rounded_label(queries):
    def stable(*where):
        return [row["zero_stable"] for row in queries.run_rows(where=where)]

    assert stable("scheme=1; 1") == [True] * 4
    assert stable("scheme=1.0000001; 1") == [False] * 3
    assert stable("scheme!=1; 1") == [False] * 3
    assert stable("alpha=1.0000001") == stable("scheme.alpha=1.0000001") == [False] * 3


def test_failures_are_called_by_their_scheme(queries):
    (status,) = queries.status()
    assert [failure.label for failure in status.failures] == ["zerosnet (1; 1), depth 32, seed 7"]


def test_figures_tell_the_two_schemes_apart(queries):
    rows = queries.run_rows(config=True, where=["state=done"])
    assert {group.scheme for group in replicate_groups(rows)} == set(LABELS)
    axes = draw("accuracy_by_scheme", rows).axes[0]
    texts = [label.get_text() for label in axes.get_yticklabels()]
    assert texts == ["1.00 (1; 1)", "1.00 (1.0000001; 1)"]
    roots = draw("roots", rows)
    titles = [axes.get_title().replace("\n", " ") for axes in roots.axes]
    assert sorted(titles) == sorted(texts)
    assert len(select(rows, [], "test_accuracy").groups) == 2


def test_settings_that_differ_in_the_last_digit_are_two_rows_that_look_so(url, plain, make):
    def with_rate(number, rate):
        return make.row(number, config={"training": {"optimizer": {"lr": rate}}})

    Store.open(url).close()
    replace_rows(plain, [with_rate(1, 0.3), with_rate(2, 0.1 + 0.2), with_rate(3, 0.3)])
    key = "training.optimizer.lr"
    with Queries.open(url) as queries:
        table = render(reports.report(queries, [], [key], ["test_accuracy"]), "table").splitlines()
        assert [line.split()[:2] for line in table[2:4]] == [
            ["0.3", "2"], ["0.30000000000000004", "1"],
        ]  # fmt: skip
        assert len(queries.run_rows(where=[f"{key}=0.3"])) == 2
        assert len(queries.run_rows(where=[f"{key}>0.3"])) == 1
        titles = [
            axes.get_title()
            for axes in draw("accuracy_by_scheme", queries.run_rows(config=True)).axes
        ]
        assert titles == ["lr 0.3", "lr 0.30000000000000004"]


def test_fractions_that_no_float_stands_for_are_told_apart(url, plain, make):
    texts = ["6004799503160661/18014398509481982", "6004799503160661/18014398509481983"]
    Store.open(url).close()
    rows = [
        make.row(number, config={"scheme": {"alpha": [text], "beta": 1.0}}, scheme="1/3; 1")
        for number, text in enumerate(texts)
    ]
    replace_rows(plain, rows)
    with Queries.open(url) as queries:
        found = reports.report(queries, [], ["scheme"], [])
    assert [group["scheme"] for group in found.groups] == [f"{text}; 1" for text in texts]
