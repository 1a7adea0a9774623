"""Decimals that somebody's program printed for a fraction, which they are not."""

from __future__ import annotations

from collections.abc import Iterable

from sweep_plugins.schemes.exact_numbers import exact
from trainers.config.run import RunConfig
from trainers.config.trainer_run import TrainerRun

_SHOWN = 3

_SIMPLE = 1000
"""Denominators below it are meant; few decimals of 16 digits are near such a fraction by chance."""


def meant_fractions(configs: Iterable[TrainerRun]) -> str | None:
    """A sentence about coefficients that round to the float of a fraction and are not it.

    What is decided exactly of them, such as zero stability, may be otherwise than of the fraction.
    None if there are none.
    """
    found: dict[str, str] = {}
    of_networks = (config for config in configs if isinstance(config, RunConfig))
    schemes = {id(config.scheme): config.scheme for config in of_networks}
    for scheme in schemes.values():
        if scheme is None or scheme.fixed is None:
            continue
        for number in (*scheme.fixed.alpha, scheme.fixed.beta):
            try:
                near = exact(float(number))
            except (OverflowError, ValueError):
                continue
            if near != number and 1 < near.denominator < _SIMPLE:
                found[repr(float(number))] = str(near)
    if not found:
        return None
    shown = ", ".join(f"{near} for {said}" for said, near in list(found.items())[:_SHOWN])
    more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return (
        "coefficients are read as they are written, and zero stability and order are decided by"
        f" that: if a fraction is meant, write {shown}{more}"
    )
