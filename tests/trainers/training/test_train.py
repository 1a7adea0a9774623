"""Training: the same bits however it is interrupted, and findings where there is no number."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from object_store import object_store
from small_networks import NO_DATA, numbers
from trainers.config.run import RunConfig
from trainers.data.loading import load
from trainers.errors import CheckpointError, TrainingStopped
from trainers.evaluation.measure import Measurement
from trainers.optim.optimizers import make_optimizer
from trainers.run import evaluate_stored, run
from trainers.storage import Folder, open_folder
from trainers.training import measuring
from trainers.training.building import build_network
from trainers.training.checkpoint import Checkpoints, load_weights, save_weights
from trainers.training.fitting import fits

Small = Callable[..., dict[str, Any]]

EVALUATIONS = [
    {"noise": "uniform", "low": -0.08, "high": 0},
    {"noise": "gaussian", "std": 0.3},
    {"noise": "constant", "value": 0.3},
]


def train(config: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    return run(config, EVALUATIONS, data_dir=NO_DATA, **arguments)


def stop_after(epoch: int) -> Callable[[Any], None]:
    def on_epoch(metrics: Any) -> None:
        if metrics["epoch"] == epoch:
            raise TrainingStopped

    return on_epoch


def interrupted(
    config: dict[str, Any], root: Path | str, stops: Sequence[int], **arguments: Any
) -> dict[str, Any]:
    """Attempt 1 stops after the first of `stops`, attempt 2 after the next; the last goes on."""
    runs = open_folder(root)
    folders: list[Folder] = []
    for attempt, epoch in enumerate(stops, start=1):
        folder = runs.child(str(attempt))
        with pytest.raises(TrainingStopped):
            train(config, folder=folder, earlier=folders, on_epoch=stop_after(epoch))
        folders.append(folder)
    return train(config, folder=runs.child("last"), earlier=folders, **arguments)


@pytest.fixture(scope="module")
def plain(small: Small) -> dict[str, Any]:
    """One run that nothing disturbed, without a folder."""
    return train(small())


@pytest.mark.parametrize("stops", [[1], [2], [3], [1, 2]], ids=str)
def test_a_continued_run_is_bit_identical(
    small: Small, plain: dict[str, Any], tmp_path: Path, stops: list[int]
) -> None:
    continued = interrupted(small(), tmp_path, stops)
    assert numbers(continued) == numbers(plain)
    assert continued["provenance"]["first_epoch"] == stops[-1] + 1


@pytest.mark.parametrize(
    "change",
    [
        {"scheme": {"lambda": 1, "trainable": True}},
        {"precision": "bf16"},
        {"dataset": {"name": "digits", "subset": 130, "horizontal_flip": True, "crop_padding": 2}},
        {"training": {"epochs": 3, "batch_size": 64, "optimizer": {"nesterov": True}}},
    ],
    ids=["trainable", "bf16", "flips", "nesterov"],
)
def test_a_continued_run_is_bit_identical_under_other_options(
    small: Small, plain: dict[str, Any], tmp_path: Path, change: dict[str, Any]
) -> None:
    config = small(**change)
    whole = train(config)
    assert whole["weights_sha256"] != plain["weights_sha256"]
    assert numbers(interrupted(config, tmp_path, [2])) == numbers(whole)


@pytest.mark.parametrize("stops", [[1], [3], [1, 2]], ids=str)
@pytest.mark.slow
def test_a_run_continued_from_an_object_store_is_bit_identical(
    small: Small,
    plain: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stops: list[int],
) -> None:
    with object_store() as store:
        for name, value in store.environment.items():
            monkeypatch.setenv(name, value)
        for url in (f"{store.url}/runs", f"memory://{tmp_path}"):
            continued = interrupted(small(), url, stops)
            assert numbers(continued) == numbers(plain)
            assert continued["provenance"]["first_epoch"] == stops[-1] + 1
            last = open_folder(url).child("last")
            assert last.names() == ["result.json", "weights.pt", "weights.pt.sha256"]
            again = evaluate_stored(small(), EVALUATIONS, data_dir=NO_DATA, folders=[last])
            assert again == plain["evaluations"]


def test_a_requested_stop_comes_after_the_checkpoint_is_stored(
    small: Small, tmp_path: Path
) -> None:
    run_id = RunConfig.model_validate(small()).run_id
    folder = open_folder(tmp_path)
    for epoch in (1, 2, 3):
        with pytest.raises(TrainingStopped):
            train(small(), folder=folder, on_epoch=stop_after(epoch))
        newest = Checkpoints(run_id, folder).newest()
        assert newest is not None
        assert newest[0] == epoch
        assert "result.json" not in folder.names()


def _change(*path: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        for key in path[:-1]:
            content = content[key]
        if to is None:
            del content[path[-1]]
        else:
            content[path[-1]] = to

    return change


WEIGHT = "state", "network", "stem.weight"
MISFITS: dict[str, Callable[[dict[str, Any]], None]] = {
    "an epoch beyond the last": lambda content: content.update(epoch=4),
    "epoch 0": lambda content: content.update(epoch=0),
    "another shape": _change(*WEIGHT, to=torch.zeros(1)),
    "another type": lambda content: content["state"].update(
        network={name: value.double() for name, value in content["state"]["network"].items()}
    ),
    "a weight less": _change(*WEIGHT, to=None),
    "a weight more": _change("state", "network", "x", to=torch.zeros(1)),
    "weights that are none": _change("state", "network", to=[1]),
    "no optimizer": _change("state", "optimizer", to=None),
    "a velocity of another shape": _change(
        "state", "optimizer", "state", 0, "momentum_buffer", to=torch.zeros(1)
    ),
    "a velocity of nothing": _change("state", "optimizer", "state", 99_999, to={}),
    "an epoch less": _change("state", "epochs", 0, to=None),
    "epochs that lack a key": _change("state", "epochs", 0, "train_loss", to=None),
    "epochs of numbers": _change("state", "epochs", to=[1, 2]),
    "probes of numbers": _change("state", "probes", to=[1]),
    "no word on divergence": lambda content: content["state"].pop("diverged_epoch"),
    "divergence in words": _change("state", "diverged_epoch", to="late"),
}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory, small: Small) -> Path:
    """The folder of an attempt that was stopped after its second epoch of three."""
    folder = tmp_path_factory.mktemp("stopped")
    with pytest.raises(TrainingStopped):
        train(small(), folder=open_folder(folder), on_epoch=stop_after(2))
    return folder


def test_a_whole_checkpoint_that_does_not_fit_is_seen(small: Small, stopped: Path) -> None:
    config = RunConfig.model_validate(small())
    network = build_network(config, "cpu")
    optimizer = make_optimizer(network, config.training.optimizer)

    def seen_to_fit(change: Callable[[dict[str, Any]], object] = lambda content: None) -> bool:
        content = torch.load(stopped / "checkpoint-2.pt", weights_only=True)
        change(content)
        return fits(content["epoch"], content["state"], config, network, optimizer)

    assert seen_to_fit()
    assert seen_to_fit(_change("state", "probes", to=None))  # of an older version
    assert [case for case, change in MISFITS.items() if seen_to_fit(change)] == []


def test_a_whole_checkpoint_that_does_not_fit_is_passed_over(
    small: Small, plain: dict[str, Any], stopped: Path, tmp_path: Path
) -> None:
    earlier = open_folder(shutil.copytree(stopped, tmp_path / "earlier"))
    checkpoints = Checkpoints(RunConfig.model_validate(small()).run_id, earlier)
    found = checkpoints.newest()
    assert found is not None
    epoch, state = found
    assert epoch == 2
    checkpoints.save(4, state)
    checkpoints.save(3, {**state, "network": {"w": torch.ones(1)}})
    checkpoints.save(2, state)
    assert len(list((tmp_path / "earlier").glob("*.pt"))) == 3
    again = train(small(), folder=open_folder(tmp_path / "own"), earlier=[earlier])
    assert again["provenance"]["first_epoch"] == 3
    assert numbers(again) == numbers(plain)


def test_weights_that_do_not_fit_the_network_are_not_measured(small: Small, tmp_path: Path) -> None:
    run_id = RunConfig.model_validate(small()).run_id
    save_weights(open_folder(tmp_path), run_id, {"w": torch.ones(1)})
    with pytest.raises(CheckpointError, match=f"the stored weights of run {run_id} have not the"):
        evaluate_stored(small(), EVALUATIONS, data_dir=NO_DATA, folders=[open_folder(tmp_path)])


class Heart:
    """Counts heartbeats, and stops at the last of `beats`."""

    def __init__(self, beats: float = math.inf) -> None:
        self.count = 0
        self.beats = beats

    def beat(self) -> None:
        self.count += 1
        if self.count >= self.beats:
            raise KeyboardInterrupt


def test_every_step_and_evaluation_batch_calls_the_heartbeat(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = open_folder(tmp_path)
    heart = Heart()
    train(small(), folder=folder, heartbeat=heart.beat)
    # 3 epochs of 160 images, 64 at a time; the test images at once, clean and under three noises.
    assert heart.count == 3 * (3 + 1) + 3
    heart = Heart()
    evaluate_stored(small(), EVALUATIONS, data_dir=NO_DATA, folders=[folder], heartbeat=heart.beat)
    assert heart.count == 3
    monkeypatch.setattr("trainers.evaluation.measure.EVALUATION_BATCH", 100)
    heart = Heart()
    evaluate_stored(small(), EVALUATIONS, data_dir=NO_DATA, folders=[folder], heartbeat=heart.beat)
    assert heart.count == 3 * 5


def test_an_exception_in_the_heartbeat_ends_training(small: Small, tmp_path: Path) -> None:
    heart = Heart(6)
    with pytest.raises(KeyboardInterrupt):
        train(small(), folder=open_folder(tmp_path), heartbeat=heart.beat)
    assert open_folder(tmp_path).names() == ["checkpoint-1.pt", "checkpoint-1.pt.sha256"]


def test_a_damaged_checkpoint_costs_an_epoch_but_keeps_the_result(
    small: Small, plain: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(TrainingStopped):
        train(small(), folder=open_folder(tmp_path / "1"), on_epoch=stop_after(2))
    newest = tmp_path / "1" / "checkpoint-2.pt"
    newest.write_bytes(newest.read_bytes()[:-100])
    continued = train(
        small(), folder=open_folder(tmp_path / "2"), earlier=[open_folder(tmp_path / "1")]
    )
    assert continued["provenance"]["first_epoch"] == 2
    assert numbers(continued) == numbers(plain)


def test_training_does_not_depend_on_global_generators_or_other_runs(
    small: Small, plain: dict[str, Any]
) -> None:
    torch.manual_seed(12345)
    np.random.seed(54321)
    other = train(small(seed=1))
    torch.rand(17)
    assert numbers(train(small())) == numbers(plain)
    assert other["weights_sha256"] != plain["weights_sha256"]
    assert other["epochs"][0]["train_loss"] != plain["epochs"][0]["train_loss"]


def test_requested_evaluations_do_not_change_training(small: Small, plain: dict[str, Any]) -> None:
    fewer = run(small(), EVALUATIONS[1:2], data_dir=NO_DATA)
    assert fewer["weights_sha256"] == plain["weights_sha256"]
    assert fewer["evaluations"] == plain["evaluations"][1:2]


def test_result_summary_values_follow_from_the_epochs(small: Small) -> None:
    result = train(
        small(training={"epochs": 6, "batch_size": 32, "optimizer": {"lr": 1.0}}, seed=3)
    )
    epochs = result["epochs"]
    assert [e["epoch"] for e in epochs] == [1, 2, 3, 4, 5, 6]
    assert [e["learning_rate"] for e in epochs] == pytest.approx([1, 1, 1, 0.1, 0.01, 0.01])
    tested = [e["test_accuracy"] for e in epochs]
    assert result["best_test_accuracy"] == max(tested)
    assert result["best_epoch"] == tested.index(max(tested)) + 1
    last = epochs[-1]
    for key in ("test_accuracy", "train_accuracy", "test_loss", "train_loss"):
        assert result[key] == last[key]
    assert result["generalization_gap"] == last["train_accuracy"] - last["test_accuracy"]
    assert result["train_seconds"] == pytest.approx(sum(e["seconds"] for e in epochs))
    assert result["images_per_second"] == pytest.approx(6 * 160 / result["train_seconds"])
    assert result["images_per_second"] > 0
    # 500 test images: every accuracy is a multiple of 1/5 percent.
    assert all(0 <= a <= 100 and math.isclose(a * 5, round(a * 5)) for a in tested)
    assert result["parameters"] == RunConfig.model_validate(small()).parameters


def test_testing_less_often_does_not_change_training(small: Small, plain: dict[str, Any]) -> None:
    result = train(small(training={"epochs": 3, "batch_size": 64, "test_every": 2}))
    assert result["weights_sha256"] == plain["weights_sha256"]
    without = {**plain["epochs"][0], "test_accuracy": None, "test_loss": None}
    assert numbers(result["epochs"]) == numbers([without, *plain["epochs"][1:]])
    tested = [epoch["test_accuracy"] for epoch in plain["epochs"][1:]]
    assert result["best_test_accuracy"] == max(tested)
    assert result["best_epoch"] == 2 + tested.index(max(tested))
    assert result["test_accuracy"] == plain["test_accuracy"]


def test_the_best_epoch_is_the_first_of_equals(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A loss that is infinite midway is no divergence: the network recovers.
    pairs = [(20.0, math.inf), (60.0, 1.5), (60.0, 1.25), (40.0, 2.5)]
    measured = iter([Measurement(*pair) for pair in pairs])
    monkeypatch.setattr(measuring, "evaluate_images", lambda *_, **__: next(measured))
    result = run(small(training={"epochs": 4, "batch_size": 64}), data_dir=NO_DATA)
    assert (result["best_test_accuracy"], result["best_epoch"]) == (60.0, 2)
    assert result["test_accuracy"] == 40.0
    assert result["epochs"][0]["test_loss"] is None
    assert result["epochs"][0]["test_accuracy"] == 20.0
    assert result["generalization_gap"] == result["train_accuracy"] - 40.0
    assert not result["diverged"]


def test_an_accuracy_without_a_loss_is_not_the_best_of_a_run_that_diverges(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = iter([Measurement(0.0, math.inf), Measurement(0.0, math.nan)])
    monkeypatch.setattr(measuring, "evaluate_images", lambda *_, **__: next(measured))
    result = run(small(training={"epochs": 2, "batch_size": 64}), data_dir=NO_DATA)
    assert (result["diverged"], result["diverged_epoch"]) == (True, 2)
    assert (result["best_test_accuracy"], result["best_epoch"]) == (None, None)
    assert result["epochs"][0]["test_accuracy"] == 0.0


def test_training_learns_the_digits(small: Small) -> None:
    result = train(
        small(
            model={"name": "zerosnet", "depth": 8, "width": 8},
            dataset={"name": "digits", "subset": 640},
            training={"epochs": 4, "batch_size": 32},
        )
    )
    assert result["test_accuracy"] > 60
    assert result["epochs"][-1]["train_loss"] < result["epochs"][0]["train_loss"]
    assert not result["diverged"]


def test_one_training_step_is_sgd_as_documented(small: Small, tmp_path: Path) -> None:
    """Two full batches without augmentation, each a step, against the update rule by hand."""
    lr, momentum, decay = 0.05, 0.8, 0.01
    config = small(
        dataset={"name": "digits", "subset": None, "crop_padding": 0},
        training={
            "epochs": 2,
            "batch_size": 1297,
            "optimizer": {"lr": lr, "momentum": momentum, "weight_decay": decay},
            "lr_schedule": {"milestones": []},
        },
    )
    train(config, folder=open_folder(tmp_path))
    trained = torch.load(tmp_path / "weights.pt", weights_only=True)["weights"]

    network = build_network(RunConfig.model_validate(config), "cpu").train()
    train_split, _ = load("digits", NO_DATA)
    images = (torch.tensor(train_split.images).float() / 255 - 0.3055) / 0.3760
    labels = torch.tensor(train_split.labels)
    velocity = [torch.zeros_like(p) for p in network.parameters()]
    for _ in range(2):
        network.zero_grad()
        nn.functional.cross_entropy(network(images), labels).backward()
        with torch.no_grad():
            for v, p in zip(velocity, network.parameters(), strict=True):
                assert p.grad is not None
                v.mul_(momentum).add_(p.grad + decay * p)
                p.sub_(lr * v)
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(trained[name], parameter.detach(), rtol=1e-3, atol=1e-5)


HUGE = {"epochs": 4, "batch_size": 64, "optimizer": {"lr": 1e6}}


def test_a_diverged_run_is_a_valid_result(small: Small, tmp_path: Path) -> None:
    result = train(small(training=HUGE), folder=open_folder(tmp_path))
    assert result["diverged"] is True
    epoch = result["diverged_epoch"]
    assert 1 <= epoch <= 4
    assert [e["epoch"] for e in result["epochs"]] == list(range(1, epoch + 1))
    for key in (
        "test_accuracy",
        "train_accuracy",
        "test_loss",
        "train_loss",
        "generalization_gap",
    ):
        assert result[key] is None
    last = result["epochs"][-1]
    assert last["train_loss"] is last["test_accuracy"] is last["test_loss"] is None
    assert [e["name"] for e in result["evaluations"]] == [
        "uniform[-0.08,0]",
        "gaussian[0.3]",
        "constant[0.3]",
    ]
    assert all(e["accuracy"] is e["loss"] is None for e in result["evaluations"])


def test_the_best_epoch_before_divergence_is_kept(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rate(self: Any, epoch: int, *_: Any) -> float:
        return 0.1 if epoch == 1 else 1e12

    monkeypatch.setattr("trainers.config.run.TrainingConfig.learning_rate", rate)
    result = train(small())
    assert (result["diverged"], result["diverged_epoch"]) == (True, 2)
    assert result["best_epoch"] == 1
    assert result["best_test_accuracy"] == result["epochs"][0]["test_accuracy"]
    assert result["test_accuracy"] is None
    assert result["images_per_second"] == pytest.approx(160 / result["epochs"][0]["seconds"])


def test_a_continued_diverged_run_stays_diverged(small: Small, tmp_path: Path) -> None:
    config = small(training=HUGE)
    whole = train(config)
    continued = interrupted(config, tmp_path, [whole["diverged_epoch"]])
    assert numbers(continued) == numbers(whole)


def test_a_network_non_finite_after_its_last_step_has_diverged(small: Small) -> None:
    one_step = {"epochs": 1, "batch_size": 160, "optimizer": {"lr": 1e38}}
    result = train(small(training=one_step))
    assert result["test_loss"] is None
    assert result["diverged"] is True


def test_a_run_diverges_in_the_epoch_that_makes_its_weights_infinite(small: Small) -> None:
    optimizer = {"lr": 3e38, "weight_decay": 3e38}
    result = train(small(training={"epochs": 3, "batch_size": 160, "optimizer": optimizer}))
    assert math.isfinite(result["epochs"][0]["train_loss"])
    assert (result["diverged_epoch"], len(result["epochs"])) == (1, 1)


@pytest.mark.parametrize("scheme", [{"alpha": [1], "beta": 1, "trainable": True}])
def test_a_diverged_run_with_learned_coefficients_is_a_valid_result(
    small: Small, tmp_path: Path, scheme: dict[str, Any]
) -> None:
    infinite = {"epochs": 2, "batch_size": 64, "optimizer": {"lr": 3e38, "weight_decay": 3e38}}
    result = train(small(training=infinite, scheme=scheme), folder=open_folder(tmp_path))
    assert result["diverged"] is True
    assert result["learned_coefficients"][0] == [None, None]


def test_evaluating_stored_weights_is_bit_identical_to_training(
    small: Small, plain: dict[str, Any], tmp_path: Path
) -> None:
    folders = [open_folder(tmp_path / name) for name in ("1", "2")]
    train(small(), folder=folders[1])
    again = evaluate_stored(small(), EVALUATIONS, data_dir=NO_DATA, folders=folders)
    assert again == plain["evaluations"]
    assert len({e["evaluation_id"] for e in again}) == 3


def test_evaluating_stored_weights_in_bf16_is_bit_identical_to_training(
    small: Small, plain: dict[str, Any], tmp_path: Path
) -> None:
    config = small(precision="bf16")
    result = train(config, folder=open_folder(tmp_path))
    assert result["evaluations"] != plain["evaluations"]
    again = evaluate_stored(config, EVALUATIONS, data_dir=NO_DATA, folders=[open_folder(tmp_path)])
    assert again == result["evaluations"]
    # The same weights in float32 lose a little more or less: evaluation is in bf16 too.
    in_fp32 = open_folder(tmp_path / "fp32")
    weights = load_weights([open_folder(tmp_path)], result["run_id"]).weights
    save_weights(in_fp32, RunConfig.model_validate(small()).run_id, weights)
    others = evaluate_stored(small(), EVALUATIONS, data_dir=NO_DATA, folders=[in_fp32])
    for one, other in zip(others, result["evaluations"], strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=0.05)
        assert one["loss"] != other["loss"]


def test_evaluations_added_to_a_diverged_run_are_null(small: Small, tmp_path: Path) -> None:
    config = small(training=HUGE)
    result = train(config, folder=open_folder(tmp_path))
    again = evaluate_stored(config, EVALUATIONS, data_dir=NO_DATA, folders=[open_folder(tmp_path)])
    assert again == result["evaluations"]


@pytest.mark.parametrize("name", ["preresnet", "lm_resnet", "tm_resnet"])
def test_every_model_trains(small: Small, name: str) -> None:
    config = small(
        model={"name": name, "depth": 14, "width": 2},
        dataset={"name": "digits", "subset": 64},
        training={"epochs": 1, "batch_size": 32},
    )
    result = train(config)
    assert not result["diverged"]
    assert (result["learned_coefficients"] is not None) == (name == "lm_resnet")
