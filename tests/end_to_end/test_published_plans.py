"""Every spec of a published table, planned as a user plans it, against every row of the table.

Runs are found for a row by another way than `sweep compare` has: what a spec would mean that says
what the row names is resolved, and has to be the run's model and scheme exactly.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from results.published import PUBLISHED, PublishedRow, published_table
from sweep_plugins.schemes.exact_numbers import exact
from sweeper.cli import app
from sweeper.spec.spec import Spec, load_spec
from trainers.config.optimizers import SgdConfig
from trainers.config.run import RunConfig
from trainers.config.schedules.step_decay import StepDecayConfig

SPECS = {path.stem: path for path in (Path(__file__).parents[2] / "specs").glob("*.yaml")}

#: Specs that are part of a table on purpose, and say so; each has a spec of the whole table too.
PARTIAL = {"lm_resnet_cifar10": "lm_resnet_table2"}

#: Tables whose rows are networks here, and which no spec is for.
WITHOUT_SPEC = {
    "zerosnet/table10": "coefficients, those of Table 3",
}

#: Printed parameters that the plan does not have, by row; the reasons are in the rows' notes and in
#: docs/published.md.
MISPRINTS = {
    "parameters_table8": {
        "LM-ResNet, 110 layers": "misprint",
        "PreResNet, 32 layers": "100 classes",
        "PreResNet, 56 layers": "100 classes",
    },
    "lm_resnet_table2": {
        "ResNet (He et al. (2016)), 164, pre-act": "1.7 million in He et al. (2016)",
        "ResNet (He et al. (2016)), 1001, pre-act": "10.2 million in He et al. (2016)",
        "LM-ResNet (Ours), 164, pre-act": "1.7 million",
        "FractalNet (Larsson et al. (2016)), 20": "33.8 million",
        "ResNeXt (Xie et al. (2017)), 29(8×64d)": "10 classes",
        "ResNeXt (Xie et al. (2017)), 29(16×64d)": "10 classes",
        "ResNeXt (Our Implement), 29(16×64d), pre-act": "10 classes",
    },
}


#: How many seeds a row has that prints no number of runs, if not three: a count needs but one, and
#: on ImageNet one number a network is printed, without a deviation.
OUR_SEEDS = {
    "parameters_table8": 1,
    "runtime_table9": 1,
    "imagenet_table5": 1,
    "lm_resnet_imagenet_table3": 1,
}


@cache
def loaded(name: str) -> Spec:
    return load_spec(SPECS[name])


OF_A_TABLE = sorted(name for name in SPECS if loaded(name).published)


@dataclass(frozen=True)
class Planned:
    """A run as `sweep plan` shows it, and the config it stands for."""

    row: dict[str, Any]
    config: RunConfig

    @property
    def network(self) -> tuple[Any, ...]:
        return self.config.model, self.config.scheme, self.config.dataset.name


@cache
def plan(name: str) -> tuple[Planned, ...]:
    """`sweep plan SPEC --format json`."""
    with TemporaryDirectory() as folder:
        home = str(Path(folder) / "home")
        said = CliRunner().invoke(
            app,
            ["plan", str(SPECS[name]), "--format", "json", "--home", home],
            env={"SWEEP_DB": None, "SWEEP_STORAGE": None},
        )
    assert said.exit_code == 0, said.output
    configs = {config.run_id: config for config in loaded(name).configs}
    rows = json.loads(said.stdout)
    assert {row["run_id"] for row in rows} == configs.keys()
    return tuple(Planned(row, configs[row["run_id"]]) for row in rows)


@cache
def network_of(row: PublishedRow) -> tuple[Any, ...]:
    """Model, scheme and dataset as the row names them, resolved as a spec is."""
    network = row.network
    assert network is not None
    model = {"name": network.model, **network.named_options}
    if row.depth is not None:
        model["depth"] = row.depth
    point = {"model": model, "dataset": row.dataset, "seed": 0}
    if network.scheme is not None:
        point["scheme"] = YAML(typ="safe").load(network.scheme)
    config = RunConfig.model_validate(point)
    return config.model, config.scheme, config.dataset.name


def available(name: str) -> list[PublishedRow]:
    """The rows of a spec's table that this version can train."""
    table = published_table(loaded(name).published or "")
    return [row for row in table.rows if row.unavailable is None]


def runs_of(name: str, row: PublishedRow) -> list[Planned]:
    """The spec's runs of the row's network."""
    network = network_of(row)
    return [run for run in plan(name) if run.network == network]


def test_every_supported_published_table_has_a_spec():
    trainable = {
        name for name, table in PUBLISHED.items() if any(row.network for row in table.rows)
    }
    whole = {loaded(name).published for name in OF_A_TABLE if name not in PARTIAL}
    assert trainable - whole == WITHOUT_SPEC.keys()
    assert len(whole) == len([name for name in OF_A_TABLE if name not in PARTIAL])


