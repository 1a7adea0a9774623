"""The family ZeroSNet(λ) of schemes (ZeroSNet, eq. 10)."""

from __future__ import annotations

from collections.abc import Sequence
from math import isclose

import numpy as np

#: Zero stable below the first and above the second (Theorem 2).
REGION = (-1.0, 1 / 3)

_TOLERANCE = 1e-9


def coefficients(value: float) -> tuple[tuple[float, float, float], float]:
    """alpha = 3(1+λ)/(4λ), -1/λ, (1+λ)/(4λ) and beta = (3λ-1)/(2λ) of ZeroSNet(λ), λ not 0.

    The same as the trainers' own, which figures cannot import.
    """
    side = (1 + value) / (4 * value)
    return (3 * side, -1 / value, side), (3 * value - 1) / (2 * value)


def lambda_of(alpha: Sequence[float] | None, beta: float | None) -> float | None:
    """The λ of a scheme that ZeroSNet's eq. 10 gives, None of any other."""
    if alpha is None or beta is None or len(alpha) != 3 or alpha[1] == 0:
        return None
    value = -1 / alpha[1]
    expected = coefficients(value)
    met = all(
        isclose(a, b, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
        for a, b in zip([*alpha, beta], [*expected[0], expected[1]], strict=True)
    )
    return value if met else None


def largest_modulus(value: float) -> float:
    """The largest modulus of the characteristic roots of ZeroSNet(λ), λ not 0."""
    alpha, _ = coefficients(value)
    return float(np.abs(np.roots([1.0, *(-a for a in alpha)])).max())
