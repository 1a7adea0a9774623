"""What a scheme is called: text that tells it from every other scheme, to the last digit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction
from hashlib import sha256
from typing import Any

from sweep_plugins.schemes.exact_text import exact_text

_LONGEST_FRACTION = 50
_FIXED = {"alpha", "beta"}
_LEARNED = {"learned", "alpha", "beta"}
_DRAWN = {"learned", "start"}


def scheme_label(scheme: Mapping[str, Any]) -> str:
    """The label of a config's scheme, such as "1/3, 5/9, 1/9; 16/9" or "lambda_n from 1".

    Schemes with equal labels are equal. What a config of another program has in this place is
    labelled by its JSON.
    """
    try:
        if scheme.keys() == _FIXED:
            return _coefficients(scheme)
        if scheme.keys() == _LEARNED and scheme["learned"] == "coefficients":
            return f"learned from {_coefficients(scheme)}"
        if scheme.keys() == _DRAWN and scheme["learned"] in ("k", "lambda"):
            low, high = map(coefficient_text, scheme["start"])
            return f"{scheme['learned']}_n from {low if low == high else f'U[{low}, {high}]'}"
    except (TypeError, ValueError, ArithmeticError):
        pass
    return json.dumps(scheme, sort_keys=True, ensure_ascii=False)


def label_in(config: Mapping[str, Any], otherwise: str | None) -> str | None:
    """The label of the scheme in a run's config; `otherwise` if that has none."""
    scheme = config.get("scheme")
    return scheme_label(scheme) if isinstance(scheme, dict) else otherwise


def _coefficients(scheme: Mapping[str, Any]) -> str:
    """The alphas, newest state first, then beta."""
    alphas = ", ".join(map(coefficient_text, scheme["alpha"]))
    return f"{alphas}; {coefficient_text(scheme['beta'])}"


def coefficient_text(value: Any) -> str:
    """A number, or the text of a fraction that no float stands for, as a config keeps it.

    Of a fraction with hundreds of digits its size, and by which text it is known from others.
    Raises TypeError for anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(f"{value!r} is no coefficient")
    if not isinstance(value, str):
        return exact_text(value)
    if len(value) <= _LONGEST_FRACTION:
        return value
    return f"{float(Fraction(value)):.6g}@{sha256(value.encode()).hexdigest()[:8]}"
