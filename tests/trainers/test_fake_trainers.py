"""The trainers that other tests rely on do what they are for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from trainers.config.job import EpochMetrics
from trainers.errors import TrainingStopped
from trainers.run import run
from trainers.storage import open_folder

GAUSSIAN = {"noise": "gaussian", "std": 0.3}


def attempt(name: str, root: Path, number: int, seed: int = 0, **options: Any) -> dict[str, Any]:
    """One attempt of a run with a trainer of `fake_trainers`."""
    config = {
        "model": {"name": "zerosnet", "depth": 8, "width": 4},
        "dataset": {"name": "digits"},
        "training": {"epochs": 4},
        "seed": seed,
        "trainer": f"fake_trainers:{name}",
    }
    runs = open_folder(root)
    earlier = [runs.child(str(older)) for older in range(number - 1, 0, -1)]
    return run(
        config,
        [GAUSSIAN],
        data_dir=root,
        folder=runs.child(str(number)),
        earlier=earlier,
        attempt=number,
        **options,
    )


def facts(result: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in result.items() if key not in ("attempt", "provenance")}


@pytest.mark.parametrize("stops", [(1,), (4,), (2, 3)], ids=str)
def test_the_paced_fake_gives_the_same_result_however_interrupted(
    tmp_path: Path, stops: tuple[int, ...]
) -> None:
    beats = []
    whole = attempt("paced", tmp_path / "whole", 1, heartbeat=lambda: beats.append(1))
    assert len(beats) == 4
    assert whole["provenance"]["first_epoch"] == 1

    def stop_at(epoch: int, metrics: EpochMetrics) -> None:
        if metrics["epoch"] == epoch:
            raise TrainingStopped

    for number, epoch in enumerate(stops, start=1):
        with pytest.raises(TrainingStopped):
            attempt("paced", tmp_path, number, on_epoch=lambda m, epoch=epoch: stop_at(epoch, m))
    result = attempt("paced", tmp_path, len(stops) + 1)
    assert facts(result) == facts(whole)
    assert result["provenance"]["first_epoch"] == stops[-1] + 1
    assert whole["provenance"]["finished_at"] - whole["provenance"]["started_at"] > 4 * 0.05


def test_the_paced_fake_gives_different_results_for_seeds(tmp_path: Path) -> None:
    one, other = (attempt("paced", tmp_path / str(seed), 1, seed=seed) for seed in (0, 1))
    assert one["weights_sha256"] != other["weights_sha256"]
    assert one["test_accuracy"] != other["test_accuracy"]


def test_the_memory_fake_succeeds_at_the_third_attempt(tmp_path: Path) -> None:
    for number in (1, 2):
        with pytest.raises(torch.OutOfMemoryError):
            attempt("runs_out_of_memory", tmp_path, number)
    assert attempt("runs_out_of_memory", tmp_path, 3)["test_accuracy"] == 50.0
    (tmp_path / "small").touch()
    with pytest.raises(torch.OutOfMemoryError):
        attempt("runs_out_of_memory", tmp_path, 4)
