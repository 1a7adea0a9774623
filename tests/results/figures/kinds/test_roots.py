from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.patches import Circle

from results.errors import FigureDataError
from results.figures import draw, possible
from results.figures.kinds.roots import characteristic_roots
from trainers.methods import multistep

UNSTABLE = {"alpha": (-3, 5, -1), "beta": 4}


def drawn(axes):
    return sorted((complex(x, y) for x, y in axes.lines[0].get_xydata()), key=abs)


def test_roots_are_drawn_to_scale_with_the_unit_circle(networks):
    (axes,) = draw("roots", networks.zerosnet("1/2", 90)).axes
    expected = sorted(multistep.zerosnet("1/2").roots, key=abs)
    assert sorted(map(abs, drawn(axes))) == pytest.approx(list(map(abs, expected)))
    assert {round(abs(root.imag), 9) for root in drawn(axes)} == {
        round(abs(root.imag), 9) for root in expected
    }
    (circle,) = [patch for patch in axes.patches if isinstance(patch, Circle)]
    assert (circle.center, circle.radius) == ((0, 0), 1)
    assert axes.get_aspect() == 1
    assert axes.get_xlim() == axes.get_ylim()


def test_axis_limits_include_the_unit_circle_and_every_root(networks):
    (axes,) = draw("roots", networks.runs(90, **UNSTABLE)).axes
    low, high = axes.get_xlim()
    assert low < -4.24
    assert high > 4.24


def test_a_scheme_that_no_trainer_takes_is_refused_before_its_roots_are_sought(networks):
    # Their matrix would have 298 GiB.
    (row,) = networks.runs(90)
    with pytest.raises(FigureDataError, match="200000 coefficients of a scheme are more than"):
        draw("roots", [row | {"alpha": [1e-6] * 200_000}])


def test_a_scheme_has_one_panel_for_all_its_networks(networks):
    rows = [
        *networks.runs(90, 91, depth=20),
        *networks.runs(92, depth=32),
        *networks.runs(80, **UNSTABLE),
    ]
    stable, unstable = draw("roots", rows).axes
    assert stable.lines[0].get_color() == "#0072b2"
    assert unstable.lines[0].get_color() == "#d55e00"
    assert unstable.lines[0].get_marker() == "^"


def test_repeated_roots_are_one_mark_with_their_multiplicity(networks, shown):
    figure = draw("roots", networks.runs(90))
    assert len(drawn(figure.axes[0])) == 2
    assert "2×" in [text.get_text() for text in shown(figure)]


@given(st.lists(st.fractions(-4, 4, max_denominator=12), min_size=1, max_size=5))
def test_drawn_roots_match_the_exact_ones(alpha):
    found = characteristic_roots([float(a) for a in alpha])
    assert sum(count for _, count in found) == len(alpha)
    exact = multistep.LinearMultistepScheme.of(tuple(alpha), 1).roots
    for root in exact:
        # Rounding parts a root of multiplicity m by about 1e-16 ** (1 / m).
        assert min(abs(root - one) for one, _ in found) < 2e-3 * max(1, abs(root))


def test_more_schemes_than_panels_share_one_panel_in_two_colors(networks, said):
    figure = draw("roots", networks.grid(40, seeds=1))
    (axes,) = figure.axes
    marks = [line for line in axes.lines if line.get_linestyle() == "None"]
    assert len(marks) == 40
    assert {line.get_color() for line in marks} == {"#0072b2", "#d55e00"}
    assert "40 schemes" in said(figure)


def test_learned_schemes_are_counted_or_refused(networks, said):
    learned = networks.runs(90, learned="k")
    figure = draw("roots", [*learned, *networks.runs(90)])
    assert "left out (1)" in said(figure)
    assert "fixed scheme" in possible(learned)["roots"]
