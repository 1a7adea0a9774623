from __future__ import annotations

import pytest

from results.records import CostSample
from sweeper.planning.cost import FROM_FIGURES, CostModel
from sweeper.planning.devices import CPU_CORE, GPUS
from sweeper.planning.slot import Slot
from sweeper.planning.step_time import run_seconds, training_seconds
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
        "device_name": None,
        "runs": 1,
        "train_seconds": 1.0,
        "images_per_second": images_per_second,
        "config": of.to_json(),
    }
    return CostSample(**(values | changes))


CORE = Slot(CPU_CORE, 1)
TITAN = {"device": "cuda", "device_name": "NVIDIA TITAN RTX"}
TURING = {"device": "cuda", "device_name": "NVIDIA GeForce RTX 2080 Ti"}


def seconds_at(of: RunConfig, images_per_second: float, evaluations: int = 0) -> float:
    """What a run takes of which an epoch without its test takes so long."""
    expected = training_seconds(of, CORE).usual
    longer = of.train_images / images_per_second / expected
    return run_seconds(of, CORE, evaluations).usual * longer


def test_without_finished_runs_the_cost_follows_from_the_device():
    found = CostModel({}).estimate(config(), 0)
    assert found.basis == FROM_FIGURES
    assert found.seconds == run_seconds(config(), CORE, 0)
    assert found.seconds.low < found.seconds.usual < found.seconds.high


def test_cost_is_predicted_from_a_finished_run_of_the_same_kind():
    found = CostModel.from_samples([sample(config(epochs=2), 500)]).estimate(config(), 0)
    assert found.basis == "runs of this network on CPU core"
    # 1,297 training images in each of 10 epochs; 500 test images cost no more than a third as much.
    training = 12_970 / 500
    assert training * (1 + 0.2 * 500 / 1297) < found.seconds.usual < training * (1 + 500 / 1297 / 3)
    assert found.device_hours == pytest.approx(found.seconds.usual / 3600)


def test_cost_grows_with_epochs_subset_and_evaluations():
    model = CostModel.from_samples([sample(config(), 500)])
    assert model.seconds(config(epochs=20), 0) == pytest.approx(2 * model.seconds(config(), 0))
    assert model.seconds(config(), 3) == pytest.approx(seconds_at(config(), 500, evaluations=3))
    rarely = config(training={"epochs": 10, "test_every": 4})
    assert model.seconds(rarely, 0) < model.seconds(config(), 0)
    small = config(dataset={"name": "digits", "subset": 100})
    assert model.seconds(small, 0) < 0.3 * model.seconds(config(), 0)


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


@pytest.mark.parametrize(
    ("near", "basis"),
    [
        (config(depth=32), "similar runs on CPU core"),
        (config(dataset="fashion_mnist", precision="bf16", depth=44), "other runs on CPU core"),
    ],
)
def test_cost_falls_back_to_the_most_similar_runs(near, basis):
    far = config(dataset="fashion_mnist", compile=True)
    model = CostModel.from_samples([sample(near, 500), *(sample(far, 500) for _ in range(3))][:4])
    alone = CostModel.from_samples([sample(near, 500)]).estimate(config(), 0)
    # As many times longer than expected as the other was.
    longer = near.train_images / 500 / training_seconds(near, CORE).usual
    expected = run_seconds(config(), CORE, 0).usual * longer
    assert (alone.basis, alone.seconds.usual) == (basis, pytest.approx(expected))
    if basis.startswith("similar"):
        assert model.estimate(config(), 0).seconds == alone.seconds


def test_runs_on_the_same_device_count_before_others():
    slot = Slot(GPUS["RTX 2080 Ti"], 1)
    of = config()
    here, there = sample(config(depth=32), 5_000, **TURING), sample(of, 90_000, **TITAN)
    both = CostModel.from_samples([here, there], slot).estimate(of, 0)
    assert both == CostModel.from_samples([here], slot).estimate(of, 0)
    assert both.basis == "similar runs on RTX 2080 Ti"
    other = CostModel.from_samples([there], slot).estimate(of, 0)
    assert other.basis == "runs of this network on other devices"
    assert other.seconds.high / other.seconds.low > both.seconds.high / both.seconds.low


def test_a_gpu_that_no_table_has_is_known_by_its_runs():
    of = config()
    slot = Slot(GPUS["RTX 2080 Ti"].like("NVIDIA TITAN RTX"), 1)
    found = CostModel.from_samples([sample(of, 9_000, **TITAN)], slot).estimate(of, 0)
    assert found.basis == "runs of this network on NVIDIA TITAN RTX"
    assert found.seconds.usual == pytest.approx(12_970 / 9_000, rel=0.15)
    assert found.multiplier == 1


def test_runs_on_cpus_say_nothing_of_gpus():
    gpu = Slot(GPUS["A100"], 1)
    assert CostModel.from_samples([sample(config(), 5)], gpu).estimate(config(), 0) == (
        CostModel({}, gpu).estimate(config(), 0)
    )
    assert CostModel.from_samples([sample(config(), 5, **TURING)]).estimate(config(), 0) == (
        CostModel({}).estimate(config(), 0)
    )


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
    assert CostModel.from_samples([useless]).estimate(config(), 0).basis == FROM_FIGURES
    model = CostModel.from_samples([useless, sample(config(), 500)])
    assert model.seconds(config(), 0) == pytest.approx(seconds_at(config(), 500))


def test_a_finished_run_whose_network_cannot_be_built_is_ignored(monkeypatch):
    known = config()
    counts = known.counts

    def counted(self):
        if self.model.name == "preresnet":
            raise TrainerError("the network of model 'preresnet' cannot be built")
        return counts

    broken = sample(config("preresnet"), 1)
    monkeypatch.setattr(RunConfig, "counts", property(counted))
    samples = [sample(known, 500), broken]
    other = config(depth=32)
    assert CostModel.from_samples(samples).seconds(other, 0) == (
        CostModel.from_samples(samples[:1]).seconds(other, 0)
    )
    alone = CostModel.from_samples(samples[1:]).estimate(known, 0)
    assert alone.basis == FROM_FIGURES
