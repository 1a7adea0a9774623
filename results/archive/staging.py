"""Folders that are either whole or absent, whatever moment the machine fails."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from results.errors import ArchiveError, ArchiveExistsError

_PARTIAL = ".partial"
_REPLACED = ".replaced"


@contextmanager
def whole_folder(target: Path, replaceable: Callable[[Path], bool] | None) -> Iterator[Path]:
    """A folder to fill, which gets the name `target` when the block ends without an error.

    Until then it is a hidden sibling; an error removes it, and what a killed process left is
    removed by the next one with the same target. Files in it must be on disk by the end of the
    block (see `write_durably`). What is at `target` is replaced if `replaceable` says so of it.

    Raises ArchiveExistsError if something else is there, ArchiveError if a folder or file cannot
    be written.
    """
    target = Path(os.path.realpath(target))
    _refuse_occupied(target, replaceable)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(target)
        partial = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}{_PARTIAL}")
        partial.mkdir()
    except OSError as error:
        raise _unwritable(target, error) from error
    try:
        with _held(partial):
            yield partial
            _sync(partial)
            _refuse_occupied(target, replaceable)
            _put_in_place(partial, target)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if isinstance(error, OSError):
            raise _unwritable(target, error) from error
        raise


def write_durably(path: Path, content: bytes) -> None:
    """A new file, on disk when this returns."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _refuse_occupied(target: Path, replaceable: Callable[[Path], bool] | None) -> None:
    if os.path.lexists(target) and (replaceable is None or not replaceable(target)):
        raise ArchiveExistsError(target, asked_to_replace=replaceable is not None)


def _put_in_place(partial: Path, target: Path) -> None:
    replaced = partial.with_suffix(_REPLACED)
    if target.exists():
        os.rename(target, replaced)
    try:
        os.rename(partial, target)
    except BaseException:
        if replaced.exists():
            os.rename(replaced, target)
        raise
    _sync(target.parent)
    for old in _siblings(target, _REPLACED):
        shutil.rmtree(old, ignore_errors=True)


def _siblings(target: Path, suffix: str) -> list[Path]:
    start = f".{target.name}."
    return [
        path
        for path in target.parent.iterdir()
        if path.name.startswith(start) and path.name.endswith(suffix) and path.is_dir()
    ]


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Lets others see that a living process fills this folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # A file system without locks only keeps what was abandoned from being removed.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _remove_abandoned(target: Path) -> None:
    for folder in _siblings(target, _PARTIAL):
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(target: Path, error: OSError) -> ArchiveError:
    return ArchiveError(
        f"{target} cannot be written ({error.strerror or error}): check the folder's rights and"
        " the space on its disk; nothing was left there"
    )
