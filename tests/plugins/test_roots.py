"""Roots and their multiplicities, from polynomials made of roots that are known."""

from __future__ import annotations

import cmath
import math
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from known_roots import Pair, Root, expand
from sweep_plugins.schemes.crowded_roots import RootsNotFoundError
from sweep_plugins.schemes.exact_numbers import exact
from sweep_plugins.schemes.polynomials import with_whole_coefficients
from sweep_plugins.schemes.roots import ROOT_ACCURACY, root_multiplicities


def found_of(*coefficients: int | Fraction) -> tuple[tuple[complex, int], ...]:
    return root_multiplicities(with_whole_coefficients([Fraction(c) for c in coefficients]))


THOUSANDTHS: dict[Root, int] = {Fraction(n, 1000): 1 for n in range(994, 1000)}
CLOSE: dict[Root, int] = {1 + Fraction(n, 10**16): 1 for n in range(1, 6)}


@given(
    st.dictionaries(
        st.fractions(-3, 3, max_denominator=1000)
        | st.builds(
            Pair,
            st.fractions(-2, 2, max_denominator=100),
            st.fractions(Fraction(1, 100), 2, max_denominator=100),
        ),
        st.integers(1, 4),
        min_size=1,
        max_size=5,
    )
)
@example(THOUSANDTHS)
@example(CLOSE)
@example({Fraction(1, 10**200): 1, Fraction(1, 2): 1, Fraction(2, 10**200): 1})
def test_roots_and_multiplicities_of_a_product_are_found(roots: dict[Root, int]) -> None:
    expected = [
        (value, multiplicity)
        for root, multiplicity in roots.items()
        for value in (
            [complex(root.re, root.im), complex(root.re, -root.im)]
            if isinstance(root, Pair)
            else [complex(root)]
        )
    ]
    rest = list(root_multiplicities(with_whole_coefficients(expand(roots))))
    assert len(rest) == len(expected)
    for value, multiplicity in expected:
        nearest = min(
            (r for r in rest if r[1] == multiplicity), key=lambda found: abs(found[0] - value)
        )
        assert abs(nearest[0] - value) <= 2 * ROOT_ACCURACY * max(1, abs(value))
        rest.remove(nearest)


