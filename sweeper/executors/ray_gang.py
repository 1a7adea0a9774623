"""Several processes that train one network: all of them start, or none, and end together."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from enum import Enum
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from sweeper.executors.placement import shares_of
from sweeper.executors.ray_process import Call, RayProcess
from sweeper.executors.ray_worker import Preparation
from sweeper.executors.reporting import Report
from sweeper.executors.tasks import (
    Finished,
    Lost,
    MachineFault,
    Outcome,
    Raised,
    Stopped,
    Task,
)
from sweeper.logs.ranks import of_rank
from trainers.config.job import Member

CAUSE_SECONDS = 10.0
"""How long is waited for what ended a process, after others say that they have lost it."""

START_SECONDS = 600.0
"""How long processes may take to import what trains: it is not the run that hangs meanwhile."""

END_SECONDS = 10.0
"""How long the other processes have to end by themselves, after rank 0 has."""


class _State(Enum):
    STARTING = "its processes are being started"
    LISTENING = "rank 0 opens the address at which they meet"
    RUNNING = "they train"


class Gang:
    """The processes of one task, in a placement group of their own.

    Args:
        slots: by node, those that are kept for it until it is known where it is.
        place: what Ray is asked for, for each process.
        spread: nodes that it is spread over; None to pack it on as few as possible.
        without: nodes where it is not to be.

    Attributes:
        processes: by rank.
        fits_anywhere: wherever as many slots are free as it needs.
        due: when the outcome is known at the latest, whatever the others do.
    """

    def __init__(
        self,
        call: Call,
        task: Task,
        preparation: Preparation,
        slots: Mapping[str, int],
        place: Mapping[str, float],
        spread: int | None,
        without: Collection[str],
    ) -> None:
        self.task = task
        self._call = call
        self._slots = dict(slots)
        self._state = _State.STARTING
        self._address: Any = None
        self._found: dict[int, Outcome] = {}  # by rank, in the order in which they came
        self.due = float("inf")
        self.fits_anywhere = task.multiplier == 1 and spread is None and not without
        shares = shares_of(task.processes, spread) if spread else [1] * task.processes
        self._group = call(lambda: _placement_group(shares, place, spread, without))
        self.processes: list[RayProcess] = []
        try:
            for index, share in enumerate(shares):
                for _ in range(share):
                    strategy = PlacementGroupSchedulingStrategy(self._group, index)
                    options = {**place, "scheduling_strategy": strategy}
                    self.processes.append(RayProcess(call, preparation, options))
        except BaseException:
            self.end()
            raise

    @property
    def has_begun(self) -> bool:
        """Whether its task has."""
        return self._state is _State.RUNNING

    @property
    def starts(self) -> bool:
        """Whether some of its processes are not prepared yet."""
        return any(process.start is not None for process in self.processes)

    @property
    def has_no_place(self) -> bool:
        """As far as is known: some of its processes have not been heard of."""
        return not all(process.has_answered for process in self.processes)

    @property
    def asked_for_at(self) -> float:
        """When its places were."""
        return self.processes[0].asked_for_at

    @property
    def slots(self) -> Mapping[str, int]:
        """That it has, by node."""
        if self.starts:
            return self._slots
        found: dict[str, int] = {}
        for process in self.processes:
            found[process.node] = found.get(process.node, 0) + self.task.multiplier
        return found

    @property
    def note(self) -> str:
        """What its processes wait for, where one does."""
        return next((process.note for process in self.processes if process.note), "")

    def references(self) -> list[Any]:
        """Of what is awaited."""
        if self._state is _State.LISTENING:
            return [self._address]
        waits = [process.start for process in self.processes if process.start is not None]
        waits += [process.outcomes for process in self.processes if process.outcomes is not None]
        return waits

    def arrived(self, reference: Any, own_node: str) -> tuple[str, str, str] | None:
        """Takes what one of the references gave; node, host and problem of one that is unfit."""
        if reference is self._address:
            self._begin()
            return None
        for rank, process in enumerate(self.processes):
            if reference is process.start:
                return self._started(rank, process, own_node)
            if reference is process.outcomes:
                self._ended(rank, process)
        return None

    def _started(
        self, rank: int, process: RayProcess, own_node: str
    ) -> tuple[str, str, str] | None:
        try:
            problem = process.started(own_node)
        except RayError as error:
            self._note(rank, self._lost(rank, *process.loss(error)))
            return None
        if problem:
            self._note(rank, self._lost(rank, problem))
            return process.node, process.host, problem
        if not self.starts and not self._found:
            self._state, self._address = _State.LISTENING, self.processes[0].listen()
        return None

    def _begin(self) -> None:
        try:
            address = self._call(lambda: ray.get(self._address), RayError)
        except RayError as error:
            self._state, self._address = _State.STARTING, None
            self._note(0, self._lost(0, *self.processes[0].loss(error)))
            return
        self._state, self._address = _State.RUNNING, None
        for rank, process in enumerate(self.processes):
            member = Member(rank, self.task.processes, address)
            process.execute([replace(self.task, member=member)])

    def _ended(self, rank: int, process: RayProcess) -> None:
        try:
            (outcome,) = self._call(lambda: ray.get(process.outcomes), RayError)
        except RayError as error:
            outcome = self._lost(rank, *process.loss(error))
        process.done()
        self._note(rank, replace(outcome, task=self.task))

    def _note(self, rank: int, outcome: Outcome) -> None:
        self._found[rank] = outcome
        match outcome:
            case Raised(lost_peer=True):
                patience = CAUSE_SECONDS
            case Stopped():  # all at the same epoch, unless one waited for storage
                patience = END_SECONDS
            case Finished() if rank == 0:
                patience = END_SECONDS
            case _:  # a cause, or one that is done while rank 0 stores what they have
                return
        self.due = min(self.due, time.monotonic() + patience)

    def _lost(self, rank: int, why: str, kind: Any = "worker_lost") -> Lost:
        process = self.processes[rank]
        return Lost(self.task, why, kind, process.host, process.node)

    def outcome(self) -> Outcome | None:
        """Of the task, once it is known; its processes are ended by `end` then."""
        if not self._found:
            return None
        first = self._found.get(0)
        if isinstance(first, Finished | Stopped):
            return first if self._is_due() else None
        causes = [(rank, each) for rank, each in self._found.items() if _is_cause(each)]
        if causes:
            return self._of_rank(*causes[0])
        if not self._is_due():
            return None
        # What ended the first of them nobody knows.
        rank, ended = min(self._found.items(), key=lambda item: not isinstance(item[1], Stopped))
        if isinstance(ended, Raised):
            return self._of_rank(rank, self._lost(rank, ended.reason))
        return ended

    def _is_due(self) -> bool:
        return len(self._found) == len(self.processes) or time.monotonic() >= self.due

    def _of_rank(self, rank: int, ended: Outcome) -> Outcome:
        match ended:
            case Raised() | Lost():
                return replace(ended, reason=of_rank(rank, self.task.processes, ended.reason))
            case MachineFault():
                return replace(ended, error=of_rank(rank, self.task.processes, ended.error))
        return ended

    def check(self, now: float, most: int, hung_seconds: float) -> Report | None:
        """Reads heartbeats, and what rank 0 has reported; a silent process is lost."""
        report = None
        for rank, process in enumerate(self.processes):
            if not self._is_awaited(rank):
                process.was_suspended(now)  # it waits for the others
            found = process.look(now, most if rank == 0 else 0)
            report = report or found
        left = [
            (process.answered_at, process.beat_at, rank)
            for rank, process in enumerate(self.processes)
            if self._is_awaited(rank)
        ]
        beats = [beat_at for _, beat_at, _ in left]
        if self.has_begun:
            # While one of them makes progress, the others may wait for it.
            silent = now - max(beats, default=now)
        else:
            silent = now - min(beats, default=now)
            hung_seconds = max(hung_seconds, START_SECONDS)
        if silent > hung_seconds:
            answered_at, _, rank = min(each for each in left if now - each[1] >= silent)
            stopped = now - answered_at > silent / 2
            why = f"no heartbeat for {silent:.0f} s"
            if not self.has_begun:
                why += f" while {self._state.value}"
            if stopped:
                why += ", and its process does not answer"
            elif self.has_begun and len(left) > 1:
                why = f"none of its processes had a heartbeat for {silent:.0f} s"
            self._note(rank, self._lost(rank, why, "hung"))
        return report

    def _is_awaited(self, rank: int) -> bool:
        """Whether something is to be heard of it: others may wait for it, and it for none."""
        match self._state:
            case _State.STARTING:
                return self.processes[rank].start is not None
            case _State.LISTENING:
                return rank == 0
            case _State.RUNNING:
                return rank not in self._found

    def last_report(self, now: float) -> Report | None:
        """What was on its way from rank 0."""
        return self.processes[0].read(now) if self.has_begun else None

    def ask_to_stop(self) -> None:
        """All of them, at the same epoch."""
        for process in self.processes:
            process.ask_to_stop()

    def end(self) -> None:
        """At once; their places are free then."""
        for process in self.processes:
            process.end()
        self._call(lambda: remove_placement_group(self._group))


def _is_cause(ended: Outcome) -> bool:
    """Whether this ended the others, and not another one this."""
    if isinstance(ended, Raised):
        return not ended.lost_peer
    return not isinstance(ended, Finished | Stopped)


def _placement_group(
    shares: list[int],
    place: Mapping[str, float],
    spread: int | None,
    without: Collection[str],
) -> Any:
    resources = {"CPU": place["num_cpus"], "GPU": place["num_gpus"]}
    bundles = [{name: share * n for name, n in resources.items() if n} for share in shares]
    elsewhere = {"ray.io/node-id": f"!in({','.join(sorted(without))})"}
    return placement_group(
        bundles,
        strategy="PACK" if spread is None else "STRICT_SPREAD",
        bundle_label_selector=[elsewhere] * len(bundles) if without else None,
    )
