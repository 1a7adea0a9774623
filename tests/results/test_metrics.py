from __future__ import annotations

import math
import random

import pytest

from results.analysis.sort_keys import sort_key
from results.metrics import (
    Metric,
    mean_shown,
    metric_of_config,
    metric_of_evaluation,
    metric_of_trainer,
    shown,
    spread_shown,
    written,
)
from results.run_columns import COLUMN
from sweep_plugins.plain_text import readable, visible

LR = metric_of_config("training.optimizer.lr")
UNIFORM = metric_of_evaluation("uniform[-0.08,0]")


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        (COLUMN["test_accuracy"], 71.404, "71.40"),
        (UNIFORM, 71.406, "71.41"),
        (metric_of_evaluation("blur"), 71.406, "71.41"),
        (metric_of_config("trainer.accuracy[0]"), 71.406, "71.406"),
        (COLUMN["generalization_gap"], -0.004, "0.00"),
        (COLUMN["root_moduli"], [1.8393, 0.7374], "1.84, 0.74"),
        (COLUMN["alpha"], [1 / 3, None], "0.333333, -"),
        (COLUMN["train_seconds"], 12.3456789, "12.3457"),
        (None, 12_345_678.94, "12345678.9"),
        (COLUMN["parameters"], 471_834, "471834"),
        (COLUMN["zero_stable"], True, "yes"),
        (COLUMN["zero_stable"], None, None),
        (COLUMN["test_accuracy"], math.nan, None),
        (COLUMN["scheme"], "a\nb\tc", "a b c"),
        (None, {"a": 1}, '{"a": 1}'),
        (Metric("perplexity", decimals=3), 12.34567, "12.346"),
    ],
)
def test_values_are_rounded_by_their_metric(metric, value, text):
    assert shown(value, metric) == text


def test_means_have_two_decimals_except_counts_and_config_values():
    assert mean_shown(90.005, COLUMN["test_accuracy"]) == "90.00"
    assert mean_shown(471_834.0, COLUMN["parameters"]) == "471834"
    assert mean_shown(38.5, COLUMN["depth"]) == "38.50"
    assert mean_shown(0.000123456, LR) == "0.0001235"
    assert mean_shown(61.239, UNIFORM) == "61.24"
    assert mean_shown(12.34567, Metric("perplexity", mean_decimals=3)) == "12.346"


def test_a_standard_deviation_is_shown_if_there_is_one():
    accuracy, parameters = COLUMN["test_accuracy"], COLUMN["parameters"]
    assert spread_shown(90.0, 0.456, accuracy) == "90.00 ± 0.46"
    assert spread_shown(90.0, 0.0, accuracy) == "90.00 ± 0.00"
    assert spread_shown(90.0, None, accuracy) == "90.00"
    assert spread_shown(90.0, 0.0, parameters) == "90"
    assert spread_shown(None, None, accuracy) is None
    assert spread_shown(math.inf, math.nan, accuracy) is None


@pytest.mark.parametrize(
    ("mean", "std", "text"),
    [
        (85.2612, 0.97589, "85.26 ± 0.98"),
        (7_433_892.4, 31_556.7, "7433892 ± 31557"),
        (0.000123456, 0.0000123, "0.0001235 ± 0.0000123"),
        (0.1, 0.0, "0.1 ± 0"),
        (0.0, 0.123456, "0 ± 0.1235"),
        (85.0, 0.0001, "85 ± 0.0001"),
        (1.5e-9, 2e-10, "1.5e-09 ± 2e-10"),
        (1e300, 1e299, "1e+300 ± 1e+299"),
    ],
)
def test_a_standard_deviation_ends_where_the_digits_of_its_mean_do(mean, std, text):
    assert spread_shown(mean, std, LR) == text


def test_what_a_trainer_says_of_its_metric_is_how_it_is_shown():
    said = {"better": "lower", "unit": "nats", "decimals": 3, "label": None}
    loss = metric_of_trainer("val/loss", [said])
    assert (loss.label, loss.better) == ("val/loss (nats)", "lower")
    assert (shown(1.23456, loss), spread_shown(1.23456, 0.5, loss)) == ("1.235", "1.235 ± 0.500")
    percent = dict.fromkeys(said) | {"unit": "percent", "label": "Accuracy"}
    accuracy = metric_of_trainer("accuracy", [percent])
    assert (accuracy.label, shown(61.239, accuracy)) == ("Accuracy (%)", "61.24")
    for label, shown_label in (("Time (s)", "Time (s)"), ("Loss", "Loss (s)"), ("s", "s")):
        said_of = dict.fromkeys(said) | {"unit": "s", "label": label}
        assert metric_of_trainer("time", [said_of]).label == shown_label
    nothing = metric_of_trainer("tokens", [dict.fromkeys(said)])
    assert (nothing.label, nothing.better, mean_shown(7_433_892.4, nothing)) == (
        None,
        None,
        "7433892",
    )
    # Of what trainers contradict each other in nothing is known.
    both = metric_of_trainer("val/loss", [said, said | {"better": "higher"}])
    assert (both.better, both.unit) == (None, "nats")


def test_readable_text_is_one_line_without_control_characters():
    assert readable("a\r\n b\x1b[1m\x00") == r"a b\x1b[1m\x00"
    assert readable("é 漢 🙂") == "é 漢 🙂"
    assert visible("a\n\tb\ud800\x85") == "a\n\tb\\ud800\\x85"


def test_sort_key_orders_values_of_mixed_types():
    values = [False, True, -1, 0.5, 10, "10", "9", [0.5], [1.0, 0.5], None]
    shuffled = random.Random(1).sample(values, len(values))
    assert sorted(shuffled, key=sort_key) == values
    assert sort_key(True) != sort_key(1)
    assert sort_key([1, [2.0]]) == sort_key([1.0, [2]])
    assert len({sort_key([1]), sort_key([1.0])}) == 1


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("source", "ab" * 32, "ab" * 6),
        ("plugins.model plain", "ab" * 32, "ab" * 6),
        ("options.key", "ab" * 32, "ab" * 32),
        ("zero_stable", True, "true"),
        ("alpha", [1, 0.5], "[1, 0.5]"),
    ],
)
def test_a_value_is_written_as_filters_read_it(name, value, text):
    assert written(name, value) == text
