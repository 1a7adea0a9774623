"""Attacks on test images: the change of each, in a small ball, that raises the loss most.

Each function makes a fresh perturbation, a `trainers.evaluation.measure.Passing`, for a network in
evaluation mode: an image's loss then depends on no other image of its batch. Balls are in the
L-infinity norm around pixels in [0, 1]. Gradients are those of the pixels alone; those of the
weights are neither computed nor accumulated. Random points are drawn on the CPU by the attack's own
generator, seeded with the config's seed and nothing else, for whole batches of
`EVALUATION_BATCH` images: every network is attacked from the same points, on every device.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 (its customary name)
from torch import Tensor

from trainers.config.evaluations import FastGradientSign, ProjectedGradientDescent
from trainers.evaluation.batches import of_pixels
from trainers.evaluation.measure import Logits, Passing

GRADIENT_BATCH = 125
"""Images of up to 64x64 pixels that a gradient is taken of at once: every layer's activations are
kept until it is known."""


def fgsm(config: FastGradientSign) -> Passing:
    """x + epsilon sign(gradient)."""

    def perturb(pixels: Tensor, labels: Tensor, logits: Logits) -> Tensor:
        return pixels + config.epsilon * _ascent(pixels, labels, logits)

    return Passing(perturb, skip=lambda shape: None)


def pgd(config: ProjectedGradientDescent) -> Passing:
    """Steps of sign(gradient), each projected onto the ball and onto [0, 1].

    Of several restarts, each image keeps the point of the largest loss among those at which it is
    misclassified, or among all if there are none.
    """
    generator = torch.Generator().manual_seed(config.seed)

    def draw(shape: Sequence[int]) -> Tensor:
        return torch.rand(shape, generator=generator).mul_(2 * config.epsilon).sub_(config.epsilon)

    def skip(shape: Sequence[int]) -> None:
        for _ in range(config.restarts if config.random_start else 0):
            draw(shape)

    def perturb(pixels: Tensor, labels: Tensor, logits: Logits) -> Tensor:
        least = (pixels - config.epsilon).clamp_(min=0)
        most = (pixels + config.epsilon).clamp_(max=1)

        def climb() -> Tensor:
            point = pixels
            if config.random_start:
                drawn = draw(pixels.shape).to(pixels.device)
                point = (pixels + drawn).clamp_(least, most)
            for _ in range(config.steps):
                ascent = _ascent(point, labels, logits)
                point = (point + config.step * ascent).clamp_(least, most)
            return point

        worst = climb()
        if config.restarts == 1:
            return worst
        wrong, loss = _harm(worst, labels, logits)
        for _ in range(config.restarts - 1):
            point = climb()
            wrong_there, loss_there = _harm(point, labels, logits)
            worse = (wrong_there & ~wrong) | ((wrong_there == wrong) & (loss_there > loss))
            worst = torch.where(worse[:, None, None, None], point, worst)
            wrong, loss = wrong | wrong_there, torch.where(worse, loss_there, loss)
        return worst

    return Passing(perturb, skip)


def _ascent(pixels: Tensor, labels: Tensor, logits: Logits) -> Tensor:
    """-1, 0 or 1 for each pixel: which way the cross-entropy of its image grows.

    0 where it does not change, and where its gradient is no number.
    """
    signs = []
    at_once = of_pixels(GRADIENT_BATCH, pixels[0, 0].numel())
    for part, truth in zip(torch.split(pixels, at_once), torch.split(labels, at_once), strict=True):
        with torch.enable_grad():
            free = part.detach().requires_grad_()
            # The sum, not the mean, which would bring small gradients closer to zero.
            loss = F.cross_entropy(logits(free), truth, reduction="sum")
            if loss.requires_grad:
                (gradient,) = torch.autograd.grad(loss, free, materialize_grads=True)
            else:  # neither pixels nor weights decide the logits
                gradient = torch.zeros_like(free)
        signs.append(gradient.nan_to_num(nan=0.0).sign())
    return torch.cat(signs)


def _harm(pixels: Tensor, labels: Tensor, logits: Logits) -> tuple[Tensor, Tensor]:
    """Whether each image is misclassified, and its loss; both (B,)."""
    scores = logits(pixels)
    wrong = (scores.argmax(1) != labels) | ~scores.isfinite().all(1)
    loss = F.cross_entropy(scores, labels, reduction="none")
    return wrong, loss.nan_to_num(nan=torch.inf)
