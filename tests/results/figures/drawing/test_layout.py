"""Nothing overlaps, nothing is cut off, and nothing that a user wrote is read as a formula."""

from __future__ import annotations

from itertools import combinations
from xml.etree import ElementTree

import pytest
from matplotlib.text import Text

from results.figures import FIGURES, draw, possible
from results.figures.drawing.files import to_bytes

HOSTILE = [
    "$x_{$",
    "$\\frac{1}{0}$",
    "_hidden",
    "a\\b{c}^d%&#~",
    "模型 🙂",
    "<b>&amp;</b>",
    "a very long name " * 6,
    "one\nline\tand\x07 a bell",
    "\ud800",
    "",
]


def lambdas(networks, count, **changes):
    """Rows of ZeroSNet(λ) that every figure but the learned one can be drawn from."""
    rows = []
    for index in range(count):
        value = f"{-60 + 7 * index}/13"
        noise = {"gaussian[0.1]": [70 + index, 71], "gaussian[0.3]": [50 + index, 52]}
        size = {"parameters": 270_000 + 10_000 * index}
        rows += networks.zerosnet(value, 90 - index / 3, 92, noise=noise, **(size | changes))
    return rows


def hostile(networks):
    rows = []
    for index, name in enumerate(HOSTILE):
        noise = {f"{name}[{level}]": [level, None] for level in (1, 2)}
        of_network = {"model": HOSTILE[index % 5], "dataset": HOSTILE[0], "noise": noise}
        size = {"parameters": 1000 * (index + 1)}
        rows += networks.zerosnet(
            f"{index + 1}/3", 90 + index / 2, None, scheme=name * 2, **of_network, **size
        )
        rows += networks.runs(
            80,
            None,
            scheme=f"learned from {name}",
            learned="coefficients",
            coefficients=[[[0.5, 0.5, 1.0]] * 4, None],
            **of_network,
            **size,
        )
    return rows


def check(figure, texts):
    page = figure.bbox
    # Of an annotation the words alone, without its line.
    boxes = [(text, Text.get_window_extent(text)) for text in texts]
    for text, box in boxes:
        assert box.x0 >= page.x0 - 1, text
        assert box.y0 >= page.y0 - 1, text
        assert box.x1 <= page.x1 + 1, text
        assert box.y1 <= page.y1 + 1, text
    for (one, first), (two, second) in combinations(boxes, 2):
        wide = min(first.x1, second.x1) - max(first.x0, second.x0)
        high = min(first.y1, second.y1) - max(first.y0, second.y0)
        # A box is as high as a line, and reaches above and below what is written.
        assert wide <= 0.5 or high <= 0.3 * min(first.height, second.height), (one, two)


def probed(networks, rows):
    """Values by epoch, of few layers and of one, and by layer, on both kinds of axis."""
    blocks = [f"{HOSTILE[8]}block{number}.conv{number % 2}" for number in range(1, 28)]
    stages = ["stem", "stage1", HOSTILE[0]]
    return [
        *networks.probes(rows, quantity="one layer", epochs=range(40)),
        *networks.probes(rows, quantity=HOSTILE[6], layers=blocks),
        *networks.probes(rows, probe=HOSTILE[0], quantity="by stage", layers=stages),
        *networks.probes(
            rows, quantity="powers", layers=[f"block{n}" for n in range(1, 16)],
            value=lambda row, epoch, layer: 1.7**layer,
        ),
    ]  # fmt: skip


def drawn(rows, epochs, probes, shown):
    """Draws every figure that there is data for, and checks it."""
    names = [name for name, reason in possible(rows, epochs, probes).items() if reason is None]
    for name in names:
        figure = draw(name, rows, epochs, probes)
        assert figure.get_figwidth() in (3.35, 7.0)
        texts = shown(figure)
        check(figure, texts)
        assert {text.get_fontsize() for text in texts} <= {7.0, 8.0}
    return names


@pytest.mark.parametrize("count", [2, 5, 12, 30])
@pytest.mark.slow
@pytest.mark.long
def test_figure_texts_neither_overlap_nor_leave_the_page(networks, shown, count):
    rows = lambdas(networks, count)
    names = drawn(rows, networks.epochs(rows), probed(networks, rows), shown)
    assert len(names) == len(FIGURES) - 1


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.slow
@pytest.mark.long
def test_figure_texts_do_not_overlap_with_several_depths_and_models(networks, shown, seeds):
    rows = [
        row
        for depth in (20, 32, 110)
        for model in ("zerosnet", "tm_resnet")
        for row in networks.grid(
            4, seeds=seeds, depth=depth, model=model, parameters=depth * 14_000
        )
    ]
    names = drawn(rows, networks.epochs(rows), probed(networks, rows), shown)
    assert {"accuracy_by_scheme", "probes"} <= set(names)


SHOW_THE_METRIC = ("accuracy_by_scheme", "accuracy_by_parameters", "lambda_line")


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.slow
@pytest.mark.long
def test_hostile_names_are_drawn_verbatim_and_saved(networks, shown, name):
    rows = hostile(networks)
    metric = f"{HOSTILE[0]}[1]" if name in SHOW_THE_METRIC else "test_accuracy"
    figure = draw(name, rows, networks.epochs(rows), probed(networks, rows), metric=metric)
    texts = shown(figure)
    check(figure, texts)
    assert any(HOSTILE[0] in text.get_text() for text in texts)
    for text in texts:
        assert not text.get_parse_math()
        assert not text.get_usetex()
    ElementTree.fromstring(to_bytes(figure, "svg"))
    assert to_bytes(figure, "pdf").startswith(b"%PDF-")


def test_figure_texts_do_not_overlap_with_long_settings_and_metrics(networks, shown):
    rows = [
        *networks.runs(90, 91, settings={"a_very_long_name_of_a_setting" * 2: 1.0}),
        *networks.runs(80, 81, settings={"a_very_long_name_of_a_setting" * 2: 2.0}),
    ]
    figure = draw(
        "accuracy_by_scheme", rows, metric="training." + "a_very_long_name_of_a_setting" * 2
    )
    check(figure, shown(figure))
