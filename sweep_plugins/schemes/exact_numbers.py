"""Numbers as a user writes them: 5/9 is a number, and 0.1 means one tenth.

Coefficients of a scheme are kept as exact fractions for as long as possible, because whether a
root lies on the unit circle, or a scheme is consistent, is a question about exact values.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

_FRACTION = re.compile(r"\s*([+-]?\d+)\s*/\s*(\d+)\s*", re.ASCII)
_DECIMAL = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d+))?\s*", re.ASCII)
_LONGEST = 2_000
_LARGEST_DENOMINATOR = 1_000_000


def exact(value: float | int | str | Fraction) -> Fraction:
    """The number that `value` stands for.

    A text such as "-9/5" or "2.1234567" is read as written. A float stands for the fraction of
    smallest denominator (up to 10^6) that rounds to it, so that the float nearest to 5/9 is 5/9
    again; else for the shortest decimal that rounds to it, which is how it prints.

    Raises:
        ValueError: not a finite number, or one of more than 2,000 characters.
    """
    if isinstance(value, Fraction):
        return value
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is not a number")
    if isinstance(value, int):
        return Fraction(value)
    if isinstance(value, str):
        return _as_written(value)
    if not isinstance(value, float):
        raise ValueError(f"{value!r} is not a number or a fraction such as 5/9")
    if not math.isfinite(value):
        raise ValueError(f"{value!r} is not a finite number")
    simple = Fraction(value).limit_denominator(_LARGEST_DENOMINATOR)
    return simple if float(simple) == value else Fraction(float.__repr__(value))


def _as_written(text: str) -> Fraction:
    if len(text) > _LONGEST:
        raise ValueError(
            f"{text[:20]!r}... is {len(text):,} characters long, and a number has {_LONGEST:,} at"
            " most"
        )
    if match := _FRACTION.fullmatch(text):
        if int(match[2]) == 0:
            raise ValueError(f"{text!r} divides by zero")
        return Fraction(int(match[1]), int(match[2]))
    if match := _DECIMAL.fullmatch(text):
        if abs(int(match[1] or 0)) > _LONGEST:
            raise ValueError(f"{text!r} has an exponent beyond {_LONGEST:,}")
        return Fraction(text)
    raise ValueError(f"{text!r} is not a number or a fraction such as 5/9")


def to_float(value: Fraction) -> float:
    """The nearest float. Raises ValueError, not OverflowError, beyond their range."""
    try:
        return float(value)
    except OverflowError:
        raise ValueError("a number is beyond the range of 64-bit floats") from None


def stored(value: float | int | str | Fraction) -> float | str:
    """As a config keeps it: the float from which `exact` has the number again, or its fraction.

    Raises:
        ValueError: see `exact` and `to_float`.
    """
    number = exact(value)
    rounded = to_float(number)
    return rounded if exact(rounded) == number else str(number)
