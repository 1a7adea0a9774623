"""Booleans as a user writes them: true and false, as in YAML 1.2, and nothing else."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator

_TEXTS = ("on", "off", "yes", "no", "y", "n")


def boolean(value: Any, *others: str) -> Any:
    """The value, if it is True, False, or one of the `others`.

    Raises:
        ValueError: it is something else, such as 1, 0.0, "true", or the text that `no` is.
    """
    if isinstance(value, bool) or value in others:
        return value
    problem = "is neither true nor false"
    if others:
        problem = f"is none of true, false and {', '.join(others)}"
    is_text = isinstance(value, str) and value.lower() in _TEXTS
    hint = " (in YAML 1.2, on, off, yes and no are texts)" if is_text else ""
    raise ValueError(f"{value!r} {problem}{hint}")


Boolean = Annotated[bool, BeforeValidator(boolean)]
"""A pydantic field that takes true and false only."""
