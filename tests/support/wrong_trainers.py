"""A trainer that is wrong in another way for each `options.kind`, and right for those of RIGHT.

Modules that cannot even be imported are texts of the tests' own: this one is.
"""

from __future__ import annotations

import atexit
import builtins
import ctypes
import decimal
import json
import math
import os
import resource
import shutil
import signal
import sqlite3
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from trainers.errors import TrainerError
from trainers.own import Job

GIGABYTE = 1_000_000_000

Wrong = Callable[[Job], Any]

SURVIVED: dict[str, tuple[Wrong, str]] = {}
"""By kind what is wrong, and what is said of it: of those that leave their process alive."""

DEADLY: dict[str, tuple[Wrong, str]] = {}
"""The same of those that do not."""

DONE: dict[str, Wrong] = {}
"""Kinds that do harm, or look as if, and have a result all the same: a score of 1."""

_before: dict[str, Any] = {}
"""What the first run of this process has found."""


def train(job: Job) -> Any:
    """What the kind of its options says."""
    if not _before:
        signals = (signal.SIGTERM, signal.SIGUSR1)
        _before.update(folder=os.getcwd(), handlers={n: signal.getsignal(n) for n in signals})
        _before["timer"] = signal.getitimer(signal.ITIMER_REAL)[0] > 0
    kind = job.options["kind"]
    if kind.startswith("right"):
        return right(job)
    found = SURVIVED.get(kind) or DEADLY.get(kind)
    return found[0](job) if found else (DONE | DONE_BY_WORKERS)[kind](job)


def right(job: Job) -> dict[str, float]:
    """Its number, and whether its process is as it was before another run had it."""
    number = int(job.options["kind"].removeprefix("right"))
    print("a line of run", number, changes(), flush=True)
    job.report(1, loss=1 / (number + 1))
    return {"number": number, "found_changed": float(len(changes()))}


def changes() -> list[str]:
    """What another run has left behind in this process."""
    found = []
    if os.getcwd() != _before["folder"]:
        found.append("folder")
    found += [f"signal {n}" for n, was in _before["handlers"].items() if signal.getsignal(n) != was]
    if "LEFT_BY_A_RUN" in os.environ:
        found.append("environment")
    if "numpy" not in sys.modules:
        found.append("modules")
    before = os.umask(0o077)
    os.umask(before)
    if before == 0:
        found.append("umask")
    if resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
        found.append("memory limit")
    if sys.getrecursionlimit() > 100_000:
        found.append("recursion limit")
    if any(action == "error" and line == 7_777 for action, _, _, _, line in warnings.filters):
        found.append("warnings")
    if signal.getitimer(signal.ITIMER_REAL)[0] > 0 and not _before["timer"]:
        found.append("timer")
    if signal.SIGUSR2 in signal.pthread_sigmask(signal.SIG_BLOCK, ()) and _in_main_thread():
        found.append("blocked signal")
    if json.dumps([1, None]) != "[1, null]":
        found.append("json")
    return found


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def survived(said: str) -> Callable[[Wrong], Wrong]:
    """Of a kind after which its process goes on."""
    return lambda wrong: SURVIVED.setdefault(wrong.__name__, (wrong, said))[0]


def deadly(said: str) -> Callable[[Wrong], Wrong]:
    """Of a kind that ends its process."""
    return lambda wrong: DEADLY.setdefault(wrong.__name__, (wrong, said))[0]


def done(wrong: Wrong) -> Wrong:
    """Of a kind whose result counts."""
    DONE[wrong.__name__] = wrong
    return wrong


# Errors


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class EndlessError(Exception):
    def __str__(self) -> str:
        return "begin " + "\x1b[31m! " * 1_500_000 + " end"

    __repr__ = __str__


@survived(r"^RuntimeError: a bug$")
def raises(job: Job) -> Any:
    raise RuntimeError("a bug")


@survived(r"^UnspeakableError: \(its text could not be made: RuntimeError\)$")
def raises_what_has_no_text(job: Job) -> Any:
    raise UnspeakableError


@survived(r"^EndlessError: begin ")
def raises_ten_megabytes(job: Job) -> Any:
    raise EndlessError


