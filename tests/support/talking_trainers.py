"""Trainers that write to stdout and stderr, each in another way, and finish as `quick` does."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import subprocess
import sys
import time

from fake_trainers import attempt_of, quick
from trainers.config.job import TrainingJob, TrainingResult


def talks(job: TrainingJob) -> TrainingResult:
    """In every way, a password and a terminal's title among it; seed 1 fails, seed 2 is silent."""
    if job.config.seed == 2:
        return quick(job)
    print("print of seed", job.config.seed)
    print("error", file=sys.stderr)
    os.write(1, b"raw\n")
    ctypes.CDLL(None).puts(b"from C")
    subprocess.run(["sh", "-c", "echo from a child"], check=True)
    print("postgresql://me:" + "opensesame@host/db \x1b]0;title\x07")
    if job.config.seed == 1:
        raise RuntimeError("after its last words")
    return quick(job)


def dies_once(job: TrainingJob) -> TrainingResult:
    """Takes its process with it at the first attempt, in the middle of a line."""
    print("attempt", attempt_of(job))
    if attempt_of(job) == 1:
        print("the last words", end="", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return quick(job)


def waits(job: TrainingJob) -> TrainingResult:
    """Begins, and ends when the data folder has a file `go`."""
    print("begun", flush=True)
    while not (job.data_dir / "go").exists():
        if job.heartbeat is not None:
            job.heartbeat()
        time.sleep(0.02)
    print("gone")
    return quick(job)


def is_asked_to_stop(job: TrainingJob) -> TrainingResult:
    """Somebody types Control-C while it trains, once."""
    print("before")
    os.kill(os.getpid(), signal.SIGINT)
    print("after")
    if job.on_epoch is not None:
        for metrics in quick(job)["epochs"]:
            job.on_epoch(metrics)
    return quick(job)


def has_a_breakpoint(job: TrainingJob) -> TrainingResult:
    """With a line before it, and one after it."""
    print("before")
    breakpoint()
    print("after")
    return quick(job)


def never_ends_to_talk(job: TrainingJob) -> TrainingResult:
    """Writes what no disk should have to keep: for the seeds in order, lines, noise, one line."""
    if job.config.seed == 0:
        lines = b"".join(b"line %07d of very many, each of which says as little as this\n" % n
                         for n in range(1_000))  # fmt: skip
        for _ in range(1_000_000_000 // len(lines)):
            os.write(1, lines)
    elif job.config.seed == 1:
        noise = random.Random(1).randbytes(1 << 20)
        for _ in range(200):
            os.write(2, noise)
    elif job.config.seed == 2:
        for _ in range(200):
            sys.stdout.write("x" * 1_000_000)
    else:
        subprocess.run(["sh", "-c", "yes 'from a child' | head -c 200000000"], check=True)
    print("\nthe end")
    return quick(job)
