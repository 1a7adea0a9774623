"""One run from plain data to plain data: what a worker calls, and `python -m trainers`."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import re
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from typing_extensions import override

from sweep_plugins import import_error
from sweep_plugins.plain_text import visible
from trainers.config.evaluations import stored_evaluation
from trainers.config.file_limits import FileLimits
from trainers.config.job import EpochMetrics, TrainingJob
from trainers.config.run import RunConfig, parse_run
from trainers.config.trainer_run import TrainerRun
from trainers.config.trainers import BUILT_IN_TRAINER
from trainers.errors import CheckpointError, ResultError, TrainerError, UnfitFileError
from trainers.own.code import require_code
from trainers.own.declaration import Declaration, declaration_of
from trainers.own.files import KeptFile, RunFiles
from trainers.own.job import Job, Values
from trainers.own.loading import load_trainer
from trainers.own.result import result_of
from trainers.process_state import undone_afterwards
from trainers.provenance.attempt import provenance
from trainers.stages import during, stage_of
from trainers.storage import Folder, open_folder
from trainers.streams import working
from trainers.training.malloc import keep_freed_memory

RESULT_FILE = "result.json"
RESULT_FORMAT = 1

LARGEST_RESULT = 2**28
"""Bytes of JSON. Of a run's values of probes it has room for a million."""

_DIGEST_LINE = re.compile(rb'\{\n "sha256": "([0-9a-f]{64})",\n')


def prepare_torch(threads: int) -> None:
    """Set this process up so that a run's bits depend on its config alone.

    Importing torch takes seconds, so it is not done here: whoever imports it later finds it set up.

    Args:
        threads: CPU threads of torch. Sums are split by thread, so runs that are to agree to the
            bit use the same number.
    """
    global _threads
    _threads = threads
    # Read by cuBLAS at its first use; without it some GPU matrix products vary from run to run.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    keep_freed_memory()
    if "torch" in sys.modules:
        _set_up(sys.modules["torch"])
    else:
        _set_up_once_imported()


_threads: int | None = None
_torch_before: tuple[int, int, bool, bool] | None = None


@lru_cache(maxsize=1)  # so that a worker whose runs do without torch registers it once
def _set_up_once_imported() -> None:
    from wrapt import register_post_import_hook

    register_post_import_hook(_set_up, "torch")


def _set_up(torch: Any) -> None:
    global _torch_before
    if _threads is None:
        return  # given back before it was imported
    deterministic = torch.utils.deterministic
    if _torch_before is None:
        _torch_before = (
            torch.get_num_threads(),
            torch.get_deterministic_debug_mode(),
            deterministic.fill_uninitialized_memory,
            torch.backends.cudnn.benchmark,
        )
    torch.set_num_threads(_threads)
    # As torch.use_deterministic_algorithms(True), which also imports the compiler: more than a
    # second at the start of each worker.
    torch.set_deterministic_debug_mode("error")
    # Filling new memory protects code that reads before it writes; this code does not.
    deterministic.fill_uninitialized_memory = False
    torch.backends.cudnn.benchmark = False