def spaced(count: int, step: Fraction, *places: Fraction) -> dict[Root, int]:
    return {place + k * step: 1 for place in places for k in range(count // len(places))}


THIRD, HALF = Fraction(1, 3), Fraction(1, 2)
ON_CIRCLE = Pair(Fraction(3, 5), Fraction(4, 5))


@pytest.mark.parametrize(
    "roots",
    [
        spaced(32, Fraction(1, 10**60), THIRD),
        spaced(32, Fraction(1, 10**60), THIRD, HALF),
        spaced(32, Fraction(1, 10**13), THIRD),
        spaced(32, Fraction(1, 10**9), THIRD, HALF),
        spaced(12, Fraction(1, 10**17), Fraction(9, 10)),
        {
            Pair(ON_CIRCLE.re * (1 + shift), ON_CIRCLE.im * (1 + shift)): 1
            for shift in spaced(16, Fraction(1, 10**14), Fraction(0))
            if isinstance(shift, Fraction)
        },
        {1 + Fraction(1, 10**k): 1 for k in range(1, 33)},
        {Fraction(10**300): 1, **spaced(20, Fraction(1, 10**13), Fraction(1))},
    ],
    ids=[
        "one-tight", "two-tight", "one-at-the-accuracy", "two-wide", "as-floats-are",
        "on-the-circle", "at-every-scale", "far-from-another",
    ],
)  # fmt: skip
def test_roots_that_crowd_are_found_without_being_told_apart(roots: dict[Root, int]) -> None:
    found = [root for root, _ in root_multiplicities(with_whole_coefficients(expand(roots)))]
    in_order(found, roots)


def in_order(found: list[complex], roots: dict[Root, int]) -> None:
    """Each is near one of its own: of points on a ray, the k-th smallest is near the k-th."""
    rays: dict[bool, list[complex]] = {True: [], False: []}
    for root in roots:
        if isinstance(root, Pair):
            rays[False].append(complex(root.re, -root.im))
            rays[True].append(complex(root.re, root.im))
        else:
            rays[True].append(complex(root))
    assert len(found) == sum(map(len, rays.values()))
    for upper, expected in rays.items():
        there = [z for z in found if (z.imag > 0 or not rays[False]) is upper]
        for z, value in zip(sorted(there, key=abs), sorted(expected, key=abs), strict=True):
            assert abs(z - value) <= 2 * ROOT_ACCURACY * max(1, abs(value))


def test_coefficients_of_any_magnitude_have_roots() -> None:
    tiny_and_huge = [Fraction(1.7 * 10.0 ** (-300 + 19 * n)) for n in range(32)]
    assert len(found_of(1, *tiny_and_huge)) == 32
    moduli = sorted(abs(z) for z, _ in found_of(1, *[Fraction(10**300)] * 32))
    assert moduli[-1] == pytest.approx(1e300)
    assert moduli[:-1] == pytest.approx([1] * 31)
    beyond_floats = expand({Fraction(k * 10**12): 1 for k in range(1, 33)})[1:]
    assert max(beyond_floats) > 1e308
    found = sorted(abs(z) for z, _ in found_of(1, *beyond_floats))
    assert found == pytest.approx([k * 1e12 for k in range(1, 33)], rel=1e-12)


@pytest.mark.parametrize(
    ("alpha", "moduli"),
    [
        # -1.8 +- 1e-8 i, where floats see two real roots
        (["-3.6", "-3.2400000000000001"], [1.8, 1.8]),
        (["-2.6", "-1.690000000000000049"], [1.3, 1.3]),
        (["1e62"] * 3, [1e62, 1, 1]),
        (["1e32", "3", "1e32", "1"], [1e32, 1, 1, 1e-32]),
        (
            ["0", "1e156", "1e156", "-1e156", "1e156", "-2"],
            [1e78, 1e78, 1.8392867552141612, 0.7373527057603277, 0.7373527057603277, 2e-156],
        ),
    ],
)
def test_pairs_near_the_real_line_and_roots_of_any_size_are_found(alpha, moduli) -> None:
    found = found_of(1, *(-exact(a) for a in alpha))
    assert sorted((abs(z) for z, _ in found), reverse=True) == pytest.approx(moduli, abs=1e-7)


@pytest.mark.parametrize(
    "alpha",
    [
        ["1.7976931348623157e308", "-1e154", "5e-324", "-1.7e308", "0.5", "2"],
        ["1.5e308", "-1e154", "5e-324"],
    ],
)
def test_roots_that_floats_do_not_hold_are_one_error(alpha) -> None:
    with pytest.raises(RootsNotFoundError, match="the roots of a polynomial of degree"):
        found_of(1, *(-exact(a) for a in alpha))


def test_a_double_pair_of_complex_roots_has_multiplicity_2() -> None:
    # (x^2 + 1)^2
    found = dict(found_of(1, 0, 2, 0, 1))
    assert sorted(found.values()) == [2, 2]
    assert sorted(z.imag for z in found) == pytest.approx([-1, 1], abs=1e-12)


def test_roots_of_unity_are_simple_with_modulus_1() -> None:
    # x^7 - 1
    found = found_of(1, *[0] * 6, -1)
    assert all(multiplicity == 1 for _, multiplicity in found)
    for k in range(7):
        expected = cmath.exp(2j * math.pi * k / 7)
        assert min(abs(z - expected) for z, _ in found) < 1e-12


def test_leading_zeros_lower_the_degree_and_a_constant_has_no_roots() -> None:
    assert found_of(0, 0, 1, -2) == ((2 + 0j, 1),)
    assert found_of(5) == ()


def test_roots_of_coefficients_beyond_float_range_are_found() -> None:
    # 10^400 (x - 2)^2
    huge = 10**400
    assert found_of(huge, -4 * huge, 4 * huge) == ((2 + 0j, 2),)
