"""Keys as text: rounded for reading, with more digits where two would look alike."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from results.analysis.sort_keys import sort_key
from results.json_values import finite
from results.metrics import Metric, shown

_FLOAT_DIGITS = 17


def shown_apart(values: Sequence[Any], metric: Metric | None) -> list[str | None]:
    """Each value as `shown` has it, but texts of different values differ; null is None."""
    known = {sort_key(value): value for value in map(finite, values)}
    texts = {key: shown(value, metric) for key, value in known.items()}
    alike: dict[str | None, list[Any]] = defaultdict(list)
    for key, text in texts.items():
        # What is null is shown as a dash.
        alike["-" if text is None else text].append(key)
    for keys in alike.values():
        if len(keys) > 1:
            texts |= _apart({key: known[key] for key in keys}, metric)
    return [texts[sort_key(value)] for value in map(finite, values)]


def _apart(known: dict[Any, Any], metric: Metric | None) -> dict[Any, str | None]:
    if metric is not None and metric.digest:
        for digits in range(13, 65):
            texts = {key: value and str(value)[:digits] for key, value in known.items()}
            if len(set(texts.values())) == len(texts):
                return texts
    for more in _precisions(metric):
        texts = {key: _written(value, more) for key, value in known.items()}
        if len(set(texts.values())) == len(texts):
            return texts
    return texts


def _precisions(metric: Metric | None) -> Iterator[str | None]:
    """Formats of more and more digits, "" for all that a float has; None for the JSON."""
    if metric is not None and metric.decimals is not None:
        yield from (f".{decimals}f" for decimals in range(metric.decimals + 1, 7))
    yield from (f".{digits}g" for digits in range(7, _FLOAT_DIGITS))
    yield ""
    yield None


def _written(value: Any, number_format: str | None) -> str | None:
    if value is None:
        return None
    if number_format is None:
        return json.dumps(value)
    if isinstance(value, float):
        return format(value, number_format) if number_format else repr(value)
    if isinstance(value, list):
        return ", ".join(_written(item, number_format) or "-" for item in value)
    return json.dumps(value, ensure_ascii=not str(value).isprintable())
