"""A folder on a disk of this machine, or on one that its nodes share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from typing_extensions import override

from trainers.errors import StorageError
from trainers.storage.atomic_write import write_atomically
from trainers.storage.base import Folder, checked, is_name
from trainers.storage.failures import storage_error
from trainers.storage.regular_file import open_regular


class LocalFolder(Folder):
    """A folder by its path; a relative one is taken from the current folder.

    Raises StorageError for one below the home of an unknown user.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._path = path.expanduser().absolute()
        except (RuntimeError, OSError) as error:  # an unknown ~user; no current folder
            raise StorageError(f"storage {path} is no path: {error}") from None
        self.location = _as_text(self._path)

    @override
    def write(self, name: str, content: bytes) -> None:
        path = self._path / checked(name)
        with _asking(f"{path} cannot be written"):
            write_atomically(path, content)

    @override
    def read(self, name: str, most: int | None = None) -> bytes:
        path = self._path / checked(name)
        with (
            _asking(f"{path} cannot be read", FileNotFoundError),
            open_regular(path, most) as file,
        ):
            return file.read()

    @override
    def names(self) -> list[str]:
        with _asking(f"{self._path} cannot be listed"), suppress(FileNotFoundError):
            return sorted(filter(is_name, os.listdir(self._path)))
        return []

    @override
    def files(self) -> Iterator[tuple[str, int]]:
        with _asking(f"{self._path} cannot be listed"):
            yield from _files_in(self._path, "")

    @override
    def remove(self, name: str) -> None:
        path = self._path / checked(name)
        with _asking(f"{path} cannot be removed"):
            path.unlink(missing_ok=True)

    @override
    def remove_all(self) -> None:
        with _asking(f"{self._path} cannot be removed"), suppress(FileNotFoundError):
            shutil.rmtree(self._path)

    @property
    @override
    def path(self) -> Path:
        return self._path

    @override
    def child(self, name: str) -> LocalFolder:
        return LocalFolder(self._path / checked(name))


def _files_in(folder: Path, before: str) -> Iterator[tuple[str, int]]:
    """Symbolic links are neither followed nor counted."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _files_in(folder / entry.name, f"{before}{entry.name}/")
        elif entry.is_file(follow_symlinks=False):
            with suppress(FileNotFoundError):
                yield f"{before}{entry.name}", entry.stat(follow_symlinks=False).st_size


def _as_text(path: Path) -> str:
    """The path; where a byte of it is no UTF-8, which no database can hold, its file:// URL."""
    text = str(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        return f"file://{quote(os.fsencode(path))}"
    return text


@contextmanager
def _asking(failure: str, *answers: type[OSError]) -> Iterator[None]:
    """Errors of the disk as those of a Folder; `answers` are none."""
    try:
        yield
    except answers:
        raise
    except OSError as error:
        raise storage_error(failure, error) from error
