from __future__ import annotations

from statistics import stdev

import pytest

from results.figures import draw, possible
from results.figures.kinds.noise_levels import (
    CONSTANT,
    GAUSSIAN,
    ONE_SIDED,
    SYMMETRIC,
    noise_axis,
)

UNSTABLE = {"alpha": (1, 1, 1), "beta": 1}


def lines(axes):
    return {c.get_label(): [tuple(p) for p in c[0].get_xydata()] for c in axes.containers}


def test_each_scheme_is_a_line_of_means_starting_at_clean_images(networks):
    rows = [
        *networks.runs(90, 94, noise={"gaussian[0.3]": [60, 70], "gaussian[0.1]": [80, 86]}),
        *networks.runs(
            85, 87, noise={"gaussian[0.3]": [50, 52], "gaussian[0.1]": [70, 71]}, **UNSTABLE
        ),
    ]
    (axes,) = draw("accuracy_by_noise", rows).axes
    assert lines(axes) == {
        "zerosnet/1/3, 5/9, 1/9; 16/9": [(0, 92), (0.1, 83), (0.3, 65)],
        "zerosnet/1, 1, 1; 1": [(0, 86), (0.1, 70.5), (0.3, 51)],
    }
    low, high = axes.containers[0][2][0].get_segments()[1][:, 1]
    assert high - low == pytest.approx(2 * stdev([80, 86]))


def test_kinds_of_noise_with_one_level_are_left_out_and_counted(networks, said):
    noise = {"gaussian[0.1]": [80], "gaussian[0.2]": [70], "constant[0.3]": [60]}
    figure = draw("accuracy_by_noise", networks.runs(90, noise=noise))
    assert len(figure.axes) == 1
    assert "kinds of noise with one level left out (1)" in said(figure)


def test_every_noise_kind_and_depth_has_a_panel(networks, shown):
    noise = {
        name: [50] for name in ("gaussian[0.1]", "gaussian[0.2]", "constant[-0.1]", "constant[0.1]")
    }
    rows = [*networks.runs(90, noise=noise, depth=20), *networks.runs(91, noise=noise)]
    figure = draw("accuracy_by_noise", rows)
    assert [a.get_title() for a in figure.axes] == ["depth 20", "depth 20", "depth 32", "depth 32"]
    assert [a.get_xlabel() for a in figure.axes[:2]] == [
        "Standard deviation of\nGaussian noise"
        if "\n" in figure.axes[0].get_xlabel()
        else "Standard deviation of Gaussian noise",
        "Constant shift",
    ]
    (line,) = lines(figure.axes[1]).values()
    assert [x for x, _ in line] == [-0.1, 0, 0.1]


def test_diverged_runs_are_counted_but_excluded_from_the_lines(networks, said):
    noise = {"gaussian[0.1]": [80, None], "gaussian[0.2]": [70, None]}
    figure = draw("accuracy_by_noise", networks.runs(90, None, noise=noise))
    assert list(lines(figure.axes[0]).values()) == [[(0, 90), (0.1, 80), (0.2, 70)]]
    assert "1 of 2 runs diverged" in said(figure)


def test_noise_drawn_with_two_seeds_counts_once_per_run(networks):
    noise = {"gaussian[0.1]": [80], "gaussian[0.1;seed=2]": [84], "gaussian[0.2]": [70]}
    (axes,) = draw("accuracy_by_noise", networks.runs(90, noise=noise)).axes
    assert list(lines(axes).values()) == [[(0, 90), (0.1, 82), (0.2, 70)]]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gaussian[0.3]", (GAUSSIAN, 0.3)),
        ("constant[-0.2]", (CONSTANT, -0.2)),
        ("uniform[-0.5,0.5]", (SYMMETRIC, 0.5)),
        ("uniform[-0.08,0]", (ONE_SIDED, -0.08)),
        ("uniform[0,0.08;seed=7]", (ONE_SIDED, 0.08)),
        ("uniform[0,0.08]@1f09ab", (ONE_SIDED, 0.08)),
        ("uniform[-0.1,0.3]", None),
    ],
)
def test_noise_is_plotted_over_the_one_number_that_varies(networks, name, expected):
    assert noise_axis(networks.evaluation(name, 50.0)) == expected


def test_evaluation_kinds_get_their_own_axis_if_they_have_a_level():
    attack = {"name": "fgsm[8]", "kind": "fgsm", "level": 8, "accuracy": 10.0}
    found = noise_axis(attack)
    assert found is not None
    assert found[1] == 8
    assert "fgsm" in found[0].quantity
    assert noise_axis(attack | {"level": None}) is None


@pytest.mark.parametrize("name", ["uniform", "uniform[0.3]", "uniform[low,high]"])
def test_uniform_noise_whose_name_tells_no_interval_is_not_plotted(name):
    evaluation = {"name": name, "kind": "uniform", "level": 0.3, "accuracy": 50.0}
    assert noise_axis(evaluation) is None


def test_attacks_with_other_settings_get_separate_axes():
    def axis(name):
        return noise_axis({"name": name, "kind": "pgd", "level": 0.1, "accuracy": 10.0})[0]

    assert axis("pgd[8/255]") == axis("pgd[0.3]") == axis("pgd[0.3;seed=2]") == axis("pgd[1]@1f09a")
    assert axis("pgd[0.3,40x0.01]") != axis("pgd[0.3]")
    assert axis("pgd[0.3,40x0.01]") == axis("pgd[0.1,40x0.01]")
    assert axis("pgd[0.3,40x0.01]").quantity == "Level of pgd (40x0.01)"


def test_accuracy_by_noise_needs_noise_evaluations(networks):
    assert "evaluations" in possible(networks.runs(90))["accuracy_by_noise"]
