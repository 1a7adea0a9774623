"""`sweep` in forks of one process that has imported torch, which takes most of its start."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.forkserver import set_forkserver_preload
from pathlib import Path

_FORKS = multiprocessing.get_context("forkserver")
set_forkserver_preload(
    [
        "fake_trainers",
        "results.queries.queries",
        "results.store.store",
        "sqlalchemy.dialects.postgresql.psycopg",
        "sqlalchemy.dialects.sqlite.pysqlite",
        "sweeper.program",
        "sweeper.commands.execution",
        "sweeper.executors.inline",
        "sweeper.scheduling.execution",
        "sweeper.sweep",
        "trainers.training.train",
    ]
)


class WarmSweep:
    """One `sweep` with these arguments, in a process group of its own. As a Popen, where needed.

    Args:
        log: where its output goes.
        environment: all its variables.
    """

    def __init__(self, arguments: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self._process = _FORKS.Process(target=_sweep, args=(arguments, log, dict(environment)))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """Its exit code, or minus the number of the signal that ended it; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        """Raises subprocess.TimeoutExpired."""
        self._process.join(timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired("sweep", timeout)
        return code

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _sweep(arguments: Sequence[str], log: Path, environment: dict[str, str]) -> None:
    os.setpgid(0, 0)
    os.environ.clear()
    os.environ.update(environment)
    with log.open("w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    sys.argv = ["sweep", *arguments]
    from sweeper.program import main

    main()
