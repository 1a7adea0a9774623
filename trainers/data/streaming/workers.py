"""Worker processes that decode images into a ring of shared memory, ahead of who trains on them.

Processes of our own, and not those of torch's DataLoader: they import no torch, share the long
arrays of a dataset, need neither /dev/shm nor a `__main__` that can be imported again, and their
number changes no image. Each task is a few images that are next to each other in the ring. All
workers take tasks from one socket, each the next one, so that none waits while there is work.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from trainers.data.streaming.draws import Key
from trainers.data.streaming.shared import mapped, new_memory, store
from trainers.data.streaming.source import DamagedImageError, Streamed
from trainers.data.streaming.worker import LARGEST_MESSAGE, Done, Task
from trainers.errors import DatasetMissingError, TrainerError, WorkerLostError
from trainers.stages import during

IMAGES_A_TASK = 16
"""Enough that what is said of a task takes no time, few enough that the last one is short."""

_MAIN = "import sys; from trainers.data.streaming.worker import main; main(sys.argv[1:])"

_SECONDS_A_LOOK = 0.2
_SECONDS_TO_END = 2.0


class Workers:
    """See `trainers.data.streaming.reading.Reader`."""

    def __init__(
        self,
        parts: Sequence[Streamed],
        count: int,
        ahead: int,
        heartbeat: Callable[[], None],
    ) -> None:
        self._parts = parts
        self._heartbeat = heartbeat
        (image,) = {part.shape[1:] for part in parts}
        self._tasks_ahead = slots_ahead(ahead, count) // IMAGES_A_TASK
        shape = (self._tasks_ahead * IMAGES_A_TASK, *image)
        ring = new_memory(int(np.prod(shape)))
        self._slots: NDArray[np.uint8] = np.frombuffer(
            mapped(ring, writable=True), dtype=np.uint8
        ).reshape(shape)
        stored = store(([(part.source, part.view) for part in parts], shape))
        self._tasks, task_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._done, done_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._tasks.setblocking(False)
        self._done.settimeout(_SECONDS_A_LOOK)
        descriptors = task_end.fileno(), done_end.fileno(), stored, ring
        self._stream: _Stream | None = None
        self._processes: list[subprocess.Popen[bytes]] = []
        try:
            for _ in range(count):
                self._processes.append(_started(descriptors))
        except BaseException:
            self.close()
            raise
        finally:
            task_end.close()
            done_end.close()
            os.close(stored)
            os.close(ring)
        self._number = 0

    @property
    def pids(self) -> list[int]:
        """Of the worker processes."""
        return [process.pid for process in self._processes]

    def stream(self, part: int, indices: NDArray[np.int64], key: Key | None) -> _Stream:
        """See Reader."""
        if self._stream is not None:
            self._stream.close()
        self._stream = _Stream(self, part, indices, key)
        return self._stream

    def close(self) -> None:
        """Ends the processes, of which none is left as a zombie."""
        if self._stream is not None:
            self._stream.forget()
        # Without an end that tasks come from they end by themselves.
        self._tasks.close()
        self._done.close()
        for process in self._processes:
            try:
                process.wait(_SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for part in self._parts:
            part.close()

    def send(self, task: Task) -> bool:
        """Whether there was room for the task."""
        try:
            self._tasks.send(pickle.dumps(task))
        except BlockingIOError:
            return False
        except OSError as error:
            self._require_all()
            raise WorkerLostError(f"no task can be given to worker processes: {error}") from error
        return True

    def receive(self) -> Done:
        """The next task that has ended; waits for it."""
        message = None
        while message is None:
            try:
                message = self._done.recv(LARGEST_MESSAGE)
            except TimeoutError:
                self._require_all()
        if not message:
            self._require_all(wait=True)
        self._heartbeat()
        done: Done = pickle.loads(message)
        return done

    def next_number(self) -> int:
        """For a task."""
        self._number += 1
        return self._number

    def slots_of(self, task: Task) -> NDArray[np.uint8]:
        """Its images in the ring."""
        return self._slots[task.slot : task.slot + len(task.indices)]

    @property
    def tasks_ahead(self) -> int:
        """How many the ring has room for."""
        return self._tasks_ahead

    def _require_all(self, *, wait: bool = False) -> None:
        """Raises WorkerLostError if one has ended."""
        for process in self._processes:
            with suppress(subprocess.TimeoutExpired):
                if wait:
                    process.wait(_SECONDS_TO_END)
            if process.poll() is not None:
                raise WorkerLostError(
                    f"worker process {process.pid} of {len(self._processes)} that decode images on"
                    f" {socket.gethostname()} {_ended(process.returncode)}"
                )


class _Stream:
    """See `trainers.data.streaming.reading.Stream`."""

    def __init__(
        self, workers: Workers, part: int, indices: NDArray[np.int64], key: Key | None
    ) -> None:
        self._workers = workers
        self._part = part
        self._indices = indices
        self._key = key
        self._sent: dict[int, Task] = {}  # in their order, those whose images are not all taken
        self._running: set[int] = set()
        self._next = 0  # of the indices, the first that is in no task
        self._turn = 0  # of the ring
        self._taken = 0  # images of the oldest task
        self._fill()

    def take(self, into: NDArray[np.uint8]) -> None:
        """See Stream."""
        filled = 0
        while filled < len(into):
            self._fill()
            task = next(iter(self._sent.values()))
            while task.number in self._running:
                self._receive()
            images = self._workers.slots_of(task)[self._taken :][: len(into) - filled]
            into[filled : filled + len(images)] = images
            filled += len(images)
            self._taken += len(images)
            if self._taken == len(task.indices):
                del self._sent[task.number]
                self._taken = 0
        self._fill()

    def close(self) -> None:
        """Waits for tasks that are running, which write into the ring."""
        self._next = len(self._indices)
        self._sent.clear()
        while self._running:
            self._running.discard(self._workers.receive().number)

    def forget(self) -> None:
        """Its tasks end with the processes: there is nothing to wait for when it is closed."""
        self._running.clear()

    def _fill(self) -> None:
        """Hands out tasks while there is room in the ring."""
        while self._next < len(self._indices) and len(self._sent) < self._workers.tasks_ahead:
            indices = self._indices[self._next : self._next + IMAGES_A_TASK].tolist()
            task = Task(
                self._workers.next_number(),
                self._part,
                self._key,
                self._turn * IMAGES_A_TASK,
                tuple(indices),
            )
            if not self._workers.send(task):
                return  # so many are waiting that one will be done
            self._sent[task.number] = task
            self._running.add(task.number)
            self._next += len(indices)
            self._turn = (self._turn + 1) % self._workers.tasks_ahead

    def _receive(self) -> None:
        done = self._workers.receive()
        self._running.discard(done.number)
        if done.damage is not None:
            with during("dataset", DatasetMissingError):
                raise DamagedImageError(done.damage)
        if done.error is not None:
            raise TrainerError(f"a worker process failed as it decoded images:\n{done.error}")


def slots_ahead(ahead: int, workers: int) -> int:
    """Images that the ring has room for: at least `ahead`, and two tasks a worker."""
    tasks = max(-(-ahead // IMAGES_A_TASK), 2 * workers)
    return tasks * IMAGES_A_TASK


def _started(descriptors: tuple[int, ...]) -> subprocess.Popen[bytes]:
    given = [str(number) for number in (*descriptors, os.getpid())]
    environment = {
        **os.environ,
        # What this process can import, however it came to.
        "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
        # NumPy would start a thread for each core, and memory for it, to compute nothing.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.Popen(
        # -P: nothing in the working folder stands in for a module.
        [sys.executable, "-P", "-c", _MAIN, *given],
        stdin=subprocess.DEVNULL,
        env=environment,
        pass_fds=descriptors,
    )


def _ended(code: int) -> str:
    if code >= 0:
        return f"ended by itself, with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = ", as by a machine that is out of memory" if name == "SIGKILL" else ""
    return f"was ended by {name}{hint}"
