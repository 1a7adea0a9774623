"""The product of a spec's axes: which points there are, and the config of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from math import prod
from typing import Any

from sweeper.spec.points import ConfigPath, Point
from sweeper.spec.source import SpecPath
from trainers.config.trainer_run import TrainerRun

Axis = tuple[tuple[str, ...], tuple[tuple[Any, ...], ...], tuple[SpecPath, ...]]
"""Names that move together, their values by position, and where each name's list stands."""

Choice = tuple[int, ...]
"""A position in each axis."""


class Grid:
    """Points are identified by their Choice, and made only when they are needed."""

    def __init__(
        self, base: Point, axes: list[Axis], resolve: Callable[[Point], TrainerRun]
    ) -> None:
        self._base = base
        self._resolve = resolve
        self._axes = axes
        # A path comes before the paths inside it, so that `model` does not undo `model.width`.
        self._moving = sorted(
            (
                (ConfigPath.parse(name), axis, within)
                for axis, (names, _, _) in enumerate(axes)
                for within, name in enumerate(names)
            ),
            key=lambda item: len(item[0]),
        )
        self._seeds = next((i for i, (names, _, _) in enumerate(axes) if names == ("seed",)), None)
        self._known: dict[Choice, TrainerRun] = {}

    def choices(self) -> Iterator[Choice]:
        """All of them, the last axis moving fastest."""
        return product(*(range(len(values)) for _, values, _ in self._axes))

    def one_of_each(self) -> Iterator[Choice]:
        """Choices that have every value of every axis; none if that is no shorter than all."""
        lengths = [len(values) for _, values, _ in self._axes]
        if sum(lengths) >= prod(lengths):
            return iter(())
        return (
            tuple(position if other == axis else 0 for other in range(len(self._axes)))
            for axis, length in enumerate(lengths)
            for position in range(length)
        )

    def point(self, choice: Choice) -> Point:
        """Raises ConfigError if a value cannot stand where its axis puts it."""
        point = self._base.copy()
        for path, axis, within in self._moving:
            _, values, places = self._axes[axis]
            position = choice[axis]
            point.set(path, values[position][within], (*places[within], position))
        return point

    def config(self, choice: Choice) -> TrainerRun:
        """Raises ConfigError as `sweeper.spec.run_configs.resolve`."""
        if self._seeds is None:
            return self._resolve(self.point(choice))
        # Runs that differ in their seed alone are resolved once.
        others = (*choice[: self._seeds], *choice[self._seeds + 1 :])
        (seed,) = self._axes[self._seeds][1][choice[self._seeds]]
        if others in self._known:
            try:
                return self._known[others].with_seed(seed)
            except ValueError:
                pass  # resolving says what is wrong with it
        config = self._resolve(self.point(choice))
        self._known[others] = config
        return config
