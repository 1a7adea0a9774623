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
    assert "seed" not in said(figure)


def test_one_epoch_is_a_point_with_one_tick_and_no_line_of_others(networks, said):
    rows = [*networks.runs(90, 90), *networks.runs(90, 90, **UNSTABLE)]
    figure = draw("training_curves", rows, networks.epochs(rows, count=1))
    axes = figure.axes[0]
    assert axes.get_xticks().tolist() == [1]
    assert "other schemes" not in said(figure)
    low, high = axes.get_ylim()
    assert high - low > 0.5


def test_training_curves_need_an_accuracy(networks):
    rows = networks.runs(90)
    epochs = [row | dict.fromkeys(("test_accuracy", "train_accuracy"))
              for row in networks.epochs(rows)]  # fmt: skip
    reason = possible(rows, epochs)["training_curves"]
    assert reason == "no epoch of these runs has an accuracy"


def test_training_curves_of_too_many_networks_are_refused(networks):
    rows = networks.grid(37, seeds=1)
    assert "37 networks" in possible(rows, networks.epochs(rows))["training_curves"]


def reported(rows, name, *values, better="higher", label=None, unit=None):
    """Rows that end with this metric, and its values by epoch."""
    said = {"name": name, "better": better, "unit": unit, "decimals": None, "label": label}
    ended = [row | {"metrics": [{**said, "value": values[-1]}]} for row in rows]
    epochs = [
        {"run_id": row["run_id"], "epoch": epoch, name: value + row["seed"]}
        for row in rows
        for epoch, value in enumerate(values, start=1)
    ]
    return ended, epochs


def test_a_metric_of_the_trainer_is_drawn_by_epoch_with_its_label(networks, said):
    rows, epochs = reported(networks.runs(90, 94), "f1", 1.0, 2.0, 4.0, label="F1 score (points)")
    figure = draw("training_curves", rows, [*networks.epochs(rows), *epochs], metric="f1")
    (axes,) = figure.axes
    assert line(axes, "test") == [(1, 1.5), (2, 2.5), (3, 4.5)]
    assert "training" not in {one.get_label() for one in axes.lines}
    shown = said(figure)
    assert "F1 score (points)" in shown
    assert "band of the seeds" in shown
    assert "Accuracy" not in shown
    assert ", test" not in shown


def test_values_that_are_not_finite_are_counted_and_not_drawn(networks, said):
    rows, epochs = reported(networks.runs(90), "f1", 1.0, 2.0, 4.0)
    epochs[1]["f1"] = None
    figure = draw("training_curves", rows, epochs, metric="f1")
    assert line(figure.axes[0], "test") == [(1, 1), (3, 4)]
    assert "1 value at epochs not finite" in said(figure)


def test_runs_of_a_trainer_without_networks_are_drawn_by_their_settings(networks, said):
    nothing = dict.fromkeys(
        ("model", "scheme", "depth", "dataset", "alpha", "beta", "root_moduli", "zero_stable",
         "max_root_modulus", "parameters", "epochs"),
    )  # fmt: skip
    rows = [
        row | nothing | {"config": {"trainer": "fit:train", "options": {"alpha": alpha}}}
        for alpha in (0.1, 0.25)
        for row in networks.runs(None, None, diverged=False)
    ]
    rows, epochs = reported(rows, "f1", 0.5, 0.75)
    for name in ("training_curves", "accuracy_by_scheme"):
        figure = draw(name, rows, epochs, metric="f1")
        shown = said(figure)
        assert "alpha 0.1" in shown
        assert "alpha 0.25" in shown
        assert "None" not in shown
        assert "no fixed scheme" not in shown
    reasons = possible(rows, epochs, metric="f1")
    assert [name for name, reason in reasons.items() if reason is None] == [
        "accuracy_by_scheme",
        "training_curves",
    ]


def test_losses_are_drawn_where_one_is_the_metric(networks, said):
    rows = [row | {"numbers": {"test_loss": 0.5}} for row in networks.runs(90)]
    epochs = [
        row | {"test_loss": 1 / row["epoch"], "train_loss": 2 / row["epoch"]}
        for row in networks.epochs(rows)
    ]
    figure = draw("training_curves", rows, epochs, metric="test_loss")
    (axes,) = figure.axes
    assert line(axes, "test") == [(1, 1), (2, 0.5), (3, 1 / 3), (4, 0.25)]
    assert line(axes, "training")[:2] == [(1, 2), (2, 1)]
    assert "Loss" in said(figure)


def test_a_metric_that_no_epoch_has_is_the_reason_why_nothing_is_drawn(networks):
    rows, _ = reported(networks.runs(90), "f1", 0.5)
    reason = possible(rows, networks.epochs(rows), metric="f1")["training_curves"]
    assert reason == "no epoch of these runs has a value of f1"
