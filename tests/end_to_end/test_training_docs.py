"""What docs/specs.md says of recipes: every option is there, and every example is valid."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sweeper.spec.spec import spec_from_text
from trainers.config.frozen import Frozen
from trainers.config.optimizers import OPTIMIZERS, DecayingConfig

PAGE = (Path(__file__).parents[2] / "docs" / "specs.md").read_text()
SECTIONS = ["Optimizers"]
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
