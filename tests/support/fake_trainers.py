"""Trainers that a spec can name, for testing what happens around a run.

They do no mathematics; each shows one way in which a run can end.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from sweep_plugins import PluginError, UnknownNameError
from trainers.config.job import EpochMetrics, TrainingJob, TrainingResult
from trainers.errors import (
    CheckpointError,
    DatasetMissingError,
    ResultError,
    StorageFullError,
    TrainingStopped,
)
from trainers.storage import open_folder

EPOCH_SECONDS = float(os.environ.get("EPOCH_SECONDS", "0.05"))
"""The pace of `paced` and `light`, slow enough to be watched. Processes that nobody watches set it
to 0."""


def quick(job: TrainingJob) -> TrainingResult:
    """Finishes at once; the accuracy tells the seed."""
    accuracy = 50.0 + job.config.seed
    epochs: list[EpochMetrics] = [
        {
            "epoch": epoch,
            "learning_rate": 0.1,
            "train_loss": 1.0,
            "train_accuracy": accuracy + 1,
            "test_loss": 1.0,
            "test_accuracy": accuracy,
            "seconds": 0.001,
        }
        for epoch in range(1, job.config.training.epochs + 1)
    ]
    return {
        "parameters": 1000 * job.config.model.depth,
        "test_accuracy": accuracy,
        "best_test_accuracy": accuracy,
        "best_epoch": 1,
        "train_accuracy": accuracy + 1,
        "generalization_gap": 1.0,
        "test_loss": 1.0,
        "train_loss": 1.0,
        "diverged": False,
        "diverged_epoch": None,
        "train_seconds": 0.001,
        "images_per_second": 1000.0,
        "weights_sha256": "0" * 64,
        "learned_coefficients": None,
        "epochs": epochs,
        "evaluations": [
            {
                "evaluation_id": evaluation.evaluation_id,
                "name": evaluation.name,
                "kind": evaluation.kind,
                "level": evaluation.level,
                "config": evaluation.config,
                "accuracy": accuracy - 10,
                "loss": 2.0,
            }
            for evaluation in job.evaluations
        ],
    }


def odd_seeds_raise(job: TrainingJob) -> TrainingResult:
    """Raises for every second seed."""
    if job.config.seed % 2:
        raise RuntimeError(f"seed {job.config.seed} is odd")
    return quick(job)


def raises_until_mended(job: TrainingJob) -> TrainingResult:
    """Raises until the data folder holds a file `repaired`."""
    if not (job.data_dir / "repaired").exists():
        raise RuntimeError("not repaired yet")
    return quick(job)


class SilentError(Exception):
    """Its text cannot be had."""

    def __str__(self) -> str:
        raise SystemExit("no text")


class EndlessError(Exception):
    """Its text has 14 MB."""

    def __str__(self) -> str:
        return "begin " + "\x1b[31m! " * 2_000_000 + " end"


class OwnText(str):
    """A text of a class of the trainer's."""


class SpokenError(Exception):
    """Its text is one of those."""

    def __str__(self) -> str:
        return OwnText("own text")


class EvasiveError(Exception):
    """Does not say what it is."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise SystemExit("of no class")


def raises(job: TrainingJob) -> TrainingResult:
    """Raises, for the seeds in order, what is no ordinary error."""
    cause = RuntimeError("its own cause")
    cause.__cause__ = cause
    if job.config.seed == 10:
        open_folder("/dev/null/its own").write("file", b"")
    raise (
        SystemExit(0),
        SystemExit("exit code 1"),
        KeyboardInterrupt(),
        GeneratorExit(),
        SilentError(),
        EndlessError(),
        cause,
        TrainingStopped(),
        type("Class\x1b[2J", (BaseException,), {})("of no kind"),
        SpokenError(),
        AssertionError("written into a device"),
        UnknownNameError("layer", "of its own", ()),
        PluginError("of its own"),
        DatasetMissingError("of its own"),
        StorageFullError("of its own"),
        CheckpointError("of its own"),
        ResultError("of its own"),
        EvasiveError("of its own"),
    )[job.config.seed]


def dies(job: TrainingJob) -> TrainingResult:
    """Takes its whole process with it."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


def dies_once(job: TrainingJob) -> TrainingResult:
    """Takes its process with it at the first attempt, and finishes at the second."""
    if attempt_of(job) == 1:
        dies(job)
    return quick(job)


def loses_its_dataset(job: TrainingJob) -> TrainingResult:
    """The data are not on this machine."""
    from trainers.data.loading import load

    def read(folder: Path) -> Any:
        raise DatasetMissingError("the data are not here; put them there")

    load("digits", job.data_dir, replace(job.config.dataset_facts, read=read))
    raise AssertionError("the data are here")


def loses_its_storage(job: TrainingJob) -> TrainingResult:
    """Somebody puts a file where the run's folder is."""
    assert job.folder is not None
    run = Path(job.folder.location).parent
    run.parent.mkdir(parents=True)
    run.write_text("a file")
    job.folder.write("epoch-1", b"done")
    raise AssertionError("a file in a file")


def _nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


