"""Schemes whose roots crowd on and around the unit circle, against sympy and mpmath.

SWEEP_SCHEMES=10000 tries ten thousand of them, for some minutes.
"""

from __future__ import annotations

import os
import random
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any, NamedTuple

import mpmath
import numpy as np
import pytest
import sympy
from scipy.optimize import linear_sum_assignment

from known_roots import Pair, Root, expand, is_stable
from sweep_plugins.schemes.roots import ROOT_ACCURACY
from sweeper.spec.spec import spec_from_text
from trainers.methods.multistep import LinearMultistepScheme

pytestmark = pytest.mark.hostile

SCHEMES = int(os.environ.get("SWEEP_SCHEMES", "300"))
X = sympy.Symbol("x")


class Case(NamedTuple):
    """The alphas as written, the numbers that those are, and their roots, if none was rounded."""

    written: list[str]
    alpha: list[Fraction]
    roots: dict[Root, int] | None


def random_root(chance: random.Random) -> Root:
    """0, or on the circle, or as near to it as 1e-17, or anywhere in the disc and around it."""
    kind = chance.randrange(6)
    if kind == 0:
        return Fraction(chance.choice([1, -1]))
    if kind == 1:
        near = 1 + chance.choice([1, -1]) * Fraction(1, 10 ** chance.randint(1, 17))
        return chance.choice([1, -1]) * near
    if kind == 2:
        return Fraction(chance.randint(-1200, 1200), 1000)
    m, n = chance.sample(range(1, 9), 2)  # Pythagorean: on the circle
    pair = Pair(Fraction(m * m - n * n, m * m + n * n), Fraction(2 * m * n, m * m + n * n))
    if kind == 3:
        return pair
    shrink = 1 + chance.choice([1, -1]) * Fraction(1, 10 ** chance.randint(1, 17))
    return Pair(pair.re * shrink, pair.im * shrink)


def random_case(chance: random.Random) -> Case:
    steps = chance.randint(1, 12)
    roots: dict[Root, int] = {}
    degree = 0
    while degree < steps:
        root = random_root(chance)
        if roots and chance.random() < 0.3:  # again, or a neighbour
            root = chance.choice(list(roots))
            if isinstance(root, Fraction) and chance.random() < 0.5:
                root += Fraction(1, 10 ** chance.randint(3, 17))
        width = 2 if isinstance(root, Pair) else 1
        if degree + width > steps:
            root, width = Fraction(chance.choice([0, 1])), 1
        roots[root] = roots.get(root, 0) + 1
        degree += width
    alpha = [-c for c in expand(roots)[1:]]
    if chance.random() < 0.5:
        return Case([str(a) for a in alpha], alpha, roots)
    digits = chance.randint(1, 17)
    written = [rounded(a, digits) for a in alpha]
    numbers = [Fraction(text) for text in written]
    return Case(written, numbers, roots if numbers == alpha else None)


def rounded(value: Fraction, digits: int) -> str:
    with localcontext(prec=digits):
        return str(Decimal(value.numerator) / Decimal(value.denominator))


def by_sympy(alpha: list[Fraction]) -> tuple[bool, list[float]]:
    """Whether the root condition holds, and the moduli, from square-free factors and 150 digits."""
    coefficients = [sympy.Integer(1), *(sympy.Rational(-a.numerator, a.denominator) for a in alpha)]
    _, factors = sympy.Poly(coefficients, X).sqf_list()
    moduli: list[float] = []
    stable = True
    with mpmath.workdps(150):
        on_circle = mpmath.mpf(10) ** -60
        for factor, multiplicity in factors:
            exact = [mpmath.mpf(c.p) / c.q for c in factor.all_coeffs()]
            for root in roots_of(exact):
                beyond = abs(root) - 1
                stable &= beyond < -on_circle or (abs(beyond) <= on_circle and multiplicity == 1)
                moduli += [float(abs(root))] * multiplicity
    return bool(stable), sorted(moduli, reverse=True)


def roots_of(coefficients: list[mpmath.mpf]) -> list[mpmath.mpc]:
    try:
        return mpmath.polyroots(coefficients, maxsteps=200, extraprec=200)
    except mpmath.libmp.NoConvergence:
        return mpmath.polyroots(coefficients, maxsteps=5000, extraprec=4000)


def test_zero_stability_is_decided_as_sympy_decides_it() -> None:
    chance = random.Random(1)
    cases = [random_case(chance) for _ in range(SCHEMES)]
    wrong: list[Case] = []
    for start in range(0, SCHEMES, 200):
        together = cases[start : start + 200]
        listed = "".join(f"  - {{alpha: [{', '.join(c.written)}], beta: 0}}\n" for c in together)
        text = f"model: zerosnet\ndepth: 44\ndataset: digits\nzip:\n scheme:\n{listed}"
        configs: tuple[Any, ...] = spec_from_text(text, "s").configs
        by_alpha = {c.scheme.fixed.alpha: c.scheme.fixed for c in configs}
        for case in together:
            planned = by_alpha[tuple(case.alpha)]
            directly = LinearMultistepScheme.of(case.written, 0)
            stable, moduli = by_sympy(case.alpha)
            if case.roots is not None:
                assert stable is is_stable(case.roots)
            right = planned.zero_stable is directly.zero_stable is stable
            if not right or planned.root_moduli != pytest.approx(moduli, rel=1e-11, abs=1e-11):
                wrong.append(case)
    assert not wrong
    unrounded = sum(case.roots is not None for case in cases)
    assert unrounded > SCHEMES / 3
    found = sum(LinearMultistepScheme.of(case.written, 0).zero_stable for case in cases)
    assert SCHEMES / 20 < found < SCHEMES * 19 / 20


def crowd(chance: random.Random) -> dict[Root, int]:
    """Up to 32 roots, most of them neighbours of others, at distances from 1e-3 to 1e-25."""
    steps = chance.choice([8, 20, 32])
    roots: dict[Root, int] = {}
    degree = 0
    while degree < steps:
        root = random_root(chance)
        if roots and chance.random() < 0.85:
            root = chance.choice(list(roots))
            near = Fraction(
                chance.choice([1, -1]) * chance.randint(1, 9), 10 ** chance.randint(3, 25)
            )
            if isinstance(root, Pair):
                root = Pair(root.re + near * chance.randint(-3, 3), abs(root.im + near))
            else:
                root += near
        width = 2 if isinstance(root, Pair) else 1
        if degree + width > steps:
            break
        if root not in roots:
            roots[root] = 1
            degree += width
    return roots


def test_each_of_many_crowding_roots_is_found_within_the_accuracy() -> None:
    chance = random.Random(2)
    for _ in range(SCHEMES // 10):
        roots = crowd(chance)
        alpha = [-c for c in expand(roots)[1:]]
        expected = [
            (root.re, im) if isinstance(root, Pair) else (root, Fraction(0))
            for root in roots
            for im in ((root.im, -root.im) if isinstance(root, Pair) else (Fraction(0),))
        ]
        found = [
            (Fraction(z.real), Fraction(z.imag))
            for z in LinearMultistepScheme(tuple(alpha), Fraction(0)).roots
        ]
        assert len(found) == len(expected)
        far = np.array([[abs(complex(a - x, b - y)) for x, y in found] for a, b in expected])
        allowed = ROOT_ACCURACY * np.array([max(1, abs(complex(a, b))) for a, b in expected])
        beyond = far > allowed[:, None]
        pairs = linear_sum_assignment(beyond)
        assert not beyond[pairs].any(), roots
