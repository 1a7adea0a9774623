"""Runs `sweep` quickly and often, with faults made inside of it: the asking side."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from drivers import Sweep


class End(NamedTuple):
    """What a `sweep` came to.

    Attributes:
        code: its exit code, or minus the number of the signal that killed it.
        points: the names of all points that it passed; none if its files could not grow.
        output: what it said, this time and before.
    """

    code: int
    points: list[str]
    output: str


class ForkedSweeps:
    """Runs `sweep` in forks of one process that has torch."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "drivers_that_die"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self,
        sweep: Sweep,
        home: Path,
        db: str,
        *,
        die_at: str | None = None,
        fail_at: str | None = None,
        largest_file: int | None = None,
        log: Path | None = None,
    ) -> End:
        """`sweep run` of its spec with the inline executor, as `ask` has it."""
        return self.ask(
            ["run", str(sweep.spec), "--executor", "inline"],
            home,
            db,
            die_at=die_at,
            fail_at=fail_at,
            largest_file=largest_file,
            log=log,
        )

    def ask(
        self,
        arguments: Sequence[str],
        home: Path,
        db: str,
        *,
        die_at: str | None = None,
        fail_at: str | None = None,
        largest_file: int | None = None,
        log: Path | None = None,
    ) -> End:
        """Returns when it has ended.

        Args:
            die_at: the name of the point where it kills itself.
            fail_at: what such a point's name starts with; each of them raises EIO.
            largest_file: in bytes; what grows beyond is an error (EFBIG).
            log: the output is appended to it; default: next to the home.
        """
        log = log or home.parent / f"{home.name}.log"
        request = {
            "arguments": list(arguments),
            "home": str(home),
            "db": db,
            "log": str(log),
            "die_at": die_at,
            "fail_at": fail_at,
            "largest_file": largest_file,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return End(answer["end"], answer["points"], log.read_text())

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
