"""Polynomials with whole coefficients: repeated roots, and which lie in the unit disc, exactly.

Floating-point root finders smear a double root over a disc of radius 1e-8, too wide to tell "double
root on the unit circle" from "two simple roots". So what is a question of yes or no is decided in
whole numbers, without any root: multiplicities by greatest common divisors with the derivative, and
moduli by Schur's recursion.

A polynomial is a tuple of integers, highest power first; every polynomial with rational
coefficients has the roots of one (`with_whole_coefficients`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

Polynomial = tuple[int, ...]

_PRIME = 2**61 - 1


def with_whole_coefficients(coefficients: Sequence[Fraction]) -> Polynomial:
    """The polynomial with the same roots whose coefficients are whole and have no common factor.

    Raises:
        ValueError: the zero polynomial.
    """
    common = math.lcm(*(c.denominator for c in coefficients))
    found = _primitive([c.numerator * (common // c.denominator) for c in coefficients])
    if not found:
        raise ValueError("the zero polynomial has no finite set of roots")
    return found


def without_root(p: Polynomial, root: int) -> tuple[Polynomial, int]:
    """`p` divided by (x - root) as often as it goes, and how often that is."""
    multiplicity = 0
    while len(p) > 1 and _value(p, root) == 0:
        p = _quotient(p, (1, -root))
        multiplicity += 1
    return p, multiplicity


def square_free_factors(p: Polynomial) -> list[Polynomial]:
    """Of which the i-th (from 1) has exactly the i-fold roots of `p`, each once."""
    lower = [p]
    while len(lower[-1]) > 1:
        lower.append(_greatest_common_divisor(lower[-1], _derivative(lower[-1])))
    at_least = [_quotient(p, q) for p, q in pairwise(lower)]
    return [_quotient(p, q) for p, q in pairwise([*at_least, (1,)])]


def satisfies_root_condition(p: Polynomial) -> bool:
    """Whether no root lies outside the unit circle, and none on it is repeated.

    Every square-free factor is split in two: the roots that it shares with its reciprocal
    polynomial x^n p(1/x), among which are all that lie on the circle, and the others, which have to
    lie inside. A polynomial of simple roots that is its own reciprocal, but for the sign, has all
    of them on the circle if and only if those of its derivative lie inside (Cohn, 1922).
    """
    rest, _ = without_root(p, 0)
    for multiplicity, factor in enumerate(square_free_factors(rest), start=1):
        paired = _greatest_common_divisor(factor, _primitive(factor[::-1]))
        if not _inside(_quotient(factor, paired)):
            return False
        if len(paired) > 1 and (multiplicity > 1 or not _inside(_derivative(paired))):
            return False
    return True


def _inside(p: Polynomial) -> bool:
    """Whether all roots lie inside the unit circle, none on it (Schur, 1917).

    They do if |a_n| < |a_0| and those of (a_0 p(x) - a_n x^n p(1/x)) / x, of degree n - 1, do.
    """
    while len(p) > 1:
        first, last = p[0], p[-1]
        if abs(last) >= abs(first):
            return False
        p = _primitive([first * a - last * b for a, b in zip(p, p[::-1], strict=True)][:-1])
    return True


def _primitive(p: Sequence[int]) -> Polynomial:
    """Without leading zeros and common factor, the first coefficient positive."""
    first = next((i for i, c in enumerate(p) if c), len(p))
    common = math.gcd(*p)
    sign = 1 if first == len(p) or p[first] > 0 else -1
    return tuple(sign * c // common for c in p[first:])


def _value(p: Polynomial, x: int) -> int:
    total = 0
    for coefficient in p:
        total = total * x + coefficient
    return total


def _derivative(p: Polynomial) -> Polynomial:
    degree = len(p) - 1
    return _primitive([c * (degree - i) for i, c in enumerate(p[:-1])])


def _quotient(p: Polynomial, q: Polynomial) -> Polynomial:
    """p / q, where q divides p; whole, since neither has a common factor (Gauss)."""
    rest = list(p)
    quotient = []
    for i in range(len(p) - len(q) + 1):
        ratio = rest[i] // q[0]
        quotient.append(ratio)
        for j, c in enumerate(q):
            rest[i + j] -= ratio * c
    return tuple(quotient)


def _greatest_common_divisor(p: Polynomial, q: Polynomial) -> Polynomial:
    """By Euclid's algorithm, with common factors divided out of every remainder."""
    if len(p) == 1 or len(q) == 1 or _coprime_modulo_a_prime(p, q):
        return (1,)
    while q:
        p, q = q, _remainder(p, q)
    return p


def _remainder(p: Polynomial, q: Polynomial) -> Polynomial:
    """That of a multiple of p by q."""
    while len(p) >= len(q):
        common = math.gcd(p[0], q[0])
        mine, other = q[0] // common, p[0] // common
        padded = q + (0,) * (len(p) - len(q))
        p = _primitive([mine * a - other * b for a, b in zip(p, padded, strict=True)])
    return p


def _coprime_modulo_a_prime(p: Polynomial, q: Polynomial) -> bool:
    """If true, p and q have no root in common; if false, nothing is known.

    A common factor is one modulo a prime too, if the prime does not divide the first coefficients.
    Integers grow with every step of Euclid's algorithm, remainders do not: this spares almost
    every scheme that part, which takes long for coefficients such as 1e-300.
    """
    a, b = [c % _PRIME for c in p], [c % _PRIME for c in q]
    if not (a[0] and b[0]):
        return False
    while len(b) > 1:
        inverse = pow(b[0], -1, _PRIME)
        while len(a) >= len(b):
            ratio = a[0] * inverse % _PRIME
            a = [(c - ratio * b[i]) % _PRIME if i < len(b) else c for i, c in enumerate(a)][1:]
        first = next((i for i, c in enumerate(a) if c), len(a))
        a, b = b, a[first:]
    return bool(b)
