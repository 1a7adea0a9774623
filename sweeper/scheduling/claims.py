"""The runs that a driver works on: claimed under a lease, or done and only to be evaluated."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from results.records import PendingRun
from results.store.store import Store
from sweep_plugins.plain_text import shortened
from sweep_plugins.text_secrets import hide_secrets_of_command
from sweeper.executors.tasks import Task
from sweeper.permissions import umask_asked_for
from sweeper.scheduling.backlog import Backlog, processes_of
from sweeper.scheduling.lease_keeper import LeaseKeeper
from sweeper.scheduling.run_storage import RunStorage
from sweeper.spec.spec import Spec
from trainers.provenance.repository import repositories

_LONGEST_COMMAND = 2_000

_MOST_FILES = 100
"""Of a trainer or plug-in, whose digests are kept. Of more, an edit names none."""


@dataclass
class Claims:
    """Claims runs, makes tasks of them, and keeps their leases.

    Attributes:
        command: of this driver, kept with each attempt.
        running: by run id, what was submitted and has not come back.
        ends: by run id, when it is expected to, by time.monotonic.
        leases: to be entered while runs are claimed.
    """

    spec: Spec
    store: Store
    storage: RunStorage
    sentinel: str
    data_dir: Path
    backlog: Backlog
    command: str
    running: dict[str, tuple[PendingRun, Task]] = field(default_factory=dict)
    ends: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.leases = LeaseKeeper(self.store)

    @cached_property
    def _provenance(self) -> dict[str, Any]:
        """What an attempt has of its driver: the code beside it is looked at once, at the first."""
        told: dict[str, Any] = {
            "driver_host": socket.gethostname(),
            "driver_pid": os.getpid(),
            "command": shortened(hide_secrets_of_command(self.command), _LONGEST_COMMAND),
            "repositories": repositories(self.spec.code_folders),
        }
        if sources := {
            source: dict(files)
            for source, files in self.spec.sources.items()
            if len(files) <= _MOST_FILES
        }:
            told["sources"] = sources
        if self.spec.accepted_code:
            told["accepted_code"] = dict(self.spec.accepted_code)
        return told

    def claim(self, bundle: Sequence[PendingRun], multiplier: int, device: str) -> list[Task]:
        """Tasks for those of the runs that no other driver has claimed."""
        queued = [run.run_id for run in bundle if run.state == "queued"]
        attempts = self.store.claim_all(queued, provenance=self._provenance) if queued else {}
        tasks = []
        for run in bundle:
            attempt = attempts.get(run.run_id)
            if attempt is not None:
                self.leases.add(run.run_id, attempt)
            elif run.state == "queued":
                continue
            task = self._task(run, attempt, multiplier, device)
            self.running[run.run_id] = (run, task)
            tasks.append(task)
        return tasks

    def forget(self, run_id: str) -> tuple[PendingRun, Task]:
        """Give up the lease of a run; what had been submitted."""
        self.leases.remove(run_id)
        self.ends.pop(run_id, None)
        return self.running.pop(run_id)

    def _task(self, run: PendingRun, attempt: int | None, multiplier: int, device: str) -> Task:
        places = [*run.storages]
        if attempt is None:
            # Weights of an imported run lie there, if anywhere; they are known by their hash.
            places.append(self.storage.named)
        return Task(
            run_id=run.run_id,
            attempt=attempt,
            config=run.config,
            evaluations=tuple(evaluation.config for evaluation in run.missing_evaluations),
            storage=self.storage.location,
            sentinel=self.sentinel,
            weights_sha256=run.weights_sha256,
            earlier_storages=tuple(s for s in places if s != self.storage.location),
            data_dir=self.data_dir,
            device=device,
            threads=self.spec.resources.threads,
            processes=processes_of(run),
            multiplier=multiplier,
            avoid=self.backlog.avoided(run),
            umask=umask_asked_for(),
            retry_seconds=self.spec.faults.unreachable.seconds,
            file_limits=self.spec.file_limits,
        )
