"""One run from plain data to plain data: what a worker calls."""

from __future__ import annotations

import copy
import json
import socket
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sweep_plugins import import_error
from trainers.config.evaluations import stored_evaluation
from trainers.config.file_limits import FileLimits
from trainers.config.job import EpochMetrics, Member, TrainingJob
from trainers.config.run import RunConfig, parse_run
from trainers.config.trainer_run import TrainerRun
from trainers.config.trainers import BUILT_IN_TRAINER
from trainers.data.streaming.reading import default_workers
from trainers.errors import CheckpointError, ResultError, TrainerError
from trainers.own.code import require_code
from trainers.own.declaration import Declaration, declaration_of
from trainers.own.files import KeptFile, RunFiles
from trainers.own.job import Job
from trainers.own.loading import load_trainer
from trainers.own.reported import Values
from trainers.own.result import result_of
from trainers.own.scratch import remove_those_of_killed_processes
from trainers.process_state import undone_afterwards
from trainers.provenance.attempt import provenance
from trainers.result_file import RESULT_FORMAT, as_json, store_result
from trainers.stages import during
from trainers.storage import Folder
from trainers.torch_setup import prepare_torch


def run(
    config: dict[str, Any],
    evaluations: Sequence[dict[str, Any]] = (),
    *,
    data_dir: Path,
    folder: Folder | None = None,
    earlier: Sequence[Folder] = (),
    attempt: int = 1,
    device: str = "cpu",
    threads: int = 1,
    workers: int | None = None,
    on_epoch: Callable[[EpochMetrics], None] | None = None,
    on_report: Callable[[int, Values, int], None] | None = None,
    heartbeat: Callable[[], None] | None = None,
    stop_asked: Callable[[], bool] | None = None,
    file_limits: FileLimits | None = None,
    member: Member | None = None,
) -> dict[str, Any]:
    """Train and evaluate one run; its result, which is also stored as `<folder>/result.json`.

    Of several processes that train one network together each calls this, with the same config and
    evaluations. That of rank 0 reads and writes the folders; the others touch none, and return no
    more than the run's id and their rank.

    Whatever the trainer raises is let through; `stage_of` tells what was met before it was called,
    or by what it called.

    Args:
        config: of any run, as JSON.
        evaluations: as a spec writes them.
        folder, earlier, device, data_dir, on_epoch, heartbeat, member: see TrainingJob.
        on_report: see Job.
        stop_asked: whether the run should end at its next checkpoint.
        attempt: which execution of the run this is, from 1.
        threads: CPU threads.
        workers: see TrainingJob; None for as many as the threads allow.
        file_limits: of the files that it keeps.

    Raises:
        TrainerError: the trainer cannot be imported, or the run takes another number of processes.
        PeerLostError: another process of the run is gone.
        pydantic.ValidationError: config or evaluations are wrong.
        DatasetMissingError: the dataset is not on this machine.
        StorageError: a folder is full or cannot be reached.
        TrainingStopped: on_epoch raised it; the next attempt goes on from there.
        ResultError: what the trainer returned cannot be stored.
    """
    from trainers.training.checkpoint import Checkpoints

    prepare_torch(threads)
    started = time.time()
    with during("names", Exception):
        run = parse_run(config)
        trainer = load_trainer(run.trainer)
        where: dict[str, Any] = {
            "evaluations": tuple(stored_evaluation(evaluation) for evaluation in evaluations),
            "data_dir": data_dir,
            "device": device,
            "folder": folder,
            "earlier": tuple(earlier),
            "on_epoch": on_epoch,
            "heartbeat": heartbeat,
        }
        _require_processes(run, member)
    kept: list[KeptFile] = []
    left_out: list[str] = []
    if isinstance(run, RunConfig) and run.trainer == BUILT_IN_TRAINER:
        if workers is None:
            workers = default_workers(threads, device)
        job = TrainingJob(run, **where, member=member, workers=workers)
        trained = trainer(job)
        _require_asked_for(trained.get("evaluations"), job)
        if member is not None and member.rank > 0:
            return {"run_id": run.run_id, "rank": member.rank}
    else:
        said = declaration_of(trainer)
        where |= {"threads": threads, "attempt": attempt, "stop_asked": stop_asked}
        where["on_report"] = on_report
        files = RunFiles(folder, earlier, file_limits, heartbeat or (lambda: None))
        try:
            own = Job(run, _options(said, run), files=files, **where)
            began = time.perf_counter()
            with undone_afterwards(may_set_timer=stop_asked or (lambda: False)):
                returned = trainer(own)
                own.end()
            trained = result_of(own, said, returned, time.perf_counter() - began)
            _require_asked_for(trained.get("evaluations"), own)
            kept, left_out = files.keep()
        finally:
            files.remove_scratch()
    result: dict[str, Any] = {
        "format": RESULT_FORMAT,
        "run_id": run.run_id,
        "attempt": attempt,
        **trained,
        **({"files": kept} if kept else {}),
        "provenance": {
            **provenance(device, threads),
            "started_at": started,
            "finished_at": time.time(),
            "first_epoch": trained.get("first_epoch", 1),
            **({"files_left_out": left_out} if left_out else {}),
            **({"images_left_out": images} if (images := trained.get("images_left_out")) else {}),
        },
    }
    for of_the_attempt in ("first_epoch", "images_left_out"):
        result.pop(of_the_attempt, None)
    if folder is None:
        return dict(json.loads(as_json(result)))
    stored = store_result(folder, result)
    Checkpoints(run.run_id, folder).discard()
    return stored


