"""Numbers as the shortest text that names them and no other."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

# Beyond this, neighbouring floats are too far apart for a fraction to name one of them.
_LARGEST_WITH_FRACTION = 1e6
_LARGEST_DENOMINATOR = 999


@lru_cache(maxsize=1 << 16)
def exact_text(number: float) -> str:
    """Such as 1, 3.75, 16/9, 0.30000000000000004 or 1e-300; it reads back as this finite number.

    A fraction, whose denominator is below 1000, stands for the float that is nearest to it.
    """
    if isinstance(number, int):
        return str(number)
    number += 0.0  # -0.0 and 0.0 are one number
    decimal = repr(number).removesuffix(".0")
    if float(f"{number:.4g}") != number and abs(number) < _LARGEST_WITH_FRACTION:
        fraction = Fraction(number).limit_denominator(_LARGEST_DENOMINATOR)
        if float(fraction) == number:
            return str(fraction)
    return decimal
