from __future__ import annotations

import numpy as np
import pytest

from results.errors import FigureDataError
from results.figures import draw, possible

UNSTABLE = {"alpha": (1, 1, 1), "beta": 1}
BLOCKS = [f"block{number}" for number in range(1, 13)]


def lines(axes):
    """What was drawn as a line, without marks at places."""
    return [
        [tuple(point) for point in line.get_xydata()]
        for line in axes.lines
        if line.get_label() == "mean"
    ]


def test_network_quantities_are_drawn_by_epoch_with_a_band_over_seeds(networks):
    rows = networks.runs(90, 94)
    probes = networks.probes(rows, value=lambda row, epoch, layer: epoch + row["seed"])
    (axes,) = draw("probes", rows, [], probes).axes
    assert lines(axes) == [[(0, 0.5), (1, 1.5), (2, 2.5)]]
    (band,) = axes.collections
    vertices = band.get_paths()[0].vertices
    heights = vertices[np.isclose(vertices[:, 0], 2), 1]
    assert (heights.min(), heights.max()) == (2, 3)
    assert (axes.get_title(), axes.get_xlabel()) == ("feature_norms: norm", "Epoch")


def test_quantities_of_many_layers_are_drawn_by_layer_after_the_last_epoch(networks):
    rows = [*networks.runs(90), *networks.runs(80, **UNSTABLE)]
    probes = networks.probes(
        rows, layers=BLOCKS, value=lambda row, epoch, layer: layer * 10 + epoch
    )
    # In the network's order, whatever that of the rows is.
    (axes,) = draw("probes", rows, [], sorted(probes, key=lambda row: row["layer"])).axes
    assert lines(axes) == [[(place, 10 * place + 2) for place in range(1, 13)]] * 2
    assert axes.get_xlabel() == "Block, after epoch 2"


def test_quantities_of_few_layers_are_one_labelled_line_per_layer(networks, said):
    rows = [*networks.runs(90), *networks.runs(80, **UNSTABLE)]
    figure = draw("probes", rows, [], networks.probes(rows, layers=["stage1", "stage2"]))
    assert len(lines(figure.axes[0])) == 4
    for text in ("stage1 1.00, 0.33, 0.33", "stage2 1.84, 0.74, 0.74"):
        assert text in said(figure)


def test_one_epoch_suffices_by_layer_and_single_values_are_left_out(networks, said):
    rows = networks.runs(90)
    by_layer = networks.probes(rows, layers=["stem", "fc"], epochs=[3])
    single = networks.probes(rows, probe="runtime", quantity="train_seconds[128]", epochs=[0])
    figure = draw("probes", rows, [], by_layer + single)
    assert len(figure.axes) == 1
    assert "quantities with one value a run left out (1)" in said(figure)
    assert "Layer, after epoch 3" in said(figure)
    with pytest.raises(FigureDataError, match="a line needs two layers or two epochs"):
        draw("probes", rows, [], single)


@pytest.mark.slow
def test_parts_of_a_quantity_are_drawn_if_chosen(networks, said):
    rows = networks.runs(90)
    part = networks.probes(rows, quantity="within[3]")
    figure = draw("probes", rows, [], networks.probes(rows, quantity="within") + part)
    assert [axes.get_title() for axes in figure.axes] == ["feature_norms: within"]
    assert "parts of quantities left out (1)" in said(figure)
    assert draw("probes", rows, [], part).axes[0].get_title() == "feature_norms: within[3]"


def test_values_spanning_decades_get_a_logarithmic_axis(networks, said):
    rows = [*networks.runs(90), *networks.runs(80, **UNSTABLE)]
    probes = networks.probes(
        rows, layers=BLOCKS, value=lambda row, epoch, layer: row["max_root_modulus"] ** layer
    )
    figure = draw("probes", rows, [], probes)
    assert figure.axes[0].get_yscale() == "log"
    assert "10³" in said(figure)
    assert "mathdefault" not in said(figure)
    near = networks.probes(rows, layers=BLOCKS, value=lambda row, epoch, layer: layer)
    assert draw("probes", rows, [], near).axes[0].get_yscale() == "linear"


def test_a_line_has_a_gap_where_a_network_lacks_layers(networks):
    rows = networks.runs(90)
    deep = networks.runs(91, depth=56)
    probes = networks.probes(rows, layers=["block1", "block2", "fc"], epochs=[1]) + networks.probes(
        deep, layers=["block1", "block2", "block3", "fc"], epochs=[1]
    )
    found = lines(draw("probes", [*rows, *deep], [], probes).axes[0])
    assert sorted(sum(np.isnan(y) for _, y in line) for line in found) == [0, 1]


def test_a_diverged_run_ends_in_a_cross_and_is_excluded_from_the_mean(networks, said):
    rows = networks.runs(90, None)
    probes = networks.probes(
        rows,
        value=lambda row, epoch, layer: None if row["diverged"] and epoch > 1 else epoch,
    )
    figure = draw("probes", rows, [], probes)
    (axes,) = figure.axes
    assert lines(axes) == [[(0, 0), (1, 1), (2, 2)]]
    (cross,) = [line for line in axes.lines if line.get_label() == "diverged"]
    assert [tuple(point) for point in cross.get_xydata()] == [(1, 1)]
    assert "1 of 2 runs diverged" in said(figure)


def test_probe_figures_too_large_for_a_page_are_refused_with_a_hint(networks):
    rows = networks.runs(90)
    many = [row for n in range(13) for row in networks.probes(rows, quantity=f"q{n}")]
    assert "--quantity" in possible(rows, [], many)["probes"]
    rows = networks.grid(37, seeds=1)
    assert "37 networks" in possible(rows, [], networks.probes(rows))["probes"]
    nothing = networks.probes(rows[:2], value=lambda row, epoch, layer: None)
    assert possible(rows, [], nothing)["probes"] == "no value of a probe is finite"
