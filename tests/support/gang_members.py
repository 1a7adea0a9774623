"""What one process of several does in tests of groups."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from small_networks import NO_DATA
from trainers.config.evaluations import stored_evaluation
from trainers.config.job import EpochMetrics, Member
from trainers.config.run import RunConfig
from trainers.data.labelled_images import HeldImages
from trainers.errors import DatasetMissingError, TrainerError
from trainers.evaluation.measure import Logits, Measurement, evaluate_images
from trainers.optim.optimizers import make_optimizer
from trainers.optim.step import Steps
from trainers.parallel.batch_norm import synchronised
from trainers.parallel.group import joined
from trainers.parallel.replica import Replica
from trainers.run import run
from trainers.stages import stage_of
from trainers.storage import open_folder
from trainers.training.building import build_network
from trainers.training.checkpoint import weights_sha256

CPU = torch.device("cpu")

EVALUATIONS: list[dict[str, Any]] = [
    {"noise": "gaussian", "std": 0.3},
    {"noise": "constant", "value": 0.3},
]

ATTACKS: list[dict[str, Any]] = [
    {"attack": "fgsm", "epsilon": 0.05},
    {"attack": "pgd", "epsilon": 0.05, "step": 0.02, "steps": 2, "restarts": 2},
]


def say_everything(member: Member, digests: list[str]) -> dict[str, Any]:
    """Every method of a group once."""
    with joined(member, CPU) as group:
        own = torch.tensor([member.rank + 1.0, member.rank])
        found: dict[str, Any] = {
            "gathered": group.gather(own).tolist(),
            "sum": group.sum(own.clone()).tolist(),
            "any": [group.any(False), group.any(member.rank == 1), group.any(True)],
            "bytes": [
                group.from_first(data if member.rank == 0 else None)
                for data in (b"", b"0 is first")
            ],
        }
        group.copy_first([own])
        found["first"] = own.tolist()
        found["differ"] = group.differing(digests[member.rank])
        return found


def leave_in_the_middle(member: Member, how: str) -> float:
    """Seconds until the others notice; they wait in a sum, or in a backward pass."""
    with joined(member, CPU) as group:
        replica = Replica(nn.Linear(2, 2), group, synchronised=False)
        replica.begin_epoch()
        if member.rank == 1:
            if how == "ends":
                os._exit(9)
            if how == "raises":
                try:
                    raise ValueError("rank 1 has something to say")
                finally:
                    replica.close()
        started = time.monotonic()
        try:
            if how == "raises":
                group.sum(torch.ones(1))
            else:
                with replica.part(1, whole=3, before=0, ends_step=True):
                    replica.passes(torch.ones(1, 2)).sum().backward()  # type: ignore[no-untyped-call]
        finally:
            replica.close()
    return time.monotonic() - started


def train(member: Member, addresses: list[str], runs: list[Run]) -> list[Any]:
    """What each run returned or raised, one after the other."""
    found: list[Any] = []
    for address, given in zip(addresses, runs, strict=True):
        folder = None
        if given.folder is not None and member.rank == 0:
            folder = open_folder(given.folder)
        try:
            result: Any = run(
                given.config,
                EVALUATIONS,
                data_dir=given.data_dir,
                folder=folder,
                on_epoch=raising(given.raises.get(member.rank, {})),
                member=replace(member, address=address),
            )
        except Exception as error:
            result = error.with_traceback(None)
        found.append(result)
    return found


class EveryBatch:
    """Noise of somebody's own, which has to meet every batch."""

    def __init__(self, config: object) -> None:
        self._generator = torch.Generator().manual_seed(1)

    def __call__(self, pixels: Tensor, labels: Tensor, logits: Logits) -> Tensor:
        return pixels + torch.rand(pixels.shape, generator=self._generator).mul_(0.3)