@pytest.mark.parametrize("name", [name for name in OF_A_TABLE if name not in PARTIAL])
@pytest.mark.slow
def test_every_published_row_is_planned_with_the_printed_number_of_seeds(name):
    for row in available(name):
        runs = runs_of(name, row)
        seeds = [run.config.seed for run in runs]
        assert seeds == list(range(row.runs or OUR_SEEDS.get(name, 3))), row.label


@pytest.mark.parametrize("name", OF_A_TABLE)
@pytest.mark.slow
def test_every_planned_run_matches_a_row_of_its_published_table(name):
    wanted = [network_of(row) for row in available(name)]
    strangers = [run.row for run in plan(name) if run.network not in wanted]
    assert strangers == []


@pytest.mark.parametrize(("part", "whole"), PARTIAL.items())
def test_specs_of_part_of_a_table_plan_runs_of_the_whole(part, whole):
    assert loaded(part).published == loaded(whole).published
    runs, all_runs = ({run.row["run_id"] for run in plan(name)} for name in (part, whole))
    assert runs < all_runs


@pytest.mark.parametrize("name", OF_A_TABLE)
def test_planned_runs_use_the_recipe_of_their_row(name):
    for row in available(name):
        if row.recipe is None:
            continue
        for run in runs_of(name, row):
            training, recipe = run.config.training, row.recipe
            assert isinstance(training.optimizer, SgdConfig)
            schedule = training.lr_schedule
            assert recipe.epochs in (None, training.epochs)
            assert recipe.processes in (None, training.processes)
            assert recipe.batch_size in (None, training.batch_size)
            assert recipe.images_a_step in (None, training.images_a_step)
            if recipe.lr is not None:
                times = Fraction(training.images_a_step, recipe.lr_batch or training.images_a_step)
                assert training.optimizer.lr == float(exact(recipe.lr) * times)
            assert recipe.schedule in (None, schedule.name)
            if recipe.milestones is not None:
                assert isinstance(schedule, StepDecayConfig)
                milestones = [float(part * training.epochs) for part in recipe.milestones]
                assert list(schedule.milestones) == milestones
                assert schedule.gamma == recipe.gamma
            assert recipe.warmup_epochs in (None, schedule.warmup_epochs or 0)
            assert recipe.warmup_start in (None, schedule.warmup_start)
            assert (recipe.by, recipe.rate_at) == (schedule.by, schedule.rate_at)
            assert recipe.decay_norms_and_biases == training.optimizer.decay_norms_and_biases
            assert recipe.momentum in (None, training.optimizer.momentum)
            assert recipe.weight_decay in (None, training.optimizer.weight_decay)
            assert recipe.precision in (None, run.config.precision)


@pytest.mark.parametrize("name", OF_A_TABLE)
def test_planned_parameters_match_the_printed_except_known_misprints(name):
    wrong = set()
    for row in available(name):
        if row.metric != "parameters" or row.not_comparable:
            continue
        for run in runs_of(name, row):
            # Rounded up, down or to nearest: papers do each.
            if abs(run.row["parameters"] - row.mean) >= row.resolution:
                wrong.add(row.label)
    assert wrong == MISPRINTS.get(name, {}).keys()


@pytest.mark.parametrize("name", OF_A_TABLE)
def test_planned_roots_and_stability_match_the_printed(name):
    for row in available(name):
        for run in runs_of(name, row):
            if row.zero_stable is not None:
                assert run.row["zero_stable"] is row.zero_stable, row.label
            if row.root_moduli is not None:
                planned = [round(modulus, 2) for modulus in run.row["root_moduli"]]
                assert planned == list(row.root_moduli), row.label


def test_specs_of_different_tables_share_equal_runs():
    def ids(name: str) -> set[str]:
        return {run.row["run_id"] for run in plan(name)}

    table4 = ids("comparison_table4")
    assert ids("parameters_table8") < table4
    # All of CIFAR-10; of CIFAR-100 the networks of 110 layers.
    assert len(ids("lm_resnet_table2") & table4) == 3 * (9 + 2)
    # Pre-activation ResNet-110 without stochastic depth.
    assert len(ids("lm_resnet_stochastic_depth_table4") & table4) == 3
    assert ids("newton_resnet_table1").isdisjoint(ids("newton_resnet_linear_table2"))


def test_the_published_page_lists_specs_with_tables_and_runs():
    page = (Path(__file__).parents[2] / "docs" / "published.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| `([\w/]+)`[^|]*\| (\d+) \|", page, re.MULTILINE)
    listed = {name: (table, int(runs)) for name, table, runs in rows}
    assert listed == {name: (loaded(name).published, len(plan(name))) for name in OF_A_TABLE}
