"""Steps of training: passes forward and backward, and what the optimizer makes of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from trainers.config.run import RunConfig
from trainers.data.augment import normalize
from trainers.data.mixup import Mix
from trainers.evaluation.precision import autocast, weights_dtype
from trainers.optim.base import Optimizer

_LEAST_SCALE = 2.0**-24
"""The smallest number of fp16."""


class Steps:
    """Steps of an optimizer, each along the gradient of one batch or several.

    On a CPU no step is made from a loss that is not finite; a GPU would have to be waited for.

    Args:
        passes: images (B, C, H, W), normalised, to logits (B, classes).
        optimizer: of the weights that `passes` has.
        config: of the run; its recipe and precision.
        processes: that train together, the mean of whose gradients is what a step is along.
    """

    def __init__(
        self,
        passes: Callable[[Tensor], Tensor],
        optimizer: Optimizer,
        config: RunConfig,
        processes: int = 1,
    ) -> None:
        self._passes = passes
        self._processes = processes
        self._optimizer = optimizer
        self._config = config
        self._begun = False
        self._finite = True
        self._scaler: torch.amp.GradScaler | None = None
        if config.precision == "fp16":
            (first, *_) = optimizer.param_groups[0]["params"]
            self._scaler = torch.amp.GradScaler(first.device.type)

    def learn(
        self, pixels: Tensor, labels: Tensor, *, share: float = 1.0, mix: Mix | None = None
    ) -> tuple[Tensor, Tensor]:
        """Adds a batch to the gradient of the next step.

        Args:
            pixels: (B, C, H, W), uint8; where several processes train, B may be 0.
            labels: (B,), int64, on the device of `pixels`.
            share: of the batch among all images of the step, of all processes.
            mix: how the images are mixed; None not to mix them.

        Returns:
            The batch's mean loss, 0 of no image, and how many were right, both (); of mixed images
            each label counts by its share.
        """
        device, facts, recipe = pixels.device, self._config.dataset_facts, self._config.training
        images = normalize(pixels, facts.mean, facts.std)
        if mix is not None:
            images = mix.of(images)
        dtype = weights_dtype(self._config.precision)
        images = images.to(dtype).contiguous(memory_format=torch.channels_last)
        with autocast(device, self._config.precision):
            logits = self._passes(images)
        logits = logits.to(dtype)
        smoothing = recipe.label_smoothing or 0.0
        loss = (
            functional.cross_entropy(logits, labels, label_smoothing=smoothing)
            if len(labels)
            else logits.sum()
        )
        predicted = logits.detach().argmax(1)
        right = (predicted == labels).sum()
        if mix is not None:
            others = labels[mix.partners]
            other = functional.cross_entropy(logits, others, label_smoothing=smoothing)
            loss = mix.kept * loss + (1 - mix.kept) * other
            other_right = (predicted == others).sum().double()
            right = mix.kept * right.double() + (1 - mix.kept) * other_right
        if not self._begun:
            self._optimizer.zero_grad()
            self._begun = True
        weight = share * self._processes
        weighted = loss if weight == 1 else loss * weight
        if self._scaler is not None:
            weighted = self._scaler.scale(weighted)
        weighted.backward()  # type: ignore[no-untyped-call]
        loss = loss.detach()
        if device.type == "cpu" and not math.isfinite(float(loss)):
            self._finite = False
        return loss, right

    def step(self, learning_rate: float) -> None:
        """One step along what has been learned since the last one.

        In fp16 there is none if the scaled gradient is not finite: the next is scaled less.
        """
        if self._finite:
            if self._scaler is None:
                self._clip()
                self._optimizer.step(learning_rate)
            else:
                # It takes what has groups of parameters and steps for an optimizer.
                optimizer: Any = self._optimizer
                self._scaler.unscale_(optimizer)
                self._clip()
                self._scaler.step(optimizer, learning_rate)
                self._scaler.update()
        self._begun, self._finite = False, True

    @property
    def overflows(self) -> bool:
        """Whether gradients overflow fp16 however little they are scaled."""
        return self._scaler is not None and self._scaler.get_scale() < _LEAST_SCALE

    def state_dict(self) -> dict[str, Any]:
        """What is known of the scale of losses; empty but for fp16."""
        return {} if self._scaler is None else self._scaler.state_dict()

    def takes(self, state: object) -> bool:
        """Whether `load_state_dict` takes this."""
        own = self.state_dict()
        return (
            isinstance(state, Mapping)
            and state.keys() == own.keys()
            and all(type(state[key]) is type(value) for key, value in own.items())
        )

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a `state_dict`."""
        if self._scaler is not None:
            self._scaler.load_state_dict(state)

    def _clip(self) -> None:
        recipe = self._config.training
        if recipe.clip_norm is recipe.clip_value is None:
            return
        parameters = [p for group in self._optimizer.param_groups for p in group["params"]]
        if recipe.clip_norm is not None:
            clip_grad_norm_(parameters, recipe.clip_norm)
        if recipe.clip_value is not None:
            clip_grad_value_(parameters, recipe.clip_value)
