from __future__ import annotations

import dataclasses
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from results.analysis.two_samples import (
    area_under_curve,
    hedges_g,
    least_mann_whitney_p,
    mann_whitney_test,
    values_needed,
    welch_test,
)

# Eighths, so that sums, shifts and doublings are exact and ties stay ties.
EIGHTHS = st.integers(0, 800).map(lambda n: n / 8)
SAMPLE = st.lists(EIGHTHS, min_size=1, max_size=12)
FEW = st.lists(st.integers(0, 3).map(float), min_size=2, max_size=5)
ANY = st.lists(st.floats(-1e9, 1e9), max_size=12)
RANKED = st.lists(st.floats(-1e9, 1e9) | st.just(-math.inf), max_size=12)

ONE, TWO = [1.0, 2.0, 3.0], [2.0, 4.0, 6.0]


def numbers(found):
    """All numbers in a result, at any depth."""
    if found is None or isinstance(found, str):
        return []
    if dataclasses.is_dataclass(found):
        found = [getattr(found, field.name) for field in dataclasses.fields(found)]
    if isinstance(found, list | tuple):
        return [number for item in found for number in numbers(item)]
    return [found]


def test_welch_test_matches_a_hand_computation():
    # Squared standard errors 1/3 and 4/3; df = (5/3)^2 / ((1/3)^2 / 2 + (4/3)^2 / 2) = 50/17.
    found = welch_test(ONE, TWO)
    assert found.difference == 2
    assert found.t == pytest.approx(2 / math.sqrt(5 / 3))
    assert found.df == pytest.approx(50 / 17)


def test_welch_test_survives_a_spread_whose_square_underflows():
    assert welch_test([1e-200, 2e-200], [3e-200, 5e-200]) is None
    # The variance is more than 0 here, and its square is not.
    assert welch_test([0.0, 2.6e-81, 5.2e-81], [0.0, 0.0, 0.0]) is None


@given(SAMPLE, SAMPLE)
def test_welch_test_matches_scipy(first, second):
    found = welch_test(first, second)
    if min(len(first), len(second)) < 2 or np.ptp(first) == np.ptp(second) == 0:
        assert found is None
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scipy's, of equal values in one sample
        expected = stats.ttest_ind(second, first, equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert found.t == pytest.approx(expected.statistic, rel=1e-6, abs=1e-9)
    assert found.df == pytest.approx(expected.df, rel=1e-6)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)
    assert found.interval == pytest.approx((interval.low, interval.high), rel=1e-6, abs=1e-6)


def test_hedges_g_matches_a_hand_computation():
    # Pooled variance 5/2, J(4) = Gamma(2) / (sqrt(2) Gamma(3/2)) = sqrt(2 / pi).
    found = hedges_g(ONE, TWO)
    g = 2 / math.sqrt(2.5) * math.sqrt(2 / math.pi)
    assert found.g == pytest.approx(g)
    margin = 1.959964 * math.sqrt(6 / 9 + g**2 / 12)
    assert found.interval == pytest.approx((g - margin, g + margin), rel=1e-6)


def test_mann_whitney_matches_a_hand_computation():
    # 2 of the C(6, 3) = 20 divisions do not overlap.
    found = mann_whitney_test([1, 2, 3], [4, 5, 6])
    assert (found.u, found.p, found.method) == (9, pytest.approx(0.1), "exact")
    # Ranks 2, 2, 2, 4: half of the divisions give the second sample the 4.
    tied = mann_whitney_test([1, 1], [1, 2])
    assert (tied.u, tied.p) == (3, 1)
    assert mann_whitney_test([5], [5]).p == 1


@settings(deadline=None)
@given(st.permutations(range(14)), st.integers(1, 13))
def test_mann_whitney_without_ties_matches_scipys_exact_test(values, count):
    found = mann_whitney_test(values[:count], values[count:])
    expected = stats.mannwhitneyu(values[count:], values[:count], method="exact")
    assert found.u == expected.statistic
    assert found.p == pytest.approx(expected.pvalue)


@settings(deadline=None)
@given(FEW, FEW)
def test_mann_whitney_with_ties_matches_enumeration_of_permutations(first, second):
    everything = stats.PermutationMethod(n_resamples=math.comb(10, 5))
    expected = stats.mannwhitneyu(second, first, method=everything)
    assert mann_whitney_test(first, second).p == pytest.approx(expected.pvalue)


