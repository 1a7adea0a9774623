"""Fields of configs for numbers as a user writes them: 5/9 is a number, and 0.1 means one tenth."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from sweep_plugins.schemes.exact_numbers import exact, stored, to_float


def _to_float(value: Any) -> Any:
    if isinstance(value, (str, Fraction)):
        return to_float(exact(value))
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is not a number")
    return value


Number = Annotated[float, BeforeValidator(_to_float)]
"""A pydantic field that takes a number or a fraction such as "5/9", and holds a float."""

ExactNumber = Annotated[float | str, BeforeValidator(stored)]
"""A pydantic field that takes a number or a fraction, and holds it as `stored` gives it."""

Whole = Annotated[int, Field(strict=True)]
"""A pydantic field that takes a whole number, and neither true nor "3" nor 3.0."""
