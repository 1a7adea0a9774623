"""What a metric is: its unit, which way is better, how its numbers are written.

Code that shows or tests numbers gets the `Metric` with the column or the report. It is made where
the column is known: in `results.run_columns` for a run's own, below for the others.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal, get_args

from results.json_values import finite
from results.provenance import short_digests
from sweep_plugins.plain_text import readable
from sweep_plugins.schemes.rounded_label import rounded_label

Direction = Literal["higher", "lower"]
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)

SCHEME = "scheme"
"""The column of labels of schemes."""

_DIGITS = 4
"""Significant digits of a mean without a number of decimals."""

_MOST_DECIMALS = 8
"""Smaller numbers are written as 1.5e-9."""

LARGEST_DECIMAL = 1e15
"""From here on numbers are written as 1.5e+300: a float has no more digits than 16 or 17."""


@dataclass(frozen=True, slots=True)
class Metric:
    """What is known of the numbers of a column, wherever they come from.

    Attributes:
        label: what an axis calls it, with its unit; None: its name will do.
        better: which values are the better ones; None: neither, as with a seed.
        decimals: of one value; None: six significant digits.
        mean_decimals: of a mean and a standard deviation; None: four significant digits of the
            mean, but no fewer than it has before the point, and as many decimals of the other.
        whole: whole numbers, whose mean has no decimals where it is whole too.
        diverged_is_worst: measured of the trained network, so that one that diverged has no value
            and ranks behind all others.
        number: a number wherever it is not null; what stands at a path of the config may be
            anything.
        digest: no numbers, but the SHA-256 of code: texts of 64 hex digits.
    """

    name: str
    _: KW_ONLY
    label: str | None = None
    unit: str | None = None
    better: Direction | None = None
    decimals: int | None = None
    mean_decimals: int | None = 2
    whole: bool = False
    diverged_is_worst: bool = False
    number: bool = False
    digest: bool = False


def metric_of_evaluation(name: str) -> Metric:
    """The accuracy under the evaluation of this name."""
    return Metric(
        name,
        label=f"Accuracy under {name} (%)",
        unit="percent",
        better="higher",
        decimals=2,
        diverged_is_worst=True,
        number=True,
    )


DEFINED = ("better", "unit", "decimals", "label")
"""What a trainer may say of a metric that it reports."""


def metric_of_trainer(name: str, said: Iterable[Mapping[str, Any]]) -> Metric:
    """A metric that trainers report under this name, by what they say of it.

    What they contradict each other in is not known. Percent have two decimals, as elsewhere, unless
    a trainer says another number.
    """
    found: dict[str, Any] = {}
    for key in DEFINED:
        values = {definition[key] for definition in said if definition[key] is not None}
        found[key] = values.pop() if len(values) == 1 else None
    if found["decimals"] is None and found["unit"] == "percent":
        found["decimals"] = 2
    if found["unit"] is not None:
        unit = "%" if found["unit"] == "percent" else found["unit"]
        label = found["label"] or name
        has_unit = re.search(rf"(?<!\w){re.escape(unit)}(?!\w)", label)
        found["label"] = label if has_unit else f"{label} ({unit})"
    return Metric(
        name,
        **found,
        mean_decimals=found["decimals"],
        diverged_is_worst=found["better"] is not None,
        number=True,
    )


def metric_of_config(path: str) -> Metric:
    """The numbers at this path of the config, which may be of any size, or the digests."""
    of_code = path == "source" or path.startswith("plugins.")
    return Metric(path, mean_decimals=None, digest=of_code)


def written(name: str, value: Any) -> str:
    """A value of the column of this name as `--where` reads it; of a digest the first digits."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return short_digests(text) if metric_of_config(name).digest else text


def shown(value: Any, metric: Metric | None = None) -> str | None:
    """A value of a column as every table shows it; None if it is null.

    Numbers have the decimals of `metric`, or else six digits, also in the label of a scheme. Of a
    digest there are the first digits.
    """
    value = finite(value)
    if value is None:
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(shown(item, metric) or "-" for item in value)
    if isinstance(value, dict):
        return readable(json.dumps(value, ensure_ascii=False))
    if isinstance(value, float):
        if metric is not None and metric.decimals is not None:
            return decimal(value, metric.decimals)
        return f"{value:z.6g}" if abs(value) < 1e6 else decimal(value, 1)
    text = readable(str(value))
    if metric is not None and metric.digest:
        return short_digests(text)
    return rounded_label(text) if metric is not None and metric.name == SCHEME else text


def decimal(value: float, decimals: int) -> str:
    """A finite number with so many decimals; in scientific notation if it is huge."""
    if abs(value) >= LARGEST_DECIMAL:
        return f"{value:.6g}"
    return f"{value:z.{decimals}f}"


def counted(number: int, noun: str) -> str:
    """Such as "1 run" or "12 runs"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def mean_shown(mean: float, metric: Metric) -> str:
    """A finite mean of the metric."""
    if metric.whole and mean == int(mean) and abs(mean) < LARGEST_DECIMAL:
        return str(int(mean))
    if metric.mean_decimals is not None:
        return decimal(mean, metric.mean_decimals)
    if 10**_DIGITS <= abs(mean) < LARGEST_DECIMAL:
        return f"{mean:.0f}"
    return f"{mean:z.{_DIGITS}g}"


def spread_shown(mean: float | None, std: float | None, metric: Metric) -> str | None:
    """ "mean ± std", or only the mean if there is no spread to show; None without a mean."""
    mean, std = finite(mean), finite(std)
    if mean is None:
        return None
    text = mean_shown(mean, metric)
    if std is None or (std == 0 and metric.whole):
        return text
    return f"{text} ± {_std_shown(mean, std, metric)}"


def _std_shown(mean: float, std: float, metric: Metric) -> str:
    """To the decimal place where the digits of the mean end; two digits if it ends before."""
    if metric.mean_decimals is not None or 0 in (mean, std) or abs(mean) >= LARGEST_DECIMAL:
        return mean_shown(std, metric)
    decimals = max(0, _DIGITS - 1 - math.floor(math.log10(abs(mean))))
    text = decimal(std, decimals)
    return text if decimals <= _MOST_DECIMALS and float(text) else f"{std:.2g}"
