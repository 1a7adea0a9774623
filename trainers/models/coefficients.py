"""The coefficients of a scheme in one block, given or learned.

y_{n+1} = alpha_0 y_n + ... + alpha_{d-1} y_{n-d+1} + beta f(y_n)
"""

from __future__ import annotations

from fractions import Fraction

import torch
from torch import Tensor, nn
from typing_extensions import override

from trainers.methods import multistep
from trainers.methods.multistep import LinearMultistepScheme
from trainers.methods.scheme_config import SchemeConfig


def _combine(coefficients: Tensor, slope: Tensor, history: list[Tensor]) -> Tensor:
    """y_{n+1}, of the shape and dtype of `slope`.

    Computed in at least float32: bf16 would round the coefficients, and the scheme that trains is
    to be the one that is reported.

    Args:
        coefficients: (d + 1,), float32: alpha, then beta.
        slope: f(y_n), (N, C, H, W).
        history: y_n, y_{n-1}, ..., d of them, each (N, C, H, W).
    """
    *alpha, beta = coefficients.unbind()
    wide = torch.promote_types(slope.dtype, torch.float32)
    new = beta * slope.to(wide)
    for weight, state in zip(alpha, history, strict=True):
        new = new + weight * state.to(wide)
    return new.to(slope.dtype)


class FixedCoefficients(nn.Module):
    """(alpha ..., beta) as a spec gives them."""

    values: Tensor

    def __init__(self, scheme: SchemeConfig) -> None:
        super().__init__()
        assert scheme.floats is not None
        self.coefficients = scheme.floats
        self.register_buffer("values", torch.tensor(self.coefficients), persistent=False)

    @override
    def forward(self, slope: Tensor, history: list[Tensor]) -> Tensor:
        if torch.compiler.is_compiling():
            # As an input: a constant would need a graph of its own for each scheme.
            return _combine(self.values, slope, history)
        # Python numbers, which bf16 does not round either, and which cost no conversion.
        *alpha, beta = self.coefficients
        new = slope * beta
        for weight, state in zip(alpha, history, strict=True):
            new = new + state * weight
        return new


class Learned(nn.Module):
    """Coefficients that are parameters."""

    def scheme(self) -> LinearMultistepScheme:
        """The scheme that was learned, judged with the tolerance of learned ones.

        A family's coefficients follow from its parameter as fractions. All have to be finite.
        """
        *alpha, beta = map(Fraction, self.coefficients().tolist())
        return LinearMultistepScheme(tuple(alpha), beta).as_learned()

    def coefficients(self) -> Tensor:
        """(d + 1,), float32: alpha, then beta."""
        raise AssertionError(f"{type(self).__name__} does not say what it learns")

    @override
    def forward(self, slope: Tensor, history: list[Tensor]) -> Tensor:
        return _combine(self.coefficients(), slope, history)


class LearnedCoefficients(Learned):
    """Every block's own alpha and beta, started at the spec's."""

    def __init__(self, scheme: SchemeConfig) -> None:
        super().__init__()
        assert scheme.floats is not None
        self.values = nn.Parameter(torch.tensor(scheme.floats))

    @override
    def coefficients(self) -> Tensor:
        return self.values


class LearnedK(Learned):
    """One k_n: alpha = (1 - k_n, k_n), beta = 1 (Lu et al. 2018, eq. 1)."""

    def __init__(self, k: Tensor) -> None:
        super().__init__()
        self.k = nn.Parameter(k)

    @override
    def scheme(self) -> LinearMultistepScheme:
        k = Fraction(self.k.item())
        return LinearMultistepScheme((1 - k, k), Fraction(1)).as_learned()

    @override
    def coefficients(self) -> Tensor:
        return torch.stack((1 - self.k, self.k, torch.ones_like(self.k)))


class LearnedLambda(Learned):
    """One lambda_n of ZeroSNet eq. 10 (ZeroSNet-Tra)."""

    def __init__(self, lambda_: Tensor) -> None:
        super().__init__()
        self.lambda_ = nn.Parameter(lambda_)

    @override
    def scheme(self) -> LinearMultistepScheme:
        return multistep.zerosnet(Fraction(self.lambda_.item())).as_learned()

    @override
    def coefficients(self) -> Tensor:
        return torch.stack(multistep.square_pattern(self.lambda_))


def coefficients_of(scheme: SchemeConfig, generator: torch.Generator) -> nn.Module:
    """One block's coefficients: a module from (slope, [y_n, y_{n-1}, ...]) to y_{n+1}.

    A scheme that starts from a range draws from `generator`.
    """
    if scheme.learned is None:
        return FixedCoefficients(scheme)
    if scheme.learned == "coefficients":
        return LearnedCoefficients(scheme)
    assert scheme.start is not None
    low, high = scheme.start
    drawn = low + (high - low) * torch.rand((), generator=generator)
    return LearnedK(drawn) if scheme.learned == "k" else LearnedLambda(drawn)


@torch.no_grad()
def learned_coefficients(network: nn.Module) -> list[list[float]] | None:
    """(alpha ..., beta) of each multistep block in order; None if nothing is learned."""
    learned = [module for module in network.modules() if isinstance(module, Learned)]
    return [module.coefficients().tolist() for module in learned] or None


def learning_blocks(network: nn.Module) -> dict[int, Learned]:
    """The blocks that learn a scheme's coefficients, by their place among all blocks, from 1."""
    return {
        number: module
        for number, block in enumerate(network.blocks, start=1)  # type: ignore[arg-type]
        for module in block.modules()
        if isinstance(module, Learned)
    }


@torch.no_grad()
def learned_values(network: nn.Module) -> dict[int, dict[str, float]]:
    """What each block learns, by its place among all blocks, from 1.

    That is alpha_0, ..., beta of a scheme, or what its `learned_values()` has (see Architecture).
    """
    found: dict[int, dict[str, float]] = {}
    schemes_learned = learning_blocks(network)
    for number, block in enumerate(network.blocks, start=1):  # type: ignore[arg-type]
        if number in schemes_learned:
            *alpha, beta = schemes_learned[number].coefficients().tolist()
            found[number] = {f"alpha_{i}": value for i, value in enumerate(alpha)} | {"beta": beta}
        elif values := getattr(block, "learned_values", None):
            found[number] = {name: value.item() for name, value in values().items()}
    return found