def test_mann_whitney_of_large_samples_matches_scipys_asymptotic_test():
    generator = np.random.default_rng(0)
    first, second = generator.integers(0, 30, 60).tolist(), generator.integers(3, 33, 50).tolist()
    found = mann_whitney_test(first, second)
    expected = stats.mannwhitneyu(second, first, method="asymptotic")
    assert found.method == "asymptotic"
    assert (found.u, found.p) == (expected.statistic, pytest.approx(expected.pvalue))
    assert mann_whitney_test([1.0] * 60, [1.0] * 60).p == 1


def test_exact_and_asymptotic_mann_whitney_agree_at_the_switch():
    first, second = list(range(50)), [n + 9.5 for n in range(50)]
    exact = mann_whitney_test(first, second)
    approximate = stats.mannwhitneyu(second, first, method="asymptotic")
    assert exact.method == "exact"
    assert exact.p == pytest.approx(approximate.pvalue, rel=0.1)


@pytest.mark.parametrize(("n_1", "n_2"), [(1, 1), (1, 9), (2, 2), (3, 3), (4, 6), (20, 30)])
def test_the_smallest_mann_whitney_p_is_that_of_separated_samples(n_1, n_2):
    apart = mann_whitney_test(list(range(n_1)), list(range(100, 100 + n_2)))
    assert least_mann_whitney_p(n_1, n_2) == pytest.approx(apart.p)


def test_mann_whitney_of_3_and_3_values_cannot_be_significant():
    assert least_mann_whitney_p(3, 3) == pytest.approx(0.1)
    assert least_mann_whitney_p(4, 6) == pytest.approx(2 / 210)


def test_auc_matches_a_hand_computation():
    # Of 6 pairs, 4 are won and one is tied.
    assert area_under_curve([1, 2, 4], [3, 4]).value == pytest.approx(4.5 / 6)


@given(SAMPLE, SAMPLE)
def test_auc_is_the_fraction_of_pairs_won(first, second):
    won = sum((b > a) + (b == a) / 2 for a in first for b in second)
    assert area_under_curve(first, second).value == pytest.approx(
        won / (len(first) * len(second)), abs=1e-12
    )


@given(SAMPLE, SAMPLE)
def test_auc_interval_ends_lie_1_96_newcombe_standard_errors_away(first, second):
    found = area_under_curve(first, second)
    n_1, n_2 = len(first), len(second)
    assert 0 <= found.interval.low <= found.value <= found.interval.high <= 1
    for end in found.interval:
        if 0 < end < 1:
            # Hanley and McNeil's own form, with both sizes replaced by their mean.
            q_1, q_2 = end / (2 - end), 2 * end**2 / (1 + end)
            rest = (n_1 + n_2) / 2 - 1
            variance = end * (1 - end) + rest * (q_1 - end**2) + rest * (q_2 - end**2)
            error = math.sqrt(variance / (n_1 * n_2))
            assert abs(end - found.value) == pytest.approx(1.959964 * error, rel=1e-4, abs=1e-9)


def test_auc_of_one_pair_has_wilsons_interval_of_one_trial():
    # Wilson's, n = 1: from 1 / (1 + z^2).
    assert area_under_curve([1], [2]).interval == pytest.approx((1 / (1 + 1.959964**2), 1))


def test_auc_of_separated_samples_keeps_a_wide_interval():
    low, high = area_under_curve([1, 2, 3, 4], [5, 6, 7, 8, 9, 10]).interval
    assert 0.5 < low < 0.7
    assert high == 1


@pytest.mark.parametrize("shift", [0.0, 1.0, 3.0])
def test_auc_intervals_cover_the_truth_in_95_percent_of_samples(shift):
    generator = np.random.default_rng(7)
    truth = float(stats.norm.cdf(shift / math.sqrt(2)))
    held = np.zeros(3)
    for _ in range(600):
        first, second = generator.normal(size=4).tolist(), generator.normal(shift, size=6).tolist()
        for index, (value, interval) in enumerate(
            [
                (truth, area_under_curve(first, second).interval),
                (shift, hedges_g(first, second).interval),
                (shift, welch_test(first, second).interval),
            ]
        ):
            held[index] += interval.low <= value <= interval.high
    assert np.all(held / 600 > 0.92)


