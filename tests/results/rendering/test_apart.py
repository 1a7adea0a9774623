from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from results.analysis.sort_keys import sort_key
from results.metrics import metric_of_config, shown
from results.rendering.apart import shown_apart
from results.run_columns import COLUMN

MODULI = COLUMN["root_moduli"]
CODE = metric_of_config("source")


@pytest.mark.parametrize(
    ("values", "metric", "texts"),
    [
        ([0.3, 0.05, None], None, ["0.3", "0.05", None]),
        ([0.3, 0.1 + 0.2, 0.05], None, ["0.3", "0.30000000000000004", "0.05"]),
        ([1.0000001, 1.0, 1.0], None, ["1.0000001", "1", "1"]),
        ([[1.0, 1 / 3], [1.0, 0.331], [2.0]], MODULI, ["1.000, 0.333", "1.000, 0.331", "2.00"]),
        ([1e300, 1e-300, 0.0], MODULI.__class__("m", "number", "plan", decimals=2),
         ["1e+300", "1e-300", "0"]),
        ([True, "yes", 1, "1", None, "-"], None, ["true", '"yes"', "1", '"1"', None, '"-"']),
        (["ab" * 32, "cd" * 32, None], CODE, ["ab" * 6, "cd" * 6, None]),
        (["ab" * 31 + "cd", "ab" * 32, "ef" * 32], CODE, ["ab" * 31 + "c", "ab" * 31 + "a",
         "ef" * 6]),
        (["a  b", "a b"], None, ['"a  b"', '"a b"']),
    ],
)  # fmt: skip
def test_keys_have_more_digits_only_where_two_would_look_alike(values, metric, texts):
    assert shown_apart(values, metric) == texts


numbers = st.sampled_from([0.3, 0.1 + 0.2, 1.0, 1.0000001, 1e6, 1e6 + 0.01]) | st.floats(0, 2)
keys = st.none() | st.booleans() | numbers | st.sampled_from(["yes", "1", "", "\0", "-"])


@settings(max_examples=60)
@given(st.lists(keys | st.lists(numbers, max_size=2)), st.sampled_from([None, MODULI]))
def test_different_keys_never_have_the_same_text(values, metric):
    found = ["-" if text is None else text for text in shown_apart(values, metric)]
    for value, text in zip(values, found, strict=True):
        for other, other_text in zip(values, found, strict=True):
            assert (text == other_text) == (sort_key(value) == sort_key(other))
    if len(values) == 1:
        assert shown_apart(values, metric) == [shown(values[0], metric)]
