from __future__ import annotations

import pytest
from matplotlib.patches import Circle

from results.errors import FigureDataError
from results.figures import draw, possible
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


@pytest.mark.parametrize(
    ("alpha", "repeated"),
    [
        # (x - 1)(x - 0.999999): simple, however near
        (("1.999999", "-0.999999"), []),
        # (x - 1/2)^5, which floats part by 1e-3
        (("5/2", "-5/2", "5/4", "-5/16", "1/32"), ["5×"]),
        # (x - 1)^2 (x - 1123456789/9876543210), which no float stands for
        (("20876543209/9876543210", "-12123456788/9876543210", "1123456789/9876543210"), ["2×"]),
    ],
)
def test_a_root_is_marked_as_repeated_if_it_is(networks, shown, alpha, repeated):
    rows = networks.runs(90, alpha=alpha, beta=1)
    rows[0]["config"]["scheme"]["alpha"] = list(alpha)
    figure = draw("roots", rows)
    assert [t.get_text() for t in shown(figure) if t.get_text().endswith("×")] == repeated
    assert any("n×: n equal roots" in t.get_text() for t in shown(figure)) == bool(repeated)
    moduli = multistep.LinearMultistepScheme.of(alpha, 1).root_moduli
    assert sorted(map(abs, drawn(figure.axes[0]))) == sorted(set(moduli))


def test_a_config_that_is_not_of_the_columns_is_not_drawn(networks):
    (row,) = networks.runs(90, **UNSTABLE)
    expected = drawn(draw("roots", [row]).axes[0])
    for strange in ("x", [None, 1, 2], [1, 2, 3], 7, ["1" * 3000], {}):
        row["config"]["scheme"]["alpha"] = strange
        assert drawn(draw("roots", [row]).axes[0]) == expected


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
