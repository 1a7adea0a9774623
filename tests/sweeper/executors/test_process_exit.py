from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sweeper.executors import process_exit
from sweeper.executors.process_exit import ProcessExit


@pytest.fixture
def waiting() -> Iterator[subprocess.Popen[bytes]]:
    """Runs the code that it is given as its input."""
    command = [sys.executable, "-I", "-S", "-c", "import os, sys; exec(sys.stdin.read())"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("os._exit(3)", "with exit code 3"),
        ("os._exit(0)", "with exit code 0"),
        ("os.abort()", "by SIGABRT"),
        ("os.kill(os.getpid(), 9)", "by SIGKILL"),
        ("os.kill(os.getpid(), 40)", "by signal 40"),
    ],
)
def test_it_is_known_although_somebody_else_has_waited(
    waiting: subprocess.Popen[bytes], code: str, said: str
) -> None:
    ended = ProcessExit(waiting.pid)
    waiting.communicate(code.encode())
    # Before Linux 6.15, and elsewhere, nobody can say.
    assert ended.said() == (said if _is_told() else None)
    ended.close()
    assert ended.said() is None


def test_nothing_is_said_of_one_that_runs(
    waiting: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_exit, "_SECONDS", 0.01)
    ended = ProcessExit(waiting.pid)
    assert ended.said() is None
    ended.close()


def test_nothing_is_said_of_one_that_is_not_there() -> None:
    assert ProcessExit(2**22 + 1).said() is None


def _is_told() -> bool:
    if sys.platform != "linux":
        return False
    return tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2]) >= (6, 15)
