"""The precision that a run's passes are computed in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from trainers.config.run import Precision
from trainers.errors import TrainerError

_DTYPES: dict[Precision, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""What autocast computes convolutions and matrix products in, where that is not float32."""

WEIGHTS: dict[Precision, torch.dtype] = {"fp64": torch.float64}
"""What weights, losses and what autocast does not narrow are, where that is not float32."""

_AMPERE = (8, 0)


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """In which a network's forward pass computes; weights and losses keep their own precision."""
    dtype = _DTYPES.get(precision)
    return torch.autocast(device.type, dtype or torch.bfloat16, enabled=dtype is not None)


def weights_dtype(precision: Precision) -> torch.dtype:
    """Of weights and losses, and of what a network is given."""
    return WEIGHTS.get(precision, torch.float32)


@contextmanager
def computing_in(device: torch.device, precision: Precision) -> Iterator[None]:
    """What float32 means on a GPU: TF32 or not, where the precision says so; as before afterwards.

    Raises TrainerError if the device cannot compute in this precision.
    """
    _require(device, precision)
    if device.type != "cuda" or precision not in ("tf32", "ieee_fp32"):
        yield
        return
    products, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
    before = products.allow_tf32, convolutions.allow_tf32
    products.allow_tf32 = convolutions.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        products.allow_tf32, convolutions.allow_tf32 = before


def _require(device: torch.device, precision: Precision) -> None:
    if precision == "tf32":
        if device.type != "cuda" or torch.version.hip is not None:
            raise TrainerError(
                f"precision: tf32 is for NVIDIA GPUs, and this run trains on {device.type}: give it"
                " one with resources: {gpus: 1}, or say precision: fp32"
            )
        if torch.cuda.get_device_capability(device) < _AMPERE:
            raise TrainerError(
                f"precision: tf32 needs a GPU of NVIDIA's Ampere generation or later, and this is a"
                f" {torch.cuda.get_device_name(device)}: say precision: fp32"
            )
    if precision == "fp16":
        images = torch.zeros(2, 1, 4, 4, device=device)
        layers = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2)).to(device)
        try:
            with autocast(device, precision):
                logits = layers(images)
            logits.float().sum().backward()
        except RuntimeError as error:
            reason = str(error).partition("\n")[0]
            raise TrainerError(
                f"precision: fp16 cannot be computed on this machine's {device.type} ({reason}):"
                " say precision: bf16 or fp32, or train on a GPU"
            ) from error
