"""The process that keeps what the runs of one worker write; it outlives the worker.

A run's stdout and stderr are one pipe, whose other end the worker sends here when the run starts.
The end of the pipe is the end of the log: whoever still has it open, such as a process that the run
left behind, still writes into the log of that run.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import sys
import time
from contextlib import suppress
from typing import Any

from sweeper.logs.files import HEAD_BYTES, TAIL_FILE_BYTES
from sweeper.logs.lines import Lines
from sweeper.logs.places import Uploads, place_at
from sweeper.logs.ring import KEPT_OF_TAIL, Ring

READ_BYTES = 64 * 1024
"""What a pipe holds."""

FLUSH_SECONDS = 0.05
"""How long what was written waits for more, so that a run that prints much costs few writes."""

UPLOADING_SECONDS = 60.0

_MOST_READS_AT_END = 64


class _Log:
    """One run's: from its pipe to its files."""

    def __init__(self, pipe: int, ring: Ring, secrets: list[str]) -> None:
        self.pipe = pipe
        self._ring = ring
        self._lines = Lines(secrets, KEPT_OF_TAIL * TAIL_FILE_BYTES)
        self.flush_at = float("inf")
        self._pause = FLUSH_SECONDS

    def read(self) -> bool:
        """What is there now; False at the end of the pipe."""
        data = os.read(self.pipe, READ_BYTES)
        if not data:
            self.flush(last=True)
            self._ring.close()
            os.close(self.pipe)
            return False
        self._lines.feed(data, time.time())
        if not self._ring.head_is_full and self._lines.waiting >= HEAD_BYTES:
            self.flush()
        elif self.flush_at == float("inf"):
            self.flush_at = time.monotonic() + self._pause
        return True

    def read_all(self) -> bool:
        """What is there now, of one who writes without end a part; False at the end of the pipe."""
        os.set_blocking(self.pipe, False)
        with suppress(BlockingIOError):
            for _ in range(_MOST_READS_AT_END):
                if not self.read():
                    return False
        self.flush()
        return True

    def flush(self, *, last: bool = False) -> None:
        """Write what has come."""
        started = time.monotonic()
        self._ring.write(self._lines.take(last=last))
        # Text is cleaned more slowly than it can be written: most of the time is for reading.
        self._pause = max(FLUSH_SECONDS, 4 * (time.monotonic() - started))
        self.flush_at = float("inf")


class Writer:
    """Serves the worker at the other end of a socket until it is gone, and its pipes are."""

    def __init__(self, worker: socket.socket) -> None:
        self._worker: socket.socket | None = worker
        self._selector = selectors.DefaultSelector()
        self._selector.register(worker, selectors.EVENT_READ, None)
        self._logs: dict[int, _Log] = {}
        self._uploads = Uploads()
        self._secrets: list[str] = []
        self._message = b""
        self._pipes: list[int] = []  # came, and their message not yet

    def serve(self) -> None:
        """Until then."""
        while self._worker is not None or self._logs:
            flush_at = min((log.flush_at for log in self._logs.values()), default=float("inf"))
            seconds = None if flush_at == float("inf") else flush_at - time.monotonic()
            for key, _ in self._selector.select(seconds):
                if key.data is None:
                    self._receive()
                elif key.data.pipe in self._logs:
                    self._read(key.data)
            now = time.monotonic()
            for log in list(self._logs.values()):
                if log.flush_at <= now:
                    log.flush()
        self._uploads.wait(UPLOADING_SECONDS)

    def _read(self, log: _Log) -> None:
        # When the worker waited for its end, everything may have been read already.
        with suppress(BlockingIOError):
            if not log.read():
                self._forget(log)

    def _forget(self, log: _Log) -> None:
        self._selector.unregister(log.pipe)
        del self._logs[log.pipe]

    def _receive(self) -> None:
        assert self._worker is not None
        try:
            data, pipes, _, _ = socket.recv_fds(self._worker, READ_BYTES, 64)
        except ConnectionError:
            data, pipes = b"", []
        self._pipes += pipes
        *messages, self._message = (self._message + data).split(b"\n")
        for message in messages:
            self._handle(json.loads(message))
        if not data:
            self._finish()

    def _handle(self, message: dict[str, Any]) -> None:
        if "secrets" in message:
            self._secrets = message["secrets"]
            sys.path += message["path"]
            return
        pipe = self._pipes.pop(0)
        place = place_at(message["folder"], message["umask"], self._uploads, message["rank"])
        log = self._logs[pipe] = _Log(pipe, Ring(place), self._secrets)
        self._selector.register(pipe, selectors.EVENT_READ, log)

    def _finish(self) -> None:
        """The worker has ended, or waits until what it wrote is kept."""
        assert self._worker is not None
        for log in list(self._logs.values()):
            if not log.read_all():
                self._forget(log)
        self._uploads.wait(UPLOADING_SECONDS)
        self._selector.unregister(self._worker)
        self._worker.close()
        self._worker = None


def main(number: int) -> None:
    """Serve the worker at the other end of the socket with this number."""
    Writer(socket.socket(fileno=number)).serve()
