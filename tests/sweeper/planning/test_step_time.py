from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from small_networks import resolved
from sweeper.planning.cost import CostModel
from sweeper.planning.devices import CPU_CORE, GPUS
from sweeper.planning.slot import Slot
from sweeper.planning.step_time import run_seconds, training_seconds
from sweeper.spec.files import read_spec_file
from sweeper.spec.spec import read_spec
from trainers.config.run import RunConfig
from trainers.models.counting import count

TURING = GPUS["RTX 2080 Ti"]
SLOTS = [
    Slot(CPU_CORE, 1),
    Slot(TURING, 1),
    Slot(TURING, 0.25),
    Slot(GPUS["A100"], 0.25),
    Slot(GPUS["H200"], 1),
]


def config(depth: int = 20, model: str = "zerosnet", **more: Any) -> RunConfig:
    return RunConfig.model_validate(
        {"model": {"name": model, "depth": depth}, "dataset": "cifar10", "seed": 0, **more}
    )


@given(
    depths=st.lists(st.sampled_from([8, 14, 20, 26]), min_size=2, max_size=2).map(sorted),
    epochs=st.lists(st.integers(1, 300), min_size=2, max_size=2).map(sorted),
    passes=st.lists(st.integers(0, 9), min_size=2, max_size=2).map(sorted),
    slot=st.sampled_from(SLOTS),
    batch_size=st.sampled_from([32, 128, 1000]),
)
def test_more_work_takes_longer(
    depths: list[int], epochs: list[int], passes: list[int], slot: Slot, batch_size: int
) -> None:
    less, more = (
        run_seconds(
            config(depths[i], training={"epochs": epochs[i], "batch_size": batch_size}),
            slot,
            passes[i],
        )
        for i in (0, 1)
    )
    assert less.low <= more.low
    assert less.usual <= more.usual
    assert less.high <= more.high
    assert 0 < less.low < less.usual < less.high


@pytest.mark.parametrize("slot", SLOTS)
def test_larger_batches_take_no_longer(slot: Slot) -> None:
    seconds = [
        training_seconds(config(training={"batch_size": size}), slot).usual
        for size in (16, 64, 256, 1024)
    ]
    assert seconds == sorted(seconds, reverse=True)
    assert seconds[0] > seconds[-1]


@pytest.mark.parametrize("gpu", ["RTX 3090", "T4", "A100", "H100"])
def test_fewer_bits_take_no_longer(gpu: str) -> None:
    slot = Slot(GPUS[gpu], 1)
    exact, rounded, bf16 = (
        training_seconds(config(precision=name, training={"batch_size": 4096}), slot).usual
        for name in ("ieee_fp32", "fp32", "bf16")
    )
    assert exact >= rounded > bf16


def test_small_networks_on_a_quarter_of_a_gpu_take_less_than_four_times_as_long() -> None:
    """Alone they keep the device waiting for its host; large ones do not."""
    small, large = config(8), config(18, "resnet")
    for of, least, most in ((small, 1, 3), (large, 4, 6)):
        alone = training_seconds(of, Slot(GPUS["H100"], 1)).usual
        shared = training_seconds(of, Slot(GPUS["H100"], 0.25)).usual
        assert least <= shared / alone < most


def test_processes_share_the_images_and_exchange_gradients() -> None:
    slot = Slot(GPUS["A100"], 1)
    one = run_seconds(config(18, "resnet"), slot, 0).usual
    eight = run_seconds(config(18, "resnet", training={"data_parallel": 8}), slot, 0).usual
    assert one / 8 < eight < one / 4


def test_a_second_core_nearly_halves_the_time() -> None:
    one, two = (training_seconds(config(), Slot(CPU_CORE, cores)).usual for cores in (1, 2))
    assert 1.6 < one / two < 2


# Images a second of ResNet-50 at 224 x 224, as docs/estimates.md cites them.
PUBLISHED = [
    ("RTX 2080 Ti", "fp32", 294),
    ("V100", "fp32", 367),
    ("V100", "fp16", 1_200),
    ("A100 80GB", "tf32", 938),
    ("A100 80GB", "fp16", 2_470),
]


@pytest.mark.parametrize(("gpu", "precision", "published"), PUBLISHED)
def test_published_speeds_of_resnet_50_lie_within_the_range(
    gpu: str, precision: str, published: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"depth": 50, "stem": "7x7"}
    counts = count(*resolved("preact_resnet", None, options), channels=3, classes=1000, size=224)
    of = config(20, precision=precision, training={"batch_size": 256})
    monkeypatch.setattr(RunConfig, "counts", counts)
    seconds = training_seconds(of, Slot(GPUS[gpu], 1))
    least, usual, most = (of.train_images / at for at in (seconds.high, seconds.usual, seconds.low))
    assert least < published < most
    assert 0.6 < usual / published < 1.6


def test_zerosnets_own_times_lie_within_the_range() -> None:
    """Table 9: 1,662 s for 160 epochs at depth 20, on an RTX 2080 Ti by our reading."""
    seconds = run_seconds(config(20), Slot(TURING, 1), 0)
    assert seconds.low < 1_662 + 151 < seconds.high


def test_table_3_takes_about_the_hours_that_the_papers_times_suggest() -> None:
    spec = read_spec(read_spec_file(Path("zero_stability_table3")))
    costs = CostModel({}, Slot.of(spec.resources))
    found = [costs.estimate(of, 0) for of in spec.configs]
    hours = [
        sum(e.device_hours * bound(e.seconds) / e.seconds.usual for e in found if e is not None)
        for bound in (lambda s: s.low, lambda s: s.usual, lambda s: s.high)
    ]
    assert hours[0] < 107 < hours[2]
    assert 107 / 2.5 < hours[1] < 107 * 2.5
    assert hours[2] / hours[0] < 8
