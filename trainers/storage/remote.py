"""A folder in an object store or on a file server, by an fsspec URL."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from typing_extensions import override

from trainers.errors import UnfitFileError
from trainers.storage.base import Folder, checked, is_name
from trainers.storage.failures import storage_error

OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss"})
"""Schemes whose puts are atomic."""


class Connection:
    """The file system that a URL names, connected to when it is first used.

    Args:
        scheme: of the URL.
        kind: the class of file system that fsspec has for it.
        options: what the class takes out of the URL: a host, a port.
    """

    def __init__(self, scheme: str, kind: type[Any], options: dict[str, Any]) -> None:
        self.atomic_puts = scheme in OBJECT_STORES
        self._kind = kind
        self._options = options
        self._open: tuple[int, Any] | None = None
        self._token = secrets.token_hex(8)

    def file_system(self) -> Any:
        """Raises whatever the class raises when it cannot connect."""
        # The thread that does the network's I/O does not survive a fork.
        if self._open is None or self._open[0] != os.getpid():
            # fsspec caches its instances, and would return a broken one again.
            opened = self._kind(**self._options, skip_instance_cache=True)
            self._open = os.getpid(), opened
        return self._open[1]

    def writer(self) -> str:
        """An id of this process and thread, unique among all machines."""
        return f"{self._token}-{os.getpid()}-{threading.get_ident()}"

    def forget(self) -> None:
        """Reconnect at the next use, since the connection itself may have failed."""
        self._open = None


class RemoteFolder(Folder):
    """A folder of any file system that fsspec knows.

    Args:
        location: the URL, without a password.
        path: what the file system calls it.
    """

    def __init__(self, location: str, path: str, connection: Connection) -> None:
        self.location = location
        self._path = path
        self._connection = connection

    @override
    def write(self, name: str, content: bytes) -> None:
        target = _join(self._path, checked(name))
        with self._asking(f"{_join(self.location, name)} cannot be written") as files:
            if self._connection.atomic_puts:
                files.pipe_file(target, content)
                return
            files.makedirs(self._path, exist_ok=True)
            # The same at every retry, so that a failing server is not filled with temporary files.
            temporary = _join(self._path, f".{name}.{self._connection.writer()}.tmp")
            try:
                files.pipe_file(temporary, content)
                files.mv(temporary, target)
            except BaseException:
                # The original failure is the one to report; a hidden file does no harm.
                with suppress(Exception):
                    files.rm_file(temporary)
                raise

    @override
    def read(self, name: str, most: int | None = None) -> bytes:
        where = _join(self.location, checked(name))
        with self._asking(f"{where} cannot be read") as files:
            try:
                if most is not None and (size := files.size(_join(self._path, name)) or 0) > most:
                    raise UnfitFileError(f"{where} is too large: it has {size:,} bytes")
                content: bytes = files.cat_file(_join(self._path, name))
                return content
            except FileNotFoundError as error:
                missing = error
        raise FileNotFoundError(f"there is no {where}") from missing

    @override
    def names(self) -> list[str]:
        with self._asking(f"{self.location} cannot be listed") as files:
            return [name for name in self._names(files) if is_name(name)]

    @override
    def files(self) -> Iterator[tuple[str, int]]:
        with self._asking(f"{self.location} cannot be listed") as files:
            files.invalidate_cache()
            try:
                found = files.find(self._path, detail=True)
            except FileNotFoundError:
                return
        start = self._path.strip("/")
        for path, known in sorted(found.items()):
            inside = path.strip("/").removeprefix(start).lstrip("/")
            # Some stores list the folder itself, as an empty object.
            if inside and not path.endswith("/"):
                yield inside, int(known.get("size") or 0)

    @override
    def remove(self, name: str) -> None:
        where = _join(self.location, checked(name))
        with self._asking(f"{where} cannot be removed") as files, suppress(FileNotFoundError):
            files.rm_file(_join(self._path, name))

    @override
    def remove_all(self) -> None:
        with self._asking(f"{self.location} cannot be removed") as files:
            if not self._is_bucket_or_root():
                _remove_tree(files, self._path)
                return
            # Its content is ours, the bucket or root itself is not.
            for name in self._names(files):
                _remove_tree(files, _join(self._path, name))

    @override
    def child(self, name: str) -> RemoteFolder:
        return RemoteFolder(
            _join(self.location, checked(name)), _join(self._path, name), self._connection
        )

    def _is_bucket_or_root(self) -> bool:
        path = self._path.strip("/")
        return not path or (self._connection.atomic_puts and "/" not in path)

    def _names(self, files: Any) -> list[str]:
        # Other machines write here too, and fsspec would answer from its cache.
        files.invalidate_cache()
        try:
            entries = files.ls(self._path, detail=False)
        except FileNotFoundError:
            return []
        # Some stores list the folder itself, as an empty object.
        inside = (
            entry.rstrip("/") for entry in entries if entry.strip("/") != self._path.strip("/")
        )
        return sorted({entry.rsplit("/", 1)[-1] for entry in inside})

    @contextmanager
    def _asking(self, failure: str) -> Iterator[Any]:
        try:
            yield self._connection.file_system()
        except UnfitFileError:
            raise
        except Exception as error:
            # Each file system raises errors of its own, and few of them are OSErrors.
            self._connection.forget()
            raise storage_error(failure, error) from error


def _remove_tree(files: Any, path: str) -> None:
    files.invalidate_cache()
    with suppress(FileNotFoundError):
        files.rm(path, recursive=True)


def _join(folder: str, name: str) -> str:
    return folder + name if folder.endswith("/") else f"{folder}/{name}"
