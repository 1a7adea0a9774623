"""A process that decodes images into shared memory, until whoever started it ends or says so.

Started by `trainers.data.streaming.workers`; it imports no torch. It ends by itself when its parent
does: no more tasks come then, and where it is busy with one it looks once a second who its parent
is.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import threading
import time
import traceback
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainers.data.streaming.draws import Key
from trainers.data.streaming.shared import load, mapped
from trainers.data.streaming.source import DamagedImageError, Source, read_view
from trainers.data.streaming.views import View

LARGEST_MESSAGE = 1 << 16
"""Bytes."""

_LOOKS_A_SECOND = 1.0


class Task(NamedTuple):
    """Images to decode.

    Attributes:
        number: of the task.
        part: whose images they are, as its place among those that the process was given.
        key: of the draws.
        slot: where in the shared memory the first of them goes, in images.
        indices: of the images in their source.
    """

    number: int
    part: int
    key: Key | None
    slot: int
    indices: tuple[int, ...]


class Done(NamedTuple):
    """What has become of a task; `damage` names a damaged image, `error` is a traceback."""

    number: int
    damage: str | None = None
    error: str | None = None


def work(
    tasks: socket.socket,
    done: socket.socket,
    parts: list[tuple[Source, View]],
    slots: NDArray[np.uint8],
) -> None:
    """Does tasks until there is no end that they come from."""
    while message := tasks.recv(LARGEST_MESSAGE):
        task: Task = pickle.loads(message)
        source, view = parts[task.part]
        ended = Done(task.number)
        try:
            for slot, index in enumerate(task.indices, start=task.slot):
                slots[slot] = read_view(source, view, index, task.key)
        except DamagedImageError as error:
            ended = Done(task.number, damage=str(error))
        except Exception:  # a bug, or no memory: for the process that trains to raise
            ended = Done(task.number, error=traceback.format_exc()[-LARGEST_MESSAGE // 8 :])
        done.send(pickle.dumps(ended))


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOKS_A_SECOND)
    os._exit(1)


def main(arguments: list[str]) -> None:
    """Works; returns when there is nothing left to do.

    Args:
        arguments: descriptors of the sockets of tasks and of what has become of them, and of the
            shared memory of what `store` has stored and of the ring; the parent's process id.
    """
    task_end, done_end, stored, ring, parent = map(int, arguments)
    # Both go to all processes of a group, and are for the one that trains: it may want to finish
    # an epoch, for which it needs images.
    for meant_for_others in (signal.SIGINT, signal.SIGTERM):
        signal.signal(meant_for_others, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    parts, shape = load(stored)
    slots = np.frombuffer(mapped(ring, writable=True), dtype=np.uint8).reshape(shape)
    try:
        work(socket.socket(fileno=task_end), socket.socket(fileno=done_end), parts, slots)
    except BrokenPipeError:
        return
