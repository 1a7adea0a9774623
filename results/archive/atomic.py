"""Files and folders that are written atomically, whatever moment the machine fails."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from results.errors import ArchiveError, ArchiveExistsError

_PARTIAL = ".partial"


@contextmanager
def atomic_path(target: Path, replaceable: Callable[[Path], bool] | None = None) -> Iterator[Path]:
    """Where to write a file or folder that gets the name `target` when the block ends well.

    Until then it lies in a hidden folder next to it; an error removes that, and what a killed
    process left is removed by the next one with the same target. What is written must be on disk
    by the end of the block. A file at `target` is replaced if `replaceable` says so of it.

    Raises ArchiveExistsError if something else is there, ArchiveError if it cannot be written.
    """
    target = Path(os.path.realpath(target))
    _refuse_occupied(target, replaceable)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(target)
        staging = Path(
            tempfile.mkdtemp(prefix=f".{target.name}.", suffix=_PARTIAL, dir=target.parent)
        )
    except OSError as error:
        raise _unwritable(target, error) from error
    try:
        with _opened(staging) as descriptor:
            # Lets others see that a living process fills this folder. A file system without locks
            # only keeps what was abandoned from being removed.
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield staging / target.name
            _refuse_occupied(target, replaceable)
            os.replace(staging / target.name, target)
            sync_folder(target.parent)
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """Makes sure that the names in `folder` are on disk."""
    with _opened(folder) as descriptor:
        os.fsync(descriptor)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)  # for no writer of a pipe is waited
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _refuse_occupied(target: Path, replaceable: Callable[[Path], bool] | None) -> None:
    if os.path.lexists(target) and (replaceable is None or not replaceable(target)):
        raise ArchiveExistsError(target, asked_to_replace=replaceable is not None)


def _remove_abandoned(target: Path) -> None:
    for folder in target.parent.iterdir():
        if folder.name.startswith(f".{target.name}.") and folder.name.endswith(_PARTIAL):
            with suppress(OSError), _opened(folder) as descriptor:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)


def _unwritable(target: Path, error: OSError) -> ArchiveError:
    return ArchiveError(
        f"{target} cannot be written ({error.strerror or error}): check the folder's rights and"
        " the space on its disk; nothing was left there"
    )
