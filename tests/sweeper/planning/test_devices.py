from __future__ import annotations

import pytest

from sweeper.errors import RequestError
from sweeper.planning.devices import CPU_CORE, GPUS, USUAL_GPU, known, named
from sweeper.planning.slot import Slot
from sweeper.spec.resources import Resources


@pytest.mark.parametrize(
    ("name", "found"),
    [
        # As NVIDIA's driver says.
        ("NVIDIA GeForce RTX 2080 Ti", "RTX 2080 Ti"),
        ("NVIDIA GeForce RTX 3090", "RTX 3090"),
        ("Tesla V100-SXM2-16GB", "V100"),
        ("Tesla V100-SXM2-32GB", "V100 32GB"),
        ("Tesla T4", "T4"),
        ("NVIDIA L4", "L4"),
        ("NVIDIA A10G", "A10"),
        ("NVIDIA A100-SXM4-40GB", "A100"),
        ("NVIDIA A100-PCIE-40GB", "A100"),
        ("NVIDIA A100-SXM4-80GB", "A100 80GB"),
        ("NVIDIA A100 80GB PCIe", "A100 80GB"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA H200", "H200"),
        ("NVIDIA L40S", "L40S"),
        # As Ray does.
        ("V100", "V100"),
        ("A100-40G", "A100"),
        ("A100-80G", "A100 80GB"),
        # As people do.
        ("rtx 2080 ti", "RTX 2080 Ti"),
        ("2080 Ti", None),
        ("G", None),
        ("NVIDIA TITAN RTX", None),
        ("", None),
    ],
)
def test_gpus_are_known_by_the_names_that_drivers_and_ray_have(name, found):
    assert known(name) == (None if found is None else GPUS[found])


def test_an_unknown_gpu_is_refused_with_those_that_there_are():
    with pytest.raises(RequestError, match=r"device 'A1000': did you mean 'A100'\? there are RTX"):
        named("A1000")


@pytest.mark.parametrize("gpu", GPUS.values(), ids=lambda gpu: gpu.name)
def test_figures_of_gpus_are_of_the_order_that_such_devices_have(gpu):
    assert 5e12 < gpu.fp32 < 1e14
    assert 2 * gpu.fp32 <= gpu.tensor16 < 1e15
    assert gpu.tf32 is None or gpu.fp32 <= gpu.tf32 <= gpu.tensor16 / 2 * 1.05
    assert 2e11 < gpu.bandwidth < 1e13
    assert 8 * 2**30 < gpu.memory < 2**40


@pytest.mark.parametrize(
    ("gpus", "neighbours", "multiplier", "share"),
    [(1, 1, 1, 11), (0.5, 2, 2, 5.5), (0.25, 4, 4, 2.75), (0.4, 2, 2, 4.4), (0.3, 3, 3, 3.3)],
)
def test_a_slot_is_a_share_of_a_gpu(gpus, neighbours, multiplier, share):
    slot = Slot.of(Resources(gpus=gpus))
    assert (slot.device, slot.neighbours) == (USUAL_GPU, neighbours)
    assert slot.largest_multiplier == multiplier
    assert slot.memory == pytest.approx(share * 2**30)
    assert slot.times(multiplier).devices == 1
    assert slot.times(1) == slot


def test_of_a_gpu_with_room_for_one_slot_there_is_no_second_one():
    slot = Slot.of(Resources(gpus=0.75))
    assert (slot.neighbours, slot.largest_multiplier) == (1, 1)
    assert slot.times(1) == slot


def test_a_slot_without_a_gpu_is_cores_of_a_cpu():
    slot = Slot.of(Resources(cpus=2))
    assert (slot.device, slot.devices, slot.neighbours) == (CPU_CORE, 2, 1)
    assert (slot.memory, slot.largest_multiplier) == (None, 1)
