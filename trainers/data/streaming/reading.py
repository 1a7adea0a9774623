"""The images of several parts of a dataset, read ahead by worker processes or in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trainers.data.streaming.draws import Key
from trainers.data.streaming.source import Streamed, read_view
from trainers.errors import DatasetMissingError
from trainers.stages import during


class Stream(Protocol):
    """Images in the order that was asked for."""

    def take(self, into: NDArray[np.uint8]) -> None:
        """Writes the next len(into) images: (K, 3, size, size), uint8, contiguous.

        Raises DamagedImageError.
        """

    def close(self) -> None:
        """No more of them are wanted."""


class Reader(Protocol):
    """What reads images of the parts that it was made for."""

    def stream(self, part: int, indices: NDArray[np.int64], key: Key | None) -> Stream:
        """The images of these indices, of one part; ends the stream before.

        Args:
            part: as its place among the parts.
            indices: of images in the part's source.
            key: of the draws.
        """

    def close(self) -> None:
        """Gives back what it has taken."""


def default_workers(threads: int, device: str) -> int:
    """How many processes decode for one that trains: a thread less than it has.

    One at least where a GPU trains, since the thread that it is given work by mostly waits; none
    where there is no Linux, whose shared memory they use.
    """
    if not sys.platform.startswith("linux"):
        return 0
    return max(threads - 1, 0 if device == "cpu" else 1)


def open_reader(
    parts: Sequence[Streamed], *, workers: int, ahead: int, heartbeat: Callable[[], None]
) -> Reader:
    """Reads images of these parts, all of one size.

    Args:
        workers: processes; 0 to read in this one.
        ahead: images that are read before they are asked for, at most.
        heartbeat: called as images come.
    """
    if workers == 0:
        return _InProcess(parts, heartbeat)
    from trainers.data.streaming.workers import Workers

    return Workers(parts, workers, ahead, heartbeat)


class _InProcess:
    """Reads each image when it is asked for."""

    def __init__(self, parts: Sequence[Streamed], heartbeat: Callable[[], None]) -> None:
        self._parts = parts
        self._heartbeat = heartbeat

    def stream(self, part: int, indices: NDArray[np.int64], key: Key | None) -> Stream:
        """See Reader."""
        return _Here(self._parts[part], iter(indices.tolist()), key, self._heartbeat)

    def close(self) -> None:
        """See Reader."""
        for part in self._parts:
            part.close()


class _Here:
    def __init__(
        self,
        part: Streamed,
        indices: Iterator[int],
        key: Key | None,
        heartbeat: Callable[[], None],
    ) -> None:
        self._part = part
        self._indices = indices
        self._key = key
        self._heartbeat = heartbeat

    def take(self, into: NDArray[np.uint8]) -> None:
        """See Stream."""
        with during("dataset", DatasetMissingError):
            for place in into:
                self._heartbeat()
                index = next(self._indices)
                place[:] = read_view(self._part.source, self._part.view, index, self._key)

    def close(self) -> None:
        """See Stream."""
        self._indices = iter(())
