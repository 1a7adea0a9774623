from __future__ import annotations

import pytest

from results.figures import draw, possible
from results.figures.kinds.accuracy_by_parameters import ticks

UNSTABLE = {"alpha": (1, 1, 1), "beta": 1}


def family(networks, *means, **changes):
    rows = []
    for index, center in enumerate(means):
        size = {"depth": 20 + 12 * index, "parameters": 277_402 + index * 194_432}
        rows += networks.runs(center - 1, center + 1, **size, **changes)
    return rows


def lines(axes):
    return {c.get_label(): [tuple(p) for p in c[0].get_xydata()] for c in axes.containers}


def test_each_scheme_is_a_line_over_its_networks_by_millions_of_parameters(networks):
    rows = [*family(networks, 90, 92, 94), *family(networks, 80, 81, 85, **UNSTABLE)]
    (axes,) = draw("accuracy_by_parameters", rows).axes
    assert axes.get_xscale() == "log"
    sizes = [0.277402, 0.471834, 0.666266]
    assert lines(axes) == {
        "zerosnet/1/3, 5/9, 1/9; 16/9": list(zip(sizes, [90, 92, 94], strict=True)),
        "zerosnet/1, 1, 1; 1": list(zip(sizes, [80, 81, 85], strict=True)),
    }
    first, *_ = axes.containers
    (low, high) = first[2][0].get_segments()[0][:, 1]
    assert (low, high) == pytest.approx((90 - 2**0.5, 90 + 2**0.5))


def test_lines_are_labelled_at_their_ends_in_order(networks, shown):
    rows = [*family(networks, 90, 92, 94), *family(networks, 80, 81, 85, **UNSTABLE)]
    heights = {
        t.get_text(): t.get_window_extent().y0 for t in shown(draw("accuracy_by_parameters", rows))
    }
    assert heights["1.00, 0.33, 0.33"] > heights["1.84, 0.74, 0.74"]


def test_labels_name_the_model_if_there_are_several(networks, shown):
    rows = [
        *family(networks, 90, 92),
        *family(networks, 80, 81, model="preresnet", alpha=(1,), beta=1),
    ]
    texts = [t.get_text() for t in shown(draw("accuracy_by_parameters", rows))]
    assert "preresnet 1.00" in texts
    assert "zerosnet 1.00, 0.33, 0.33" in texts


def test_networks_differing_in_width_are_points_of_one_line(networks):
    rows = []
    for width in (16, 32):
        for row in networks.runs(90 + width, parameters=width * 10_000):
            row["config"]["model"]["width"] = width
            rows.append(row)
    (axes,) = draw("accuracy_by_parameters", rows).axes
    assert list(lines(axes).values()) == [[(0.16, 106), (0.32, 122)]]


def test_a_network_that_always_diverged_is_a_cross_at_its_size(networks):
    rows = [*family(networks, 90, 92), *networks.runs(None, None, parameters=900_000, depth=56)]
    (axes,) = draw("accuracy_by_parameters", rows).axes
    (cross,) = [line for line in axes.lines if line.get_label() == "diverged"]
    assert list(cross.get_xdata()) == [0.9]
    assert [len(points) for points in lines(axes).values()] == [2]


def test_every_dataset_has_a_panel_over_parameters(networks):
    rows = [*family(networks, 90, 92), *family(networks, 80, 81, dataset="fashion_mnist")]
    axes = draw("accuracy_by_parameters", rows).axes
    assert [a.get_title() for a in axes] == ["digits", "fashion_mnist"]


def test_accuracy_by_parameters_needs_two_network_sizes(networks):
    reason = possible(networks.runs(90, 91))["accuracy_by_parameters"]
    assert "471,834" in reason


@pytest.mark.parametrize(
    ("low", "high"),
    [(0.27, 0.67), (0.01, 120.0), (0.9, 1.8), (0.27, 1.74), (3.0, 3.9), (0.448, 0.448377)],
)
def test_parameter_ticks_are_few_round_numbers_in_range(low, high):
    found = ticks(low, high)
    assert found == sorted(found)
    assert all(low <= tick <= high for tick in found)
    assert 2 <= len(found) <= 9
