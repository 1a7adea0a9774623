from __future__ import annotations

from typing import Any

import pytest

from sweeper.planning.cost import CostModel
from sweeper.planning.gpu_models import Choice, choose_gpu
from sweeper.planning.plan import work_of
from sweeper.planning.slot import Slot
from sweeper.planning.work import Work
from sweeper.spec.spec import spec_from_text

SMALL = "{name: zerosnet, depth: 8}"
WIDE = "{name: resnext, depth: 29, cardinality: 16}"


def work(*models: str, gpus: float = 0.25, gpu: Choice | None = None, **more: Any) -> Work:
    lines = [f"model: [{', '.join(models)}]", *(f"{key}: {value}" for key, value in more.items())]
    text = "dataset: cifar100\ngrid:\n  " + "\n  ".join(lines)
    spec = spec_from_text(f"{text}\nresources: {{gpus: {gpus}}}\n", "s.yaml")
    if gpus:
        gpu = gpu or choose_gpu(None)
    slot = Slot.of(spec.resources) if gpu is None else Slot.of(spec.resources, gpu.device)
    return work_of(spec, CostModel({}, slot), gpu, spec.configs)


def test_hours_of_gpus_are_said_with_a_range_and_what_they_are_based_on() -> None:
    (sentence,) = work(SMALL, seed=list(range(30))).sentences()
    assert sentence.endswith("on RTX 2080 Ti (--device names another), by figures of the device")
    assert sentence.split()[1] == "GPU-hours"
    usual, low, high = (float(sentence.split()[i].strip("()")) for i in (0, 2, 4))
    assert 0 < low < usual < high
    one = work(SMALL)
    seconds = [estimate.seconds.usual for _, estimate in one.runs if estimate]
    assert usual == pytest.approx(30 * sum(seconds) * 0.25 / 3600, rel=0.1)


def test_hours_of_cpus_are_said_without_a_gpu() -> None:
    (sentence,) = work(SMALL, gpus=0).sentences()
    assert "CPU-" in sentence
    assert "GPU" not in sentence


def test_runs_that_begin_with_several_slots_are_said() -> None:
    plan = work("{name: preresnet, depth: 164, block: bottleneck}", SMALL)
    (sentence,) = plan.about_memory()
    assert sentence.startswith("1 run (preresnet 164) begins with 2 times its resources")
    assert sentence.endswith("more than the 2.75 GiB of 0.25 RTX 2080 Ti")
    assert list(work(SMALL).about_memory()) == []


def test_a_gpu_that_is_only_supposed_refuses_nothing() -> None:
    plan = work(WIDE, gpus=1)
    assert plan.refusal() is None
    (sentence,) = plan.about_memory()
    assert sentence.startswith("1 run (resnext 29) probably needs more memory than the 11 GiB of")
    assert sentence.endswith("and so does precision: bf16")
    (sentence,) = work(
        WIDE, gpus=1, precision="[fp16]", **{"training.batch_size": [256]}
    ).about_memory()
    assert sentence.endswith("training.accumulation needs less (other statistics of BN)")


def test_what_cannot_fit_the_named_gpu_is_refused() -> None:
    plan = work(WIDE, SMALL, gpus=1, gpu=choose_gpu("RTX 2080 Ti"))
    assert (plan.refusal() or "").startswith("1 run (resnext 29) cannot train on one RTX 2080 Ti:")
    assert list(plan.about_memory()) == []
    assert work(WIDE, gpus=1, gpu=choose_gpu("H200")).refusal() is None


def test_what_fits_the_largest_gpu_that_is_there_is_not_refused() -> None:
    gpu = choose_gpu(None, ["NVIDIA GeForce RTX 2080 Ti", "NVIDIA H200"])
    assert (gpu.device.name, gpu.largest.name) == ("RTX 2080 Ti", "H200")
    assert work(WIDE, gpus=1, gpu=gpu).refusal() is None


def test_a_gpu_of_unknown_memory_refuses_nothing() -> None:
    plan = work(WIDE, gpu=choose_gpu(None, ["NVIDIA TITAN RTX"]))
    assert plan.refusal() is None
    assert list(plan.about_memory()) == []
    assert {estimate.multiplier for _, estimate in plan.runs if estimate} == {1}


def test_in_how_many_processes_runs_train_is_said() -> None:
    processes, hours = work(SMALL, gpus=1, **{"training.data_parallel": [8]}).sentences()
    assert processes == "each run trains in 8 processes, of 1 GPU each; memory is that of one"
    assert "GPU-hours" in hours or "GPU-minutes" in hours
    processes, _ = work(SMALL, gpus=0, **{"training.data_parallel": [1, 4]}).sentences()
    assert processes == "each run trains in 1 to 4 processes, of 1 CPU each; memory is that of one"
