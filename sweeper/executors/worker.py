"""What a worker does with one task. Failures are returned as data, with the traceback."""

from __future__ import annotations

import json
import math
import os
import socket
import time
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from typing import Any, Literal

from pydantic import ValidationError

from results.json_values import DEEPEST, is_too_deep
from sweep_plugins import PluginError, UnknownNameError
from sweeper.executors.failure_text import described, said_by, traceback_of
from sweeper.executors.heartbeat import Heartbeat
from sweeper.executors.reporting import ALL, Reporting
from sweeper.executors.run_folders import SENTINELS, attempt_folders, run_folder
from sweeper.executors.tasks import Finished, MachineFault, Raised, Stopped, Task, WeightsGone
from sweeper.logs.capture import RunLogs
from sweeper.permissions import PRIVATE
from trainers.config.job import EpochMetrics
from trainers.errors import (
    CheckpointError,
    PeerLostError,
    ResultError,
    StorageError,
    StorageFullError,
    StorageUnreachableError,
    TrainingStopped,
    WorkerLostError,
)
from trainers.provenance.attempt import provenance
from trainers.run import evaluate_stored, run
from trainers.stages import during, stage_of
from trainers.storage import Folder, open_folder
from trainers.training.out_of_memory import is_out_of_memory

# Of what it holds, the deepest are the evaluations' configs, which have levels of their own.
_DEEPEST_RESULT = DEEPEST + 3


def execute(
    task: Task, heartbeat: Heartbeat, logs: RunLogs | None = None
) -> Finished | Raised | MachineFault | WeightsGone | Stopped:
    """Do the task; what an attempt writes meanwhile goes into its log, if `logs` are kept.

    Nothing, if it was asked to stop by then.

    Raises KeyboardInterrupt if the task was asked to stop and Control-C came again. Whatever else
    a trainer raises is an outcome: SystemExit ends no worker, and no driver that trains inline.
    """
    if heartbeat.is_asked_to_stop:
        return Stopped(task, began=False)
    started = time.perf_counter()
    if task.umask is not None:
        os.umask(task.umask)
    heartbeat.reporting = None if task.attempt is None else Reporting(task.run_id, task.attempt)
    try:
        with _log(task, logs):
            result = _execute(task, heartbeat)
        if is_too_deep(result, _DEEPEST_RESULT):
            # Neither could it be sent to the driver, nor would that read it.
            raise ResultError(
                f"the result has more than {_DEEPEST_RESULT} levels of lists and objects"
            )
        return Finished(task, result, time.perf_counter() - started)
    except BaseException as error:
        # Not isinstance, which may ask the error itself.
        if issubclass(type(error), KeyboardInterrupt) and heartbeat.is_asked_to_stop:
            raise
        outcome = _failure(task, error, heartbeat)
        if not isinstance(outcome, Raised | Stopped):
            return outcome
        reporting = heartbeat.reporting
        return replace(outcome, report=None if reporting is None else reporting.take(ALL))
    finally:
        # All of it is in the result, or in the outcome.
        heartbeat.reporting = None


def _log(task: Task, logs: RunLogs | None) -> AbstractContextManager[None]:
    if logs is None or task.attempt is None:
        return nullcontext()
    with during("storage", StorageError):
        folder = run_folder(task.storage, task.run_id).child(str(task.attempt))
    rank = 0 if task.member is None else task.member.rank
    return logs.of(folder.location, PRIVATE if task.umask is None else task.umask, rank)


