"""The beginning and the end of a log, however much comes between them."""

from __future__ import annotations

import time
from contextlib import suppress

from sweeper.logs.files import HEAD_BYTES, TAIL_FILE_BYTES
from sweeper.logs.lines import left_out
from sweeper.logs.places import Place

KEPT_OF_TAIL = 2
"""Files."""


class Ring:
    """Writes lines to the files of one log, and removes those that are too old.

    What a full or broken disk does not take is left out, and the next line that it takes says so.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._number = 0
        self._size = 0
        self._of_tail = 0
        self._lost = 0

    @property
    def head_is_full(self) -> bool:
        """Whether the beginning is complete: what comes now may be left out again."""
        return self._number > 0

    def write(self, lines: bytes) -> None:
        """Whole lines."""
        while lines:
            limit = TAIL_FILE_BYTES if self._number else HEAD_BYTES
            part = lines[: max(0, limit - self._size)]
            if len(part) < len(lines):
                part = part[: part.rfind(b"\n") + 1]
            if not part and self._size:
                self._next_file()
                continue
            part = part or lines[: lines.index(b"\n") + 1]
            lines = lines[len(part) :]
            self._append(part)

    def close(self) -> None:
        """After the last line."""
        self._place.close()

    def _next_file(self) -> None:
        self._number += 1
        self._size = 0
        if self._number > 1:
            self._append(left_out(self._of_tail, int(time.time())).encode())
        if self._number > KEPT_OF_TAIL:
            with suppress(OSError):
                self._place.remove(self._number - KEPT_OF_TAIL)

    def _append(self, part: bytes) -> None:
        if self._lost:
            part = left_out(self._lost, int(time.time())).encode() + part
        self._size += len(part)
        try:
            self._place.append(self._number, part)
            self._lost = 0
        except OSError:
            self._lost += len(part)
        if self._number:
            self._of_tail += len(part)
