"""Sending what a run writes to its log: in the process that trains, while it does.

Descriptors 1 and 2 of the process are the run's pipe for so long, so that C code and processes that
it starts write there too. A process that is left behind writes into the log of its own run.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sweep_plugins.variable_secrets import secret_values
from trainers.streams import writing_to_log

CLOSE_SECONDS = 30.0
"""How long the last lines may take to be written, which in a remote storage takes longest."""

SEND_SECONDS = 10.0

_ROOT = Path(__file__).resolve().parents[2]


class RunLogs:
    """Keeps the logs of the runs of this process, one after the other.

    Args:
        secrets: that no log may show, in addition to those in the environment.
        tell: called with a sentence when no log can be kept; the runs go on without.
    """

    def __init__(
        self,
        secrets: Iterable[str] = (),
        tell: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self._secrets = sorted({*secrets, *secret_values(os.environ)})
        self._tell = tell
        self._writer: socket.socket | None = None
        self._saved: tuple[int, int] | None = None
        self._streams: tuple[Any, ...] = ()
        self._flush_c_stdout = _c_stdout()
        self._process = os.getpid()
        self._start()

    @contextmanager
    def of(self, folder: str, umask: int, rank: int = 0) -> Iterator[None]:
        """What is written in the block goes into the log of the attempt with this folder.

        Args:
            folder: as a Folder's `location` has it; made when something is written.
            umask: of the log's files.
            rank: of this process, among those that train together.
        """
        self._flush()
        pipe = self._send({"folder": folder, "umask": umask, "rank": rank})
        if pipe is None:
            yield
            return
        with writing_to_log():
            try:
                with suppress(OSError):  # no descriptor is left, which the run has to find out
                    self._redirect(pipe)
                yield
            finally:
                self.restore()

    def restore(self) -> None:
        """Give the process its own descriptors again; nothing if it has them."""
        if self._saved is None:
            return
        self._flush()
        for number, saved in enumerate(self._saved, start=1):
            with suppress(OSError):  # the run has closed whatever it found
                os.dup2(saved, number)
        duplicates, self._saved = self._saved, None
        for duplicate in duplicates:
            with suppress(OSError):
                os.close(duplicate)

    def close(self) -> None:
        """Wait until what was written is kept."""
        self.restore()
        if self._writer is None:
            return
        writer, self._writer = self._writer, None
        with writer, suppress(OSError):
            if os.getpid() != self._process:
                return  # a run has forked it, and the writer is still needed
            writer.shutdown(socket.SHUT_WR)
            writer.settimeout(CLOSE_SECONDS)
            writer.recv(1)

    def _start(self) -> None:
        """Start the process that writes the logs, or tell that there is none."""
        try:
            self._writer = self._new_writer()
        except (OSError, subprocess.SubprocessError) as error:
            self._tell(f"what runs write is not kept, as no process for it can be started: {error}")

    def _new_writer(self) -> socket.socket:
        """The socket of such a process, which has the streams of nobody."""
        ours, theirs = socket.socketpair()
        program = str(_ROOT / "sweeper" / "logs" / "__main__.py")
        command = [sys.executable, "-I", "-S", program, str(_ROOT), str(theirs.fileno())]
        message = {"secrets": self._secrets, "path": [part for part in sys.path if part]}
        try:
            ours.settimeout(SEND_SECONDS)
            with theirs:
                subprocess.run(
                    command,
                    check=True,
                    cwd="/",
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            ours.sendall(json.dumps(message).encode() + b"\n")
        except BaseException:
            ours.close()
            raise
        return ours

    def _send(self, log: dict[str, Any]) -> int | None:
        """Where to write, once the writer has the other end; None if there is no writer."""
        message = json.dumps(log).encode() + b"\n"
        for _ in range(2):
            if self._writer is None:
                return None
            try:
                reader, pipe = os.pipe()
            except OSError:
                return None
            try:
                socket.send_fds(self._writer, [message], [reader])
                return pipe
            except OSError:
                # Somebody has ended it.
                os.close(pipe)
                self._writer.close()
                self._writer = None
                self._start()
            finally:
                os.close(reader)
        return None

    def _redirect(self, pipe: int) -> None:
        try:
            self._streams = sys.stdout, sys.stderr
            self._saved = os.dup(1), os.dup(2)
            os.dup2(pipe, 1)
            os.dup2(pipe, 2)
        finally:
            os.close(pipe)

    def _flush(self) -> None:
        # The run may have put others in the place of those that it found.
        for stream in (*self._streams, sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        self._flush_c_stdout()


def _c_stdout() -> Callable[[], object]:
    """Makes C's own stdout one that writes whole lines at once; what flushes it."""
    import ctypes

    try:
        library = ctypes.CDLL(None)
        name = "__stdoutp" if sys.platform == "darwin" else "stdout"
        stream = ctypes.c_void_p.in_dll(library, name)
        line_buffered = 1  # _IOLBF
        library.setvbuf(stream, None, line_buffered, 0)
    except (OSError, AttributeError, ValueError):
        return lambda: None
    return lambda: library.fflush(stream)
