"""Polynomials made of roots that are known, real ones and complex pairs, in fractions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Pair:
    """re + i im and re - i im."""

    re: Fraction
    im: Fraction

    @property
    def square_of_modulus(self) -> Fraction:
        return self.re**2 + self.im**2


Root = Fraction | Pair


def multiply(p: Sequence[Fraction], q: Sequence[Fraction]) -> list[Fraction]:
    product = [Fraction(0)] * (len(p) + len(q) - 1)
    for i, a in enumerate(p):
        for j, b in enumerate(q):
            product[i + j] += a * b
    return product


def expand(roots: Mapping[Root, int]) -> list[Fraction]:
    """prod (x - root)^multiplicity, highest power first."""
    coefficients = [Fraction(1)]
    for root, multiplicity in roots.items():
        factor = (
            [Fraction(1), -2 * root.re, root.square_of_modulus]
            if isinstance(root, Pair)
            else [Fraction(1), -root]
        )
        for _ in range(multiplicity):
            coefficients = multiply(coefficients, factor)
    return coefficients


def is_stable(roots: Mapping[Root, int]) -> bool:
    """The root condition, of the roots themselves."""
    return all(size < 1 or (size == 1 and roots[root] == 1) for root, size in _sizes(roots))


def _sizes(roots: Iterable[Root]) -> list[tuple[Root, Fraction]]:
    return [(root, root.square_of_modulus if isinstance(root, Pair) else root**2) for root in roots]
