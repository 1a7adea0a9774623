from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.figures.data import select
from results.figures.drawing.labels import common_text, facets, group_labels, scheme_axis_label
from results.figures.drawing.text import width
from results.figures.replicates import replicate_groups, sample


def test_runs_differing_only_in_seed_are_one_replicate_group(networks):
    (group,) = replicate_groups(networks.runs(90, 91, None))
    assert len(group.runs) == 3
    assert group.diverged == 1
    assert group.setting == ()


def test_a_run_of_two_sweeps_counts_once(networks):
    rows = networks.runs(90, 91)
    (group,) = select([*rows, *rows], [], "test_accuracy").groups
    assert len(group.runs) == 2


def test_a_sample_of_no_values_is_an_error():
    with pytest.raises(ValueError, match="at least one value"):
        sample([])


def test_other_differences_split_replicate_groups_and_are_named(networks):
    rows = [*networks.runs(90, 91), *networks.runs(80, settings={"epochs": 9, "new": {"a": 1}})]
    first, second = replicate_groups(rows)
    settings = {
        dict(group.setting)["training.epochs"]: len(group.runs) for group in (first, second)
    }
    assert settings == {2: 2, 9: 1}
    assert [path for path, _ in first.setting] == ["training.epochs", "training.new.a"]


def test_runs_without_config_are_grouped_by_their_columns(networks):
    rows = [*networks.runs(90, 91), *networks.runs(80, 81, depth=44)]
    for row in rows:
        del row["config"]
    assert [len(group.runs) for group in replicate_groups(rows)] == [2, 2]


def test_scheme_and_depth_are_not_listed_as_settings(networks):
    rows = [*networks.runs(90, depth=20), *networks.runs(80, alpha=(1, 1), beta=1)]
    assert [group.setting for group in replicate_groups(rows)] == [(), ()]


def test_replicate_groups_are_sorted_by_modulus_not_by_row_order(networks):
    rows = [row for value in ("1/4", "-9/5", "-1/5", 10) for row in networks.zerosnet(value, 90)]
    expected = [group.scheme for group in replicate_groups(rows)]
    assert [group.scheme for group in replicate_groups(rows[::-1])] == expected
    moduli = [group.root_moduli for group in replicate_groups(rows)]
    assert [round(m[0], 6) for m in moduli] == sorted(round(m[0], 6) for m in moduli)


def test_panel_names_show_only_what_differs(networks):
    lr = {"optimizer": {"lr": 0.05}}
    rows = [
        *networks.runs(90, depth=32),
        *networks.runs(80, depth=20),
        *networks.runs(80, depth=20, settings=lr),
    ]
    groups = replicate_groups(rows)
    assert [facet.title for facet in facets(groups)] == [
        "depth 20, lr 0.05",
        "depth 20, lr 0.1",
        "depth 32, lr 0.1",
    ]
    assert common_text(groups) == "zerosnet, digits"


def test_settings_with_equal_last_path_parts_are_named_in_full(networks):
    rows = [
        *networks.runs(90, settings={"a": {"x": 1}, "b": {"x": 1}}),
        *networks.runs(90, settings={"a": {"x": 2}, "b": {"x": 2}}),
    ]
    titles = [facet.title for facet in facets(replicate_groups(rows))]
    assert titles == ["training.a.x 1, training.b.x 1", "training.a.x 2, training.b.x 2"]


@given(
    st.lists(st.tuples(st.text(max_size=40), st.text(max_size=40)), min_size=1, unique=True),
    st.floats(40, 120),
)
@pytest.mark.slow
def test_group_labels_are_distinct_and_fit_the_limit(names, limit):
    base = {
        "depth": 20,
        "dataset": "d",
        "seed": 0,
        "epochs": 1,
        "run_id": "0",
        "alpha": None,
        "beta": None,
        "trainable": True,
        "root_moduli": None,
    }
    groups = replicate_groups([base | {"model": m, "scheme": s} for m, s in names])
    labels = group_labels(groups, limit)
    assert len(set(labels.values())) == len(labels) == len(names)
    for label in labels.values():
        assert width(label.rsplit(" #", 1)[0]) <= limit


