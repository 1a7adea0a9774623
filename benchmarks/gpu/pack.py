"""Several runs on one device, stepped in turn by one thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gpu.runs import Run


class Steps(Protocol):
    """What can be stepped."""

    def step(self) -> int:
        """Queue one step; how many images it trains."""
        ...


class RoundRobin:
    """Runs that take one step each in turn. One that fails is left out from then on.

    Attributes:
        failures: the exception of each run that failed, by its place.
    """

    def __init__(self, runs: Sequence[Steps]) -> None:
        self._runs = runs
        self.failures: dict[int, Exception] = {}

    def step(self) -> int:
        """One step of every run that is left; how many images they train."""
        images = 0
        for place, run in enumerate(self._runs):
            if place not in self.failures:
                try:
                    images += run.step()
                except Exception as error:
                    self.failures[place] = error
        return images

    def raise_failures(self) -> None:
        """Raises the first failure, if there is one."""
        for error in self.failures.values():
            raise error


class Failing:
    """A run whose Python loop raises at one step.

    Args:
        at: the step, from 1.
    """

    def __init__(self, run: Run, at: int) -> None:
        self._run = run
        self._left = at

    def step(self) -> int:
        self._left -= 1
        if self._left == 0:
            raise RuntimeError("this run was made to fail")
        return self._run.step()


def digests_together(runs: Sequence[Run], steps: int) -> list[str]:
    """Of runs that restart and take `steps` steps side by side."""
    for run in runs:
        run.restart()
    pack = RoundRobin(runs)
    for _ in range(steps):
        pack.step()
    pack.raise_failures()
    return [run.digest() for run in runs]


def digests_with_a_failing_run(runs: Sequence[Run], steps: int) -> list[str]:
    """As `digests_together`, of all but the middle run, which fails half way.

    Raises:
        RuntimeError: that run, and it alone, was to fail, and this is not what happened.
    """
    failing = len(runs) // 2
    for run in runs:
        run.restart()
    members: list[Steps] = list(runs)
    members[failing] = Failing(runs[failing], max(1, steps // 2))
    pack = RoundRobin(members)
    for _ in range(steps):
        pack.step()
    if list(pack.failures) != [failing]:
        raise RuntimeError(f"runs {list(pack.failures)} failed, and not only run {failing}")
    return [run.digest() for place, run in enumerate(runs) if place != failing]
