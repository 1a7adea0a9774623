"""The networks that published rows name are networks that this version builds.

`results` knows no model: its rows name model, scheme and options as data. Here a config is made of
what each row names, as a spec would, and held against MODELS and against what is printed.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from typing import Any

import pytest
from ruamel.yaml import YAML

from results.comparison import compare
from results.comparison.matching import fits
from results.comparison.training_differences import network_differences
from results.published import PUBLISHED, PublishedRow, published_table
from sweeper.planning.plan import new_run
from trainers.config.run import RunConfig
from trainers.models import MODELS
from trainers.models.counting import count

# Table 10 of ZeroSNet is of coefficients: its rows name no model.
ROWS = {
    name: tuple(
        row for row in table.rows if row.network is not None and row.network.model is not None
    )
    for name, table in PUBLISHED.items()
}
NAMED = [name for name, rows in ROWS.items() if rows]

RESNET, LM_RESNET, XIE = (
    "ResNet (He et al. (2016))",
    "LM-ResNet (Ours)",
    "ResNeXt (Xie et al. (2017))",
)

# Printed parameters that are not those of the network, and why.
MISPRINTS = {
    # LM-ResNets of 110 layers have 1.73 million everywhere else.
    ("zerosnet/table8", "LM-ResNet, 110 layers"): 1_730_669,
    # The column is that of 100 classes, rounded up; no dataset is printed.
    ("zerosnet/table8", "PreResNet, 32 layers"): 466_714,
    ("zerosnet/table8", "PreResNet, 56 layers"): 855_578,
    # 1.7 and 10.2 million in He et al. (2016).
    ("lm_resnet/table2", f"{RESNET}, 164, pre-act"): 1_726_420,
    ("lm_resnet/table2", f"{RESNET}, 1001, pre-act"): 10_350_868,
    ("lm_resnet/table2", f"{LM_RESNET}, 164, pre-act"): 1_726_855,
    # 38.6 million in the paper that it is quoted from, too.
    ("lm_resnet/table2", "FractalNet (Larsson et al. (2016)), 20"): 33_770_788,
    # These are the sizes for 10 classes.
    ("lm_resnet/table2", f"{XIE}, 29(8×64d)"): 34_518_948,
    ("lm_resnet/table2", f"{XIE}, 29(16×64d)"): 68_247_460,
    ("lm_resnet/table2", "ResNeXt (Our Implement), 29(16×64d), pre-act"): 68_243_876,
}


@cache
def parsed(text: str) -> Any:
    return YAML(typ="safe").load(text)


def config_of(row: PublishedRow, **changes: Any) -> RunConfig:
    """What a spec would mean that says of the model what the row names, and no more."""
    network = row.network
    assert network is not None
    model = {"name": network.model, **network.named_options} | changes
    if row.depth is not None:
        model["depth"] = row.depth
    point = {"model": model, "dataset": row.dataset, "seed": 0}
    if network.scheme is not None:
        point["scheme"] = parsed(network.scheme)
    return RunConfig.model_validate(point)


def run_of(config: RunConfig) -> dict[str, Any]:
    return {**asdict(new_run(config)), "state": "queued", "evaluations": [], "metrics": []}


@pytest.mark.parametrize("name", NAMED)
def test_options_named_by_published_rows_exist_in_their_model(name):
    for row in ROWS[name]:
        known = MODELS[row.network.model].options.model_fields
        assert {*row.network.variant, *row.network.options} <= known.keys(), row.label


@pytest.mark.parametrize("name", NAMED)
def test_a_run_built_from_a_published_row_matches_it_without_differences(name):
    for row in ROWS[name]:
        run = run_of(config_of(row))
        assert fits(run, row), row.label
        assert network_differences(run["config"], row) == (), row.label


@pytest.mark.parametrize("name", NAMED)
def test_runs_match_only_the_rows_of_their_own_network(name):
    """Within a dataset, for every two rows of a table."""
    runs = [(row, config_of(row)) for row in ROWS[name]]
    for row, config in runs:
        for other, another in runs:
            if row.dataset == other.dataset:
                same = (config.model, config.scheme) == (another.model, another.scheme)
                assert fits(run_of(config), other) is same, (row.label, other.label)


@pytest.mark.parametrize("name", NAMED)
def test_another_value_of_a_distinguishing_option_is_another_network(name):
    """Each option of the variant alone, so that none of them is there for nothing."""
    others = {
        "block": {None: "bottleneck", "bottleneck": None},
        "survival": {None: 0.7, 0.5: 0.7, 0.8: 0.7},
        "cardinality": {8: 4, 16: 4},
        "base_width": {64: 32},
        "preactivation": {True: False, False: True},
        "activation": {"relu": "none", "none": "relu"},
        "drop_path": {None: 0.15},
        "body": {None: "imagenet", "imagenet": None},
        "depth": {50: 101, 101: 50},
    }
    for row in ROWS[name]:
        for option, value in row.network.variant.items():
            if option == "blocks":
                other = [*value, 1] if isinstance(value, tuple) else value - 1
            else:
                other = others[option][value]
            run = run_of(config_of(row))
            model = run["config"]["model"] | {option: other}
            run["config"]["model"] = {key: v for key, v in model.items() if v is not None}
            assert not fits(run, row), (row.label, option)


def test_printed_parameter_counts_match_the_networks_except_known_misprints():
    checked, wrong = 0, {}
    for name in NAMED:
        for row in ROWS[name]:
            if row.metric != "parameters" or row.not_comparable:
                continue
            checked += 1
            count = config_of(row).parameters
            # Rounded up, down or to nearest: papers do each.
            if abs(count - row.mean) >= row.resolution:
                wrong[name, row.label] = count
                assert row.note is not None, row.label
    assert wrong == MISPRINTS
    assert checked == 47


def test_resnext_parameters_are_printed_for_10_classes():
    rows = [r for r in ROWS["lm_resnet/table2"] if r.network.model in ("resnext", "lm_resnext")]
    printed = [row for row in rows if row.metric == "parameters"]
    assert len(printed) == 5
    for row in printed:
        config = config_of(row)
        ten = count(
            config.architecture, config.model, config.scheme, channels=3, classes=10, size=32
        )
        assert abs(ten.parameters - row.mean) < row.resolution, row.label


@pytest.mark.slow
@pytest.mark.long
def test_no_integer_width_gives_the_printed_size_of_lm_resnet_164():
    label = f"{LM_RESNET}, 164, pre-act"
    (row,) = [r for r in ROWS["lm_resnet/table2"] if (r.label, r.metric) == (label, "parameters")]
    for crossing in ("restart", "project"):
        counts = [
            config_of(row, width=width, stage_change=crossing).parameters for width in (19, 20, 64)
        ]
        assert counts[0] < row.mean - row.resolution < row.mean + row.resolution < counts[1]
        assert counts[2] > 10 * row.mean  # the text's 1x1, 64; 3x3, 64; 1x1, 256


def test_the_hint_for_a_missing_row_is_enough_to_write_its_spec():
    """From the words of the message alone: model with options, scheme, depth, dataset."""
    checked = 0
    for name in NAMED:
        for line in compare([], published_table(name)).compared:
            row = line.published
            if line.state != "missing" or row.unavailable or row.evaluation:
                continue
            _, _, said = line.note.partition("no such run; to add: ")
            if row.network.scheme is not None:
                model, _, rest = said.partition(f" {row.network.scheme}")
            else:
                model, _, rest = said.partition("}")
                model += "}"
            point = parsed(model)
            point = {"name": point} if isinstance(point, str) else point
            rest = rest.removeprefix(", ")
            depth, _, dataset = rest.rpartition(", ")
            if depth:
                point["depth"] = int(depth.removeprefix("depth "))
            given = {"model": point, "dataset": dataset, "seed": 0}
            if row.network.scheme is not None:
                given["scheme"] = parsed(row.network.scheme)
            assert RunConfig.model_validate(given) == config_of(row), line.note
            checked += 1
    assert checked > 150
