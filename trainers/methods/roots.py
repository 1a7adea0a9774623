"""The roots of a polynomial as floats, each within 1e-12 of a root, with its exact multiplicity.

Numpy's roots are good to that where roots lie well apart. How good they are is computed exactly;
where roots crowd, they are computed anew with as many digits as that takes.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np

from trainers.methods.polynomials import Polynomial, square_free_factors, without_root

ROOT_ACCURACY = 1e-12
"""How far a root may be from what is returned, in relation to its modulus where that exceeds 1."""

_ENOUGH = 1e-16
_FIRST_BITS = 128
_MOST_STEPS = 2_000


def root_multiplicities(p: Polynomial) -> tuple[tuple[complex, int], ...]:
    """Every distinct root with its multiplicity.

    The roots 0, 1 and -1 are divided out exactly first: they are the ones that schemes have on
    or inside the unit circle by construction, and the rest is better conditioned without them.
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
    # Scaled to a leading 1 before the floats, which may not hold the integers themselves.
    found = [complex(root) for root in np.roots([float(Fraction(c, p[0])) for c in p])]
    return found if _are_roots(p, found) else _with_more_digits(p, found)


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


def _with_more_digits(p: Polynomial, start: Sequence[complex]) -> list[complex]:
    """The roots by Weierstrass's iteration, with twice the digits until they are good enough."""
    degree = len(p) - 1
    known = [z if cmath.isfinite(z) else 1 for z in start]
    z = [
        # Apart from each other, as the iteration needs them, and off any axis of symmetry.
        mpmath.mpc((known[i] if i < len(known) else 0) * (1 + shift) + 1e-20 * shift)
        for i in range(degree)
        for shift in [1e-4 * cmath.exp(2j * math.pi * (i + 0.3) / degree)]
    ]
    bits = _FIRST_BITS
    while not _iterated(p, z, bits):
        bits *= 2
    return [complex(root) for root in z]


def _iterated(p: Polynomial, z: list[Any], bits: int) -> bool:
    """Whether the steps from `z`, which is moved, ended at roots; if not, `bits` were too few."""
    degree = len(p) - 1
    with mpmath.workprec(bits):
        sizes = [mpmath.mpf(abs(c)) for c in p]
        for _ in range(_MOST_STEPS):
            worst = mpmath.mpf(0)
            for i, root in enumerate(z):
                distances = p[0] * mpmath.fprod(root - other for j, other in enumerate(z) if j != i)
                if not distances:
                    return False
                step = mpmath.polyval(p, root) / distances
                z[i] = root - step
                # What of the step may be rounding alone.
                lost = mpmath.polyval(sizes, abs(root)) / abs(distances) * mpmath.ldexp(1, 8 - bits)
                if lost > ROOT_ACCURACY and lost > ROOT_ACCURACY * abs(root):
                    return False
                worst = max(worst, degree * (abs(step) + lost) / max(1, abs(root)))
            if worst < _ENOUGH:
                return True
    return False
