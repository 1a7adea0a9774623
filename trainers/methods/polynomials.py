"""Roots of polynomials with rational coefficients, repeated roots found exactly.

Floating-point root finders smear a double root over a disc of radius ~1e-8, too wide to tell
"double root on the unit circle" from "two simple roots". So a polynomial is first split by
Yun's algorithm into factors with simple roots, one factor for each multiplicity, and only those
are handed to numpy.

A polynomial is a tuple of Fractions, highest power first.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

Polynomial = tuple[Fraction, ...]

_PRIME = 2**61 - 1


def root_multiplicities(polynomial: Polynomial) -> tuple[tuple[complex, int], ...]:
    """Every distinct root with its multiplicity.

    The roots 0, 1 and -1 are divided out exactly first: they are the ones that schemes have on
    or inside the unit circle by construction, and the rest is better conditioned without them.

    Raises:
        ValueError: the zero polynomial.
    """
    rest = _trim(polynomial)
    if not rest:
        raise ValueError("the zero polynomial has no finite set of roots")
    roots: list[tuple[complex, int]] = []
    for exact_root in (Fraction(0), Fraction(1), Fraction(-1)):
        multiplicity = 0
        while len(rest) > 1 and _value(rest, exact_root) == 0:
            rest, _ = _divide(rest, (Fraction(1), -exact_root))
            multiplicity += 1
        if multiplicity:
            roots.append((complex(exact_root), multiplicity))
    for multiplicity, factor in enumerate(_square_free_factors(rest), start=1):
        # Scaled to a leading 1 before the floats, which may not hold the integers themselves.
        monic = [float(c / factor[0]) for c in factor]
        roots.extend((complex(root), multiplicity) for root in np.roots(monic))
    return tuple(roots)


def _trim(p: Polynomial) -> Polynomial:
    first = next((i for i, c in enumerate(p) if c != 0), len(p))
    return p[first:]


def _value(p: Polynomial, x: Fraction) -> Fraction:
    total = Fraction(0)
    for coefficient in p:
        total = total * x + coefficient
    return total


def _derivative(p: Polynomial) -> Polynomial:
    degree = len(p) - 1
    return tuple(c * (degree - i) for i, c in enumerate(p[:-1]))


def _divide(p: Polynomial, q: Polynomial) -> tuple[Polynomial, Polynomial]:
    """Quotient and remainder."""
    remainder = list(p)
    quotient: list[Fraction] = []
    while len(remainder) >= len(q):
        ratio = remainder[0] / q[0]
        quotient.append(ratio)
        for i, c in enumerate(q):
            remainder[i] -= ratio * c
        remainder.pop(0)
    return tuple(quotient), _trim(tuple(remainder))


def _greatest_common_divisor(p: Polynomial, q: Polynomial) -> Polynomial:
    while q:
        _, remainder = _divide(p, q)
        p, q = q, tuple(c / remainder[0] for c in remainder)
    return tuple(c / p[0] for c in p)


def _subtract(p: Polynomial, q: Polynomial) -> Polynomial:
    width = max(len(p), len(q))
    zeros = (Fraction(0),)
    left, right = zeros * (width - len(p)) + p, zeros * (width - len(q)) + q
    return _trim(tuple(a - b for a, b in zip(left, right, strict=True)))


def _has_simple_roots_modulo_a_prime(p: Polynomial) -> bool:
    """If true, p has simple roots; if false, nothing is known.

    A square that divides p also divides it modulo a prime, as long as the prime divides no
    denominator. Fractions grow with every step of Euclid's algorithm, remainders do not: this
    spares almost every scheme that part, which takes minutes for coefficients such as 1e-300.
    """
    if any(c.denominator % _PRIME == 0 for c in p) or p[0].numerator % _PRIME == 0:
        return False
    a = [c.numerator * pow(c.denominator, -1, _PRIME) % _PRIME for c in p]
    degree = len(a) - 1
    b = [c * (degree - i) % _PRIME for i, c in enumerate(a[:-1])]
    while len(b) > 1:
        inverse = pow(b[0], -1, _PRIME)
        while len(a) >= len(b):
            ratio = a[0] * inverse % _PRIME
            a = [(c - ratio * b[i]) % _PRIME if i < len(b) else c for i, c in enumerate(a)][1:]
        first = next((i for i, c in enumerate(a) if c), len(a))
        a, b = b, a[first:]
    return bool(b)


def _square_free_factors(p: Polynomial) -> list[Polynomial]:
    """Yun's algorithm: the i-th factor (from 1) has exactly the i-fold roots of p, each once."""
    if len(p) <= 1:
        return []
    if _has_simple_roots_modulo_a_prime(p):
        return [p]
    slope = _derivative(p)
    common = _greatest_common_divisor(p, slope)
    rest, _ = _divide(p, common)
    quotient, _ = _divide(slope, common)
    defect = _subtract(quotient, _derivative(rest))
    factors: list[Polynomial] = []
    while len(rest) > 1:
        factor = _greatest_common_divisor(rest, defect) if defect else rest
        factors.append(factor)
        rest, _ = _divide(rest, factor)
        quotient, _ = _divide(defect, factor) if defect else ((), ())
        defect = _subtract(quotient, _derivative(rest))
    return factors
