"""A file system for fsspec, as a file server would be: it has real folders, and renames files.

Every call can be made to fail; `FileServer.before` is asked first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import fsspec
from fsspec.implementations.local import LocalFileSystem

SCHEME = "fileserver"


class FileServer(LocalFileSystem):  # type: ignore[misc]
    """Serves the local disk: fileserver:///absolute/path.

    Attributes:
        before: called with the name of each operation and the path, before it is done.
        connections: how many were made.
    """

    protocol = SCHEME
    before: ClassVar[Callable[[str, str], None] | None] = None
    connections: ClassVar[int] = 0

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        type(self).connections += 1

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(path).removeprefix(f"{SCHEME}://").rstrip("/")

    def pipe_file(self, path: str, value: bytes, **options: Any) -> None:
        # As a connection that is cut in the middle of an upload.
        with open(path, "wb") as file:
            file.write(value[: len(value) // 2])
            self._ask("put", path)
            file.write(value[len(value) // 2 :])

    def cat_file(self, path: str, *arguments: Any, **options: Any) -> bytes:
        self._ask("get", path)
        content: bytes = super().cat_file(path, *arguments, **options)
        return content

    def ls(self, path: str, detail: bool = False, **options: Any) -> Any:
        self._ask("list", path)
        return super().ls(path, detail=detail, **options)

    def mv(self, path1: str, path2: str, **options: Any) -> None:
        self._ask("move", path2)
        super().mv(path1, path2, **options)

    def rm_file(self, path: str) -> None:
        self._ask("remove", path)
        super().rm_file(path)

    def rm(self, path: str, *arguments: Any, **options: Any) -> None:
        self._ask("remove", path)
        super().rm(path, *arguments, **options)

    def _ask(self, operation: str, path: str) -> None:
        before = type(self).before
        if before is not None:
            before(operation, path)


fsspec.register_implementation(SCHEME, FileServer, clobber=True)
