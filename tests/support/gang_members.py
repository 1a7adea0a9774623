"""What one process of several does in tests of groups."""

from __future__ import annotations

import os
import time
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from trainers.config.job import Member
from trainers.parallel.batch_norm import SynchronisedBatchNorm
from trainers.parallel.group import joined
from trainers.parallel.replica import Replica

CPU = torch.device("cpu")


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
        try:
            group.same(digests[member.rank], "digests")
        except Exception as error:
            found["differ"] = str(error)
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
                with replica.batch(1, whole=3, start=0, ends_step=True):
                    replica.passes(torch.ones(1, 2)).sum().backward()  # type: ignore[no-untyped-call]
        finally:
            replica.close()
    return time.monotonic() - started


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
            with SynchronisedBatchNorm(group):
                normed = case.layer(state)
                normed.backward(case.gradients[member.rank])
            assert state.grad is not None
            parts = {"out": normed.detach(), "d_state": state.grad}
            for key, parameter in case.layer.named_parameters():
                assert parameter.grad is not None
                parts[f"d_{key}"] = parameter.grad
            found[name] = parts | dict(case.layer.named_buffers())
    return found