def measure(
    member: Member | None, network: nn.Module, images: Tensor, labels: Tensor
) -> list[Measurement]:
    """Of evaluations of every kind, alone or as one of several."""
    found = []
    with joined(member, CPU) as group:

        def take(given: dict[str, Any] | None) -> None:
            config = None if given is None else stored_evaluation(given)
            held = HeldImages(images, labels)
            clean = config is None
            measurement = evaluate_images(
                network, held, (0.5,), (0.5,), config, device=CPU, top5=clean, group=group
            )
            found.append(measurement)

        for given in (None, *EVALUATIONS, *ATTACKS):
            take(given)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("trainers.evaluation.noise.constant", EveryBatch)
            take({"noise": "constant", "value": 0.3})
    return found


def raising(errors: dict[int, Exception]) -> Callable[[EpochMetrics], None]:
    def on_epoch(metrics: EpochMetrics) -> None:
        if metrics["epoch"] in errors:
            raise errors[metrics["epoch"]]

    return on_epoch


def overflow_in_one(member: Member, config: dict[str, Any]) -> tuple[bool, float, bool]:
    """Whether the loss was finite, the scale of the next one, and whether a step was made.

    In fp16; the gradient of rank 1 alone overflows.
    """
    run_config = RunConfig.model_validate(config)
    network = build_network(run_config, "cpu")
    before = weights_sha256(dict(network.named_parameters()))
    factor = 1e34 if member.rank == 1 else 1.0
    images = torch.arange(4 * 64).reshape(4, 1, 8, 8).to(torch.uint8)
    with joined(member, CPU) as group:
        replica = Replica(network, group, synchronised=False)
        replica.begin_epoch()
        optimizer = make_optimizer(network, run_config.training.optimizer)
        steps = Steps(lambda x: replica.passes(x).float() * factor, optimizer, run_config, 2)
        with replica.part(4, whole=8, before=4 * member.rank, ends_step=True):
            loss, _ = steps.learn(images, torch.zeros(4, dtype=torch.int64), share=0.5)
        steps.step(0.1)
        replica.close()
    after = weights_sha256(dict(network.named_parameters()))
    return math.isfinite(float(loss)), steps.state_dict()["scale"], after != before


def train_other_weights(member: Member, config: dict[str, Any]) -> str:
    """What is said of a process that has other weights than the rest."""

    def other(*given: Any) -> nn.Module:
        network = build_network(*given)
        if member.rank == 1:
            with torch.no_grad():
                next(network.parameters()).add_(1)
        return network

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trainers.training.train.build_network", other)
        with pytest.raises(TrainerError) as caught:
            run(config, data_dir=NO_DATA, member=member)
    return str(caught.value)


def train_elsewhere(member: Member, config: dict[str, Any], data: list[Path]) -> tuple[str, Any]:
    """What is said where each process has a folder of data of its own, and what it is about."""
    with pytest.raises(DatasetMissingError) as caught:
        run(config, data_dir=data[member.rank], member=member)
    return str(caught.value), stage_of(caught.value)


class Run(NamedTuple):
    """A run of several processes.

    Attributes:
        folder: of rank 0; the others have none.
        raises: what the process of a rank raises after an epoch.
    """

    config: dict[str, Any]
    folder: Path | None = None
    raises: dict[int, dict[int, Exception]] = {}  # noqa: RUF012 - it is not changed
    data_dir: Path = NO_DATA


class Case(NamedTuple):
    """A layer, and of each process what enters it and the gradient of what leaves it."""

    states: list[Tensor]
    gradients: list[Tensor]
    layer: nn.Module


def normalise(member: Member, cases: dict[Any, Case]) -> dict[Any, dict[str, Tensor]]:
    """A pass of each layer over the rank's part of a batch, forward and backward."""
    found = {}
    with joined(member, CPU) as group:
        for name, case in cases.items():
            state = case.states[member.rank].requires_grad_()
            with synchronised(group):
                normed = case.layer(state)
                normed.backward(case.gradients[member.rank])
            assert state.grad is not None
            parts = {"out": normed.detach(), "d_state": state.grad}
            for key, parameter in case.layer.named_parameters():
                assert parameter.grad is not None
                parts[f"d_{key}"] = parameter.grad
            found[name] = parts | dict(case.layer.named_buffers())
    return found