@pytest.mark.parametrize(("effect", "count"), [(1.0, 17), (0.5, 64), (0.2, 394)])
def test_sample_size_needed_matches_cohens_table(effect, count):
    # Two-sided 5 %, power 80 % (Cohen, Statistical Power Analysis, 1988, table 2.4.1: 17, 64, 393).
    assert values_needed([-1, 0, 1], [effect - 1, effect, effect + 1]) == count


def test_sample_size_needed_is_none_without_a_difference_or_spread():
    assert values_needed(ONE, ONE) is None
    assert values_needed([1, 1], [2, 2]) is None
    assert values_needed([1], [2, 3]) is None


@pytest.mark.parametrize("test", [welch_test, hedges_g, values_needed])
@pytest.mark.parametrize(
    ("first", "second"),
    [([], [1, 2]), ([1], [1, 2]), ([1, 1], [2, 2]), ([3, 3], [3, 3]), ([0.1 + 0.2, 0.3], [5, 5])],
)
def test_welch_and_hedges_g_are_none_without_spread(test, first, second):
    assert test(first, second) is None


def test_welch_and_hedges_g_need_spread_in_one_sample_only():
    assert welch_test([90, 90, 90], [91, 92, 93]).df == pytest.approx(2)
    assert hedges_g([90, 90, 90], [91, 92, 93]) is not None


def test_rank_tests_of_an_empty_sample_are_none():
    for test in (mann_whitney_test, area_under_curve):
        assert test([], [1]) is None
        assert test([1], []) is None


@given(SAMPLE, SAMPLE)
def test_swapping_the_samples_flips_signs_and_keeps_p_values(first, second):
    ahead, back = welch_test(first, second), welch_test(second, first)
    if ahead is not None:
        assert (back.t, back.difference) == pytest.approx((-ahead.t, -ahead.difference))
        assert back.interval == pytest.approx((-ahead.interval.high, -ahead.interval.low))
        assert (back.p, back.df) == pytest.approx((ahead.p, ahead.df))
        effect = hedges_g(first, second)
        assert hedges_g(second, first).g == pytest.approx(-effect.g)
    assert values_needed(second, first) == values_needed(first, second)
    ranked, turned = mann_whitney_test(first, second), mann_whitney_test(second, first)
    assert turned.u == len(first) * len(second) - ranked.u
    assert turned.p == pytest.approx(ranked.p)
    area, complement = area_under_curve(first, second), area_under_curve(second, first)
    assert complement.value == pytest.approx(1 - area.value, abs=1e-12)
    low, high = area.interval
    assert complement.interval == pytest.approx((1 - high, 1 - low), abs=1e-9)


@given(SAMPLE, SAMPLE, EIGHTHS, st.sampled_from([0.5, 1, 4]))
@pytest.mark.slow
def test_shifting_and_scaling_all_values_changes_no_p_and_no_effect_size(
    first, second, shift, scale
):
    moved_1, moved_2 = ([scale * value + shift for value in sample] for sample in (first, second))
    before, after = welch_test(first, second), welch_test(moved_1, moved_2)
    if before is None:
        assert after is None
    else:
        assert (after.t, after.df) == pytest.approx((before.t, before.df), rel=1e-6, abs=1e-9)
        assert after.p == pytest.approx(before.p, rel=1e-5)
        assert after.difference == pytest.approx(scale * before.difference, abs=1e-9)
        assert hedges_g(moved_1, moved_2).g == pytest.approx(
            hedges_g(first, second).g, rel=1e-6, abs=1e-9
        )
    assert mann_whitney_test(moved_1, moved_2) == mann_whitney_test(first, second)
    assert area_under_curve(moved_1, moved_2) == area_under_curve(first, second)


@settings(deadline=None)
@given(ANY, ANY, RANKED, RANKED)
def test_two_sample_statistics_are_always_finite(first, second, ranked_1, ranked_2):
    found: list[object] = [test(first, second) for test in (welch_test, hedges_g, values_needed)]
    found += [test(ranked_1, ranked_2) for test in (mann_whitney_test, area_under_curve)]
    assert all(math.isfinite(number) for number in numbers(found))
