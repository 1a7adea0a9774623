"""Numbers as a spec writes them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from trainers.methods.fractions import Number, Whole, exact, format_number


@given(st.integers(min_value=-(10**6), max_value=10**6), st.integers(min_value=1, max_value=10**4))
def test_a_float_is_read_as_the_fraction_it_was_rounded_from(top: int, bottom: int) -> None:
    assert exact(top / bottom) == Fraction(top, bottom)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_converting_a_float_to_a_fraction_and_back_keeps_it(value: float) -> None:
    assert float(exact(value)) == value


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("5/9", Fraction(5, 9)),
        (" -9 / 5 ", Fraction(-9, 5)),
        ("+1/3", Fraction(1, 3)),
        ("4/8", Fraction(1, 2)),
        (3, Fraction(3)),
        (Fraction(2, 7), Fraction(2, 7)),
        (0.1, Fraction(1, 10)),
        (-0.0, Fraction(0)),
    ],
)
def test_fractions_are_read_from_every_notation(
    written: float | int | str | Fraction, meant: Fraction
) -> None:
    assert exact(written) == meant


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("1/0", "divides by zero"),
        ("five", "'five' is not a number or a fraction such as 5/9"),
        ("1/2/3", "not a number"),
        ("", "not a number"),
        (True, "True is not a number"),
        (float("nan"), "nan is not a finite number"),
        (float("-inf"), "-inf is not a finite number"),
    ],
)
def test_values_that_are_no_numbers_are_refused_by_name(
    written: float | int | str, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        exact(written)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (-4, "-4"),
        (3.75, "3.75"),
        (16 / 9, "16/9"),
        (Fraction(1, 3), "1/3"),
        (0.825, "0.825"),
        (0.123456789, "0.123457"),
        (1e-4, "0.0001"),
    ],
)
def test_fractions_are_printed_short(value: float | Fraction, text: str) -> None:
    assert format_number(value) == text


class Fields(BaseModel):
    number: Number = 0.0
    whole: Whole = 0


def test_number_fields_accept_fractions_and_integers() -> None:
    fields = Fields.model_validate({"number": "5/9", "whole": 7})
    assert (fields.number, fields.whole) == (5 / 9, 7)


@pytest.mark.parametrize(
    "wrong", [{"number": True}, {"number": "1/0"}, {"whole": True}, {"whole": 3.0}, {"whole": "3"}]
)
def test_number_fields_refuse_lookalikes_of_numbers(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Fields.model_validate(wrong)
