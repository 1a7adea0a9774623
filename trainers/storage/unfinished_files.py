"""Files that are written beside what they become, and what killed writers have left of them."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from trainers.errors import UnfitFileError
from trainers.storage.regular_file import open_regular


class TakenAwayError(OSError):
    """Another process took a new file for abandoned before it was locked; `filename` was its."""


@contextmanager
def unfinished_file(target: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A new file beside `target`, hidden, and locked as long as it is written.

    Whoever has written it moves it to `target`; else it is removed. Where the file system has no
    locks it has none.

    Raises TakenAwayError, and OSError as `open` does.
    """
    path = target.with_name(f"{_hidden(target.name)}.{secrets.token_hex(8)}.tmp")
    with open(path, "xb", buffering=1 << 20) as file:
        try:
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
            if not path.exists():
                raise TakenAwayError(0, "it was taken for abandoned", os.fspath(path))
            yield file, path
        finally:
            path.unlink(missing_ok=True)


def remove_abandoned(folder: Path, targets: str) -> Path | None:
    """Removes what killed processes have left of files that were to have these names.

    Args:
        targets: a pattern of names, as `glob` takes it.

    Returns one of those that are being written now, if there is any.

    Raises OSError if one of the others cannot be opened or removed.
    """
    written = None
    for path in folder.glob(f"{_hidden(targets)}.*.tmp"):
        # One that is gone by now was done, or removed; what is no file nobody here has made.
        with suppress(FileNotFoundError, UnfitFileError), open_regular(path, follow=False) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                written = path
            else:
                path.unlink(missing_ok=True)
    return written


def _hidden(name: str) -> str:
    return name if name.startswith(".") else f".{name}"
