"""On which axis a noise lies, and how far out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_SETTINGS = re.compile(r"[^\[]+\[[^,;\]]+,?(?P<settings>[^;\]]*)")
_UNIFORM = re.compile(r"uniform\[(?P<low>[^,;\]]+),(?P<high>[^,;\]]+)")


@dataclass(frozen=True, slots=True)
class NoiseAxis:
    """Noises that differ in one number; `quantity` names that number."""

    name: str
    quantity: str


GAUSSIAN = NoiseAxis("gaussian", "Standard deviation of Gaussian noise")
CONSTANT = NoiseAxis("constant", "Constant shift")
SYMMETRIC = NoiseAxis("uniform around 0", "a of uniform noise in [−a, a]")
ONE_SIDED = NoiseAxis("uniform from 0", "a of uniform noise between 0 and a")


def noise_axis(evaluation: Mapping[str, Any]) -> tuple[NoiseAxis, float] | None:
    """The axis and the level of one of a run's evaluations.

    Uniform noise is an interval. Those around 0 lie on one axis, by their bound; those that end
    at 0 on another, by the other bound with its sign. None for any other interval, and for an
    evaluation without a level. Other settings, as an attack's steps, make an axis of their own.
    """
    kind, level = evaluation["kind"], evaluation["level"]
    if kind == "uniform":
        return _uniform(evaluation["name"])
    if level is None:
        return None
    known = {"gaussian": GAUSSIAN, "constant": CONSTANT}
    return known.get(kind) or _other(kind, evaluation["name"]), float(level)


def _other(kind: str, name: str) -> NoiseAxis:
    found = _SETTINGS.match(name)
    if found is None or not found["settings"]:
        return NoiseAxis(kind, f"Level of {kind}")
    return NoiseAxis(f"{kind} {found['settings']}", f"Level of {kind} ({found['settings']})")


def _uniform(name: str) -> tuple[NoiseAxis, float] | None:
    found = _UNIFORM.match(name)
    if found is None:
        return None
    try:
        low, high = float(found["low"]), float(found["high"])
    except ValueError:
        return None
    if low == -high:
        return SYMMETRIC, high
    if low == 0 or high == 0:
        return ONE_SIDED, low + high
    return None