@survived(r"^SystemExit: 0$")
def calls_sys_exit_0(job: Job) -> Any:
    sys.exit(0)


@survived(r"^SystemExit: no data$")
def calls_sys_exit_with_text(job: Job) -> Any:
    sys.exit("no data")


@survived(r"^KeyboardInterrupt$")
def raises_keyboard_interrupt(job: Job) -> Any:
    raise KeyboardInterrupt


@survived(r"^GeneratorExit$")
def raises_generator_exit(job: Job) -> Any:
    raise GeneratorExit


@survived(r"^StopIteration$")
def raises_stop_iteration(job: Job) -> Any:
    next(iter(()))


@survived(r"^TrainingStopped")
def raises_training_stopped(job: Job) -> Any:
    from trainers.errors import TrainingStopped

    raise TrainingStopped


@survived(r"^RecursionError: maximum recursion depth exceeded")
def recurses_without_end(job: Job) -> Any:
    return recurses_without_end(job)


@survived(r"^ModuleNotFoundError: No module named 'no_such_module'$")
def imports_what_is_not_there(job: Job) -> Any:
    import_module("no_such_module")


@survived(r"^AssertionError$")
def asserts(job: Job) -> Any:
    assert job.seed < 0


# What it returns


@survived(r"^ResultError: the trainer returned object, where None or a dict is expected")
def returns_an_object(job: Job) -> Any:
    return object()


@survived(r"the trainer returned str, where None or a dict is expected")
def returns_text(job: Job) -> Any:
    return "done"


@survived(r"the trainer returned list, where None or a dict is expected")
def returns_a_list(job: Job) -> Any:
    return [0.5]


@survived(r"the trainer returned int, where None or a dict is expected")
def returns_a_number(job: Job) -> Any:
    return 1


@survived(r"the trainer returned generator, where None or a dict is expected")
def is_a_generator(job: Job) -> Iterator[None]:
    job.report(1, loss=0.5)
    yield


@survived(r"the metric f1 is \{'a': 1\}, where a number is expected")
def returns_nested(job: Job) -> Any:
    return {"f1": {"a": 1}}


@survived(r"a metric cannot be called 3: a metric's name begins with a letter")
def returns_keys_that_are_no_text(job: Job) -> Any:
    return {3: 0.5}


@survived(r"a metric cannot be called 'run_id; drop table': a metric's name begins with a letter")
def reports_a_name_with_sql(job: Job) -> Any:
    job.report(1, {"run_id; drop table": 0.5})


@survived(r"a metric at an epoch cannot be called run_id: that is something else")
def reports_a_name_that_is_a_column(job: Job) -> Any:
    job.report(1, run_id=5.0)


@survived(r"the metric ok is True, where a number is expected")
def reports_a_bool(job: Job) -> Any:
    job.report(1, ok=True)


@survived(r"the metric z is \(1\+2j\), where a number is expected")
def reports_a_complex(job: Job) -> Any:
    job.report(1, z=1 + 2j)  # type: ignore[arg-type]


@survived(r"the metric t is tensor\(\[1., 1.\]\), where a number is expected")
def reports_a_tensor_of_two(job: Job) -> Any:
    import torch

    job.report(1, t=torch.ones(2))


@survived(r"the metric big is 1e\+80, beyond 1e\+75")
def reports_a_huge_number(job: Job) -> Any:
    job.report(1, big=1e80)


@survived(r"job.report\(0.5, ...\): the epoch is a whole number from 0")
def reports_half_an_epoch(job: Job) -> Any:
    job.report(0.5, loss=1.0)  # type: ignore[arg-type]


@survived(r"the epoch is a whole number from 0 to 9,223,372,036,854,775,806")
def reports_an_endless_epoch(job: Job) -> Any:
    job.report(10**30, loss=1.0)


@survived(r"the trainer has 100,000 metrics, where a run may have 10,000")
def returns_100_000_metrics(job: Job) -> Any:
    return {f"m{number}": number for number in range(100_000)}


@survived(r"2 metrics with 1,000,002 values by now, where a run may have 10,000 with 1,000,000")
def reports_a_million_epochs_of_two(job: Job) -> Any:
    for epoch in range(1, 1_000_001):
        job.report(epoch, a=1.0, b=2.0)


