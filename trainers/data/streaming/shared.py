"""Memory that this process shares with those it starts, without a name: none is left behind.

Linux only.
"""

from __future__ import annotations

import mmap
import os
import pickle
import struct
from typing import Any

_LENGTHS = struct.Struct("<q")


def new_memory(size: int) -> int:
    """A descriptor of `size` zero bytes; they are gone once no process has it open or mapped."""
    descriptor = os.memfd_create("images", os.MFD_CLOEXEC)
    os.ftruncate(descriptor, size)
    return descriptor


def mapped(descriptor: int, *, writable: bool) -> mmap.mmap:
    """All of it."""
    access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
    return mmap.mmap(descriptor, 0, access=access)


def store(thing: Any) -> int:
    """A descriptor of shared memory that has this, pickled."""
    buffers: list[pickle.PickleBuffer] = []
    parts: list[Any] = [pickle.dumps(thing, protocol=5, buffer_callback=buffers.append)]
    parts += [buffer.raw() for buffer in buffers]
    lengths = [len(parts), *map(len, parts)]
    header = b"".join(map(_LENGTHS.pack, lengths))
    descriptor = new_memory(_start(len(header)) + sum(_start(len(part)) for part in parts))
    with mapped(descriptor, writable=True) as memory:
        memory[: len(header)] = header
        place = _start(len(header))
        for part in parts:
            memory[place : place + len(part)] = bytes(part) if isinstance(part, bytes) else part
            place += _start(len(part))
        for buffer in parts[1:]:
            buffer.release()
    return descriptor


def load(descriptor: int) -> Any:
    """What `store` has stored. Arrays in it are read-only, and lie in the shared memory."""
    memory = memoryview(mapped(descriptor, writable=False))
    size = _LENGTHS.size
    (count,) = _LENGTHS.unpack(memory[:size])
    lengths = [_LENGTHS.unpack(memory[k * size : (k + 1) * size])[0] for k in range(1, count + 1)]
    parts = []
    place = _start((count + 1) * size)
    for length in lengths:
        parts.append(memory[place : place + length])
        place += _start(length)
    return pickle.loads(parts[0], buffers=parts[1:])


def _start(length: int) -> int:
    """So many bytes and those up to the next multiple of 64, where an array may begin."""
    return -(-length // 64) * 64
