from __future__ import annotations

import numpy as np
import pytest

from results.figures import draw, possible


def k(*values):
    return [[1 - value, value, 1.0] for value in values]


def lambdas(*values):
    return [
        [3 * (1 + v) / (4 * v), -1 / v, (1 + v) / (4 * v), (3 * v - 1) / (2 * v)] for v in values
    ]


def approx(points):
    return pytest.approx(np.array(points, dtype=float))


def line(axes, label):
    (found,) = [line for line in axes.lines if line.get_label() == label]
    return found.get_xydata()


def test_learned_k_is_drawn_by_block_with_the_mean_over_seeds(networks, said):
    rows = networks.runs(90, 91, learned="k", coefficients=[k(-0.1, -0.3, 0.2), k(-0.3, -0.1, 0.4)])
    figure = draw("learned_coefficients", rows)
    (axes,) = figure.axes
    assert axes.get_ylabel() == "kₙ"
    assert line(axes, "kₙ") == approx([(1, -0.2), (2, -0.2), (3, 0.3)])
    singles = [one.get_ydata() for one in axes.lines if one.get_label() != "kₙ"]
    assert [list(one) for one in singles] == [[-0.1, -0.3, 0.2], [-0.3, -0.1, 0.4]]
    assert "mean over 2 seeds" in said(figure)


def test_learned_lambda_is_recovered_from_each_blocks_coefficients(networks):
    rows = networks.runs(90, learned="lambda", coefficients=[lambdas(1.0, 0.8, -2.0)])
    (axes,) = draw("learned_coefficients", rows).axes
    assert axes.get_ylabel() == "λₙ"
    assert line(axes, "λₙ") == approx([(1, 1.0), (2, 0.8), (3, -2.0)])


def test_free_coefficients_have_their_own_colors_and_markers(networks, shown):
    rows = networks.runs(
        90, learned="coefficients", coefficients=[[[0.3, 0.5, 1.7], [0.2, 0.6, 1.8]]]
    )
    figure = draw("learned_coefficients", rows)
    (axes,) = figure.axes
    for label, expected in (("α₀", (0.3, 0.2)), ("α₁", (0.5, 0.6)), ("β", (1.7, 1.8))):
        assert line(axes, label)[:, 1] == pytest.approx(expected)
    looks = {(one.get_color(), one.get_marker()) for one in axes.lines}
    assert len(looks) == 3
    assert {"α₀", "α₁", "β"} <= {text.get_text() for text in shown(figure)}


def test_many_free_coefficients_have_distinct_styles(networks):
    rows = networks.runs(90, learned="coefficients", coefficients=[[[0.1] * 33, [0.2] * 33]])
    (axes,) = draw("learned_coefficients", rows).axes
    assert len({(one.get_color(), one.get_marker()) for one in axes.lines}) == 33


def test_depths_and_models_are_panels_that_share_the_scale_of_their_family(networks):
    rows = [
        *networks.runs(90, learned="k", depth=20, coefficients=[k(0.1)], model="lm_resnet"),
        *networks.runs(90, learned="k", depth=32, coefficients=[k(0.9, 0.1)], model="lm_resnet"),
        *networks.runs(90, learned="lambda", depth=20, coefficients=[lambdas(1.0)]),
        *networks.runs(90, learned="lambda", depth=32, coefficients=[lambdas(1.0, 2.0)]),
    ]
    axes = draw("learned_coefficients", rows).axes
    assert [a.get_title() for a in axes] == [
        "depth 20\nlm_resnet learned kₙ",
        "depth 32\nlm_resnet learned kₙ",
        "depth 20\nzerosnet learned λₙ",
        "depth 32\nzerosnet learned λₙ",
    ]
    assert axes[0].get_ylim() == axes[1].get_ylim()
    assert axes[2].get_ylim() == axes[3].get_ylim() != axes[0].get_ylim()


@pytest.mark.parametrize("nothing", [None, [], [[]], "k", [[0.9, None, 1.0]], [1.0], {"a": 1}])
def test_missing_learned_coefficients_are_not_drawn(networks, nothing):
    rows = networks.runs(90, learned="k", coefficients=[nothing])
    assert "learned coefficients" in possible(rows)["learned_coefficients"]


def test_a_diverged_run_without_coefficients_does_not_stop_the_figure(networks):
    rows = networks.runs(90, None, learned="k", coefficients=[k(0.1), [[None, None, 1.0]]])
    (axes,) = draw("learned_coefficients", rows).axes
    assert line(axes, "kₙ") == approx([(1, 0.1)])


def test_runs_of_one_network_with_different_numbers_of_blocks_are_refused(networks):
    rows = networks.runs(90, 91, learned="k", coefficients=[k(0.1), k(0.1, 0.2)])
    assert "differ in their blocks" in possible(rows)["learned_coefficients"]


def test_an_infinite_lambda_leaves_a_gap(networks):
    rows = networks.runs(
        90, learned="lambda", coefficients=[[*lambdas(1.0), [0.75, 0.0, 0.25, 1.5], *lambdas(2.0)]]
    )
    (axes,) = draw("learned_coefficients", rows).axes
    assert line(axes, "λₙ")[:, 1] == pytest.approx([1.0, float("nan"), 2.0], nan_ok=True)
