"""The page of a database: which sections its runs have, and when there is none."""

from __future__ import annotations

import pytest

from results.errors import ResultsError
from results.html_report import html_page
from results.html_report.build import build_page
from results.html_report.provenance import runs_of_groups


@pytest.fixture
def url(sqlite_url):
    return sqlite_url


@pytest.fixture
def page(queries):
    def build(pivoted=((), ()), metrics=None, groups=()):
        return build_page(queries, [], groups, pivoted, None, [], metrics, "sweep report")

    return build


@pytest.fixture
def filled(store, make):
    make.save(store, "s", make.runs(2))
    for run in make.runs(2):
        make.finish(store, run, probes=[make.probe(epoch=0), make.probe()])
    return store


def test_a_page_of_more_runs_than_a_browser_shows_is_refused(filled, page, monkeypatch):
    monkeypatch.setattr("results.html_report.build.MOST_RUNS", 1)
    said = "--html lists every run, and these are 2; name a sweep, or use --where, .* at most 1"
    with pytest.raises(ResultsError, match=said):
        page()
    monkeypatch.setattr("results.html_report.build.MOST_RUNS", 2)
    assert len(page().runs) == 2


def test_a_page_can_have_a_pivot_table(filled, page):
    (table, pivoted) = page((["model"], ["depth", "seed"])).sections[0].tables
    assert table.caption == "By zero_stable, root_moduli, depth"
    assert pivoted.caption == "model by depth, seed"
    assert pivoted.data.row_values == (("zerosnet",),)
    assert pivoted.data.column_values == ((32, 1), (32, 2))
    assert pivoted.data.metrics == ("test_accuracy",)


def test_a_page_groups_by_whatever_else_its_runs_differ_in(store, make, page):
    def run(number, lr=0.1, **changes):
        return make.run(number, config={"training": {"optimizer": {"lr": lr}}}, **changes)

    make.save(store, "s", [run(1), run(2, lr=0.2), run(3, model="a"), run(4, scheme="b")])
    (table,) = page().sections[0].tables
    keys = "model, zero_stable, root_moduli, scheme, depth, training.optimizer.lr"
    assert table.caption == f"By {keys}"


def test_a_run_of_two_sweeps_is_listed_with_the_groups_of_both(store, make, page):
    make.save(store, "monday", make.runs(2))
    make.save(store, "tuesday", [make.run(2), make.run(3)])
    for run in make.runs(3):
        make.finish(store, run)
    made = page(groups=["sweep"])
    (table,) = made.sections[0].tables
    assert [ids for _, ids in runs_of_groups(table.data, table.runs)] == [
        [make.run(1).run_id, make.run(2).run_id], [make.run(2).run_id, make.run(3).run_id],
    ]  # fmt: skip
    assert "3 runs; a run of several sweeps counts in each" in html_page(made)


def test_a_page_of_unfinished_runs_has_no_figures(store, make, page):
    make.save(store, "s", make.runs(2))
    assert [section.heading for section in page().sections] == ["Report"]


def test_a_page_says_that_more_probe_values_than_can_be_drawn_are_left_out(
    filled, page, monkeypatch
):
    assert not any("left out" in line for line in page().sections[-1].text)
    monkeypatch.setattr("results.figures.probe_rows.MOST_VALUES", 3)
    figures = page().sections[-1]
    assert figures.heading == "Figures"
    assert figures.text[-1] == (
        "Probes are left out: these runs have 4 values of them, and at most 3 are drawn; choose"
        " runs with --where."
    )


def test_a_comparison_without_a_compared_row_is_left_out(store, make, page):
    store.save_sweep(
        "s", "name: s", "s.yaml", [], None, make.runs(1), [], published="newton/table9"
    )
    assert [section.heading for section in page().sections] == ["Report"]


def test_a_page_has_figures_of_what_trainers_reported(store, make, page):
    make.save(store, "s", make.runs(2))
    for run in make.runs(2):
        make.finish(store, run, **make.metrics(f1=0.5, recall=0.25))
    captions = [figure.caption for section in page().sections for figure in section.figures]
    assert {"Training curves", "Training curves: f1", "Training curves: recall"} <= set(captions)
    assert "f1 by scheme" in captions
    named = page(metrics=["recall", "test_loss"])
    captions = [figure.caption for section in named.sections for figure in section.figures]
    assert "Training curves: recall" in captions
    assert "Training curves: f1" not in captions
    assert "f1" in html_page(named)


def test_a_page_of_a_trainer_without_an_accuracy_shows_what_it_reported(store, make, page):
    make.save(store, "s", make.runs(2))
    for run in make.runs(2):
        nothing = dict.fromkeys(("test_accuracy", "best_test_accuracy", "generalization_gap"))
        make.finish(store, run, epochs=[], **nothing, **make.metrics(f1=0.5))
    captions = [figure.caption for section in page().sections for figure in section.figures]
    assert "Training curves: f1" in captions
    assert "Training curves" not in captions


def test_a_page_of_runs_without_networks_says_nothing_of_their_figures(store, make, page):
    runs = [make.own_run(number, alpha=number / 10) for number in (1, 2)]
    make.save(store, "s", runs)
    for run in runs:
        nothing = dict.fromkeys(("test_accuracy", "best_test_accuracy", "generalization_gap"))
        make.finish(store, run, epochs=[], **nothing, **make.metrics(f1=0.5))
    figures = page().sections[-1]
    assert [figure.caption for figure in figures.figures] == [
        "f1 by setting",
        "Training curves: f1",
    ]
    assert not figures.text


def test_a_page_can_be_grouped_by_a_loss(store, make, page):
    make.save(store, "s", make.runs(2))
    for run in make.runs(2):
        make.finish(store, run, test_loss=float(run.seed))
    found = page(groups=["test_loss"])
    assert [group["test_loss"] for group in found.sections[0].tables[0].data.groups] == [1.0, 2.0]
    assert html_page(found)
