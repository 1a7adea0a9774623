"""Units of printed numbers, and how they become ours.

Ours: accuracies in percent, times in seconds, parameters as counts. Conversion is exact decimal
arithmetic, so that an error of 6.37 % becomes the float that prints as 93.63.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Unit:
    """A printed number x stands for `offset + scale * x` in the unit `ours`."""

    printed: str
    ours: str
    scale: Decimal = Decimal(1)
    offset: Decimal = Decimal(0)

    def value(self, text: str) -> float:
        """The number in our unit; a count is a whole number."""
        value = self.offset + self.scale * _number(text)
        return int(value) if self.ours == "count" else float(value)

    def spread(self, text: str) -> float:
        """A standard deviation in our unit."""
        return float(abs(self.scale) * _number(text))

    def resolution(self, text: str) -> float:
        """One unit of the last printed digit, in our unit."""
        exponent = _number(text).as_tuple().exponent
        assert isinstance(exponent, int)
        return float(abs(self.scale) * Decimal(1).scaleb(exponent))


def _number(text: str) -> Decimal:
    return Decimal(text.removesuffix("M"))


PERCENT = Unit("percent", "percent")
ERROR_PERCENT = Unit("percent wrong", "percent", scale=Decimal(-1), offset=Decimal(100))
FRACTION = Unit("fraction", "percent", scale=Decimal(100))
MILLIONS = Unit("millions", "count", scale=Decimal(10**6))
THOUSANDS = Unit("thousands", "count", scale=Decimal(10**3))
SECONDS = Unit("seconds", "seconds")
IMAGES_PER_SECOND = Unit("images a second", "images a second")
MEGABYTES = Unit("MB", "MB")
POINTS = Unit("points", "points")
MODULUS = Unit("modulus", "modulus")
