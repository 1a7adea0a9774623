"""Where the writer puts the files of a log: a folder on a disk, or one in a remote storage."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote_to_bytes

from sweeper.logs.files import file_name, file_numbers

if TYPE_CHECKING:
    from trainers.storage import Folder

UPLOAD_SECONDS = 5.0
"""How often a file that grows is uploaded again; an object store has no way to append."""

RETRY_SECONDS = 60.0


class Place(Protocol):
    """The folder of one attempt. Every method raises OSError for what cannot be written."""

    def append(self, number: int, text: bytes) -> None:
        """To the newest file, or to one that comes after it."""

    def remove(self, number: int) -> None:
        """An older file."""

    def close(self) -> None:
        """Nothing comes after it."""


class LocalPlace:
    """A folder by its path, which is made when there is something to write.

    Files of an earlier execution that had the same number of attempt are removed.
    """

    def __init__(self, path: bytes, umask: int, rank: int = 0) -> None:
        self._path = path
        self._rank = rank
        self._umask = umask
        self._number: int | None = None
        self._file = -1

    def append(self, number: int, text: bytes) -> None:
        """See Place."""
        if number != self._number:
            self._open(number)
        view = memoryview(text)
        while view:
            view = view[os.write(self._file, view) :]

    def _open(self, number: int) -> None:
        self.close()
        os.umask(self._umask)
        if self._number is None:
            os.makedirs(self._path, exist_ok=True)
            for old in file_numbers(map(os.fsdecode, os.listdir(self._path)), self._rank):
                self.remove(old)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._file = os.open(self._file_at(number), flags, 0o666)
        self._number = number

    def remove(self, number: int) -> None:
        """See Place."""
        with suppress(FileNotFoundError):
            os.unlink(self._file_at(number))

    def close(self) -> None:
        """See Place."""
        if self._file >= 0:
            with suppress(OSError):  # of a network file system, whose disk is full
                os.close(self._file)
            self._file = -1

    def _file_at(self, number: int) -> bytes:
        return os.path.join(self._path, file_name(number, self._rank).encode())


class RemotePlace:
    """A folder by its URL, for which a thread uploads what is new every now and then."""

    def __init__(self, url: str, uploads: Uploads, rank: int = 0) -> None:
        self.url = url
        self._rank = rank
        self._uploads = uploads
        self._lock = threading.Lock()
        self._files: dict[int, bytearray] = {}
        self._changed: set[int] = set()
        self._uploaded: set[int] = set()
        self._folder: Folder | None = None
        self.closed = False

    def append(self, number: int, text: bytes) -> None:
        """See Place."""
        with self._lock:
            self._files.setdefault(number, bytearray()).extend(text)
            for done in [n for n in self._files if n < number and n not in self._changed]:
                del self._files[done]
            self._changed.add(number)
        self._uploads.add(self)

    def remove(self, number: int) -> None:
        """See Place."""
        with self._lock:
            self._files.pop(number, None)
            self._changed.discard(number)

    def close(self) -> None:
        """See Place."""
        self.closed = True
        self._uploads.wake()

    def upload(self) -> None:
        """What is new. Raises what the storage raises; then all of it is still new."""
        with self._lock:
            new = {number: bytes(self._files[number]) for number in sorted(self._changed)}
            newest = max(self._files, default=0)
        if not new:
            return
        if self._folder is None:
            # Deferred, because a folder on disk does not need it.
            from trainers.storage import open_folder

            self._folder = open_folder(self.url)
        folder = self._folder
        if not self._uploaded:
            for old in file_numbers(folder.names(), self._rank):
                folder.remove(file_name(old, self._rank))
        for number, content in new.items():
            folder.write(file_name(number, self._rank), content)
            self._uploaded.add(number)
            with self._lock:
                if len(self._files.get(number, b"")) == len(content):
                    self._changed.discard(number)
        for number in [n for n in self._uploaded if 0 < n < newest - 1]:
            folder.remove(file_name(number, self._rank))
            self._uploaded.discard(number)

    @property
    def is_done(self) -> bool:
        """Whether everything is there that there will be."""
        return self.closed and not self._changed


class Uploads:
    """A thread that uploads for all remote places, one after the other."""

    def __init__(self) -> None:
        self._places: dict[RemotePlace, float] = {}  # when it is next to be uploaded
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, place: RemotePlace) -> None:
        """It has something new."""
        with self._lock:
            self._places.setdefault(place, time.monotonic() + UPLOAD_SECONDS)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()

    def wake(self) -> None:
        """One was closed."""
        self._woken.set()

    def wait(self, seconds: float) -> None:
        """Until all closed ones are done, or for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and any(place.closed for place in self._snapshot()):
            time.sleep(0.02)

    def _snapshot(self) -> dict[RemotePlace, float]:
        with self._lock:
            return dict(self._places)

    def _work(self) -> None:
        failing_since: dict[RemotePlace, float] = {}
        while True:
            self._woken.wait(UPLOAD_SECONDS / 10)
            self._woken.clear()
            for place, due in self._snapshot().items():
                now = time.monotonic()
                if now < due and not (place.closed and place not in failing_since):
                    continue
                try:
                    place.upload()
                    failing_since.pop(place, None)
                    over = place.is_done
                except Exception:
                    # Whatever a file system raises. What is written next is tried again with it.
                    over = now - failing_since.setdefault(place, now) > RETRY_SECONDS
                with self._lock:
                    self._places[place] = time.monotonic() + UPLOAD_SECONDS
                    if over and (place.closed or place in failing_since):
                        del self._places[place]


def place_at(location: str, umask: int, uploads: Uploads, rank: int = 0) -> Place:
    """The place that a Folder calls so, for the log of one process."""
    if location.startswith("/"):
        return LocalPlace(os.fsencode(location), umask, rank)
    if location.startswith("file://"):
        return LocalPlace(unquote_to_bytes(location.removeprefix("file://")), umask, rank)
    return RemotePlace(location, uploads, rank)
