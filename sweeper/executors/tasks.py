"""Tasks and their outcomes: the plain data that goes from a driver to its workers and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from sweeper.executors.placement import Demand
from sweeper.executors.reporting import Report
from trainers.config.file_limits import FileLimits
from trainers.config.job import Member


@dataclass(frozen=True)
class Task:
    """Plain data for a worker: one run to train, or stored weights to evaluate.

    Attributes:
        config: of any run, as JSON.
        evaluations: as a spec writes them.
        storage: where runs are kept, a path or URL; holds a folder for each run, which holds one
            for each attempt.
        earlier_storages: others that may hold earlier attempts of this run.
        sentinel: the file to find among the SENTINELS of the storage; None for any storage.
        attempt: the attempt to train as, or None to evaluate the stored weights.
        threads: CPU threads.
        processes: that train together, in as many places; each is told its place as `member`.
        multiplier: how many times the resources of one slot each process gets.
        member: the place of this process among them; None for the whole, or the only one.
        weights_sha256: of the stored weights to evaluate; None if it is not known.
        umask: of the process while it does the task; None for what it has.
        avoid: nodes where it was lost before.
        retry_seconds: for how long an operation on unreachable storage is tried again.
        file_limits: of the files that it keeps.
    """

    run_id: str
    attempt: int | None
    config: dict[str, Any]
    evaluations: tuple[dict[str, Any], ...]
    storage: str
    data_dir: Path
    device: str
    threads: int
    sentinel: str | None = None
    earlier_storages: tuple[str, ...] = ()
    weights_sha256: str | None = None
    processes: int = 1
    multiplier: int = 1
    member: Member | None = None
    umask: int | None = None
    avoid: frozenset[str] = frozenset()
    retry_seconds: float = 0.0
    file_limits: FileLimits = field(default_factory=FileLimits)

    @property
    def demand(self) -> Demand:
        """What it needs at once."""
        return Demand(self.processes, self.multiplier)


@dataclass(frozen=True)
class Finished:
    """The task was done: a run's result, or the list of its evaluations.

    Attributes:
        seconds: from its start to its end, on the worker; None if it was not measured.
    """

    task: Task
    result: Any
    seconds: float | None = None


@dataclass(frozen=True)
class Raised:
    """The trainer raised, whatever it was; the worker is still running.

    Attributes:
        kind: "worker_lost" of a process that decoded images for it.
        provenance: what the worker says of itself, as of a run that is done.
        lost_peer: it only missed another process, which may have ended on something else.
        report: what the run had reported, and the driver not taken yet.
    """

    node: ClassVar[str] = ""
    task: Task
    reason: str
    traceback: str
    kind: Literal["trainer_error", "out_of_memory", "worker_lost"] = "trainer_error"
    host: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    lost_peer: bool = False
    report: Report | None = field(default=None, compare=False)


@dataclass(frozen=True)
class MachineFault:
    """Neither this task nor any other can be done on the worker's machine: something is missing."""

    task: Task
    error: str
    kind: Literal["dataset_missing", "plugin_missing", "storage"]


Loss = Literal["worker_lost", "hung", "out_of_memory"]


@dataclass(frozen=True)
class Lost:
    """The worker vanished before it returned an outcome, or was killed without a heartbeat."""

    traceback: ClassVar[str | None] = None
    provenance: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    report: ClassVar[Report | None] = None
    task: Task
    reason: str
    kind: Loss = "worker_lost"
    host: str = ""
    node: str = ""


@dataclass(frozen=True)
class Stopped:
    """The worker stopped as asked, after storing a checkpoint, or before the task `began`.

    `report` as of Raised.
    """

    task: Task
    report: Report | None = field(default=None, compare=False)
    began: bool = True


@dataclass(frozen=True)
class WeightsGone:
    """The weights that were to be evaluated are nowhere, or are damaged; every storage was read."""

    task: Task
    error: str


@dataclass(frozen=True)
class LostInBundle:
    """Its worker was lost with several tasks, any of which may have been the cause."""

    task: Task
    reason: str


@dataclass(frozen=True)
class Unplaced:
    """It has not begun, as what it was given to has gone; nothing is wrong with it."""

    task: Task
    reason: str


Outcome = Finished | Raised | MachineFault | WeightsGone | Lost | LostInBundle | Stopped | Unplaced
