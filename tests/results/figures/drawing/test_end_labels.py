from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from results.figures import draw
from results.figures.drawing.end_labels import MOST_LABELS, NAMED_EXTREMES, spread

PLACES = st.lists(st.floats(-0.2, 1.2), max_size=20).map(sorted)


@given(PLACES, st.floats(0.001, 0.05))
def test_end_labels_stay_in_order_inside_the_panel_without_overlap(wanted, gap):
    places = spread(wanted, gap, 0.0, 1.0)
    assert len(places) == len(wanted)
    assert all(right - left >= gap - 1e-9 for left, right in pairwise(places))
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in places)


@given(st.lists(st.floats(0, 1), max_size=10, unique=True).map(sorted))
def test_end_labels_with_enough_room_do_not_move(wanted):
    gap = min((right - left for left, right in pairwise(wanted)), default=1.0)
    for place, asked in zip(spread(wanted, gap, 0.0, 1.0), wanted, strict=True):
        assert abs(place - asked) < 1e-9


def test_crowded_end_labels_move_as_little_as_possible():
    assert spread([0.5, 0.5], 0.1, 0.0, 1.0) == [0.45, 0.55]
    assert spread([0.0, 0.0], 0.1, 0.0, 1.0) == [0.0, 0.1]


def test_with_too_many_lines_only_the_extremes_are_labelled_and_noted(networks, shown, said):
    count = MOST_LABELS + 2
    figure = draw("accuracy_by_noise", networks.grid(count, seeds=1))
    names = [t for t in shown(figure) if t.get_text().count(",") == 2 and ";" not in t.get_text()]
    assert len(names) == 2 * NAMED_EXTREMES
    assert f"of {count} lines, the {NAMED_EXTREMES} highest and lowest" in said(figure)
