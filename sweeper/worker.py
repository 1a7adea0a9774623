"""What a worker does with one task. Failures come back as data, with the traceback."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from trainers.errors import DatasetMissingError
from trainers.run import evaluate_stored, run


@dataclass(frozen=True)
class Task:
    """Plain data for a worker: one run to train, or stored weights to evaluate.

    Attributes:
        config: a RunConfig as JSON.
        evaluations: as a spec writes them.
        runs_folder: holds a folder for each run, which holds one for each attempt.
        attempt: the attempt to train as, or None to evaluate the stored weights.
        threads: CPU threads.
    """

    run_id: str
    attempt: int | None
    config: dict[str, Any]
    evaluations: tuple[dict[str, Any], ...]
    runs_folder: Path
    data_dir: Path
    device: str
    threads: int


@dataclass(frozen=True)
class Finished:
    """The task was done: a run's result, or the list of its evaluations."""

    task: Task
    result: Any


@dataclass(frozen=True)
class Raised:
    """The trainer raised."""

    task: Task
    error: str
    traceback: str
    kind: Literal["trainer", "dataset_missing"] = "trainer"


@dataclass(frozen=True)
class Lost:
    """The worker vanished before it could say anything."""

    task: Task
    reason: str


Outcome = Finished | Raised | Lost


def attempt_folder(runs_folder: Path, run_id: str, attempt: int) -> Path:
    """Where one attempt writes."""
    return runs_folder / run_id / str(attempt)


def attempt_folders(runs_folder: Path, run_id: str) -> list[Path]:
    """The folders of all attempts of a run so far, the newest first."""
    folder = runs_folder / run_id
    if not folder.is_dir():
        return []
    attempts = [path for path in folder.iterdir() if path.name.isdecimal()]
    return sorted(attempts, key=lambda path: int(path.name), reverse=True)


def execute(task: Task) -> Finished | Raised:
    """Do the task; raises nothing but what ends the process."""
    try:
        folders = attempt_folders(task.runs_folder, task.run_id)
        where: dict[str, Any] = {
            "data_dir": task.data_dir,
            "device": task.device,
            "threads": task.threads,
        }
        if task.attempt is None:
            return Finished(
                task, evaluate_stored(task.config, task.evaluations, folders=folders, **where)
            )
        folder = attempt_folder(task.runs_folder, task.run_id, task.attempt)
        earlier = [path for path in folders if path != folder]
        return Finished(
            task,
            run(
                task.config,
                task.evaluations,
                folder=folder,
                earlier=earlier,
                attempt=task.attempt,
                **where,
            ),
        )
    except DatasetMissingError as error:
        return Raised(task, str(error), traceback.format_exc(), kind="dataset_missing")
    except Exception as error:
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return Raised(task, text, traceback.format_exc())
