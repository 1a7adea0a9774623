"""Exact decisions about polynomials that are made of roots that are known."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from known_roots import Pair, expand, is_stable, multiply
from sweep_plugins.schemes import polynomials
from sweep_plugins.schemes.polynomials import (
    satisfies_root_condition,
    square_free_factors,
    with_whole_coefficients,
    without_root,
)

PRIME = Fraction(polynomials._PRIME)
CIRCLE = [Pair(Fraction(3, 5), Fraction(4, 5)), Pair(Fraction(-5, 13), Fraction(12, 13))]

real_roots = st.sampled_from([Fraction(n, 4) for n in range(-10, 11)])
near_one = st.integers(1, 10**17).map(lambda n: 1 + Fraction(1, n))
pairs = st.builds(
    Pair,
    st.fractions(-1, 1, max_denominator=50),
    st.fractions(Fraction(1, 50), 1, max_denominator=50),
) | st.sampled_from(CIRCLE)
all_roots = st.dictionaries(
    real_roots | near_one | near_one.map(lambda x: 1 / x) | pairs,
    st.integers(1, 3),
    min_size=1,
    max_size=4,
)


@given(
    roots=all_roots,
    leading=st.sampled_from(
        [Fraction(1), Fraction(-3), Fraction(7, 11), PRIME, 1 / PRIME]  # PRIME has no inverse there
    ),
)
def test_the_root_condition_is_decided_exactly(
    roots: dict[Fraction | Pair, int], leading: Fraction
) -> None:
    whole = with_whole_coefficients([leading * c for c in expand(roots)])
    assert satisfies_root_condition(whole) is is_stable(roots)


@given(all_roots)
def test_square_free_factors_have_the_roots_of_their_multiplicity(
    roots: dict[Fraction | Pair, int],
) -> None:
    factors = square_free_factors(with_whole_coefficients(expand(roots)))
    for multiplicity, factor in enumerate(factors, start=1):
        expected = expand({root: 1 for root, m in roots.items() if m == multiplicity})
        assert factor == with_whole_coefficients(expected)
    assert len(factors) == max(roots.values())


@given(all_roots, all_roots)
def test_the_greatest_common_divisor_is_the_same_without_the_modular_test(
    roots: dict[Fraction | Pair, int], others: dict[Fraction | Pair, int]
) -> None:
    p, q = (with_whole_coefficients(expand(r)) for r in (roots, others))
    quick = polynomials._greatest_common_divisor(p, q)
    common = {root: min(m, others[root]) for root, m in roots.items() if root in others}
    assert quick == with_whole_coefficients(expand(common))
    with pytest.MonkeyPatch.context() as without:
        without.setattr(polynomials, "_coprime_modulo_a_prime", lambda *_: False)
        assert polynomials._greatest_common_divisor(p, q) == quick


def test_coefficients_of_any_magnitude_need_no_euclid(monkeypatch: pytest.MonkeyPatch) -> None:
    def divides(*_: object) -> None:
        raise AssertionError("numbers of 60,000 digits")

    monkeypatch.setattr(polynomials, "_remainder", divides)
    tiny_and_huge = [Fraction(1.7 * 10.0 ** (-300 + 19 * n)) for n in range(32)]
    assert not satisfies_root_condition(with_whole_coefficients([Fraction(1), *tiny_and_huge]))


@pytest.mark.parametrize(
    ("roots", "stable"),
    [
        ({CIRCLE[0]: 1, CIRCLE[1]: 1, Fraction(1): 1, Fraction(-1): 1}, True),
        ({CIRCLE[0]: 2}, False),
        ({Fraction(2): 1, Fraction(1, 2): 1}, False),  # its own reciprocal, off the circle
        ({Pair(Fraction(3, 5), Fraction(4, 5) + Fraction(1, 10**30)): 1}, False),
        ({Pair(Fraction(3, 5), Fraction(4, 5) - Fraction(1, 10**30)): 3}, True),
        ({Fraction(0): 3}, True),
    ],
)
def test_known_cases_of_the_root_condition(roots: dict[Fraction | Pair, int], stable: bool) -> None:
    assert satisfies_root_condition(with_whole_coefficients(expand(roots))) is stable


def test_whole_coefficients_have_no_common_factor_and_no_leading_zero() -> None:
    halves = [Fraction(0), Fraction(-3, 2), Fraction(3), Fraction(9, 4)]
    assert with_whole_coefficients(halves) == (2, -4, -3)
    with pytest.raises(ValueError, match="zero polynomial"):
        with_whole_coefficients([Fraction(0), Fraction(0)])


def test_a_root_is_divided_out_as_often_as_it_goes() -> None:
    twice = with_whole_coefficients(multiply(expand({Fraction(1): 2}), expand({Fraction(1, 3): 1})))
    assert without_root(twice, 1) == ((3, -1), 2)
    assert without_root(twice, 0) == (twice, 0)
