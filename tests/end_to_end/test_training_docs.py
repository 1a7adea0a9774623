"""What docs/specs.md says of recipes: every option is there, and every example is valid."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from sweeper.spec.spec import spec_from_text
from trainers.config.frozen import Frozen
from trainers.config.optimizers import OPTIMIZERS, DecayingConfig
from trainers.config.run import Precision
from trainers.config.schedules import SCHEDULES
from trainers.config.training import TrainingConfig

PAGE = (Path(__file__).parents[2] / "docs" / "specs.md").read_text()
SECTIONS = ["Optimizers", "Learning rates", "Steps, labels and averages"]
BASE = "model: zerosnet\ndepth: 20\ndataset: digits\n"


def section(heading: str) -> str:
    return PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_example_of_a_section_is_valid(heading: str) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", section(heading), re.S)
    assert blocks
    for block in blocks:
        assert spec_from_text(BASE + block, "docs/specs.md").configs


def assert_documented(config: type[Frozen], row: str, known: set[str]) -> None:
    assert set(config.model_fields) - known <= set(re.findall(r"`(\w+)[:`]", row)), config


def test_every_optimizer_is_documented_with_its_options() -> None:
    text = section("Optimizers")
    rows = {
        name: row
        for row in re.findall(r"^\| `.*\|$", text, re.M)
        for name in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    assert set(rows) == set(OPTIMIZERS) - {"sgd"}
    for name, row in rows.items():
        assert_documented(OPTIMIZERS[name], row, set(DecayingConfig.model_fields))
    assert_documented(OPTIMIZERS["sgd"], text, {"name", "lr", "momentum", "weight_decay"})


def rows_of(heading: str) -> list[str]:
    return re.findall(r"^\| `(\w+)` \|", section(heading), re.M)


def test_every_schedule_is_documented_with_its_options() -> None:
    assert rows_of("Learning rates") == ["lr_schedule", *SCHEDULES]
    for schedule in SCHEDULES.values():
        assert_documented(schedule, section("Learning rates"), {"name"})


def test_every_other_option_of_a_recipe_is_documented() -> None:
    whole = PAGE.split("## Axes")[0] + section(SECTIONS[1]) + section(SECTIONS[2])
    assert set(TrainingConfig.model_fields) <= set(re.findall(r"(\w+):", whole))


def test_every_precision_is_documented() -> None:
    assert rows_of("Precision") == ["precision", *get_args(Precision)]
