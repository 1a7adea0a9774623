from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from reference_report import report
from results.analysis.statistics import holm, mean_interval, summarize

SAMPLES = st.lists(st.none() | st.floats(-1e6, 1e6), max_size=30)


def check(values, mean, std, low, high):
    """Compares with numpy, the nulls left out."""
    sample = np.array([value for value in values if value is not None])
    if len(sample) == 0:
        assert (mean, std, low, high) == (None,) * 4
        return
    scale = float(np.abs(sample).max())
    assert math.isclose(mean, sample.mean(), rel_tol=1e-9, abs_tol=1e-9 * scale)
    assert (low, high) == (sample.min(), sample.max())
    if len(sample) == 1:
        assert std is None
    else:
        assert math.isclose(std, sample.std(ddof=1), rel_tol=1e-6, abs_tol=1e-9 * scale)


@given(SAMPLES)
def test_a_summary_matches_numpy(values):
    found = summarize(values)
    check(values, found.mean, found.std, found.min, found.max)


@given(st.floats(-1e6, 1e6), st.integers(2, 20))
def test_equal_values_have_standard_deviation_zero(value, count):
    found = summarize([value] * count)
    assert (found.mean, found.std) == (value, 0.0)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([False, True, None]),
            st.sampled_from([20, 32, 110]),
            st.none() | st.floats(0, 100),
            st.none() | st.floats(0, 100),
            st.sampled_from(["done", "done", "done", "queued", "failed"]),
        ),
        max_size=30,
    )
)
def test_report_statistics_match_numpy(make, drawn):
    rows = [
        make.row(
            number,
            zero_stable=stable,
            depth=depth,
            test_accuracy=accuracy,
            state=state,
            evaluations=[{"name": "n[1]", "kind": "n", "level": 1.0, "accuracy": noisy}],
        )
        for number, (stable, depth, accuracy, noisy, state) in enumerate(drawn)
    ]
    found = report(rows, ["zero_stable", "depth"], ["test_accuracy"])
    done = [row for row in drawn if row[4] == "done"]
    keys = {row[:2] for row in done}
    order = {False: 0, True: 1, None: 2}
    assert [(g["zero_stable"], g["depth"]) for g in found.groups] == sorted(
        keys, key=lambda key: (order[key[0]], key[1])
    )
    assert (found.runs, found.unfinished) == (len(done), len(drawn) - len(done))
    with_noise = report(rows, ["zero_stable", "depth"])
    for group, noisy_group in zip(found.groups, with_noise.groups, strict=True):
        members = [row for row in done if row[:2] == (group["zero_stable"], group["depth"])]
        assert group["runs"] == len(members)
        for entry, name, index in ((group, "test_accuracy", 2), (noisy_group, "n[1]", 3)):
            check(
                [row[index] for row in members],
                *(entry[f"{name}_{s}"] for s in ("mean", "std", "min", "max")),
            )


def test_importing_statistics_loads_neither_numpy_nor_scipy():
    code = "import sys, results.analysis.statistics; print({'numpy', 'scipy'} & sys.modules.keys())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_the_confidence_interval_of_1_2_3_matches_the_t_table():
    # std 1, and t(0.975; 2) = 4.30265 as in any table.
    assert mean_interval([1, None, 2, 3]) == pytest.approx(
        (2 - 4.302653 / math.sqrt(3), 2 + 4.302653 / math.sqrt(3)), rel=1e-6
    )


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30).filter(lambda x: np.ptp(x) > 1e-3))
def test_the_confidence_interval_matches_scipy(values):
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert mean_interval(values) == pytest.approx((expected.low, expected.high), rel=1e-6, abs=1e-6)


def test_a_confidence_interval_needs_two_values():
    assert mean_interval([]) is None
    assert mean_interval([90.0, None]) is None


@given(st.floats(-1e6, 1e6), st.integers(2, 20))
def test_the_confidence_interval_of_equal_values_has_zero_width(value, count):
    assert mean_interval([value] * count) == (value, value)


def test_holm_multiplies_by_the_number_of_hypotheses_left_and_never_descends():
    assert holm([0.01, 0.04, None, 0.03, 0.005]) == pytest.approx([0.03, 0.06, None, 0.06, 0.02])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]
    assert holm([None, None]) == [None, None]


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_keeps_the_order_and_lies_between_p_and_bonferroni(p_values):
    adjusted = holm(p_values)
    for p, q in zip(p_values, adjusted, strict=True):
        assert p <= q <= min(1, p * len(p_values))
    by_p = sorted(zip(p_values, adjusted, strict=True))
    assert [q for _, q in by_p] == sorted(q for q in adjusted if q is not None)
