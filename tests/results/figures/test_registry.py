from __future__ import annotations

import subprocess
import sys

import matplotlib
import pytest

from results.errors import (
    FigureDataError,
    ResultsError,
    UnknownColumnError,
    UnknownFigureError,
)
from results.figures import FIGURES, draw, possible, shown_metric

NAMES = [
    "accuracy_by_scheme",
    "accuracy_by_parameters",
    "accuracy_by_noise",
    "training_curves",
    "roots",
    "lambda_line",
    "learned_coefficients",
    "probes",
]


@pytest.fixture
def everything(networks):
    """Rows that every figure can be drawn from, and their epochs."""
    noise = {"gaussian[0.1]": [80, 81], "gaussian[0.3]": [60, 61]}
    rows = [
        *networks.zerosnet("-9/5", 90, 92, noise=noise, depth=20, parameters=277_402),
        *networks.zerosnet("1/4", 88, 85, noise=noise, depth=32, parameters=471_834),
        *networks.runs(91, 93, learned="k", coefficients=[[[0.9, 0.1, 1.0]]] * 2, noise=noise),
    ]
    return rows, networks.epochs(rows), networks.probes(rows)


def test_every_figure_has_a_title():
    assert list(FIGURES) == NAMES
    for kind in FIGURES.values():
        assert kind.title


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_drawn_from_rows_that_have_what_it_needs(everything, name):
    figure = draw(name, *everything)
    assert figure.axes
    assert figure.get_label() == FIGURES[name].title


@pytest.mark.slow
def test_possible_lists_exactly_the_figures_that_can_be_drawn(networks, everything):
    for rows, epochs, probes in [everything, (networks.runs(90, 91), [], []), ([], [], [])]:
        for name, reason in possible(rows, epochs, probes).items():
            if reason is None:
                draw(name, rows, epochs, probes)
            else:
                with pytest.raises(FigureDataError) as caught:
                    draw(name, rows, epochs, probes)
                assert caught.value.reason == reason
                assert str(caught.value) == f"figure {name!r} cannot be drawn: {reason}"


def test_reasons_for_an_impossible_figure_say_what_is_missing(networks):
    rows = networks.runs(90, 91, noise={"gaussian[0.3]": [60, 61], "constant[0.1]": [70, 71]})
    assert possible(rows) == {
        "accuracy_by_scheme": None,
        "accuracy_by_parameters": (
            "all networks have 471,834 parameters; train another depth or width"
        ),
        "accuracy_by_noise": (
            "every kind of noise was measured at one level (gaussian, constant); a line needs 2"
            " or more"
        ),
        "training_curves": "no epoch of these runs has an accuracy",
        "roots": None,
        "lambda_line": "all runs have λ = -1.8; a line needs two or more",
        "learned_coefficients": (
            "no done run has learned coefficients (trainable: true in the scheme)"
        ),
        "probes": "no done run has values of probes (ask for them under 'probes')",
    }


def test_runs_without_a_network_are_told_of_no_figure_of_networks(networks):
    own = [row | {"model": None, "scheme": None} for row in networks.runs(90, 91)]
    assert possible(own) == {
        "accuracy_by_scheme": None,
        "training_curves": "no epoch of these runs has an accuracy",
        "roots": None,
    }
    assert {*possible([*own, *networks.runs(80)])} == {*NAMES}
    failed = [row | {"state": "failed"} for row in own]
    assert {*possible(failed)} == {"accuracy_by_scheme", "training_curves"}
    assert {*possible([*failed, *networks.runs(80)])} == {*NAMES}


def test_the_reason_for_no_curves_names_what_epochs_cannot_have(networks):
    rows = [row | {"numbers": {"test_loss": 0.5}} for row in networks.runs(90)]
    for metric, reason in {
        "training.optimizer.lr": "training.optimizer.lr is one number a run, and no epoch of these"
        " runs has an accuracy",
        "train_accuracy": "no epoch of these runs has an accuracy",
        "test_loss": "no epoch of these runs has a loss",
    }.items():
        assert possible(rows, metric=metric)["training_curves"] == reason


def test_a_figure_is_of_the_metric_that_it_shows(networks):
    rows = networks.runs(90, noise={"gaussian[0.1]": [80]})
    rows = [row | {"numbers": {"train_loss": 0.5}} for row in rows]
    assert shown_metric("accuracy_by_scheme", rows, "gaussian[0.1]") == "gaussian[0.1]"
    assert shown_metric("training_curves", rows, "gaussian[0.1]") == "test_accuracy"
    assert shown_metric("training_curves", rows, "train_loss") == "train_loss"
    assert shown_metric("roots", rows, "gaussian[0.1]") is None


def test_unfinished_runs_give_no_figure(networks):
    rows = [row | {"state": "running"} for row in networks.runs(90, 91)]
    assert set(possible(rows).values()) == {"no run is done"}


def test_runs_that_all_diverged_have_roots_but_no_accuracy(networks):
    reasons = possible(networks.runs(None, None))
    assert reasons["accuracy_by_scheme"] == "no done run has a value of test_accuracy"
    assert reasons["roots"] is None


def test_an_unknown_figure_names_the_known_ones_and_the_nearest(networks):
    with pytest.raises(UnknownFigureError, match=r"did you mean 'roots'.*lambda_line") as caught:
        draw("root", networks.runs(90))
    assert isinstance(caught.value, ResultsError)


def test_a_metric_that_the_runs_lack_is_refused_for_every_figure(networks):
    for name in NAMES:
        with pytest.raises(UnknownColumnError, match="nonsense"):
            draw(name, networks.runs(90), metric="nonsense")
    with pytest.raises(UnknownColumnError, match="nonsense"):
        possible(networks.runs(90), metric="nonsense")


def test_drawing_neither_changes_nor_follows_matplotlib_settings(everything):
    before = dict(matplotlib.rcParams)
    plain = draw("roots", *everything)
    assert dict(matplotlib.rcParams) == before
    with matplotlib.rc_context({"font.size": 30, "lines.markersize": 40, "text.usetex": True}):
        follows = draw("roots", *everything)
    assert follows.get_size_inches() == pytest.approx(plain.get_size_inches())
    lines = [axes.lines[0].get_markersize() for f in (plain, follows) for axes in f.axes]
    assert len(set(lines)) == 1


def test_listing_figures_needs_no_matplotlib_and_drawing_no_pyplot():
    program = (
        "import sys, results.figures as figures;"
        "assert figures.FIGURES and figures.FORMATS;"
        "print('matplotlib' in sys.modules, 'numpy' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["False", "False"]


@pytest.mark.slow
def test_no_figure_imports_pyplot():
    program = (
        "import sys; from results.figures import FIGURES;"
        "[kind.load() for kind in FIGURES.values()];"
        "print('matplotlib' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["True", "False"]
