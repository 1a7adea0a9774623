"""Labels of schemes for reading, where all digits of a number would say nothing more."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction

_LONG_NUMBER = re.compile(r"\d+\.\d{6,}(?:e[-+]?\d+)?|\d+/\d{6,}")


def rounded_label(label: str) -> str:
    """The label with six significant digits of each number; different schemes may share it."""
    return _LONG_NUMBER.sub(lambda found: f"{float(Fraction(found[0])):.6g}", label)


def rounded_labels(labels: Iterable[str]) -> dict[str, str]:
    """Each label as `rounded_label` has it, or as it is if another one would look like it."""
    rounded = {label: rounded_label(label) for label in labels}
    counts = Counter(rounded.values())
    return {label: text if counts[text] == 1 else label for label, text in rounded.items()}
