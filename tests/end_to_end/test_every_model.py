"""A sweep over every architecture: what the database keeps of each, through the command line."""

from __future__ import annotations

import json
from typing import Any

import pytest

import command_line
from small_models import SMALL_MODELS
from trainers.models import MODELS

SPEC = """
name: every_model
dataset: {{name: digits, subset: 64}}
training: {{epochs: 1, batch_size: 32}}
grid:
  model: {models}
evaluations: [{{noise: gaussian, std: 0.3}}]
"""


def sweep(*arguments: str) -> str:
    said = command_line.sweep(*arguments)
    assert said.exit_code == 0, said.stderr
    return said.stdout


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("models")
    models = json.dumps([{"name": name, **options} for name, options in SMALL_MODELS.items()])
    (folder / "every_model.yaml").write_text(SPEC.format(models=models))
    spec, home = str(folder / "every_model.yaml"), str(folder / "home")
    sweep("run", spec, "--executor", "inline", "--home", home)
    planned: list[dict[str, Any]] = json.loads(
        sweep("plan", spec, "--format", "json", "--home", home)
    )
    return {row["model"]: row for row in planned}


@pytest.mark.slow
def test_every_model_trains_and_is_stored(rows: dict[str, dict[str, Any]]) -> None:
    assert rows.keys() == set(MODELS)
    for row in rows.values():
        assert row["state"] == "done"
        assert [evaluation["name"] for evaluation in row["evaluations"]] == ["gaussian[0.3]"]
        assert row["parameters"] > 0


@pytest.mark.slow
def test_roots_are_stored_exactly_for_models_with_a_scheme(
    rows: dict[str, dict[str, Any]],
) -> None:
    of_a_scheme = ("alpha", "beta", "root_moduli", "zero_stable", "consistent", "order")
    for name, row in rows.items():
        known = [row[key] is not None for key in of_a_scheme]
        if MODELS[name].default_scheme is None:
            assert row["scheme"] == "none"
            assert not any(known)
        elif not row["trainable"]:
            assert all(known)
