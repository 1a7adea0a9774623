"""Linear multistep schemes: coefficients, roots, zero stability, consistency, order.

An explicit scheme of d steps with one evaluation of f (Chen et al., ZeroSNet, eq. 2):

    y_{n+1} = alpha_0 y_n + alpha_1 y_{n-1} + ... + alpha_{d-1} y_{n-d+1} + beta h f(y_n)

A residual block is one such step with h = 1. Coefficients are exact fractions, and what follows
from them is decided without rounding; learned ones, which are float32, have LEARNED_TOLERANCE.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import combinations
from typing import Any

from sweep_plugins.schemes.crowded_roots import RootsNotFoundError
from sweep_plugins.schemes.exact_numbers import exact, stored
from sweep_plugins.schemes.polynomials import (
    Polynomial,
    satisfies_root_condition,
    with_whole_coefficients,
)
from sweep_plugins.schemes.roots import root_multiplicities
from sweep_plugins.schemes.scheme_label import scheme_label

Coefficient = Fraction | float | int | str

LEARNED_TOLERANCE = 1e-6
"""How much of a learned scheme counts as rounding, since its coefficients are float32.

A root lies on the unit circle if its modulus is within this of 1; two roots there are one repeated
root if they are no further apart than its square root, by which a change of the coefficients splits
a double root; an order condition is met if its sides differ by no more than this, in relation to
the size of their terms.
"""


@dataclass(frozen=True)
class LinearMultistepScheme:
    """The coefficients of one explicit linear multistep scheme, and what follows from them.

    Attributes:
        alpha: weights of y_n, y_{n-1}, ..., y_{n-d+1}.
        beta: weight of f(y_n).
        tolerance: 0 for coefficients that somebody wrote; LEARNED_TOLERANCE for learned ones.
    """

    alpha: tuple[Fraction, ...]
    beta: Fraction
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        if not self.alpha:
            raise ValueError("a scheme needs at least one alpha")

    @classmethod
    def of(cls, alpha: Sequence[Coefficient], beta: Coefficient) -> LinearMultistepScheme:
        """From numbers or fractions as a user writes them. Raises ValueError for a non-number."""
        return cls(tuple(exact(a) for a in alpha), exact(beta))

    def as_learned(self) -> LinearMultistepScheme:
        """The same coefficients, judged with LEARNED_TOLERANCE."""
        return replace(self, tolerance=LEARNED_TOLERANCE)

    @property
    def steps(self) -> int:
        """d: how many states the scheme combines."""
        return len(self.alpha)

    @cached_property
    def _characteristic_polynomial(self) -> Polynomial:
        return with_whole_coefficients((Fraction(1), *(-a for a in self.alpha)))

    @cached_property
    def _roots(self) -> tuple[tuple[complex, int], ...]:
        return root_multiplicities(self._characteristic_polynomial)

    @property
    def roots(self) -> tuple[complex, ...]:
        """The d roots of r(x) = x^d - alpha_0 x^{d-1} - ... - alpha_{d-1}, largest modulus first.

        ZeroSNet, Condition 1. Raises RootsNotFoundError, which takes coefficients of huge sizes.
        """
        repeated = [root for root, multiplicity in self._roots for _ in range(multiplicity)]
        return tuple(sorted(repeated, key=lambda root: (-abs(root), -root.real, -root.imag)))

    @property
    def root_moduli(self) -> tuple[float, ...]:
        """Moduli of the roots, largest first. Raises RootsNotFoundError."""
        return tuple(abs(root) for root in self.roots)

    @property
    def known_moduli(self) -> list[float] | None:
        """The same; None where the roots were not found."""
        try:
            return list(self.root_moduli)
        except RootsNotFoundError:
            return None

    @property
    def max_root_modulus(self) -> float:
        """The largest modulus of a root of the characteristic polynomial."""
        return self.root_moduli[0]

    @cached_property
    def zero_stable(self) -> bool:
        """The root condition: no root outside the unit circle, none on it repeated."""
        if not self.tolerance:
            return satisfies_root_condition(self._characteristic_polynomial)
        largest = self.max_root_modulus
        on_circle = [root for root in self.roots if abs(root) >= 1 - self.tolerance]
        return largest <= 1 + self.tolerance and all(
            abs(root - other) > math.sqrt(self.tolerance)
            for root, other in combinations(on_circle, 2)
        )

    @property
    def consistent(self) -> bool:
        """Whether the order is at least 1 (ZeroSNet, Definition 4)."""
        return self.order >= 1

    @cached_property
    def order(self) -> int:
        """The largest p for which the first p + 1 order conditions hold; -1 if none does.

        With exact values y = t^q at t = 1 (n + 1), 0 (n), -1, ...: the scheme has order p when

            1 = sum_i alpha_i (-i)^q + beta q 0^{q-1}      for q = 0 .. p,

        that is sum alpha_i = 1, beta - sum i alpha_i = 1, sum i^2 alpha_i = 1, and so on.
        The local error is then O(h^{p+1}). Order 0 keeps constants but does not converge. With one
        f and d steps p is d at most: the conditions from q = 2 to d + 1 would be d linear equations
        of a Vandermonde matrix without a solution.
        """
        for q in range(self.steps + 1):
            terms = [a * (-i) ** q for i, a in enumerate(self.alpha)]
            if q == 1:
                terms.append(self.beta)
            size = 1 + sum(map(abs, terms))
            if abs(sum(terms) - 1) > Fraction(self.tolerance) * size:
                return q - 1
        return self.steps

    def __str__(self) -> str:
        """Such as "1/3, 5/9, 1/9; 16/9": the alphas, then beta."""
        return scheme_label({"alpha": list(map(stored, self.alpha)), "beta": stored(self.beta)})


def preresnet(alpha: Coefficient = 1) -> LinearMultistepScheme:
    """y_{n+1} = alpha y_n + f(y_n); alpha = 1 is forward Euler (ZeroSNet eq. 7, Table 1)."""
    return LinearMultistepScheme((exact(alpha),), Fraction(1))


def lm_resnet(k: Coefficient) -> LinearMultistepScheme:
    """y_{n+1} = (1-k) y_n + k y_{n-1} + (2k+1) f(y_n), k shared by all blocks (ZeroSNet eq. 8).

    beta = 2k + 1 differs from Lu et al. (2018, eq. 1), whose trainable k_n goes with beta = 1. The
    paper chose it "to ensure consistency", but the order conditions ask for beta = 1 + k: the
    scheme has order 0 unless k = 0, and at k = -1/2 it does not use f at all. Kept as printed,
    since Table 2 was measured with it.
    """
    k = exact(k)
    return LinearMultistepScheme((1 - k, k), 2 * k + 1)


def zerosnet(lambda_: Coefficient) -> LinearMultistepScheme:
    """The general square-pattern discretization (ZeroSNet eq. 10), of order 2.

    alpha = 3(1+l)/(4l), -1/l, (1+l)/(4l); beta = (3l-1)/(2l).
    Zero stable for l < -1 and l > 1/3 (Theorem 2), and at l = -1, where the roots 1, -1, 0 are
    simple: the theorem states a sufficient region.

    Raises:
        ValueError: lambda is 0.
    """
    value = exact(lambda_)
    if value == 0:
        raise ValueError("lambda must not be 0: ZeroSNet eq. 10 divides by it")
    *alpha, beta = square_pattern(value)
    return LinearMultistepScheme(tuple(alpha), beta)


def square_pattern(lambda_: Any) -> tuple[Any, Any, Any, Any]:
    """(alpha_0, alpha_1, alpha_2, beta) of `zerosnet`: fractions of a fraction, tensors of one."""
    side = (1 + lambda_) / (4 * lambda_)
    return 3 * side, -1 / lambda_, side, (3 * lambda_ - 1) / (2 * lambda_)


@lru_cache(maxsize=4096)
def scheme_of(alpha: tuple[float | str, ...], beta: float | str) -> LinearMultistepScheme:
    """The scheme that a config keeps; cached, since a sweep repeats its schemes."""
    return LinearMultistepScheme.of(alpha, beta)
