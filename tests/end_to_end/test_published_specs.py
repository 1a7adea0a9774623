"""The specs of published tables ask for what the papers print, and share the runs they can.

The literals are the papers' tables (ZeroSNet: Chen et al. 2022; LM-ResNet: Lu et al. 2018).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from results.run_columns import RUN_KEYS
from results.store.store import Store
from saved_specs import save_spec
from sweeper.spec.spec import Spec, load_spec
from trainers.config.run import RunConfig

SPECS = Path(__file__).resolve().parents[2] / "specs"
FILES = sorted(SPECS.glob("*.yaml"))
SEEDS = (0, 1, 2)

# ZeroSNet, Table 10: the scheme as `sweep` prints it, its moduli as printed, zero stability.
TABLE_10 = {
    "1, 1, 1; 1": ("1.84 0.74 0.74", False),
    "3.75, -4, 1.25; -0.5": ("0.57 1.00 2.18", False),
    "-3, 5, -1; 4": ("4.24 0.24 1.00", False),
    "-0.75, 2, -0.25; 2.5": ("1.88 0.13 1.00", False),
    "2.25, -2, 0.75; 0.5": ("1.00 0.87 0.87", True),
    "0.1, 0.2, 0.3; 0.4": ("0.81 0.61 0.61", True),
    "0.5, 0.3, 0.1; 0.1": ("0.94 0.33 0.33", True),
    "0.825, -0.1, 0.275; 1.45": ("1.00 0.52 0.52", True),
    "1, 0.3, -0.4; 1": ("0.60 0.82 0.82", True),
    "1/3, 5/9, 1/9; 16/9": ("0.33 0.33 1.00", True),
}
# ZeroSNet, Table 1: alpha, which is also the root.
TABLE_1 = {"2; 1": False, "1.5; 1": False, "0.5; 1": True, "0.7; 1": True, "1; 1": True}
# ZeroSNet, Table 2: k = -1.5, 1.5, -0.5, 0.5 with alpha = 1 - k, k and beta = 2k + 1 (eq. 8).
TABLE_2 = {"2.5, -1.5; -2": False, "-0.5, 1.5; 4": False, "1.5, -0.5; 0": True, "0.5, 0.5; 2": True}
# ZeroSNet, Table 7: lambda = 1/2, 10, -9/5.
TABLE_7 = ("2.25, -2, 0.75; 0.5", "0.825, -0.1, 0.275; 1.45", "1/3, 5/9, 1/9; 16/9")

OPT = "1/3, 5/9, 1/9; 16/9"
RESNET = ("preresnet", "1; 1")
LM_RESNET = ("lm_resnet", "k_n from U[-0.1, 0]")
ZEROSNET_OPT = ("zerosnet", OPT)
ZEROSNET_TRA = ("zerosnet", "lambda_n from 1")

Row = tuple[str, str, int, str, int]
"""model, scheme, depth, dataset, epochs: one row, or cell, of a table."""

ROWS: dict[str, list[Row]] = {
    # Table 1: 5 rows.
    "preresnet_alpha_table1": [("preresnet", s, 32, "cifar10", 160) for s in TABLE_1],
    # Table 2: 4 rows.
    "lm_resnet_k_table2": [("lm_resnet", s, 44, "cifar10", 160) for s in TABLE_2],
    # Table 3: 30 rows.
    "zero_stability_table3": [
        ("zerosnet", s, depth, "cifar10", 160) for s, depth in product(TABLE_10, (32, 44, 56))
    ],
    # Table 4: 20 rows of two cells.
    "comparison_table4": [
        (*network, depth, dataset, epochs)
        for network, depth, (dataset, epochs) in product(
            (RESNET, LM_RESNET, ZEROSNET_OPT, ZEROSNET_TRA),
            (20, 32, 44, 56, 110),
            (("cifar10", 160), ("cifar100", 300)),
        )
    ],
    # Table 6: 10 rows.
    "robustness_table6": [("zerosnet", s, 56, "cifar10", 160) for s in TABLE_10],
    # Table 7: 15 rows.
    "generalization_gap_table7": [
        ("zerosnet", s, depth, "cifar100", 500)
        for s, depth in product(TABLE_7, (44, 56, 110, 164, 326))
    ],
    # LM-ResNet, Table 2: 9 rows on CIFAR-10, less the 4 post-activation ones.
    "lm_resnet_cifar10": [
        *((*LM_RESNET, depth, "cifar10", 160) for depth in (20, 32, 44, 56)),
        (*RESNET, 110, "cifar10", 160),
    ],
}
PUBLISHED = {
    "preresnet_alpha_table1": "zerosnet/table1",
    "lm_resnet_k_table2": "zerosnet/table2",
    "zero_stability_table3": "zerosnet/table3",
    "comparison_table4": "zerosnet/table4",
    "robustness_table6": "zerosnet/table6",
    "generalization_gap_table7": "zerosnet/table7",
    "lm_resnet_cifar10": "lm_resnet/table2",
}
RUNS = {
    "preresnet_alpha_table1": 15,
    "lm_resnet_k_table2": 12,
    "zero_stability_table3": 90,
    "comparison_table4": 120,
    "robustness_table6": 30,
    "generalization_gap_table7": 45,
    "lm_resnet_cifar10": 15,
}

# Trainable parameters that the released ZeroSNet uses, 10 classes; checked by running it.
ZEROSNET_PARAMETERS = {20: 277_402, 32: 471_834, 44: 666_266, 56: 860_698, 110: 1_735_642}


@pytest.fixture(scope="module")
def spec() -> Callable[[str], Spec]:
    """A spec by its file's stem, read once."""
    read: dict[str, Spec] = {}

    def get(name: str) -> Spec:
        if name not in read:
            read[name] = load_spec(SPECS / f"{name}.yaml")
        return read[name]

    return get


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[dict[str, Any]]]:
    """What `sweep plan --format json` says of a spec, through the installed command."""
    planned: dict[str, list[dict[str, Any]]] = {}
    environment = {k: v for k, v in os.environ.items() if k not in ("SWEEP_HOME", "SWEEP_DB")}
    command = Path(sys.executable).parent / "sweep"

    def get(name: str) -> list[dict[str, Any]]:
        if name not in planned:
            folder = tmp_path_factory.mktemp("plan")
            done = subprocess.run(
                [command, "plan", SPECS / f"{name}.yaml", "--format", "json", "--home", "home"],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            assert list(folder.iterdir()) == [], "plan wrote something"
            planned[name] = json.loads(done.stdout)
        return planned[name]

    return get


def row(config: RunConfig) -> Row:
    return (
        config.model.name,
        str(config.scheme),
        config.model.depth,
        config.dataset.name,
        config.training.epochs,
    )


def run_ids(spec: Spec, rows: list[Row] | None = None) -> set[str]:
    return {config.run_id for config in spec.configs if rows is None or row(config) in rows}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_shipped_spec_loads_and_is_named_after_its_file(file, spec):
    loaded = spec(file.stem)
    assert loaded.name == file.stem
    assert loaded.description


@pytest.mark.parametrize("name", PUBLISHED)
def test_paper_specs_plan_the_table_rows_with_three_seeds(name, spec):
    assert spec(name).published == PUBLISHED[name]
    configs = spec(name).configs
    assert len(configs) == RUNS[name]
    found = sorted((row(config), config.seed) for config in configs)
    assert found == sorted(product(ROWS[name], SEEDS))


@pytest.mark.parametrize("name", PUBLISHED)
def test_paper_specs_use_the_papers_recipe(name, spec):
    loaded = spec(name)
    for config in loaded.configs:
        training = config.training
        assert training.batch_size == 128
        assert training.optimizer.model_dump(exclude_none=True) == {
            "name": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 1e-4, "nesterov": False,
        }  # fmt: skip
        # Half and three quarters of 160, 300 or 500 epochs.
        expected = {160: (80, 120), 300: (150, 225), 500: (250, 375)}[training.epochs]
        assert training.lr_schedule.milestones == expected
        assert training.lr_schedule.gamma == 0.1
        assert config.precision == "fp32"
        assert config.dataset.model_dump(exclude={"name"}) == {
            "subset": None, "crop_padding": 4, "horizontal_flip": True,
        }  # fmt: skip
    assert loaded.resources.gpus == 0.25


def test_lm_resnet_specs_restart_each_stage_and_others_project(spec):
    crossing = {
        (config.model.name, config.model.stage_change)
        for name in PUBLISHED
        for config in spec(name).configs
    }
    assert crossing == {
        ("preresnet", "project"),
        ("lm_resnet", "restart"),
        ("zerosnet", "project"),
    }


def test_the_table6_spec_has_its_six_noises(spec):
    names = [evaluation.name for evaluation in spec("robustness_table6").evaluations]
    assert names == [
        "uniform[-0.08,0]",
        "uniform[0,0.08]",
        "gaussian[0.01]",
        "gaussian[0.02]",
        "gaussian[0.04]",
        "constant[0.3]",
    ]


@pytest.mark.parametrize(
    ("name", "printed"), [("preresnet_alpha_table1", TABLE_1), ("lm_resnet_k_table2", TABLE_2)]
)
def test_planned_zero_stability_matches_tables_1_and_2(name, printed, spec):
    for config in spec(name).configs:
        assert config.scheme.fixed.zero_stable is printed[str(config.scheme)]


@pytest.mark.slow
def test_plan_of_table3_has_the_moduli_and_zero_stability_of_table10(plan):
    rows = plan("zero_stability_table3")
    assert len(rows) == 90
    for run in rows:
        moduli, zero_stable = TABLE_10[run["scheme"]]
        assert [f"{m:.2f}" for m in run["root_moduli"]] == sorted(moduli.split(), reverse=True)
        assert f"{run['max_root_modulus']:.2f}" == max(moduli.split())
        assert run["zero_stable"] is zero_stable
        assert (run["state"], run["sweep"]) == ("new", "zero_stability_table3")


@pytest.mark.slow
def test_plan_has_the_keys_of_a_run_in_order(plan):
    for run in plan("zero_stability_table3") + plan("comparison_table4"):
        assert [key for key in run if key in RUN_KEYS] == list(RUN_KEYS)


@pytest.mark.slow
def test_plan_counts_the_parameters_of_the_released_network(plan):
    counts = {
        (run["model"], run["scheme"], run["depth"]): run["parameters"]
        for run in plan("comparison_table4")
        if run["dataset"] == "cifar10"
    }
    for depth, parameters in ZEROSNET_PARAMETERS.items():
        assert counts[*ZEROSNET_OPT, depth] == parameters
        # One lambda for each block after the two start blocks.
        assert counts[*ZEROSNET_TRA, depth] == parameters + (depth - 2) // 2 - 2
        # One state is projected at each stage change, not three.
        assert counts[*RESNET, depth] == parameters - 2 * (16 * 32 + 32 * 64)
    assert counts[*RESNET, 20] == 272_282
    for run in plan("zero_stability_table3"):
        assert run["parameters"] == ZEROSNET_PARAMETERS[run["depth"]]


def test_table6_is_part_of_table3(spec):
    table6 = run_ids(spec("robustness_table6"))
    assert len(table6) == 30
    assert table6 < run_ids(spec("zero_stability_table3"))


def test_zerosnet_opt_of_table4_is_in_table3_up_to_depth_56(spec):
    # One is written as lambda = -9/5, the other as 1/3, 5/9, 1/9 and 16/9.
    shared = [(*ZEROSNET_OPT, depth, "cifar10", 160) for depth in (32, 44, 56)]
    table4 = run_ids(spec("comparison_table4"), shared)
    assert len(table4) == 9
    assert table4 == run_ids(spec("zero_stability_table3"), shared)
    assert table4 == run_ids(spec("comparison_table4")) & run_ids(spec("zero_stability_table3"))


def test_schemes_of_table7_are_those_of_table10_to_the_last_bit(spec):
    # One is written as lambda, the other as coefficients.
    known = {config.scheme for config in spec("zero_stability_table3").configs}
    assert {config.scheme for config in spec("generalization_gap_table7").configs} < known


def test_networks_of_164_and_326_layers_have_bottleneck_blocks_and_no_others_do(spec):
    blocks = {
        (config.model.depth, config.model.block)
        for config in spec("generalization_gap_table7").configs
    }
    assert blocks == {
        (44, None), (56, None), (110, None), (164, "bottleneck"), (326, "bottleneck"),
    }  # fmt: skip


def test_alpha_1_of_table1_is_preresnet_32_of_table4(spec):
    shared = [(*RESNET, 32, "cifar10", 160)]
    table1 = run_ids(spec("preresnet_alpha_table1"), shared)
    assert len(table1) == 3
    assert table1 == run_ids(spec("comparison_table4"), shared)


def test_lm_resnet_cifar10_is_part_of_table4(spec):
    runs = run_ids(spec("lm_resnet_cifar10"))
    assert len(runs) == 15
    assert runs < run_ids(spec("comparison_table4"))


def test_saving_table6_after_table3_adds_no_run(spec, tmp_path):
    with Store.open(f"sqlite:///{tmp_path / 'sweep.db'}") as store:
        table3 = save_spec(store, spec("zero_stability_table3"))
        assert (table3.added, table3.already_known) == (90, 0)
        table6 = save_spec(store, spec("robustness_table6"))
        assert (table6.added, table6.already_known, table6.removed) == (0, 30, 0)
        pending = store.pending("robustness_table6")
        assert {run.run_id for run in pending} == run_ids(spec("robustness_table6"))
        assert {len(run.missing_evaluations) for run in pending} == {6}