@survived(r"weights_sha256 has 100,000,000 characters, where at most")
def returns_100_megabytes(job: Job) -> Any:
    return {"weights_sha256": "x" * 100_000_000}


@survived(r"levels of lists and objects|no JSON|cannot be stored as JSON")
def returns_deep_lists(job: Job) -> Any:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    return {"learned_coefficients": deep}


@survived(r"job.checkpoint: the state could not be read back: it may hold tensors, numbers")
def stores_what_cannot_be_pickled(job: Job) -> Any:
    job.checkpoint(1, {"lock": threading.Lock()})


@survived(r"job.checkpoint\('one', ...\): the epoch is a whole number")
def stores_after_no_epoch(job: Job) -> Any:
    job.checkpoint("one", {})  # type: ignore[arg-type]


@survived(r"out of memory.*MemoryError|MemoryError")
def reaches_a_memory_limit(job: Job) -> Any:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (used + 50_000_000, hard))
    bytearray(GIGABYTE)


@survived(r"AttributeError|TypeError")
def breaks_its_job(job: Job) -> Any:
    job.config = job.folder = job.evaluations = job.reported = None  # type: ignore[assignment]


@survived(r"the trainer returned run_id, which is something else that every run has")
def pretends_to_be_another_run(job: Job) -> Any:
    return {"run_id": "0" * 16}


# What ends its process


@deadly(r"worker was lost.*: its process ended (with exit code 0|at once)")
def ends_with_0(job: Job) -> Any:
    os._exit(0)


@deadly(r"worker was lost.*: its process ended (with exit code 1|at once)")
def ends_with_1(job: Job) -> Any:
    os._exit(1)


@deadly(r"worker was lost.*: its process ended (by SIGSEGV|at once)")
def reads_address_0(job: Job) -> Any:
    ctypes.string_at(0)


@deadly(r"worker was lost.*: its process ended (by SIGABRT|at once)")
def aborts(job: Job) -> Any:
    os.abort()


@deadly(r"worker was lost.*: its process ended (by SIGKILL|at once)")
def kills_itself(job: Job) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


@deadly(r"worker was lost")
def closes_every_descriptor(job: Job) -> Any:
    os.closerange(3, 4096)
    time.sleep(60)  # its worker notices before
    return {"score": 1}


# What is done all the same

ONE = {"score": 1.0}


@done
def returns_nan_and_infinity(job: Job) -> Any:
    job.report(1, loss=math.nan)
    return {**ONE, "loss": math.inf}


@done
def reports_other_numbers(job: Job) -> Any:
    import numpy as np
    import torch

    job.report(np.int64(1), score=torch.ones(()), a=np.float32(1), d=decimal.Decimal("0.5"))


@done
def reports_100_000_epochs(job: Job) -> Any:
    for epoch in range(1, 100_001):
        job.report(epoch, score=1.0)


@done
def prints_without_a_line(job: Job) -> Any:
    for _ in range(200):
        sys.stdout.write("x" * 1_000_000)
    return ONE


