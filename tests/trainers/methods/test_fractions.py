"""Numbers as a spec writes them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from sweep_plugins.schemes.exact_numbers import exact, stored
from trainers.methods.fractions import Number, Whole


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
        (2.1234567, Fraction(21234567, 10**7)),
        (0.33333334, Fraction(33333334, 10**8)),
        ("0.33333333333333333", Fraction(33333333333333333, 10**17)),
        ("-1.5e-3", Fraction(-3, 2000)),
        (".5", Fraction(1, 2)),
        ("1234567890123456789/9876543210987654321", Fraction(13717421, 109739369)),
        ("1e-400", Fraction(1, 10**400)),
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
        ("1e5/3", "not a number"),
        ("1e99999", "'1e99999' has an exponent beyond 2,000"),
        ("1." + 3000 * "3", "is 3,002 characters long, and a number has 2,000 at most"),
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


numbers = st.fractions() | st.floats(allow_nan=False, allow_infinity=False).map(exact)


@given(numbers)
def test_what_is_stored_is_the_number_again(number: Fraction) -> None:
    assert exact(stored(number)) == number


def test_a_number_is_stored_as_the_float_that_stands_for_it_or_as_a_fraction() -> None:
    assert [stored(v) for v in ("5/9", 0.1, "0.5555555555555556")] == [
        5 / 9, 0.1, "1388888888888889/2500000000000000",
    ]  # fmt: skip
    assert stored("33333334/100000001") == "33333334/100000001"


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
