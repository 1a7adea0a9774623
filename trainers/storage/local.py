"""A folder on a disk of this machine, or on one that its nodes share."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from typing_extensions import override

from trainers.storage.atomic_write import write_atomically
from trainers.storage.base import Folder, checked
from trainers.storage.failures import storage_error


class LocalFolder(Folder):
    """A folder by its path; a relative one is taken from the current folder."""

    def __init__(self, path: Path) -> None:
        self._path = path.expanduser().absolute()
        self.location = str(self._path)

    @override
    def write(self, name: str, content: bytes) -> None:
        path = self._path / checked(name)
        try:
            write_atomically(path, content)
        except OSError as error:
            raise storage_error(f"{path} cannot be written", error) from error

    @override
    def read(self, name: str) -> bytes:
        path = self._path / checked(name)
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise storage_error(f"{path} cannot be read", error) from error

    @override
    def names(self) -> list[str]:
        try:
            return sorted(os.listdir(self._path))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise storage_error(f"{self._path} cannot be listed", error) from error

    @override
    def remove(self, name: str) -> None:
        path = self._path / checked(name)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(f"{path} cannot be removed", error) from error

    @override
    def remove_all(self) -> None:
        try:
            shutil.rmtree(self._path)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise storage_error(f"{self._path} cannot be removed", error) from error

    @override
    def child(self, name: str) -> LocalFolder:
        return LocalFolder(self._path / checked(name))
