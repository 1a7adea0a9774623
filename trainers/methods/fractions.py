"""Numbers as a user writes them: 5/9 is a number, and 0.1 means one tenth.

Coefficients of a scheme are kept as exact fractions for as long as possible, because whether a
root lies on the unit circle, or a scheme is consistent, is a question about exact values.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_FRACTION = re.compile(r"\s*([+-]?\d{1,18})\s*/\s*(\d{1,18})\s*")
_LARGEST_DENOMINATOR = 1_000_000


def exact(value: float | int | str | Fraction) -> Fraction:
    """The fraction that `value` stands for.

    A string such as "-9/5" is read as written. A float stands for the fraction of smallest
    denominator (up to 10^6) that rounds to it, so that 0.1 is 1/10 and the float nearest to 5/9
    is 5/9 again; a float with no such fraction stands for itself.

    Raises:
        ValueError: not a finite number.
    """
    if isinstance(value, Fraction):
        return value
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is not a number")
    if isinstance(value, int):
        return Fraction(value)
    if isinstance(value, str):
        match = _FRACTION.fullmatch(value)
        if match is None:
            raise ValueError(f"{value!r} is not a number or a fraction such as 5/9")
        if int(match[2]) == 0:
            raise ValueError(f"{value!r} divides by zero")
        return Fraction(int(match[1]), int(match[2]))
    if not isinstance(value, float):
        raise ValueError(f"{value!r} is not a number or a fraction such as 5/9")
    if not math.isfinite(value):
        raise ValueError(f"{value!r} is not a finite number")
    simple = Fraction(value).limit_denominator(_LARGEST_DENOMINATOR)
    return simple if float(simple) == value else Fraction(value)


def to_float(value: Fraction) -> float:
    """The nearest float. Raises ValueError, not OverflowError, beyond their range."""
    try:
        return float(value)
    except OverflowError:
        raise ValueError("a number is beyond the range of 64-bit floats") from None


def format_number(value: float | Fraction) -> str:
    """Short and exact where possible: 1, 3.75, 16/9; six significant digits otherwise."""
    number = float(value)
    decimal = f"{number:.4g}"
    if float(decimal) == number:
        return decimal
    fraction = exact(value)
    return str(fraction) if fraction.denominator < 1000 else f"{number:.6g}"


def _to_float(value: Any) -> Any:
    if isinstance(value, (str, Fraction)):
        return to_float(exact(value))
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is not a number")
    return value


Number = Annotated[float, BeforeValidator(_to_float)]
"""A pydantic field that takes a number or a fraction such as "5/9", and holds a float."""

Whole = Annotated[int, Field(strict=True)]
"""A pydantic field that takes a whole number, and neither true nor "3" nor 3.0."""