def returns(job: TrainingJob) -> Any:
    """Returns, for the seeds in order, what is no result."""
    changes: tuple[Any, ...] = (
        {"parameters": 10**400},
        {"train_seconds": 10**5_000},
        {"learned_coefficients": _nested(900)},
        {"epochs": _nested(100_000)},
        {"train_seconds": float("nan")},
        {"weights_sha256": "\udc80\0" * 1_000},
        {"evaluations": [{"config": {"a": {1, 2}}}]},
        {b"bytes": 1},
        {"run_id": "of another"},
        {"train_seconds": 1e308},
        {"evaluations": [{"evaluation_id": "0" * 16}]},
    )
    if job.config.seed == len(changes):
        return "nothing of the kind"
    if job.config.seed > len(changes):
        return quick(job)
    return {**quick(job), **changes[job.config.seed]}


def stores_nonsense(job: TrainingJob) -> TrainingResult:
    """A result whose accuracy is no number."""
    return {**quick(job), "test_accuracy": "high"}  # type: ignore[typeddict-item]


def slow(job: TrainingJob) -> TrainingResult:
    """Takes a tenth of a second for each epoch."""
    time.sleep(0.1 * job.config.training.epochs)
    return quick(job)


def attempt_of(job: TrainingJob) -> int:
    """From 1; the attempt's folder is named so."""
    assert job.folder is not None
    return int(job.folder.location.rpartition("/")[2])


def paced(job: TrainingJob) -> TrainingResult:
    """Takes EPOCH_SECONDS for each epoch, and stores a checkpoint after each.

    An epoch's number is a hash of the one before, so that an epoch left out or done twice changes
    the last one, which the result consists of.
    """
    from trainers.training.checkpoint import Checkpoints

    assert job.folder is not None
    checkpoints = Checkpoints(job.config.run_id, job.folder, job.earlier)
    done, chain = 0, f"seed {job.config.seed}"
    if (newest := checkpoints.newest()) is not None:
        done, chain = newest[0], newest[1]["chain"]
    result = quick(job)
    for metrics in result["epochs"][done:]:
        if job.heartbeat is not None:
            job.heartbeat()
        time.sleep(EPOCH_SECONDS)
        chain = hashlib.sha256(f"{chain}, epoch {metrics['epoch']}".encode()).hexdigest()
        checkpoints.save(metrics["epoch"], {"chain": chain})
        if job.on_epoch is not None:
            job.on_epoch(metrics)
    accuracy = int(chain[:8], 16) / 2**32 * 100
    for evaluation in result["evaluations"]:
        evaluation["accuracy"] = accuracy / 2
    return {
        **result,
        "test_accuracy": accuracy,
        "best_test_accuracy": accuracy,
        "best_epoch": job.config.training.epochs,
        "weights_sha256": chain,
        "first_epoch": done + 1,
    }


def light(job: TrainingJob) -> TrainingResult:
    """Takes EPOCH_SECONDS for each epoch, stores one file after each, and needs no torch."""
    assert job.folder is not None
    result = quick(job)
    for metrics in result["epochs"]:
        if job.heartbeat is not None:
            job.heartbeat()
        time.sleep(EPOCH_SECONDS)
        job.folder.write(f"epoch-{metrics['epoch']}", b"done")
        if job.on_epoch is not None:
            job.on_epoch(metrics)
    return result


def leaves_a_thread(job: TrainingJob) -> TrainingResult:
    """Finishes, and a thread goes on for ever."""
    threading.Thread(target=time.sleep, args=(3600,), name="endless thread").start()
    return quick(job)


def leaves_a_process(job: TrainingJob) -> TrainingResult:
    """Finishes, and a process goes on for ever."""
    multiprocessing.Process(target=time.sleep, args=(3600,), name="endless process").start()
    return quick(job)


def hangs(job: TrainingJob) -> TrainingResult:
    """Gives no heartbeat at the first attempt, and finishes at the second."""
    if attempt_of(job) == 1:
        hangs_always(job)
    return quick(job)


def hangs_always(job: TrainingJob) -> TrainingResult:
    """Gives one heartbeat, and no other."""
    if job.heartbeat is not None:
        job.heartbeat()
    while True:
        time.sleep(3600)


def runs_out_of_memory(job: TrainingJob) -> TrainingResult:
    """Finds too little memory at its first two attempts, and whenever the data folder is `small`.

    That is: while it holds a file of that name.
    """
    import torch

    if attempt_of(job) <= 2 or (job.data_dir / "small").exists():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
    return quick(job)


def always_runs_out_of_memory(job: TrainingJob) -> TrainingResult:
    """However large its share of the device is."""
    import torch

    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")


def imports_torch_late(job: TrainingJob) -> TrainingResult:
    """Finishes at once; its accuracy is 100 if torch was set up to repeat every bit."""
    assert "torch" not in sys.modules
    import torch

    ready = torch.are_deterministic_algorithms_enabled() and torch.get_num_threads() == 2
    return {**quick(job), "test_accuracy": 100.0 if ready else 0.0}


def loses_the_database(job: TrainingJob) -> TrainingResult:
    """At its first attempt of seed 2, someone removes the home's database meanwhile."""
    if job.config.seed == 2 and attempt_of(job) == 1:
        (job.data_dir.parent / "sweep.db").unlink()
    return quick(job)


def quotes_a_secret(job: TrainingJob) -> TrainingResult:
    """Fails with a URL in its message, as libraries do."""
    assert job.folder is not None
    job.folder.write("started", b"")
    secret = "wJal" + "rXUtnFEMI"  # whole in no source line, which a traceback has
    raise RuntimeError(f"cannot reach s3://AKIA:{secret}@bucket/x?sig={secret}")
