"""Legend entries that several figures have."""

from __future__ import annotations

from collections.abc import Iterable

from matplotlib.lines import Line2D

from results.figures.drawing.legend import Key
from results.figures.drawing.style import DIVERGED, LOOKS, look_of
from results.figures.replicates import Arm


def stability_keys(arms: Iterable[Arm]) -> list[Key]:
    """One entry for each kind of network among the arms."""
    shown = {look_of(arm.zero_stable) for arm in arms}
    return [
        Key(look.name, Line2D([], [], linestyle="none", **look.marks))
        for look in LOOKS
        if look in shown
    ]


def diverged_key(arms: Iterable[Arm]) -> list[Key]:
    """The mark of diverged runs, if there are any."""
    if not any(arm.diverged for arm in arms):
        return []
    return [Key("runs diverged", Line2D([], [], **DIVERGED))]
