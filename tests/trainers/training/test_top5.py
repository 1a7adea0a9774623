"""Top-5 accuracy of a run: reported by name, of the datasets that say so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from small_networks import NO_DATA, numbers
from trainers.config.dataset import DatasetConfig
from trainers.config.job import TOP5
from trainers.data.datasets import DATASETS, Dataset
from trainers.errors import TrainingStopped
from trainers.run import run
from trainers.storage import open_folder

Small = Callable[..., dict[str, Any]]


@pytest.fixture
def _digits_have_top5(monkeypatch: pytest.MonkeyPatch) -> None:
    digits = DATASETS["digits"]
    assert isinstance(digits, Dataset)
    facts = replace(digits, top5=True)
    monkeypatch.setattr(DatasetConfig, "facts", property(lambda _: facts))


@pytest.mark.usefixtures("_digits_have_top5")
class TestWhereTheDatasetHasIt:
    def test_it_is_reported_at_epochs_and_at_the_end(self, small: Small) -> None:
        told: list[Any] = []
        config = small(training={"epochs": 5, "batch_size": 64, "test_every": 2})
        result = run(config, data_dir=NO_DATA, on_epoch=told.append)
        history = {row["epoch"]: row["values"][TOP5] for row in result["epoch_metrics"]}
        assert list(history) == [2, 4, 5]
        assert result["metrics"] == {TOP5: history[5]}
        assert {m["epoch"]: m[TOP5] for m in told if TOP5 in m} == history
        assert result["metric_definitions"][TOP5]["better"] == "higher"
        assert result["metric_definitions"][TOP5]["unit"] == "percent"
        for epoch, top5 in history.items():
            # Of 500 images, and of ten classes five are guessed right half of the time.
            assert round(top5 * 5) == pytest.approx(top5 * 5)
            assert 100 >= top5 > result["epochs"][epoch - 1]["test_accuracy"]
        assert history[5] > 55
        assert all(TOP5 not in epoch for epoch in result["epochs"])

    def test_a_trainer_that_calls_the_built_in_one_has_it_too(
        self, small: Small, tmp_path: Path
    ) -> None:
        expected = run(small(), data_dir=NO_DATA)
        folder = open_folder(tmp_path / "runs" / "1")
        own = run(small(trainer="noted_trainers:digits"), data_dir=tmp_path, folder=folder)
        for key in ("metrics", "epoch_metrics", "metric_definitions", "weights_sha256"):
            assert own[key] == expected[key]
        assert "images_left_out" not in own

    def test_a_continued_run_has_all_of_it(self, small: Small, tmp_path: Any) -> None:
        def stop(metrics: Any) -> None:
            if metrics["epoch"] == 2:
                raise TrainingStopped

        undisturbed = run(small(), data_dir=NO_DATA)
        first, second = (open_folder(tmp_path).child(name) for name in "12")
        with pytest.raises(TrainingStopped):
            run(small(), data_dir=NO_DATA, folder=first, on_epoch=stop)
        continued = run(small(), data_dir=NO_DATA, folder=second, earlier=[first])
        assert continued["epoch_metrics"] == undisturbed["epoch_metrics"]
        assert len(continued["epoch_metrics"]) == 3

    def test_a_network_that_diverged_has_none(self, small: Small) -> None:
        training = {"epochs": 2, "batch_size": 64, "optimizer": {"lr": 1e12}}
        result = run(small(training=training), data_dir=NO_DATA)
        assert result["diverged"]
        assert result["metrics"] == {TOP5: None}

    def test_it_changes_no_other_number(self, small: Small, monkeypatch: Any) -> None:
        measured = run(small(), data_dir=NO_DATA)
        monkeypatch.undo()
        plain = run(small(), data_dir=NO_DATA)
        assert measured["weights_sha256"] == plain["weights_sha256"]
        assert numbers(measured["epochs"]) == numbers(plain["epochs"])
        assert not {"metrics", "epoch_metrics", "metric_definitions"} & plain.keys()


def test_of_five_classes_it_is_not_measured() -> None:
    digits = DATASETS["digits"]
    assert isinstance(digits, Dataset)
    assert replace(digits, top5=True).has_top5
    assert not replace(digits, top5=True, classes=5).has_top5
    assert not digits.has_top5
