"""The roots of a polynomial as floats, each within 1e-12 of a root, with its exact multiplicity.

Numpy's roots are good to that where roots lie well apart. How good they are is computed exactly;
where roots crowd, `crowded_roots` finds them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from sweep_plugins.schemes.crowded_roots import crowded_roots
from sweep_plugins.schemes.polynomials import Polynomial, square_free_factors, without_root

ROOT_ACCURACY = 1e-12
"""How far a root may be from what is returned, in relation to its modulus where that exceeds 1."""


def root_multiplicities(p: Polynomial) -> tuple[tuple[complex, int], ...]:
    """Every distinct root with its multiplicity.

    The roots 0, 1 and -1 are divided out exactly first: they are the ones that schemes have on
    or inside the unit circle by construction, and the rest is better conditioned without them.

    Raises:
        RootsNotFoundError: some were not found, which takes coefficients of huge sizes.
    """
    roots: list[tuple[complex, int]] = []
    for whole in (0, 1, -1):
        p, multiplicity = without_root(p, whole)
        if multiplicity:
            roots.append((complex(whole), multiplicity))
    for multiplicity, factor in enumerate(square_free_factors(p), start=1):
        roots.extend((root, multiplicity) for root in _simple_roots(factor))
    return tuple(roots)


def _simple_roots(p: Polynomial) -> list[complex]:
    try:
        # Scaled to a leading 1 before the floats, which may not hold the integers themselves.
        found = [complex(root) for root in np.roots([float(Fraction(c, p[0])) for c in p])]
    except OverflowError:
        found = []
    return found if _are_roots(p, found) else crowded_roots(p, found, ROOT_ACCURACY)


def _are_roots(p: Polynomial, found: Sequence[complex]) -> bool:
    """Whether each of `found` is within ROOT_ACCURACY of a root of its own.

    The n discs around z_i of radius n |p(z_i) / (a_0 prod (z_i - z_j))| hold all roots, as many as
    there are discs in each connected part (Smith, 1970): so one each, if they do not meet.
    """
    degree = len(p) - 1
    if len(found) < degree:
        return False  # of coefficients too small for floats
    for i, z in enumerate(found):
        apart = [abs(z - other) for j, other in enumerate(found) if j != i]
        distances = math.prod(apart)
        if not distances or not math.isfinite(distances):
            return False
        radius = degree * _modulus_at(p, z) / distances
        if not radius <= ROOT_ACCURACY * max(1.0, abs(z)):
            return False
        if apart and min(apart) <= 4 * radius:
            return False
    return True


def _modulus_at(p: Polynomial, z: complex) -> float:
    """|p(z) / a_0|, computed exactly and then rounded."""
    real, imaginary = Fraction(z.real), Fraction(z.imag)
    bits = max(real.denominator, imaginary.denominator).bit_length() - 1
    x, y = int(real * (1 << bits)), int(imaginary * (1 << bits))
    a, b = p[0], 0
    for i, c in enumerate(p[1:], start=1):
        a, b = a * x - b * y + (c << bits * i), a * y + b * x
    scale = p[0] << bits * (len(p) - 1)
    try:
        return math.hypot(a / scale, b / scale)
    except OverflowError:
        return math.inf
