"""HO-ResNet: a residual network whose blocks are explicit Runge-Kutta steps.

    k_i = f_i(y_n + sum_{j<i} a_ij k_j),    y_{n+1} = y_n + sum_i b_i k_i

(Luo et al. 2021, "Rethinking ResNets: Improved Stacking Strategies With High Order Schemes"). As
in the authors' released code every f_i has weights of its own unless a spec says otherwise; where
the width changes, f_1 has stride 2 and sees y_n itself, and everything else sees the projected
state. The rest is the body of `trainers.models.multistep.network`, with its f, stem, head and 1x1
projections, so that the methods can be compared: with Euler's it is preresnet. The released code
has a ReLU after each step, a stem of stride 2 with BN, and projects by padding with zeros.
"""

from __future__ import annotations

from torch import Generator, Tensor, nn
from torch.nn import functional
from typing_extensions import override

from trainers.methods.runge_kutta import EULER, Tableau
from trainers.models.ho_resnet.options import HighOrderOptions, Step, layout_of, tableau_of
from trainers.models.multistep.network import ResidualFunction, normed
from trainers.models.network import NormedNetwork


def _add(state: Tensor, weights: tuple[float, ...], slopes: list[Tensor]) -> Tensor:
    """state + sum_j weights_j slopes_j. Python numbers, which bf16 does not round."""
    for weight, slope in zip(weights, slopes, strict=True):
        if weight != 0:
            state = state + slope * weight
    return state


class SharedFunction(ResidualFunction):
    """f of a step that evaluates it several times: (N, C, H, W) -> (N, C, H, W).

    All evaluations share weights, scales and shifts. Running statistics they do not share: their
    states differ in distribution, and averages over all of them fit none. Heun's method lost 2 to
    6 points of accuracy on the handwritten digits to that.
    """

    def __init__(self, channels: int, evaluations: int) -> None:
        super().__init__(channels, channels, 1)
        self.statistics1, self.statistics2 = (
            nn.ModuleList(nn.BatchNorm2d(channels, affine=False) for _ in range(1, evaluations))
            for _ in range(2)
        )

    def forward(self, state: Tensor, evaluation: int = 0) -> Tensor:
        """`evaluation` counts from 0, whose statistics are those of the norms themselves."""
        if evaluation == 0:
            return super().forward(state)
        later = evaluation - 1
        inner = self.conv1(functional.relu(_normed(state, self.norm1, self.statistics1[later])))
        inner = functional.relu(_normed(inner, self.norm2, self.statistics2[later]))
        out: Tensor = self.conv2(inner)
        return out


def _normed(state: Tensor, norm: nn.BatchNorm2d, statistics: nn.Module) -> Tensor:
    """The norm's scale and shift, with statistics of another."""
    assert isinstance(statistics, nn.BatchNorm2d)
    return normed(state, norm, statistics.running_mean, statistics.running_var)


class RungeKuttaBlock(nn.Module):
    """One step: (N, inputs, H, W) -> (N, outputs, H/stride, W/stride).

    A step with shared weights that changes the stage is Euler's, y + f(y): its f maps from one
    width to another, and cannot be evaluated at what it returned.
    """

    def __init__(self, step: Step, tableau: Tableau) -> None:
        super().__init__()
        if step.evaluations < tableau.stages:
            tableau = EULER
        self.rows = tuple(tuple(map(float, row[:i])) for i, row in enumerate(tableau.a))
        self.weights = tuple(map(float, tableau.b))
        stride = 2 if step.changes_stage else 1
        self.shared = step.functions < step.evaluations
        self.functions = nn.ModuleList()
        if self.shared:
            self.functions.append(SharedFunction(step.outputs, step.evaluations))
        else:
            self.functions.append(ResidualFunction(step.inputs, step.outputs, stride))
            for _ in range(1, step.functions):
                self.functions.append(ResidualFunction(step.outputs, step.outputs, 1))
        self.projection = (
            nn.Conv2d(step.inputs, step.outputs, 1, stride=2, bias=False)
            if step.changes_stage
            else None
        )

    @override
    def forward(self, state: Tensor) -> Tensor:
        slopes = [self._slope(0, state)]
        if self.projection is not None:
            state = self.projection(state)
        for index, row in enumerate(self.rows[1:], start=1):
            slopes.append(self._slope(index, _add(state, row, slopes)))
        return _add(state, self.weights, slopes)

    def _slope(self, evaluation: int, state: Tensor) -> Tensor:
        if self.shared:
            slope: Tensor = self.functions[0](state, evaluation)
        else:
            slope = self.functions[evaluation](state)
        return slope


class HighOrderNetwork(NormedNetwork):
    """Images (N, channels, H, W), float -> logits (N, classes), for any H, W >= 4."""

    @override
    def make(self, options: HighOrderOptions, _scheme: None, channels: int, _: Generator) -> int:
        layout, tableau = layout_of(options), tableau_of(options)
        self.stem = nn.Conv2d(channels, options.width, 3, padding=1, bias=False)
        self.blocks = nn.ModuleList(RungeKuttaBlock(step, tableau) for step in layout)
        features = layout[-1].outputs
        self.norm = nn.BatchNorm2d(features)
        return features
