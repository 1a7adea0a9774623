"""Roots and their multiplicities, from polynomials made of roots that are known."""

from __future__ import annotations

import cmath
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.methods import polynomials
from trainers.methods.polynomials import root_multiplicities


def expand(roots: dict[Fraction, int], leading: Fraction = Fraction(1)) -> tuple[Fraction, ...]:
    """leading * prod (x - root)^multiplicity."""
    coefficients = [leading]
    for root, multiplicity in roots.items():
        for _ in range(multiplicity):
            shifted = [*coefficients, Fraction(0)]
            for i, c in enumerate(coefficients):
                shifted[i + 1] -= root * c
            coefficients = shifted
    return tuple(coefficients)


PRIME = Fraction(polynomials._PRIME)

# Well apart, so that the floating-point roots can be told from one another.
well_apart = st.sampled_from([Fraction(n, 4) for n in range(-10, 11)])


@given(
    roots=st.dictionaries(well_apart, st.integers(1, 4), min_size=1, max_size=5),
    leading=st.sampled_from(
        [Fraction(1), Fraction(-3), Fraction(7, 11), PRIME, 1 / PRIME]  # PRIME has no inverse there
    ),
)
def test_roots_and_multiplicities_of_a_product_are_found(
    roots: dict[Fraction, int], leading: Fraction
) -> None:
    found = root_multiplicities(expand(roots, leading))
    assert len(found) == len(roots)
    for root, multiplicity in roots.items():
        near = [m for z, m in found if abs(z - float(root)) < 1e-6]
        assert near == [multiplicity]


@given(
    st.lists(
        st.floats(allow_nan=False, allow_infinity=False).map(Fraction) | well_apart,
        min_size=1,
        max_size=5,
    ),
    well_apart,
)
def test_the_modular_test_for_simple_roots_agrees_with_factorization(
    coefficients: list[Fraction], root: Fraction
) -> None:
    polynomial = (Fraction(1), *coefficients)
    if polynomials._has_simple_roots_modulo_a_prime(polynomial):
        with pytest.MonkeyPatch.context() as without:
            without.setattr(polynomials, "_has_simple_roots_modulo_a_prime", lambda _: False)
            assert polynomials._square_free_factors(polynomial) == [polynomial]
    squared = expand({root: 2, root + 1: 1})
    assert not polynomials._has_simple_roots_modulo_a_prime(squared)


def test_coefficients_of_any_magnitude_need_no_division_of_fractions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def divides(*_: object) -> None:
        raise AssertionError("this takes minutes")

    monkeypatch.setattr(polynomials, "_greatest_common_divisor", divides)
    tiny_and_huge = [Fraction(1.7 * 10.0 ** (-300 + 19 * n)) for n in range(32)]
    assert len(root_multiplicities((Fraction(1), *tiny_and_huge))) == 32


def test_a_double_pair_of_complex_roots_has_multiplicity_2() -> None:
    # (x^2 + 1)^2
    found = dict(root_multiplicities(tuple(map(Fraction, (1, 0, 2, 0, 1)))))
    assert sorted(found.values()) == [2, 2]
    assert sorted(z.imag for z in found) == pytest.approx([-1, 1], abs=1e-12)


def test_roots_of_unity_are_simple_with_modulus_1() -> None:
    # x^7 - 1
    polynomial = (Fraction(1), *[Fraction(0)] * 6, Fraction(-1))
    found = root_multiplicities(polynomial)
    assert all(multiplicity == 1 for _, multiplicity in found)
    for k in range(7):
        expected = cmath.exp(2j * math.pi * k / 7)
        assert min(abs(z - expected) for z, _ in found) < 1e-12


def test_leading_zeros_lower_the_degree() -> None:
    assert root_multiplicities(tuple(map(Fraction, (0, 0, 1, -2)))) == ((2 + 0j, 1),)


def test_a_constant_has_no_roots_and_zero_has_no_finite_set() -> None:
    assert root_multiplicities((Fraction(5),)) == ()
    with pytest.raises(ValueError, match="zero polynomial"):
        root_multiplicities((Fraction(0), Fraction(0)))


def test_roots_of_coefficients_beyond_float_range_are_found() -> None:
    # 10^400 (x - 2)^2
    huge = Fraction(10) ** 400
    assert root_multiplicities((huge, -4 * huge, 4 * huge)) == ((2 + 0j, 2),)
