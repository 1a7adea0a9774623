"""The multistep network on the wide body: PreActResNet is its forward Euler, TM-ResNet lambda = 1.

    y_{n+1} = alpha_0 y_n + ... + alpha_{d-1} y_{n-d+1} + beta f(y_n)

with f of two 3x3 convolutions, or a bottleneck of three, each after its BN-ReLU (He et al. 2016b).
At the start of a stage every state that a later step needs passes BN-ReLU-1x1 convolution; the
newest one's BN-ReLU is the first of f, as in He et al.'s released code. That is silent about older
states, which have one of their own here, so that all are carried over in the same way, or none, as
ZeroSNet has it (see OldStates).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Generator, Tensor, nn
from typing_extensions import override

from trainers.methods.scheme_config import SchemeConfig
from trainers.models.coefficients import coefficients_of
from trainers.models.network import MultistepStates
from trainers.models.wide.layers import ActivatedNorm, PreActivationFunction, WideStem, projection
from trainers.models.wide.options import WideMultistepOptions, steps_of
from trainers.models.wide.recurrence import OldStates, Step


class WideMultistepBlock(nn.Module):
    """One step of the scheme, or one Euler step for a start block."""

    def __init__(
        self, step: Step, scheme: SchemeConfig, generator: Generator, old_states: OldStates
    ) -> None:
        super().__init__()
        self.function = PreActivationFunction(step.block)
        self.projections = nn.ModuleList(projection(step.block) for _ in range(step.carried))
        self.older_activations = nn.ModuleList(
            nn.Identity() if old_states == "raw" else ActivatedNorm(step.block.inputs)
            for _ in range(step.carried - 1)
        )
        self.coefficients = coefficients_of(scheme, generator) if step.multistep else None

    def _carry(self, activated: Tensor, history: list[Tensor]) -> list[Tensor]:
        """The history in the shape of the state that leaves; `activated` is of the newest."""
        if not self.projections:
            return history
        # States without a projection are too old for any later block.
        older = zip(self.projections[1:], self.older_activations, history[1:], strict=False)
        return [
            self.projections[0](activated),
            *(project(activate(state)) for project, activate, state in older),
        ]

    def forward(self, history: list[Tensor]) -> list[Tensor]:
        """From [y_n, y_{n-1}, ...] to [y_{n+1}, y_n, ...], each state (N, C, H, W)."""
        activated = self.function.activate(history[0])
        slope = self.function(activated)
        history = self._carry(activated, history)
        if self.coefficients is None:
            return [history[0] + slope, *history]
        return [self.coefficients(slope, history), *history]


class WideMultistepNetwork(MultistepStates):
    """Images (N, channels, H, W), float -> logits (N, classes), for any H and W."""

    @override
    def make(
        self,
        options: WideMultistepOptions,
        scheme: SchemeConfig,
        channels: int,
        generator: Generator,
    ) -> int:
        self.stem = WideStem(options.stem, channels, options.width)
        steps = steps_of(options, scheme)
        return self.make_blocks(
            steps, scheme, generator, old_states="preactivated", final_norm=options.final_norm
        )

    def make_blocks(
        self,
        steps: Sequence[Step],
        scheme: SchemeConfig,
        generator: Generator,
        *,
        old_states: OldStates,
        final_norm: bool,
    ) -> int:
        """Makes what comes between the stem and the pooling; the channels that leave it."""
        features = steps[-1].block.outputs
        self.steps = scheme.steps
        self.blocks = nn.ModuleList(
            WideMultistepBlock(step, scheme, generator, old_states) for step in steps
        )
        self.activation = ActivatedNorm(features) if final_norm else nn.Identity()
        return features

    @override
    def pooled(self, state: Tensor) -> Tensor:
        features: Tensor = self.activation(state).mean(dim=(2, 3))
        return features