@done
def prints_a_gigabyte(job: Job) -> Any:
    lines = b"a line of very many, each of which says as little as this one does\n" * 1_000
    for _ in range(GIGABYTE // len(lines)):
        os.write(1, lines)
    return ONE


@done
def forks_children_that_stay(job: Job) -> Any:
    for _ in range(2):
        if os.fork() == 0:
            time.sleep(20)
            os._exit(0)
    return ONE


@done
def forks_and_both_return(job: Job) -> Any:
    os.fork()
    return ONE


@done
def forks_and_the_child_raises(job: Job) -> Any:
    if os.fork() == 0:
        raise RuntimeError("in the child")
    return ONE


@done
def leaves_a_thread(job: Job) -> Any:
    threading.Thread(target=time.sleep, args=(15,), name="left thread").start()
    return ONE


@done
def leaves_a_daemon_that_reports(job: Job) -> Any:
    def report() -> None:
        # It goes on whatever it is told, and its traceback would be in the log of any other run.
        for number in range(300):
            time.sleep(0.01)
            with suppress(TrainerError):
                job.report(2 + number, score=0.0, late=1.0)

    threading.Thread(target=report, daemon=True).start()
    return ONE


@done
def adds_a_hook_that_raises(job: Job) -> Any:
    atexit.register(lambda: 1 / 0)
    return ONE


@done
def changes_the_folder(job: Job) -> Any:
    os.chdir("/")
    return ONE


@done
def removes_its_folder(job: Job) -> Any:
    place = job.data_dir / "gone"
    place.mkdir(parents=True)
    os.chdir(place)
    shutil.rmtree(place)
    return ONE


@done
def removes_its_attempt(job: Job) -> Any:
    assert job.folder is not None
    print("something for the log", flush=True)
    job.checkpoint(1, {"a": 1})
    shutil.rmtree(job.folder.location)
    return ONE


@done
def writes_garbage_beside_its_result(job: Job) -> Any:
    assert job.folder is not None
    folder = Path(job.folder.location)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").write_text('{"score": 7}')
    (folder / "checkpoint-7.pt").write_bytes(b"no checkpoint")
    (folder / "checkpoint-7.pt.sha256").write_text("0" * 64)
    (folder / "\x1b[2J").write_text("")
    assert job.resume() is None
    return ONE


@survived(r"result.json")
def makes_a_folder_of_its_result(job: Job) -> Any:
    assert job.folder is not None
    (Path(job.folder.location) / "result.json" / "inner").mkdir(parents=True)
    return ONE


@survived(r"Not a directory|is a file")
def makes_a_file_of_its_attempt(job: Job) -> Any:
    assert job.folder is not None
    folder = Path(job.folder.location)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("no folder")
    job.checkpoint(1, {})


@done
def changes_the_data_folder(job: Job) -> Any:
    job.data_dir.mkdir(parents=True, exist_ok=True)
    (job.data_dir / "mine").write_text("x")
    job.data_dir = Path("/nowhere")
    return ONE


@done
def closes_its_streams(job: Job) -> Any:
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        stream.close()
    for number in range(3):
        os.close(number)
    return ONE


@done
def replaces_its_streams(job: Job) -> Any:
    sys.stdout = sys.stderr = None
    return ONE


@done
def ignores_signals(job: Job) -> Any:
    if _in_main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGUSR1, lambda number, frame: None)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    return ONE


@done
def sets_an_alarm(job: Job) -> Any:
    signal.alarm(3)
    return ONE


@done
def changes_umask_and_limits(job: Job) -> Any:
    os.umask(0)
    sys.setrecursionlimit(1_000_000)
    resource.setrlimit(resource.RLIMIT_AS, (2**45, resource.getrlimit(resource.RLIMIT_AS)[1]))
    return ONE


@done
def sets_variables(job: Job) -> Any:
    os.environ["LEFT_BY_A_RUN"] = "1"
    os.environ.pop("PATH", None)
    sys.path.clear()
    return ONE


@done
def clears_the_modules(job: Job) -> Any:
    sys.modules.clear()
    return ONE


@done
def makes_warnings_errors(job: Job) -> Any:
    warnings.filterwarnings("error", lineno=7_777)
    return ONE


@done
def replaces_functions_of_python(job: Job) -> Any:
    json.dumps = json.loads = shutil.rmtree = None  # type: ignore[assignment]
    sqlite3.connect = sqlite3.dbapi2.connect = None  # type: ignore[assignment]
    builtins.print = None  # type: ignore[assignment]
    del json.load
    return ONE


def stops_the_clock(job: Job) -> Any:
    """Which other threads of an inline sweep would meet, so that it is for workers alone."""
    time.time = time.monotonic = time.perf_counter = time.sleep = None  # type: ignore[assignment]
    os.replace = os.fsync = os.open = os.getpid = None  # type: ignore[assignment]
    threading.Thread = None  # type: ignore[assignment,misc]
    return ONE


DONE_BY_WORKERS: dict[str, Wrong] = {"stops_the_clock": stops_the_clock}


@done
def changes_its_job(job: Job) -> Any:
    job.seed, job.run_id, job.attempt = 7, "0" * 16, 99
    job.options.clear()
    return ONE


@done
def says_that_a_path_is_its_result(job: Job) -> Any:
    return {**ONE, "test_accuracy": 50.0, "val/loss@5": 1.0}
