"""The process that imports a spec's own trainer, and answers what the trainer says of itself."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

import sweep_plugins
from sweep_plugins.plain_text import one_line, shortened
from sweeper.errors import ResourceError
from trainers.errors import ConfigError

SECONDS = 120.0
"""That a trainer may take to be imported, or to look at options."""

_LOOK_SECONDS = 0.5
"""How often it is looked whether the process lives: what it started may hold the pipe open."""

_LARGEST_ANSWER = 2**26

_SHOWN = 300

# Our packages come first, whatever is called like them where the trainer is looked for.
_PROGRAM = """
import sys
sys.path[:] = {path!r}
import results, sweep_plugins, sweeper, trainers
from trainers.own.describe import main
del sys.path[0]
main()
"""
_OURS = str(Path(sweep_plugins.__path__[0]).absolute().parent)


class DescribingProcess:
    """A context manager: the process and all that its import has started end with the block.

    What it prints is kept for an error alone.

    Args:
        name: of the trainer.
        path: where it looks for modules.

    Raises ResourceError if this machine starts no process for it.
    """

    def __init__(self, name: str, path: list[str]) -> None:
        self._name = name
        self._rest = b""
        with ExitStack() as started:
            try:
                self._start(path, started)
            except OSError as error:
                raise ResourceError(
                    f"trainer {name}: no process can be started that imports it: {error.strerror}"
                ) from error
            self._ends = started.pop_all()

    def _start(self, path: list[str], started: ExitStack) -> None:
        output = tempfile.TemporaryFile()  # noqa: SIM115
        self._output = started.enter_context(output)
        with ExitStack() as of_process:
            requests, self._requests = os.pipe()
            of_process.callback(os.close, requests)
            started.callback(os.close, self._requests)
            self._answers, answers = os.pipe()
            of_process.callback(os.close, answers)
            started.callback(os.close, self._answers)
            os.set_blocking(self._requests, False)
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    _PROGRAM.format(path=[_OURS, *path]),
                    str(requests),
                    str(answers),
                ],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                pass_fds=(requests, answers),
                start_new_session=True,
            )
            started.callback(self._kill)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def end(self) -> None:
        """At once; a second time it does nothing."""
        self._ends.close()

    def _kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, 9)
        self._process.wait()

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer. Raises ConfigError if there is none; then there is nothing more to ask."""
        left = (json.dumps(request) + "\n").encode()
        deadline = time.monotonic() + SECONDS
        told, parts = 0, [self._rest]
        while b"\n" not in parts[-1]:
            seconds = deadline - time.monotonic()
            if seconds <= 0:
                what = "importing it" if "trainer" in request else "looking at its options"
                raise ConfigError((), f"trainer {self._name}: {what} took over {SECONDS:g} s")
            there, room = self._ready(min(seconds, _LOOK_SECONDS), to_write=bool(left))
            if room:
                with suppress(BrokenPipeError):
                    left = left[os.write(self._requests, left[:4096]) :]
            if there:
                parts.append(os.read(self._answers, 1 << 16))
                told += len(parts[-1])
            if (there and not parts[-1]) or (not there and self._process.poll() is not None):
                raise ConfigError((), self._death())
            if told > _LARGEST_ANSWER:
                raise ConfigError((), f"trainer {self._name} says more of itself than can be read")
        line, _, self._rest = b"".join(parts).partition(b"\n")
        try:
            answer: dict[str, Any] = json.loads(line)
            if not isinstance(answer, dict):
                raise ValueError
        except (ValueError, RecursionError):
            raise ConfigError(
                (),
                f"trainer {self._name}: what is imported with it writes to descriptors that others"
                " have opened, so that it cannot be described",
            ) from None
        return answer

    def _ready(self, seconds: float, *, to_write: bool) -> tuple[bool, bool]:
        """Whether there is something to read, and room to write, by then."""
        # select() takes no descriptor from 1024 on.
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            if to_write:
                selector.register(self._requests, selectors.EVENT_WRITE)
            ready = {key.fd for key, _ in selector.select(seconds)}
        return self._answers in ready, self._requests in ready

    def _death(self) -> str:
        code = self._process.wait()
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
        self._output.seek(0)
        lines = self._output.read(1 << 20).decode(errors="replace").strip().splitlines()
        last = f": {shortened(one_line(lines[-1]), _SHOWN)}" if lines else ""
        return f"trainer {self._name} ended the process that imported it, with {how}{last}"
