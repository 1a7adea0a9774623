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


def test_spearman_by_hand():
    # 1 - 6 * 2 / (4 * 15); of 24 pairings one has rho 1, three have 0.8.
    found = spearman([1, 2, 3, 4], [1, 2, 4, 3])
    assert (found.rho, found.n) == (pytest.approx(0.8), 4)
    assert found.p == pytest.approx(2 * 4 / 24)


@pytest.mark.parametrize("n", [3, 5, 8, 10, 12])
def test_a_perfect_order_has_the_least_p_that_its_pairings_allow(n):
    values = list(range(n))
    assert spearman(values, values).rho == pytest.approx(1)
    assert spearman(values, values).p == pytest.approx(2 / math.factorial(n), rel=1e-6)
    assert spearman(values, values[::-1]).rho == pytest.approx(-1)


@settings(max_examples=50, deadline=None)  # up to 8! pairings each
@given(PAIRS)
def test_spearman_is_that_of_scipy(pairs):
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
def test_kendall_is_that_of_scipy(pairs):
    x, y = [a for a, _ in pairs], [b for _, b in pairs]
    found = kendall_tau(x, y)
    if len(set(x)) < 2 or len(set(y)) < 2:
        assert found is None
    else:
        expected = stats.kendalltau(x, y)
        assert found == pytest.approx((expected.statistic, expected.pvalue))


def test_kendall_by_hand():
    assert kendall_tau([1, 2, 3], [10, 30, 20]).tau == pytest.approx(1 / 3)
    assert kendall_tau([1, 2], [5, 4]).tau == -1


@settings(max_examples=50, deadline=None)
@given(PAIRS)
def test_only_the_order_counts_and_turning_one_side_turns_the_sign(pairs):
    x, y = [a for a, _ in pairs], [b for _, b in pairs]
    for correlate in (spearman, kendall_tau):
        assert correlate([math.exp(value) for value in x], y) == correlate(x, y)
    if spearman(x, y) is not None:
        turned = spearman(x, [-value for value in y])
        assert turned.rho == pytest.approx(-spearman(x, y).rho)
        assert turned.p == pytest.approx(spearman(x, y).p)


def test_values_that_differ_by_rounding_are_ties():
    moduli = [1.0, 1 + 1e-15, 1 - 1e-15, 2.0]
    assert spearman(moduli, [1, 2, 3, 4]) == spearman([1, 1, 1, 2], [1, 2, 3, 4])
    assert spearman(moduli[:3], [1, 2, 3]) is None
    assert kendall_tau(moduli[:3], [1, 2, 3]) is None


def test_infinite_values_are_the_last_ranks():
    assert spearman([1, 2, 3, 4], [-math.inf, 5, 6, math.inf]).rho == pytest.approx(1)
    assert kendall_tau([1, 2, 3], [-math.inf, 5, -math.inf]) == kendall_tau([1, 2, 3], [0, 5, 0])


def test_plain_floats_come_back():
    found = spearman(np.arange(4.0), np.array([1.0, 3, 2, 4]))
    assert {type(found.rho), type(found.p)} == {float}
