from __future__ import annotations

import pytest

from results.analysis.reports import report
from results.analysis.unmatched import unmatched, without_values
from results.errors import UnknownColumnError


@pytest.fixture
def stored(store, make):
    """Twelve runs, of which one is done, in the sweep `s`; one of them has a tag."""
    runs = [make.run(n, depth=8 + 2 * (n % 2), zero_stable=True) for n in range(1, 13)]
    make.save(store, "s", runs)
    make.save(store, "other", [make.run(13, depth=110)])
    make.finish(store, runs[0], **make.metrics(f1=0.5))
    return runs


CASES = [
    ([], []),
    (["depth=110"], ["no run has depth=110 (known: 8, 10)"]),
    (["seed>12"], ["no run has seed>12 (known: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)"]),
    (["zero_stable=no"], ["no run has zero_stable=no (known: yes)"]),
    (["state=doen"], ["no run has state=doen; did you mean 'done'? (known: done, queued)"]),
    (
        ["model=x", "f1>1"],
        ["no run has model=x (known: zerosnet)", "no run has f1>1 (known: 0.5)"],
    ),
    (["alpha=1,2"], ["no run has alpha=1,2 (known: '0.333333, 0.555556, 0.111111')"]),
    (["training.optimizer.lr=7"], ["no run has training.optimizer.lr=7 (known: 0.1)"]),
    (["sweep=t"], ["no run has sweep=t (known: s)"]),
    (["tag=t"], ["no run has tag=t (known: none)"]),
    (
        ["depth=8", "seed=1"],
        ["no run passes all of depth=8, seed=1, though each of them is true of some"],
    ),
]


def test_each_filter_that_no_run_passes_is_said_with_what_there_is(stored, queries):
    for where, said in CASES:
        assert unmatched(queries, ["s"], where) == said


def test_of_many_numbers_the_least_and_the_greatest_are_said(store, queries, make):
    make.save(store, "s", make.runs(50))
    assert unmatched(queries, ["s"], ["seed=51"]) == ["no run has seed=51 (known: 1 to 50)"]


def test_what_is_null_in_all_runs_is_said_with_the_option_that_is_meant(store, queries, make):
    made = [make.own_run(n, alpha=n / 10, model={"epochs": n}) for n in (1, 2)]
    make.save(store, "s", made)
    for run in made:
        make.finish(store, run, **make.metrics(f1=0.5))
    said = ["no run has epochs=2; did you mean 'options.model.epochs'? (known: none)"]
    assert unmatched(queries, [], ["epochs=2"]) == said

    def noted(keys, metrics=None, where=()):
        return without_values(queries, report(queries, [], keys, metrics, where), [])

    assert noted(["alpha", "seed"], ["epochs", "f1"]) == [
        "no run has a value of alpha; did you mean 'options.alpha'?",
        "no run has a value of epochs; did you mean 'options.model.epochs'?",
    ]
    assert not noted(["depth", "options.alpha"]), "no option is called like it"
    assert not noted(["alpha"], where=["seed=9"]), "there is no run"


def test_an_unknown_name_suggests_the_option_that_ends_in_it(store, queries, make):
    made = [make.own_run(n, learning={"rate": n / 10}, rates=2) for n in (1, 2)]
    make.save(store, "s", made)
    for key, meant in {
        "rate": "; did you mean 'options.learning.rate'?",
        "learning.rate": "; did you mean 'options.learning.rate'?",
        "rates": "; did you mean 'options.rates'?",
        # No run has a schedule of learning rates.
        "gamma": "",
    }.items():
        with pytest.raises(UnknownColumnError) as caught:
            report(queries, [], [key])
        assert f"unknown column {key!r}{meant} (known: " in str(caught.value)
