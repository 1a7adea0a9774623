"""A run that two processes on two nodes of Ray train, and what kills it on the way."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, get_args

import psutil

import drivers
from drivers import Driver
from killed_raylets import RayNodes
from waiting import wait_until

Victim = Literal["driver", "rank 0", "rank 1", "node"]

FAULTS: dict[Victim, str] = {
    "driver": "driver_lost",
    "rank 0": "worker_lost",
    "rank 1": "worker_lost",
    "node": "worker_lost",
}
"""What an attempt ends with whose victim was killed."""

PROCESSES = 2

START_SECONDS = 300.0
"""Until all processes train again; only a hang takes so long."""


def victims(kills: int, chance: random.Random) -> list[Victim]:
    """Each kind as often as the others, as far as that goes, in random order."""
    found: list[Victim] = []
    while len(found) < kills:
        kinds = list(get_args(Victim))
        chance.shuffle(kinds)
        found += kinds
    return found[:kills]


class Killed:
    """One run of a sweep while its driver, processes and nodes are killed.

    Args:
        start: the command that runs the sweep, and continues it.
        home: that of the sweep.
        say: called with a sentence for each kill.

    Attributes:
        family: each process that trained, or was started by one that did.
    """

    def __init__(
        self,
        start: Callable[[], Driver],
        nodes: RayNodes,
        home: Path,
        say: Callable[[str], object] = print,
    ) -> None:
        self.family: dict[int, psutil.Process] = {}
        self._start = start
        self._nodes = nodes
        self._home = home
        self._say = say

    def survive(
        self, kills: Sequence[tuple[int, Victim]], pause: Callable[[], float], seconds: float
    ) -> None:
        """Kills each victim while the run trains, and lets it finish.

        Args:
            kills: after how many stored epochs, at the earliest, and whom; in that order.
            pause: seconds after that.
            seconds: which all of it takes only if it hangs.
        """
        driver = self._start()
        try:
            for epochs, victim in kills:
                ranks = self._trained_by(driver, epochs, seconds)
                time.sleep(pause())
                assert driver.process.poll() is None, f"it ended too early:\n{driver.output()}"
                self._say(f"kill of {victim} after {self._stored()} stored epochs")
                self._remember(ranks)
                if victim == "driver":
                    driver.kill_alone()
                    driver = self._start()
                elif victim == "node":
                    self._nodes.kill_raylet(self._nodes.others()[0])
                    self._nodes.add()
                else:
                    ranks[int(victim == "rank 1")].kill()
            if driver.lives_until(lambda: bool(self._ranks()), seconds=START_SECONDS):
                self._remember(self._ranks())
            driver.finish(seconds)
        finally:
            driver.kill()

    def left(self) -> list[psutil.Process]:
        """The processes of the run that live."""
        return [process for process in self.family.values() if _lives(process)]

    def _stored(self) -> int:
        """Epochs of the run."""
        return max(drivers.finished_epochs(self._home / "runs").values(), default=0)

    def _trained_by(self, driver: Driver, epochs: int, seconds: float) -> list[psutil.Process]:
        """The processes that train, by rank, once so many epochs are stored."""
        found: list[psutil.Process] = []

        def all_train() -> bool:
            found[:] = self._ranks()
            return bool(found)

        driver.wait_until(all_train, seconds=START_SECONDS)
        driver.wait_until(lambda: self._stored() >= epochs, seconds=seconds)
        return found

    def _ranks(self) -> list[psutil.Process]:
        """The processes of an attempt of which none was killed, by rank; none before all train."""
        there = [p for p in self._nodes.workers() if p.pid not in self.family]
        found = [process for process in there if _has_thread(process, "pt_gloo")]
        if len(found) < PROCESSES or not any(map(_is_first, found)):
            return []
        return sorted(found, key=lambda process: not _is_first(process))

    def _remember(self, ranks: Sequence[psutil.Process]) -> None:
        for rank in ranks:
            with suppress(psutil.NoSuchProcess):
                self.family |= {p.pid: p for p in (rank, *rank.children(recursive=True))}


def _is_first(process: psutil.Process) -> bool:
    """Whether it is rank 0, where the store lives at which all meet."""
    return _has_thread(process, "pt_tcpstore")


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE and process.is_running())
    return False


def _has_thread(process: psutil.Process, name: str) -> bool:
    """Whether torch has started one whose name begins so."""
    tasks = Path(f"/proc/{process.pid}/task")
    with suppress(OSError):
        return any((task / "comm").read_text().startswith(name) for task in tasks.iterdir())
    return False


def wait_until_nothing_is_left(killed: Killed, nodes: RayNodes) -> None:
    """No process, place or CPU; fails where one stays."""
    wait_until(lambda: not killed.left(), "the run's processes end")
    wait_until(lambda: not nodes.placement_groups(), "its places are given back")
    nodes.seconds_until_free(60.0)
