"""The forms in which a spec may write a scheme."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from sweep_plugins.schemes.scheme_label import scheme_label
from trainers.config.canonical import json_value
from trainers.methods.multistep import zerosnet
from trainers.methods.scheme_config import SchemeConfig


def scheme(data: Any) -> SchemeConfig:
    return SchemeConfig.model_validate(data)


@pytest.mark.parametrize(
    "written",
    [
        {"lambda": "-9/5"},
        {"lambda": -1.8},
        {"alpha": ["1/3", "5/9", "1/9"], "beta": "16/9"},
        {"alpha": [1 / 3, 5 / 9, 1 / 9], "beta": 16 / 9, "trainable": False},
    ],
)
def test_equivalent_spellings_give_one_scheme(written: dict[str, Any]) -> None:
    config = scheme(written)
    assert config.alpha == (1 / 3, 5 / 9, 1 / 9)
    assert config.beta == 16 / 9
    assert (config.learned, config.start, config.steps) == (None, None, 3)
    assert str(config) == "1/3, 5/9, 1/9; 16/9"
    assert config.fixed is not None
    assert config.fixed.zero_stable


@pytest.mark.parametrize(
    ("written", "alpha", "beta"),
    [
        ({"k": 0.5}, (0.5, 0.5), 2.0),
        ({"k": "-1/4"}, (1.25, -0.25), 0.5),
        ({"lambda": 1}, (1.5, -1.0, 0.5), 1.0),
        ({"alpha": 0.9}, (0.9,), 1.0),
        ({"alpha": [1, 1]}, (1.0, 1.0), 1.0),
    ],
)
def test_scheme_short_forms_give_their_coefficients(
    written: dict[str, Any], alpha: tuple[float, ...], beta: float
) -> None:
    config = scheme(written)
    assert (config.alpha, config.beta) == (alpha, beta)


@pytest.mark.parametrize(
    ("written", "learned", "start", "steps", "label"),
    [
        (
            {"k": [-0.1, 0], "trainable": True},
            "k",
            (-0.1, 0.0),
            2,
            "k_n from U[-0.1, 0]",
        ),
        ({"k": 0.25, "trainable": True}, "k", (0.25, 0.25), 2, "k_n from 0.25"),
        ({"lambda": 1, "trainable": True}, "lambda", (1.0, 1.0), 3, "lambda_n from 1"),
        (
            {"lambda": ["1/2", 2], "trainable": True},
            "lambda",
            (0.5, 2.0),
            3,
            "lambda_n from U[0.5, 2]",
        ),
        (
            {"alpha": [1, 0], "beta": 1, "trainable": True},
            "coefficients",
            None,
            2,
            "learned from 1, 0; 1",
        ),
    ],
)
def test_learned_schemes_have_a_start_and_a_label(
    written: dict[str, Any],
    learned: str,
    start: tuple[float, float] | None,
    steps: int,
    label: str,
) -> None:
    config = scheme(written)
    assert (config.learned, config.start, config.steps) == (learned, start, steps)
    assert config.fixed is None
    assert str(config) == label


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ({"lambda": 0}, "lambda must not be 0"),
        ({"lambda": "0/7"}, "lambda must not be 0"),
        ({"lambda": [-1, 1], "trainable": True}, "holds 0"),
        ({"lambda": 0, "trainable": True}, "lambda must not be 0"),
        ({"k": [-0.1, 0]}, "needs trainable: true"),
        ({"k": [0, -0.1], "trainable": True}, "low exceeds high"),
        ({"k": [0, 1, 2], "trainable": True}, "neither a number nor a range"),
        ({"alpha": [], "beta": 1}, "alpha is empty"),
        ({"alpha": [0.01] * 33, "beta": 1}, "at most 32"),
        ({"beta": 1}, r"keys \['beta'\] do not make a scheme"),
        ({"alpha": [1], "gamma": 1}, "do not make a scheme"),
        ({"k": 1, "lambda": 1}, "do not make a scheme"),
        ({}, "do not make a scheme"),
        ({"alpha": [1], "trainable": "yes"}, "trainable 'yes' is neither true nor false"),
        ({"alpha": [True]}, "True is not a number"),
        ({"alpha": ["1/0"]}, "divides by zero"),
        ({"alpha": [float("nan")]}, "nan is not a finite number"),
        ("euler", "'euler' is not a scheme"),
        ([1, 1], "is not a scheme"),
    ],
)
def test_scheme_errors_name_the_value_and_what_is_allowed(written: Any, complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        scheme(written)


@pytest.mark.parametrize(
    "written",
    [
        {"alpha": [1], "beta": None},
        {"alpha": {"a": 1}},
        {"lambda": None},
        {"alpha": [10**310]},
        {"k": 1e308},
        {"lambda": 1e-320},
    ],
    ids=["no beta", "a mapping", "no lambda", "10^310", "k 1e308", "lambda 1e-320"],
)
def test_non_numeric_or_too_large_scheme_values_are_validation_errors(written: Any) -> None:
    with pytest.raises(ValidationError):
        scheme(written)


@pytest.mark.parametrize(
    "resolved",
    [
        {"learned": None},
        {"learned": "k"},
        {"learned": "coefficients"},
        {"learned": "lambda", "start": [-1, 1]},
        {"learned": "k", "start": [1, -1]},
        {"learned": "k", "start": [0, 1], "alpha": [1], "beta": 1},
        {"learned": None, "alpha": [float("inf")], "beta": 1},
    ],
    ids=str,
)
def test_an_inconsistent_resolved_scheme_is_refused(resolved: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        scheme(resolved)


@pytest.mark.parametrize(
    "written",
    [
        {"lambda": "1/7"},
        {"lambda": 0.33333334},
        {"alpha": ["0.5555555555555556", 10**17 + 1], "beta": "1/123456789"},
        {"alpha": [0.1, 0.2, 0.3], "beta": 0.4},
        {"alpha": [1], "beta": 1, "trainable": True},
        {"k": [-0.1, 0], "trainable": True},
        {"lambda": -2, "trainable": True},
    ],
    ids=str,
)
def test_the_resolved_scheme_round_trips(written: dict[str, Any]) -> None:
    config = scheme(written)
    assert scheme(config.model_dump(mode="json")) == config
    assert scheme(config.model_dump(mode="json", exclude_none=True)) == config


def test_coefficients_are_kept_exactly_where_no_float_stands_for_them() -> None:
    config = scheme({"lambda": 0.33333334})
    assert config.alpha == ("200000001/66666668", "-50000000/16666667", "66666667/66666668")
    assert config.fixed == zerosnet("0.33333334")
    assert config.floats == pytest.approx([3, -3, 1, 0.00000003], abs=1e-7)
    learned = scheme({"alpha": ["0.5555555555555556"], "trainable": True})
    assert learned.alpha == (0.5555555555555556,)  # what a network starts from is a float


def test_schemes_that_differ_beyond_the_sixteenth_digit_are_two() -> None:
    one, other = scheme({"alpha": ["1.00000000000000000001"]}), scheme({"alpha": [1]})
    assert one != other
    assert str(one) != str(other)
    assert one.floats == other.floats


def test_a_scheme_config_is_frozen() -> None:
    config = scheme({"lambda": 1})
    with pytest.raises(ValidationError, match="frozen"):
        config.beta = 2.0


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ({"alpha": ["1/1001", 0.15625], "beta": "33333334/100000001"}, None),
        ({"lambda": 10}, "0.825, -0.1, 0.275; 1.45"),
        ({"k": [-0.1, 0], "trainable": True}, "k_n from U[-0.1, 0]"),
        ({"lambda": 1, "trainable": True}, "lambda_n from 1"),
        ({"alpha": [1], "beta": 1, "trainable": True}, "learned from 1; 1"),
    ],
)
def test_a_scheme_is_called_what_the_database_calls_it(
    written: dict[str, Any], label: str | None
) -> None:
    config = scheme(written)
    assert str(config) == scheme_label(json_value(config))
    if label is not None:
        assert str(config) == label
    if config.fixed is not None:
        assert str(config.fixed) == str(config)
