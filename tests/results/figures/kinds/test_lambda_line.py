from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from statistics import stdev

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from matplotlib.patches import Rectangle

from results.figures import draw, possible
from results.figures.kinds.lambda_axis import ticks
from results.figures.kinds.zerosnet import lambda_of, largest_modulus
from trainers.methods import multistep

LAMBDAS = st.fractions(-50, 50, max_denominator=60).filter(bool)


@given(LAMBDAS)
def test_lambda_is_recovered_from_the_coefficients(value):
    scheme = multistep.zerosnet(value)
    found = lambda_of([float(a) for a in scheme.alpha], float(scheme.beta))
    assert found == pytest.approx(float(value), rel=1e-9)
    assert largest_modulus(float(value)) == pytest.approx(scheme.max_root_modulus, abs=2e-4)


@given(LAMBDAS, st.integers(0, 3), st.sampled_from([-1, 1]))
def test_coefficients_off_by_more_than_rounding_have_no_lambda(value, place, sign):
    scheme = multistep.zerosnet(value)
    numbers = [float(c) for c in (*scheme.alpha, scheme.beta)]
    assume(place != 1)
    numbers[place] += sign * 1e-6 * max(1.0, abs(numbers[place]))
    assert lambda_of(numbers[:3], numbers[3]) is None


def test_schemes_outside_the_family_have_no_lambda():
    assert lambda_of(None, None) is None
    assert lambda_of([1.0], 1.0) is None
    assert lambda_of([0.5, 0.0, 0.5], 1.0) is None
    assert lambda_of([1.0, 1.0, 1.0], 1.0) is None
    assert lambda_of([1.0, 1e-320, 1.0], 1.0) is None


def accuracies(axes):
    found = {}
    for container in axes.containers:
        for (x, y), bar in zip(
            container[0].get_xydata(), container[2][0].get_segments(), strict=True
        ):
            found[round(x, 6), container.get_label()] = (y, bar[1, 1] - bar[0, 1])
    return found


def test_accuracies_are_plotted_at_their_lambda_with_error_bars(networks):
    rows = [
        *networks.zerosnet("-9/5", 90, 94),
        *networks.zerosnet("1/4", 80, 86),
        *networks.zerosnet(10, 88, 89),
    ]
    top, bottom = draw("lambda_line", rows).axes
    found = accuracies(top)
    assert found == {
        (-1.8, "zero stable"): (92, pytest.approx(2 * stdev([90, 94]))),
        (10, "zero stable"): (88.5, pytest.approx(2 * stdev([88, 89]))),
        (0.25, "not zero stable"): (83, pytest.approx(2 * stdev([80, 86]))),
    }
    marks = {}
    for line in bottom.lines:
        if line.get_linestyle() == "None":
            marks |= {round(x, 6): y for x, y in np.asarray(line.get_xydata())}
    exact = multistep.zerosnet("1/4").max_root_modulus
    assert marks == {
        -1.8: pytest.approx(1, abs=1e-6),
        0.25: pytest.approx(exact),
        10: pytest.approx(1, abs=1e-6),
    }


def test_the_zero_stable_region_is_shaded_to_the_ends_of_the_axis(networks):
    rows = [*networks.zerosnet(-5, 90), *networks.zerosnet(2, 91)]
    for axes in draw("lambda_line", rows).axes:
        low, high = axes.get_xlim()
        shaded = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
        left, right = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in shaded]
        assert left == pytest.approx((low, -1))
        assert right == pytest.approx((1 / 3, high))


def test_the_curve_shows_the_largest_modulus_on_both_sides_of_zero(networks):
    rows = [*networks.zerosnet(-5, 90), *networks.zerosnet("1/4", 91)]
    bottom = draw("lambda_line", rows).axes[-1]
    negative, positive = (np.asarray(line.get_xydata()) for line in bottom.lines[:2])
    assert (negative[:, 0] < 0).all()
    assert (positive[:, 0] > 0).all()
    for x, y in (*negative[::37], *positive[::37]):
        exact = multistep.zerosnet(Fraction(float(x)).limit_denominator(10**9)).max_root_modulus
        assert y == pytest.approx(exact, rel=1e-3)


def test_schemes_without_lambda_are_counted_and_depths_are_panels(networks, said):
    rows = [
        *networks.zerosnet(-5, 90, depth=20),
        *networks.zerosnet(2, 91, depth=20),
        *networks.zerosnet(2, 91, depth=32),
        *networks.runs(80, alpha=(1, 1, 1), beta=1),
    ]
    figure = draw("lambda_line", rows)
    assert [axes.get_title() for axes in figure.axes] == ["depth 20", "depth 32", ""]
    assert "networks with other schemes left out (1)" in said(figure)


def test_a_diverged_run_is_a_cross_at_its_lambda(networks):
    rows = [*networks.zerosnet(-5, 90), *networks.zerosnet("-1/5", None)]
    top = draw("lambda_line", rows).axes[0]
    (cross,) = [line for line in top.lines if line.get_label() == "diverged"]
    assert list(cross.get_xdata()) == [pytest.approx(-0.2)]


def test_lambda_line_needs_schemes_of_the_family(networks):
    rows = networks.runs(80, alpha=(1, 1, 1), beta=1)
    assert possible(rows)["lambda_line"] == "no done run has a scheme of the family ZeroSNet(λ)"


def test_lambda_ticks_include_the_region_ends_and_do_not_crowd():
    found = ticks(-7.5, 15.0, 0.2, lambda value: 12 * value)
    assert -1.0 in found
    assert 1 / 3 in found
    assert all(abs(value) >= 0.2 for value in found)
    places = sorted(12 * value for value in found)
    assert all(right - left > 6 for left, right in pairwise(places))
