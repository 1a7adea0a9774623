"""Units of printed numbers, and how they become ours.

Ours: accuracies in percent, times in seconds, parameters as counts. Conversion is exact decimal
arithmetic, so that an error of 6.37 % becomes the float that prints as 93.63.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Unit:
    """A printed number x stands for `offset + scale * x` in our unit."""

    scale: Decimal = Decimal(1)
    offset: Decimal = Decimal(0)
    is_count: bool = False

    @property
    def is_error(self) -> bool:
        """Whether what is printed falls where ours, an accuracy, rises."""
        return self.scale < 0

    def value(self, text: str) -> float:
        """The number in our unit; a count is a whole number."""
        value = self.offset + self.scale * Decimal(text)
        return int(value) if self.is_count else float(value)

    def printed(self, value: float) -> float:
        """A number in our unit as a paper would print it, which `value` reads."""
        return float((Decimal(repr(value)) - self.offset) / self.scale)

    def spread(self, text: str) -> float:
        """A standard deviation in our unit."""
        return float(abs(self.scale) * Decimal(text))

    def resolution(self, text: str) -> float:
        """One unit of the last printed digit, in our unit."""
        exponent = Decimal(text).as_tuple().exponent
        assert isinstance(exponent, int)
        return float(abs(self.scale) * Decimal(1).scaleb(exponent))


#: By what a heading calls them: "test_accuracy (percent wrong)".
UNITS: Mapping[str, Unit] = {
    "percent": Unit(),
    "percent wrong": Unit(scale=Decimal(-1), offset=Decimal(100)),
    "fraction": Unit(scale=Decimal(100)),
    "millions": Unit(scale=Decimal(10**6), is_count=True),
    "thousands": Unit(scale=Decimal(10**3), is_count=True),
    "seconds": Unit(),
    "images a second": Unit(),
    "MB": Unit(),
    "points": Unit(),
    "modulus": Unit(),
}
