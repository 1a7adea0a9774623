from __future__ import annotations

import numpy as np

from results.figures import draw, possible

UNSTABLE = {"alpha": (1, 1, 1), "beta": 1}


def line(axes, label):
    (found,) = [line for line in axes.lines if line.get_label() == label]
    return [tuple(point) for point in found.get_xydata()]


def test_panels_show_mean_test_and_train_accuracy_with_a_band_over_seeds(networks):
    rows = networks.runs(90, 94)
    (axes,) = draw("training_curves", rows, networks.epochs(rows)).axes
    assert line(axes, "test") == [(1, 62), (2, 72), (3, 82), (4, 92)]
    assert line(axes, "training") == [(1, 61), (2, 71), (3, 81), (4, 91)]
    (band,) = axes.collections
    vertices = band.get_paths()[0].vertices
    for epoch, low, high in ((1, 60, 64), (4, 90, 94)):
        heights = vertices[np.isclose(vertices[:, 0], epoch), 1]
        assert (heights.min(), heights.max()) == (low, high)


def test_every_network_has_a_panel_with_the_others_in_the_background(networks):
    rows = [*networks.runs(90, 92), *networks.runs(80, 82, **UNSTABLE)]
    stable, unstable = draw("training_curves", rows, networks.epochs(rows)).axes
    assert stable.get_title() == "1.00, 0.33, 0.33"
    assert unstable.get_title() == "1.84, 0.74, 0.74"
    assert line(stable, "test")[-1] == (4, 91)
    behind = [one for one in stable.lines if one.get_color() == "#c8c8c8"]
    assert [tuple(point) for point in behind[0].get_xydata()] == line(unstable, "test")
    assert len(behind) == 1


def test_the_background_shows_only_networks_of_the_same_depth(networks):
    rows = [*networks.runs(90, depth=20), *networks.runs(80, depth=32)]
    axes = draw("training_curves", rows, networks.epochs(rows)).axes
    assert [a.get_title().split("\n")[0] for a in axes] == ["depth 20", "depth 32"]
    assert not [one for a in axes for one in a.lines if one.get_color() == "#c8c8c8"]


def test_a_diverged_run_ends_in_a_cross_and_is_excluded_from_the_mean(networks, said):
    rows = networks.runs(90, None)
    figure = draw("training_curves", rows, networks.epochs(rows))
    (axes,) = figure.axes
    assert line(axes, "test") == [(1, 60), (2, 70), (3, 80), (4, 90)]
    assert line(axes, "diverged") == [(1, 30)]
    assert "1 of 2 runs diverged" in said(figure)
    assert "one seed each" in said(figure)


def test_unsorted_epochs_are_drawn_in_order(networks):
    rows = networks.runs(90)
    (axes,) = draw("training_curves", rows, reversed(networks.epochs(rows))).axes
    assert [x for x, _ in line(axes, "test")] == [1, 2, 3, 4]


def test_networks_without_epochs_are_counted_in_the_note(networks, said):
    rows = [*networks.runs(90), *networks.runs(80, **UNSTABLE)]
    figure = draw("training_curves", rows, networks.epochs(rows[:1]))
    assert len(figure.axes) == 1
    assert "networks without epochs left out (1)" in said(figure)


def test_different_numbers_of_seeds_are_noted_as_a_range(networks, said):
    rows = [*networks.runs(90, 92), *networks.runs(80, 82, 84, **UNSTABLE)]
    figure = draw("training_curves", rows, networks.epochs(rows))
    assert "least to greatest of 2 to 3 seeds" in said(figure)


def test_a_network_whose_runs_all_diverged_has_no_mean_and_no_seeds(networks, said):
    rows = networks.runs(None, None)
    figure = draw("training_curves", rows, networks.epochs(rows))
    (axes,) = figure.axes
    assert not {"test", "training"} & {one.get_label() for one in axes.lines}
    assert [one.get_label() for one in axes.lines].count("diverged") == 2
    assert "no seeds" in said(figure)


def test_training_curves_need_an_accuracy(networks):
    rows = networks.runs(90)
    epochs = [row | dict.fromkeys(("test_accuracy", "train_accuracy"))
              for row in networks.epochs(rows)]  # fmt: skip
    reason = possible(rows, epochs)["training_curves"]
    assert reason == "no epoch of a done run has an accuracy"


def test_training_curves_of_too_many_networks_are_refused(networks):
    rows = networks.grid(37, seeds=1)
    assert "37 networks" in possible(rows, networks.epochs(rows))["training_curves"]