def give_torch_back() -> None:
    """Undo what `prepare_torch` did to torch, for a process that does other things as well."""
    global _threads, _torch_before
    _threads = None
    if _torch_before is not None:
        torch = sys.modules["torch"]
        threads, mode, fill, torch.backends.cudnn.benchmark = _torch_before
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(mode)
        torch.utils.deterministic.fill_uninitialized_memory = fill
        _torch_before = None


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
    on_epoch: Callable[[EpochMetrics], None] | None = None,
    on_report: Callable[[int, Values, int], None] | None = None,
    heartbeat: Callable[[], None] | None = None,
    stop_asked: Callable[[], bool] | None = None,
    file_limits: FileLimits | None = None,
) -> dict[str, Any]:
    """Train and evaluate one run; its result, which is also stored as `<folder>/result.json`.

    Whatever the trainer raises is let through; `stage_of` tells what was met before it was called,
    or by what it called.

    Args:
        config: of any run, as JSON.
        evaluations: as a spec writes them.
        folder, earlier, device, data_dir, on_epoch, heartbeat: see TrainingJob.
        on_report: see Job.
        stop_asked: whether the run should end at its next checkpoint.
        attempt: which execution of the run this is, from 1.
        threads: CPU threads.
        file_limits: of the files that it keeps.

    Raises:
        TrainerError: the trainer cannot be imported.
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
    kept: list[KeptFile] = []
    left_out: list[str] = []
    if isinstance(run, RunConfig) and run.trainer == BUILT_IN_TRAINER:
        job = TrainingJob(run, **where)
        trained = trainer(job)
        _require_asked_for(trained.get("evaluations"), job)
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
        },
    }
    result.pop("first_epoch", None)
    if folder is None:
        return dict(json.loads(_as_json(result)))
    stored = store_result(folder, result)
    Checkpoints(run.run_id, folder).discard()
    return stored


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
        )
    with during("weights", CheckpointError):
        weights = load_weights(folders, job.config.run_id, weights_sha256)
    measured = [dict(result) for result in evaluate_weights(job, weights)]
    return list(json.loads(_as_json(measured)))


def _as_json(result: Any) -> str:
    """Raises ResultError for what no JSON, or too large a one, can hold."""
    try:
        text = json.dumps(result, allow_nan=False, indent=1)
    except (TypeError, ValueError, RecursionError) as error:
        raise ResultError(f"the result cannot be stored as JSON: {error}") from error
    if len(text) > LARGEST_RESULT:  # it is ASCII
        raise ResultError(
            f"the result has {len(text):,} bytes as JSON, where at most {LARGEST_RESULT:,} are read"
        )
    return text


def store_result(folder: Folder, result: dict[str, Any]) -> dict[str, Any]:
    """Write result.json; what is read of it. Raises ResultError for what it cannot hold.

    Its first key is the SHA-256 of all bytes after that line: one file, so that there is no moment
    at which the result is there and its digest is not.
    """
    text = _as_json(result)
    rest = text.removeprefix("{\n").encode()
    digest = hashlib.sha256(rest).hexdigest()
    folder.write(RESULT_FILE, f'{{\n "sha256": "{digest}",\n'.encode() + rest)
    return dict(json.loads(text))


def read_result(folder: Folder, run_id: str) -> dict[str, Any] | None:
    """The result that an attempt stored in `folder`, or None if there is no whole one of that run.

    Raises:
        StorageUnreachableError: whether there is one cannot be known now.
        ResultError: it is whole, as its digest says, and no JSON that can be read; or something
            else is in its place.
    """
    try:
        content = folder.read(RESULT_FILE, LARGEST_RESULT + 1_000)
    except FileNotFoundError:
        return None
    except UnfitFileError as error:
        raise ResultError(str(error)) from error
    line = _DIGEST_LINE.match(content)
    if line is None or hashlib.sha256(content[line.end() :]).hexdigest() != line[1].decode():
        return None
    try:
        result: dict[str, Any] = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ResultError(f"{folder.location}/{RESULT_FILE} is no JSON: {error}") from error
    del result["sha256"]
    theirs = (result.get("format", RESULT_FORMAT), result.get("run_id", run_id))
    return result if theirs == (RESULT_FORMAT, run_id) else None


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


def _path(given: str) -> Path:
    """~ is the user's folder; a shell replaces it only where it begins a word."""
    return Path(os.path.expanduser(given))


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m trainers CONFIG.json`: train one run and print its result as JSON."""
    import argparse

    class Parser(argparse.ArgumentParser):
        @override
        def error(self, message: str) -> NoReturn:
            super().error(visible(message))

    parser = Parser(prog="python -m trainers", description=main.__doc__)
    parser.add_argument("config", type=_path, help="a run's config as JSON ('-' for stdin)")
    parser.add_argument("--evaluations", type=_path, help="a JSON list of evaluations")
    parser.add_argument("--data-dir", type=_path, default=Path(".sweep/data"))
    parser.add_argument(
        "--folder", help="keep checkpoints, weights and result here: a path, or a URL for fsspec"
    )
    parser.add_argument("--device", default="cpu", help="such as cpu or cuda (default: cpu)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    given = parser.parse_args(arguments)

    def show(metrics: EpochMetrics) -> None:
        line = ", ".join(
            f"{name} {value:.4g}" for name, value in metrics.items() if isinstance(value, float)
        )
        print(visible(f"epoch {metrics['epoch']}: {line}"), file=sys.stderr)

    try:
        prepare((), threads=given.threads, module_folders=[Path.cwd()])
        config = _read_json(given.config)
        evaluations = _read_json(given.evaluations) if given.evaluations else []
        folder = open_folder(given.folder, retry_seconds=0) if given.folder else None
    except (OSError, ValueError, TrainerError) as error:
        print(visible(f"error: {error}"), file=sys.stderr)
        return 2
    try:
        with working():
            result = run(
                config,
                evaluations,
                data_dir=given.data_dir,
                folder=folder,
                device=given.device,
                threads=given.threads,
                on_epoch=show,
            )
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a trainer may raise anything
        if isinstance(error, TrainerError) or stage_of(error) is not None:
            print(visible(f"error: {error}"), file=sys.stderr)
            return 2
        print(visible("".join(traceback.format_exception(error))), end="", file=sys.stderr)
        return 1
    json.dump(result, sys.stdout, indent=1, allow_nan=False)
    print()
    return 0


def _read_json(path: Path) -> Any:
    return json.loads(sys.stdin.read() if str(path) == "-" else path.read_text())
