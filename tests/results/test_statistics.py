from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from results.reports import report
from results.statistics import summarize

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
def test_a_summary_is_that_of_numpy(values):
    found = summarize(values)
    check(values, found.mean, found.std, found.min, found.max)


@given(st.floats(-1e6, 1e6), st.integers(2, 20))
def test_equal_values_have_no_spread(value, count):
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
def test_a_report_is_that_of_numpy(make, drawn):
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
