from __future__ import annotations

import pytest

from results.records import CostSample
from sweeper.planning.cost import EVALUATION_SHARE, UNCALIBRATED_RATE, CostModel
from trainers.config.run import RunConfig
from trainers.errors import TrainerError


def config(model="zerosnet", depth=20, dataset="digits", precision="fp32", epochs=10, **more):
    return RunConfig.model_validate(
        {
            "model": {"name": model, "depth": depth},
            "dataset": dataset,
            "precision": precision,
            "training": {"epochs": epochs},
            "seed": 0,
            **more,
        }
    )


def sample(of: RunConfig, images_per_second: float | None, **changes) -> CostSample:
    values = {
        "model": of.model.name,
        "depth": of.model.depth,
        "parameters": of.parameters,
        "dataset": of.dataset.name,
        "epochs": of.training.epochs,
        "host": "node-1",
        "device": "cpu",
        "runs": 1,
        "train_seconds": 1.0,
        "images_per_second": images_per_second,
        "config": of.to_json(),
    }
    return CostSample(**(values | changes))


def seconds_at(of: RunConfig, images_per_second: float, evaluations: int = 0) -> float:
    """What a run takes whose training images pass at this rate."""
    epochs = of.training.epochs
    tested = of.dataset_facts.test_images * (epochs + evaluations)
    return (of.train_images * epochs + EVALUATION_SHARE * tested) / images_per_second


def test_without_finished_runs_the_cost_is_a_guess():
    model = CostModel.from_samples([])
    assert not model.calibrated
    expected = seconds_at(config(), UNCALIBRATED_RATE / config().multiply_adds_per_image)
    assert model.seconds(config(), 0) == pytest.approx(expected)


def test_cost_is_predicted_from_a_finished_run_of_the_same_kind():
    model = CostModel.from_samples([sample(config(epochs=2), 500)])
    assert model.calibrated
    # 1,297 training and 500 test images in each of 10 epochs.
    assert model.seconds(config(), 0) == pytest.approx((12_970 + 0.3 * 5_000) / 500)


def test_cost_grows_with_epochs_subset_and_evaluations():
    model = CostModel.from_samples([sample(config(), 500)])
    assert model.seconds(config(epochs=20), 0) == pytest.approx(2 * model.seconds(config(), 0))
    assert model.seconds(config(), 3) == pytest.approx(seconds_at(config(), 500, evaluations=3))
    rarely = config(training={"epochs": 10, "test_every": 4})
    assert model.seconds(rarely, 0) == pytest.approx((12_970 + 0.3 * 3 * 500) / 500)
    small = config(dataset={"name": "digits", "subset": 100})
    assert model.seconds(small, 0) == pytest.approx((1000 + 0.3 * 5000) / 500)


def test_cost_uses_the_median_rate_of_finished_runs():
    model = CostModel.from_samples([sample(config(), rate) for rate in (100, 500, 100_000)])
    assert model.seconds(config(), 0) == pytest.approx(seconds_at(config(), 500))


@pytest.mark.parametrize(
    "other",
    [
        config(depth=32),
        config(model="preresnet"),
        config(dataset="fashion_mnist"),
        config(precision="bf16"),
        config(compile=True),
    ],
)
def test_cost_prefers_finished_runs_of_the_same_kind(other):
    samples = [sample(config(), 500), *(sample(other, 7) for _ in range(5))]
    model = CostModel.from_samples(samples)
    assert model.seconds(config(), 0) == pytest.approx(seconds_at(config(), 500))


def test_cost_falls_back_to_runs_with_the_same_data_and_precision():
    near, far = config(depth=32), config(dataset="fashion_mnist")
    model = CostModel.from_samples([sample(near, 500), *(sample(far, 7) for _ in range(5))])
    # Deeper networks pass fewer images, in proportion to their multiply-adds.
    rate = 500 * near.multiply_adds_per_image / config().multiply_adds_per_image
    assert model.seconds(config(), 0) == pytest.approx(seconds_at(config(), rate))


def test_cost_falls_back_to_any_finished_run_if_none_is_similar():
    far = config(dataset="fashion_mnist", precision="bf16", depth=44)
    model = CostModel.from_samples([sample(far, 100)])
    rate = 100 * far.multiply_adds_per_image / config().multiply_adds_per_image
    assert model.seconds(config(), 0) == pytest.approx(seconds_at(config(), rate))


@pytest.mark.parametrize(
    "useless",
    [
        sample(config(), None),
        sample(config(), 0.0),
        sample(config(), 5, config={"model": {"name": "of_a_plugin", "depth": 3}}),
        sample(config(), 5, config={**config().to_json(), "recipe_version": 99}),
        sample(config(), 5, config={}),
    ],
)
def test_cost_samples_without_a_usable_rate_are_ignored(useless):
    assert not CostModel.from_samples([useless]).calibrated
    model = CostModel.from_samples([useless, sample(config(), 500)])
    assert model.seconds(config(), 0) == pytest.approx(seconds_at(config(), 500))


def test_runs_without_multiply_adds_do_not_calibrate_the_cost(monkeypatch):
    monkeypatch.setattr(RunConfig, "multiply_adds_per_image", 0)
    model = CostModel.from_samples([sample(config(), 500)])
    assert model.seconds(config(), 0) == 0.0


def test_a_finished_run_whose_network_cannot_be_built_is_ignored(monkeypatch):
    known = config()

    def counted(self):
        if self.model.name == "preresnet":
            raise TrainerError("the network of model 'preresnet' cannot be built")
        return 1_000

    monkeypatch.setattr(RunConfig, "multiply_adds_per_image", property(counted))
    samples = [sample(known, 500), sample(config("preresnet"), 1)]
    assert CostModel.from_samples(samples).seconds(config(depth=32), 0) == pytest.approx(
        seconds_at(known, 500)
    )
    alone = CostModel.from_samples(samples[1:]).seconds(known, 0)
    assert alone == pytest.approx(seconds_at(known, UNCALIBRATED_RATE / 1_000))
