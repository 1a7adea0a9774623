"""Accuracy and loss of a network on a set of images, clean or perturbed."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F  # noqa: N812 (its customary name)
from torch import Tensor, nn

from trainers.config.evaluations import EVALUATIONS, EvaluationConfig
from trainers.config.run import Precision
from trainers.data.augment import normalize
from trainers.data.labelled_images import HeldImages, LabelledImages
from trainers.evaluation.batches import EVALUATION_BATCH, forward_batch
from trainers.evaluation.precision import autocast, weights_dtype
from trainers.parallel.group import Group

Logits = Callable[[Tensor], Tensor]
"""From pixels in [0, 1], float32 (B, C, H, W), to logits, float32 (B, classes)."""


class Perturb(Protocol):
    """What an evaluation does to a batch before the network sees it."""

    def __call__(self, pixels: Tensor, labels: Tensor, logits: Logits) -> Tensor:
        """Perturbed pixels, same shape; what is outside [0, 1] will be clipped.

        Called under no_grad; an attack that needs gradients enables them for itself. The logits
        of a part of the batch are asked for by calling `logits` with that part.

        Args:
            pixels: (B, C, H, W), float32 in [0, 1]; not to be changed in place.
            labels: (B,), int64.
            logits: the network with its normalisation; noise has no use for it, attacks have.
        """


@dataclass(frozen=True)
class Passing:
    """A perturbation whose batches several processes can share.

    Attributes:
        perturb: the perturbation.
        skip: called with the shape of a batch that another process has, of EVALUATION_BATCH images;
            draws what `perturb` would have drawn for it.
    """

    perturb: Perturb
    skip: Callable[[Sequence[int]], object]

    def __call__(self, pixels: Tensor, labels: Tensor, logits: Logits) -> Tensor:
        """See Perturb."""
        return self.perturb(pixels, labels, logits)


class Measurement(NamedTuple):
    """What is measured of a network.

    Attributes:
        accuracy: in percent, 0 to 100.
        loss: mean cross-entropy in nats.
        top5_accuracy: the share of images whose class is among the five with the largest logits, in
            percent; None if it was not asked for.
    """

    accuracy: float
    loss: float
    top5_accuracy: float | None = None


def evaluate(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    mean: Sequence[float],
    std: Sequence[float],
    config: EvaluationConfig | None,
    *,
    device: torch.device,
    precision: Precision = "fp32",
    heartbeat: Callable[[], None] | None = None,
) -> Measurement:
    """One evaluation of a trained network on images in memory; see `evaluate_images`.

    Args:
        network, mean, std, config, device, precision, heartbeat: as there.
        images: (N, C, H, W), uint8, N >= 1, on any device.
        labels: (N,), int64, on any device.

    Raises:
        ValueError: no images, or not one label for each.
    """
    return evaluate_images(
        network,
        HeldImages(images, labels),
        mean,
        std,
        config,
        device=device,
        precision=precision,
        heartbeat=heartbeat,
    )


def evaluate_images(
    network: nn.Module,
    images: LabelledImages,
    mean: Sequence[float],
    std: Sequence[float],
    config: EvaluationConfig | None,
    *,
    device: torch.device,
    precision: Precision = "fp32",
    top5: bool = False,
    heartbeat: Callable[[], None] | None = None,
    group: Group | None = None,
) -> Measurement:
    """One evaluation of a trained network, in evaluation mode and without gradients.

    Each batch is scaled to [0, 1], perturbed, clipped to [0, 1], normalised, and classified
    (ZeroSNet, "Robustness"). An image with any logit that is not finite counts as wrong, and the
    loss may then be nan or infinite. Each module's mode is as before afterwards.

    Several processes that have the same network share the batches. Each of them returns what one
    alone would, to the bit.

    Args:
        network: from (B, C, H, W), normalised, to logits (B, classes); on `device`.
        images: at least one.
        mean, std: one number a channel, for normalisation.
        config: None for clean images. The perturbation is fresh for each call, so that its noise
            does not depend on what was measured before.
        device: where to compute.
        precision: what the network is computed in; the loss is in float32 at least.
        top5: whether to measure that accuracy, too.
        heartbeat: called before each pass of a batch through the network.
        group: the processes that share the batches; None for this one alone.

    Raises:
        ValueError: no images.
        PeerLostError: another process is gone.
    """
    count = len(images)
    if count == 0:
        raise ValueError("0 images cannot be measured")

    perturb: Perturb | None = None
    if config is not None:
        perturb = pkgutil.resolve_name(EVALUATIONS[config.kind].perturbation)(config)
    dtype = weights_dtype(precision)
    # One that cannot pass over another process's batches has to meet them all.
    shared = group if perturb is None or isinstance(perturb, Passing) else None
    rank, processes = (0, 1) if shared is None else (shared.rank, shared.processes)

    def logits(pixels: Tensor) -> Tensor:
        if heartbeat is not None:
            heartbeat()
        scores = []
        with autocast(device, precision):
            for part in torch.split(pixels, forward_batch(device.type, pixels[0, 0].numel())):
                inputs = normalize(part, mean, std).to(dtype)
                scores.append(network(inputs.contiguous(memory_format=torch.channels_last)))
        return torch.cat(scores).to(dtype)

    losses = torch.zeros(count, dtype=dtype, device=device)
    right, among_five = (torch.zeros(count, dtype=torch.int64, device=device) for _ in range(2))
    met = 0
    with torch.no_grad(), evaluation_mode(network):
        for batch in images.batches(EVALUATION_BATCH, rank=rank, processes=processes):
            # uint8 travels to the device: a quarter of float32's bytes.
            pixels = batch.pixels.to(device).to(torch.float32).div_(255)
            truth = batch.labels.to(device)
            if perturb is not None:
                if isinstance(perturb, Passing):
                    for _ in range(met, batch.number):
                        perturb.skip((EVALUATION_BATCH, *pixels.shape[1:]))
                pixels = perturb(pixels, truth, logits).clamp(0, 1)
            met = batch.number + 1
            scores = logits(pixels)
            start = batch.number * EVALUATION_BATCH
            these = slice(start, start + len(truth))
            losses[these] = F.cross_entropy(scores, truth, reduction="none")
            finite = scores.isfinite().all(1)
            right[these] = (scores.argmax(1) == truth) & finite
            if top5:
                among_five[these] = (places(scores, truth) < 5) & finite
    if shared is not None:
        # In each place all processes but one have a zero: what it has is the sum, exactly.
        losses, right, among_five = map(shared.sum, (losses, right, among_five))
    # One wait for the device, at the end. Correct answers are counted as integers: exact.
    accuracy = 100 * int(right.sum()) / count
    top5_accuracy = 100 * int(among_five.sum()) / count if top5 else None
    return Measurement(accuracy, float(losses.mean()), top5_accuracy)


def places(scores: Tensor, labels: Tensor) -> Tensor:
    """How many classes come before each image's own, (B,), int64; of equal scores the first does.

    Unlike topk, it says the same on every device.

    Args:
        scores: (B, classes).
        labels: (B,), int64.
    """
    own = scores.gather(1, labels[:, None])
    first = torch.arange(scores.shape[1], device=scores.device) < labels[:, None]
    return ((scores > own) | ((scores == own) & first)).sum(1)


@contextmanager
def evaluation_mode(network: nn.Module) -> Iterator[None]:
    """All modules in evaluation mode, and each in the mode that it was in afterwards."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        # Not network.train(): a part that was frozen in evaluation mode stays so.
        for module in training:
            module.training = True
