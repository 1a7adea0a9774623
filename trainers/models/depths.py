"""Depths of networks that are made of whole blocks."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import AfterValidator

from trainers.errors import ConfigError


def accepted_by(check: Callable[[int], object]) -> AfterValidator:
    """For a field `depth` that takes the depths of which `check` raises nothing."""

    def accepted(depth: int) -> int:
        check(depth)
        return depth

    return AfterValidator(accepted)


def count_of(depth: int, layers: int, rest: int = 2, *, of: str = "", otherwise: str = "") -> int:
    """n of depth = layers * n + rest, where the rest is usually stem and classifier.

    Args:
        of: what is said of n, at the end of "for a whole n >= 1".
        otherwise: what else a user can do, after the nearest depths.

    Raises:
        ConfigError: no such n >= 1; names the nearest depths.
    """
    n, over = divmod(depth - rest, layers)
    if n >= 1 and over == 0:
        return n
    lower = layers * max(1, n) + rest
    raise ConfigError(
        "depth",
        f"depth {depth} is not {layers}n {'+' if rest > 0 else '-'} {abs(rest)} for a whole n >= 1"
        f"{of}; the nearest are {lower} and {lower + layers}{otherwise}",
    )