def _failure(
    task: Task, error: BaseException, heartbeat: Heartbeat
) -> Raised | MachineFault | WeightsGone | Stopped:
    """The outcome of a task that raised this."""
    kind: Literal["trainer_error", "out_of_memory", "worker_lost"] = "trainer_error"
    lost_peer = False
    # Its class may be a trainer's, and do anything when it is looked at.
    with suppress(BaseException):
        # Of several processes one hears of it from another, before its own driver has told it.
        if isinstance(error, TrainingStopped) and (task.member or heartbeat.is_asked_to_stop):
            return Stopped(task)
        lost_peer = task.member is not None and isinstance(error, PeerLostError)
        match stage_of(error):
            case _ if lost_peer:
                pass
            case "dataset":
                return MachineFault(task, said_by(error), "dataset_missing")
            case "storage" if not _is_of_its_own_folder(error, task):
                return MachineFault(task, said_by(error), "storage")
            case "weights":
                return WeightsGone(task, said_by(error))
            case "names" if missing := _missing_plugin(error):
                return MachineFault(task, missing, "plugin_missing")
        if is_out_of_memory(error):
            kind = "out_of_memory"
        elif isinstance(error, WorkerLostError):
            kind = "worker_lost"
    told: dict[str, Any] = {}
    with suppress(Exception):  # what it asks may have been changed by the trainer
        told = json.loads(json.dumps(provenance(task.device, task.threads)))
    here = socket.gethostname()
    reason, traceback = described(error), traceback_of(error)
    return Raised(task, reason, traceback, kind, here, told, lost_peer)


def _is_of_its_own_folder(error: BaseException, task: Task) -> bool:
    """Whether what cannot be used is what the run itself has put where its files should be."""
    if task.attempt is None or isinstance(error, (StorageFullError, StorageUnreachableError)):
        return False
    try:
        run = run_folder(task.storage, task.run_id)
        return str(task.attempt) in run.names()
    except StorageError:
        return False


def _missing_plugin(error: BaseException) -> str | None:
    """What this machine lacks, if the error is about a name, all of which the driver knew."""
    causes: list[object] = [error]
    if isinstance(error, ValidationError):
        causes = [problem.get("ctx", {}).get("error") for problem in error.errors()]
    for cause in causes:
        if isinstance(cause, (UnknownNameError, PluginError)):
            return (
                f"{said_by(cause)}; on {socket.gethostname()}, where a run was to train: install"
                " the same plug-ins on every machine"
            )
    return None


def _execute(task: Task, heartbeat: Heartbeat) -> Any:
    with during("storage", StorageError):
        storage = open_folder(
            task.storage, retry_seconds=task.retry_seconds, on_wait=heartbeat.wait
        )
        _find_sentinel(storage, task)
    home = storage.child(task.run_id)
    folders = attempt_folders(home)
    away = ""
    for location in task.earlier_storages:
        try:
            folders += attempt_folders(run_folder(location, task.run_id))
        except StorageError as error:
            # Perhaps another user's, or lost with its machine. Training can start without it.
            away = f"; and {error}"
    where: dict[str, Any] = {
        "data_dir": task.data_dir,
        "device": task.device,
        "threads": task.threads,
    }
    if task.attempt is None:
        try:
            return evaluate_stored(
                task.config,
                task.evaluations,
                folders=folders,
                weights_sha256=task.weights_sha256,
                heartbeat=heartbeat.stop_if_asked,
                **where,
            )
        except CheckpointError as error:
            if away and stage_of(error) == "weights":
                raise CheckpointError(f"{error}{away}") from error
            raise
    folder = home.child(str(task.attempt))

    reporting = heartbeat.reporting
    assert reporting is not None, "it is an attempt"

    def on_epoch(metrics: EpochMetrics) -> None:
        reporting.add_metrics(metrics)
        # After the last epoch little is left to do: the result is worth waiting for.
        if metrics["epoch"] < (task.config.get("training") or {}).get("epochs", math.inf):
            heartbeat.stop_if_asked()

    return run(
        task.config,
        task.evaluations,
        folder=folder,
        earlier=[earlier for earlier in folders if earlier.location != folder.location],
        attempt=task.attempt,
        file_limits=task.file_limits,
        on_epoch=on_epoch,
        on_report=reporting.add,
        heartbeat=heartbeat.beat,
        stop_asked=lambda: heartbeat.is_asked_to_stop,
        member=task.member,
        **where,
    )


def _find_sentinel(storage: Folder, task: Task) -> None:
    """Raises StorageError if this is not the storage that the driver sees."""
    if task.sentinel is None:
        return
    try:
        found = storage.child(SENTINELS).read(task.sentinel, 1_000).decode(errors="replace")
    except FileNotFoundError:
        found = ""
    if found != task.sentinel:
        raise StorageError(
            f"{storage.location} is not the same on {socket.gethostname()} as on the driver's"
            " machine: --storage names a folder that every machine mounts, or a URL such as"
            " s3://bucket/runs"
        )
