from __future__ import annotations

import math
import random

import pytest

from results.analysis.sort_keys import sort_key
from results.metrics import mean_shown, readable, shown, spread_shown, visible


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("test_accuracy", 71.404, "71.40"),
        ("gaussian[0.3]", 71.406, "71.41"),
        ("generalization_gap", -0.004, "0.00"),
        ("root_moduli", [1.8393, 0.7374], "1.84, 0.74"),
        ("alpha", [1 / 3, None], "0.333333, -"),
        ("train_seconds", 12.3456789, "12.3457"),
        ("rate", 12_345_678.94, "12345678.9"),
        ("parameters", 471_834, "471834"),
        ("zero_stable", True, "yes"),
        ("zero_stable", None, None),
        ("test_accuracy", math.nan, None),
        ("scheme", "a\nb\tc", "a b c"),
        ("config", {"a": 1}, '{"a": 1}'),
    ],
)
def test_values_are_rounded_by_what_they_are(name, value, text):
    assert shown(name, value) == text


def test_means_have_two_decimals_but_for_counts_and_config_values():
    assert mean_shown("test_accuracy", 90.005) == "90.00"
    assert mean_shown("parameters", 471_834.0) == "471834"
    assert mean_shown("depth", 38.5) == "38.50"
    assert mean_shown("training.optimizer.lr", 0.000123456) == "0.0001235"
    assert mean_shown("uniform[-0.08,0]", 61.239) == "61.24"


def test_a_spread_is_shown_where_there_is_one():
    assert spread_shown("test_accuracy", 90.0, 0.456) == "90.00 ± 0.46"
    assert spread_shown("test_accuracy", 90.0, 0.0) == "90.00 ± 0.00"
    assert spread_shown("test_accuracy", 90.0, None) == "90.00"
    assert spread_shown("parameters", 90.0, 0.0) == "90"
    assert spread_shown("test_accuracy", None, None) is None
    assert spread_shown("test_accuracy", math.inf, math.nan) is None


def test_readable_text_is_one_line_without_control_characters():
    assert readable("a\r\n b\x1b[1m\x00") == r"a b\x1b[1m\x00"
    assert readable("é 漢 🙂") == "é 漢 🙂"
    assert visible("a\n\tb\ud800\x85") == "a\n\tb\\ud800\\x85"


def test_one_order_for_all_kinds_of_values():
    values = [False, True, -1, 0.5, 10, "10", "9", [0.5], [1.0, 0.5], None]
    shuffled = random.Random(1).sample(values, len(values))
    assert sorted(shuffled, key=sort_key) == values
    assert sort_key(True) != sort_key(1)
    assert sort_key([1, [2.0]]) == sort_key([1.0, [2]])
    assert len({sort_key([1]), sort_key([1.0])}) == 1
