from __future__ import annotations

from statistics import mean, stdev

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer

from results.figures import draw, possible

UNSTABLE = {"alpha": (1, 1, 1), "beta": 1}
MILDER = {"alpha": (0.5, 0.3, 0.1), "beta": 0.1}


def points(axes):
    """(group, row from the top) -> (mean, lower end, upper end)."""
    found = {}
    for container in axes.containers:
        assert isinstance(container, ErrorbarContainer)
        line, _, (bars,) = container
        for (x, y), segment in zip(line.get_xydata(), bars.get_segments(), strict=True):
            ends = segment[:, 0] if len(segment) else (np.nan, np.nan)
            found[container.get_label(), y] = (x, *ends)
    return found


def test_schemes_are_ordered_by_their_largest_root_modulus(networks):
    rows = [*networks.runs(80, **UNSTABLE), *networks.runs(90), *networks.runs(85, **MILDER)]
    (axes,) = draw("accuracy_by_scheme", rows).axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["0.94, 0.33, 0.33", "1.00, 0.33, 0.33", "1.84, 0.74, 0.74"]
    bottom, top = axes.get_ylim()
    assert bottom > top  # the smallest modulus is on top


def test_points_are_means_with_sample_standard_deviations(networks):
    rows = [*networks.runs(90, 93, 91), *networks.runs(70, 75, 71, **UNSTABLE)]
    (axes,) = draw("accuracy_by_scheme", rows).axes
    found = points(axes)
    for key, sample in (
        (("zero stable", 0), (90, 93, 91)),
        (("not zero stable", 1), (70, 75, 71)),
    ):
        center, spread = mean(sample), stdev(sample)
        assert found[key] == pytest.approx((center, center - spread, center + spread))
    assert len(found) == 2
    colors = {c.get_label(): (c[0].get_color(), c[0].get_marker()) for c in axes.containers}
    assert colors == {"zero stable": ("#0072b2", "o"), "not zero stable": ("#d55e00", "^")}


def test_the_note_states_seeds_and_shared_settings(networks, shown):
    texts = [t.get_text() for t in shown(draw("accuracy_by_scheme", networks.runs(90, 93, 91)))]
    assert "zerosnet, digits, depth 32; mean ± std over 3 seeds" in texts
    assert "Test accuracy (%)" in texts
    assert "zero stable" in texts
    assert "not zero stable" not in texts


def test_one_seed_has_no_error_bar_and_is_noted(networks, said):
    figure = draw("accuracy_by_scheme", networks.runs(90))
    (found,) = points(figure.axes[0]).values()
    assert found[0] == 90
    assert np.isnan(found[1:]).all()
    assert "one seed each" in said(figure)


def test_the_chosen_metric_is_plotted_with_name_and_unit(networks, shown):
    rows = networks.runs(90, 92, noise={"gaussian[0.3]": [60, 64]})
    figure = draw("accuracy_by_scheme", rows, metric="gaussian[0.3]")
    assert points(figure.axes[0])["zero stable", 0][0] == 62
    assert "Accuracy under gaussian[0.3] (%)" in [t.get_text() for t in shown(figure)]


def test_diverged_runs_are_marked_and_counted(networks, shown, said):
    rows = [*networks.runs(90, None, 92), *networks.runs(None, None, **UNSTABLE)]
    figure = draw("accuracy_by_scheme", rows)
    (axes,) = figure.axes
    assert points(axes)["zero stable", 0][0] == 91
    crosses = [line.get_ydata()[0] for line in axes.lines if line.get_label() == "diverged"]
    assert crosses == [0, 1]
    texts = [text.get_text() for text in shown(figure)]
    assert "1 of 3" in texts
    assert "2 of 2" in texts
    assert "3 of 5 runs diverged" in said(figure)


def test_runs_that_are_not_done_are_counted_and_left_out(networks, said):
    rows = [*networks.runs(90, 92), *(r | {"state": "queued"} for r in networks.runs(None))]
    figure = draw("accuracy_by_scheme", rows)
    assert "1 not done yet and left out" in said(figure)
    assert len(points(figure.axes[0])) == 1


def test_groups_that_have_no_such_metric_are_counted_and_left_out(networks, said):
    def reported(rows, **values):
        nothing = dict.fromkeys(("better", "unit", "decimals", "label"))
        told = [{"name": name, "value": value} | nothing for name, value in values.items()]
        return [row | {"metrics": told} for row in rows]

    rows = reported(networks.runs(90), f1=0.5)
    rows += reported(networks.runs(80, **UNSTABLE), loss=2.0)
    rows += reported(networks.runs(80, **MILDER), f1=None)
    figure = draw("accuracy_by_scheme", rows, metric="f1")
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["0.94, 0.33, 0.33", "1.00, 0.33, 0.33"]
    assert "networks without f1 left out (1); f1 is not finite in 1 run" in said(figure)


def test_depths_and_settings_are_panels_and_never_averaged_together(networks):
    rows = [
        *networks.runs(90, 92, depth=20),
        *networks.runs(80, 82, depth=32),
        *networks.runs(70, 72, depth=32, settings={"optimizer": {"lr": 0.05}}),
    ]
    axes = draw("accuracy_by_scheme", rows).axes
    assert [a.get_title() for a in axes] == [
        "depth 20, lr 0.1",
        "depth 32, lr 0.05",
        "depth 32, lr 0.1",
    ]
    assert [points(a)["zero stable", 0][0] for a in axes] == [91, 71, 81]


def test_learned_schemes_come_last_in_their_own_style(networks):
    rows = [*networks.runs(95, learned="lambda"), *networks.runs(90, **UNSTABLE)]
    (axes,) = draw("accuracy_by_scheme", rows).axes
    assert list(points(axes)) == [("not zero stable", 0), ("no fixed scheme", 1)]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["1.84, 0.74, 0.74", "learned λₙ"]


def test_schemes_with_equal_moduli_are_labelled_by_coefficients(networks):
    rows = [*networks.runs(90, alpha=(1,), beta=1), *networks.runs(80, alpha=(-1,), beta=1)]
    (axes,) = draw("accuracy_by_scheme", rows).axes
    assert [t.get_text() for t in axes.get_yticklabels()] == ["1.00 (-1; 1)", "1.00 (1; 1)"]


def test_too_many_schemes_or_panels_are_refused_with_a_hint(networks):
    many = networks.grid(61, seeds=1)
    assert "61 schemes are more than the 60" in possible(many)["accuracy_by_scheme"]
    deep = [row for depth in range(20, 33) for row in networks.runs(90, depth=depth)]
    assert "13 panels" in possible(deep)["accuracy_by_scheme"]
    assert "--where" in possible(deep)["accuracy_by_scheme"]
