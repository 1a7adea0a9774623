from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from results.analysis.rank_correlation import kendall_tau, spearman

VALUES = st.integers(0, 20).map(float)
PAIRS = st.lists(st.tuples(VALUES, VALUES), max_size=12)


def test_spearman_rho_and_p_match_a_hand_computation():
    # 1 - 6 * 2 / (4 * 15); of 24 pairings one has rho 1, three have 0.8.
    found = spearman([1, 2, 3, 4], [1, 2, 4, 3])
    assert (found.rho, found.n) == (pytest.approx(0.8), 4)
    assert found.p == pytest.approx(2 * 4 / 24)


@pytest.mark.parametrize("n", [3, 5, 8, 10, 12])
def test_a_perfect_rank_order_has_the_smallest_possible_p(n):
    values = list(range(n))
    assert spearman(values, values).rho == pytest.approx(1)
    assert spearman(values, values).p == pytest.approx(2 / math.factorial(n), rel=1e-6)
    assert spearman(values, values[::-1]).rho == pytest.approx(-1)


@settings(max_examples=50, deadline=None)  # up to 8! pairings each
@given(PAIRS)
def test_spearman_matches_scipy(pairs):
    x, y = [a for a, _ in pairs], [b for _, b in pairs]
    found = spearman(x, y)
    if len(pairs) < 3 or len(set(x)) == 1 or len(set(y)) == 1:
        assert found is None
        return
    expected = stats.spearmanr(x, y)
    assert found.rho == pytest.approx(expected.statistic)
    assert 0 < found.p <= 1
    if len(pairs) > 8:
        assert found.p == pytest.approx(max(expected.pvalue, 2 / math.factorial(len(pairs))))


@given(PAIRS)
def test_kendall_tau_matches_scipy(pairs):
    x, y = [a for a, _ in pairs], [b for _, b in pairs]
    found = kendall_tau(x, y)
    if len(set(x)) < 2 or len(set(y)) < 2:
        assert found is None
    else:
        expected = stats.kendalltau(x, y)
        assert found == pytest.approx((expected.statistic, expected.pvalue))


def test_kendall_tau_matches_a_hand_computation():
    assert kendall_tau([1, 2, 3], [10, 30, 20]).tau == pytest.approx(1 / 3)
    assert kendall_tau([1, 2], [5, 4]).tau == -1


@settings(max_examples=50, deadline=None)
@given(PAIRS)
def test_rank_correlation_is_monotone_invariant_and_flips_sign_when_negated(pairs):
    x, y = [a for a, _ in pairs], [b for _, b in pairs]
    for correlate in (spearman, kendall_tau):
        assert correlate([math.exp(value) for value in x], y) == correlate(x, y)
    if spearman(x, y) is not None:
        turned = spearman(x, [-value for value in y])
        assert turned.rho == pytest.approx(-spearman(x, y).rho)
        assert turned.p == pytest.approx(spearman(x, y).p)


def test_values_equal_up_to_rounding_are_ranked_as_ties():
    moduli = [1.0, 1 + 1e-15, 1 - 1e-15, 2.0]
    assert spearman(moduli, [1, 2, 3, 4]) == spearman([1, 1, 1, 2], [1, 2, 3, 4])
    assert spearman(moduli[:3], [1, 2, 3]) is None
    assert kendall_tau(moduli[:3], [1, 2, 3]) is None


def test_infinite_values_get_the_extreme_ranks():
    assert spearman([1, 2, 3, 4], [-math.inf, 5, 6, math.inf]).rho == pytest.approx(1)
    assert kendall_tau([1, 2, 3], [-math.inf, 5, -math.inf]) == kendall_tau([1, 2, 3], [0, 5, 0])


def test_rank_correlations_are_python_floats():
    found = spearman(np.arange(4.0), np.array([1.0, 3, 2, 4]))
    assert {type(found.rho), type(found.p)} == {float}