def _require_processes(run: TrainerRun, member: Member | None) -> None:
    found = 1 if member is None else member.processes
    if found != run.processes:
        raise TrainerError(
            f"the run says data_parallel: {run.processes}, and {found} train it: start as many"
            " processes, each with its Member, or leave that to `sweep run` on Ray"
        )


def _options(said: Declaration, run: TrainerRun) -> Any:
    """The options as the trainer declares them, or as a dict."""
    given = copy.deepcopy(run.options or {})
    return given if said.options is None else said.options.model_validate(given)


def _require_asked_for(measured: Any, job: TrainingJob | Job) -> None:
    """Raises ResultError for an evaluation that is none of the job's; other nonsense is passed."""
    asked = {evaluation.evaluation_id for evaluation in job.evaluations}
    for found in measured if isinstance(measured, list) else ():
        name = found.get("evaluation_id") if isinstance(found, Mapping) else None
        if isinstance(name, str) and name not in asked:
            raise ResultError(
                f"trainer {job.config.trainer!r} measured an evaluation {name[:80]!r} that it was"
                " not asked for: a result has those of job.evaluations"
            )


def evaluate_stored(
    config: dict[str, Any],
    evaluations: Sequence[dict[str, Any]],
    *,
    data_dir: Path,
    folders: Sequence[Folder],
    weights_sha256: str | None = None,
    device: str = "cpu",
    threads: int = 1,
    heartbeat: Callable[[], None] | None = None,
) -> list[dict[str, Any]]:
    """Evaluate a finished run's stored weights, without training.

    Args:
        folders: of the run's attempts, in which the weights are looked for.
        weights_sha256: of the weights, as the run's result has it; others are passed over.
        heartbeat: see TrainingJob.

    Raises:
        CheckpointError: no folder has the run's weights, or they do not fit its network.
        StorageUnreachableError: no folder that can be reached has.
    """
    from trainers.training.checkpoint import load_weights
    from trainers.training.measuring import evaluate_weights

    prepare_torch(threads)
    with during("names", Exception):
        job = TrainingJob(
            config=RunConfig.model_validate(config),
            evaluations=tuple(stored_evaluation(evaluation) for evaluation in evaluations),
            data_dir=data_dir,
            device=device,
            heartbeat=heartbeat,
            workers=default_workers(threads, device),
        )
    with during("weights", CheckpointError):
        weights = load_weights(folders, job.config.run_id, weights_sha256)
    measured = [dict(result) for result in evaluate_weights(job, weights)]
    return list(json.loads(as_json(measured)))


def prepare(
    trainers: Iterable[str],
    *,
    device: str = "cpu",
    threads: int = 1,
    module_folders: Iterable[Path] = (),
    code: Mapping[str, str] = MappingProxyType({}),
    compiles: bool = False,
) -> None:
    """Do once, before a process has its first run, what would fail every run if it failed.

    What processes that were killed have left of files of their runs is removed.

    Args:
        trainers: names of those that will train; each is imported.
        device: a torch device; started if a trainer has imported torch.
        threads: CPU threads.
        module_folders: where trainers that are not of an installed package are looked for, last.
        code: the SHA-256 of that of trainers and plug-ins, by kind and name, that will be used.
        compiles: whether networks will be compiled.

    Raises:
        TrainerError: a trainer cannot be imported, some code is other code here, the device does
            not start, or no network can be compiled.
        PluginError, UnknownNameError: a plug-in is not there, or cannot be imported.
    """
    prepare_torch(threads)
    remove_those_of_killed_processes()
    for folder in map(str, module_folders):
        if folder not in sys.path:
            # Last, so that no file there stands in for a module of Python or of a package.
            sys.path.append(folder)
    for name in sorted(trainers):
        load_trainer(name)
    require_code(code)
    if device.startswith("cuda"):
        _start(device, only_look="torch" not in sys.modules)
    if compiles:
        from trainers.optim.compilation import require_compiler

        require_compiler(device)


def _start(device: str, *, only_look: bool) -> None:
    """Raises TrainerError if there is no such GPU; starts it, unless nothing here uses torch."""
    here = socket.gethostname()
    try:
        import torch

        there = torch.cuda.is_available()
        if there and not only_look:
            torch.zeros(1, device=device)
            torch.cuda.synchronize(device)
    except Exception as error:
        raise TrainerError(
            f"torch cannot use {device} on {here}: {import_error(error)};"
            " --set resources.gpus=0 trains on the CPU"
        ) from error
    if not there:
        raise TrainerError(
            f"the spec asks for a GPU, and torch sees none on {here};"
            " --set resources.gpus=0 trains on the CPU"
        )