def test_long_schemes_are_labelled_by_the_coefficient_in_which_they_differ(networks):
    alphas = ([0.01] * 15 + [number] + [0.02] * 15 for number in (0.3, 0.1 + 0.2))
    rows = [run for alpha in alphas for run in networks.runs(90, alpha=alpha, root_moduli=None)]
    for row, number in zip(rows, ("0.3", "0.30000000000000004"), strict=True):
        row["scheme"] = ", ".join(["0.01"] * 15 + [number] + ["0.02"] * 15)
    labels = group_labels(replicate_groups(rows), 105)
    assert [label.split(",")[0] for label in labels.values()] == ["…0.3", "…0.30000000000000004"]


def test_settings_of_other_trainers_are_in_the_order_of_their_values(networks):
    nothing = dict.fromkeys(("model", "scheme", "depth", "dataset", "alpha", "root_moduli"))
    rows = [
        row | nothing | {"config": {"trainer": "fit:train", "options": {"width": width}}}
        for width in (16, 8, 128)
        for row in networks.runs(90)
    ]
    groups = replicate_groups(rows)
    assert [group.scheme for group in groups] == ["width 8", "width 16", "width 128"]
    assert {group.model for group in groups} == {"fit:train"}


def test_settings_are_named_by_what_differs_within_their_trainer(networks):
    nothing = dict.fromkeys(("model", "scheme", "depth", "dataset", "alpha", "root_moduli"))
    configs = [
        {
            "trainer": "fit:train",
            "source": "a" * 64,
            "options": {"in": {"lr": 1}, "out": {"lr": 1}},
        },
        {
            "trainer": "fit:train",
            "source": "b" * 64,
            "options": {"in": {"lr": 1}, "out": {"lr": 2}},
        },
        {
            "trainer": "fit:train",
            "source": "b" * 64,
            "options": {"in": {"lr": 0.1}, "out": {"lr": 1}},
        },
        {"trainer": "other:train", "source": "c" * 64, "options": {"width": 8}},
    ]
    rows = [networks.runs(90)[0] | nothing | {"config": config} for config in configs]
    assert {group.model: group.scheme for group in replicate_groups(rows[2:])} == {
        "fit:train": "fit:train",
        "other:train": "other:train",
    }
    assert sorted(group.scheme for group in replicate_groups(rows)) == [
        "options.in.lr 0.1, options.out.lr 1, source bbbbbbbbbbbb",
        "options.in.lr 1, options.out.lr 1, source aaaaaaaaaaaa",
        "options.in.lr 1, options.out.lr 2, source bbbbbbbbbbbb",
        "other:train",
    ]
    labels = group_labels(replicate_groups(rows), 1000)
    assert labels["other:train", "other:train"] == "other:train", "said once"


def test_settings_have_as_many_lines_as_tell_their_values(networks):
    nothing = dict.fromkeys(("model", "scheme", "depth", "dataset", "alpha", "root_moduli"))
    rows = [
        row | nothing | {"config": {"trainer": "fit:train", "options": dict.fromkeys(names, value)}}
        for names in (("dropout", "momentum"), [f"option_{n}" for n in range(9)])
        for value in (0.25, 0.5)
        for row in networks.runs(90)
    ]
    few = [*group_labels(replicate_groups(rows[:2]), 60, stacked=True).values()]
    assert few == ["dropout 0.25\nmomentum 0.25", "dropout 0.5\nmomentum 0.5"]
    for label in group_labels(replicate_groups(rows[2:]), 60, stacked=True).values():
        assert "\n" not in label
        assert width(label) <= 60
    wide = [*group_labels(replicate_groups(rows[:2]), 200, stacked=True).values()]
    assert wide[1] == "dropout 0.5, momentum 0.5"


def test_a_network_without_a_scheme_is_named_by_its_model(networks):
    nothing = dict.fromkeys(("alpha", "beta", "root_moduli", "max_root_modulus", "zero_stable"))
    (row,) = networks.runs(80)
    groups = replicate_groups(
        [*networks.runs(90), row | nothing | {"model": "newton_resnet", "scheme": "none"}]
    )
    labels = group_labels(groups, 200)
    assert labels["newton_resnet", "none"] == "newton_resnet"
    assert scheme_axis_label(groups) == "Network"
    assert scheme_axis_label(groups[:1]) == "Root moduli"
