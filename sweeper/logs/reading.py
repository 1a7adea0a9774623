"""The log of an attempt, read from the folder that the attempt wrote in."""

from __future__ import annotations

import re

from sweeper.logs.crash_lines import last_lines_of
from sweeper.logs.files import LARGEST_FILE, file_name, file_numbers
from trainers.errors import UnfitFileError
from trainers.storage import Folder

_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ", re.ASCII)


class LogReader:
    """Reads the log of a process, which may still grow.

    Raises StorageError, as the folder does.

    Attributes:
        wrote: whether there has been anything.
    """

    def __init__(self, folder: Folder, rank: int = 0) -> None:
        self._folder = folder
        self._rank = rank
        self._number = -1
        self._bytes = 0
        self.wrote = False

    def new_lines(self) -> list[str]:
        """Those since the last call, each with its time, without the line's end."""
        found: list[str] = []
        for number in file_numbers(self._folder.names(), self._rank):
            if number < self._number:
                continue
            try:
                content = self._folder.read(file_name(number, self._rank), LARGEST_FILE)
            except FileNotFoundError:
                continue  # it has become too old meanwhile
            except UnfitFileError as error:
                found.append(f"[{error}]")
                content = b""
            lines = self._new(number, content)
            found += lines
        self.wrote = self.wrote or bool(found)
        return found

    def _new(self, number: int, content: bytes) -> list[str]:
        begin = self._bytes if number == self._number else 0
        # Of what is being written now, whole lines alone.
        end = content.rfind(b"\n") + 1
        lines = content[begin:end].decode("utf-8", "backslashreplace").split("\n")[:-1]
        if begin == 0 and lines and 1 < number == self._number + 1:
            del lines[0]  # it tells of a gap, and there is none
        if end > 0 or number != self._number:
            self._number, self._bytes = number, max(begin, end)
        return lines


def without_time(line: str) -> str:
    """The line as it was written."""
    stamp = _STAMP.match(line)
    return line[stamp.end() :] if stamp else line


def attempt_folder(storage: Folder, run_id: str, attempt: int) -> Folder:
    """Where an attempt of a run writes."""
    return storage.child(run_id).child(str(attempt))


def is_remote(storage: Folder) -> bool:
    """Whether it is asked over a network, as far as its name says."""
    return not storage.location.startswith(("/", "file://"))


def last_lines(folder: Folder, count: int, rank: int = 0) -> list[str]:
    """The last lines of a log, without their times; none of one that has none."""
    lines = LogReader(folder, rank).new_lines()
    return last_lines_of([without_time(line) for line in lines], count)
