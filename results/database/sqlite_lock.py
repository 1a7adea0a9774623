"""One driver at a time on a database file, by a lock that ends with the process."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from results.database import fork_safety
from results.errors import DatabaseError, DriverBusyError

_LOOK_SECONDS = 0.1
"""How long `is_driven`, which has to lock the file itself for a moment, is waited for."""


@contextmanager
def driver_lock(database: Path, command: str) -> Iterator[None]:
    """Holds `<database>.driver.lock` exclusively; the file's content names the holder.

    Raises DriverBusyError at once if another driver holds it, DatabaseError if the lock file
    cannot be made. The file is left behind on purpose: removing it would let two drivers lock
    two different files of the same name.
    """
    path = _lock_of(database)
    descriptor = open_lock(path, database)
    with fork_safety.closed_in_children(descriptor):
        deadline = time.monotonic() + _LOOK_SECONDS
        while not try_lock(descriptor, path):
            if time.monotonic() >= deadline:
                raise DriverBusyError(database, _read_holder(descriptor))
            time.sleep(0.002)
        owner = os.getpid()
        _write_holder(descriptor, command, path)
        try:
            yield
        finally:
            if os.getpid() == owner:  # a forked child has closed it
                os.ftruncate(descriptor, 0)


def is_driven(database: Path) -> bool:
    """Whether a driver holds the lock; True where that cannot be seen."""
    try:
        # A pipe of that name, which no driver locks, is not waited for.
        descriptor = os.open(_lock_of(database), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    with fork_safety.closed_in_children(descriptor):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        return False


def _lock_of(database: Path) -> Path:
    return database.with_name(database.name + ".driver.lock")


def open_lock(path: Path, database: Path) -> int:
    """The descriptor of a lock file, made if need be; only who may write the database can open it.

    Who could open it could hold it, and stop everybody. Raises DatabaseError.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise DatabaseError(
                    f"{database} cannot be written: its lock {path} is no file, but a pipe or the"
                    " like; remove it"
                )
            _close_to_readers(descriptor, database)
        except BaseException:
            os.close(descriptor)
            raise
    except OSError as error:
        raise DatabaseError(
            f"{database} cannot be written: its lock {path} cannot be opened ({error.strerror});"
            " check your rights to it and to its folder"
        ) from error
    return descriptor


def _close_to_readers(descriptor: int, database: Path) -> None:
    found, wanted, owners = os.fstat(descriptor), 0o600, {0, os.geteuid()}
    with suppress(FileNotFoundError):
        of_database = os.stat(database)
        owners.add(of_database.st_uid)
        if of_database.st_mode & stat.S_IWGRP:
            wanted |= stat.S_IRGRP | stat.S_IWGRP
        if of_database.st_mode & stat.S_IWOTH:
            wanted |= stat.S_IROTH | stat.S_IWOTH
    if wanted == 0o600 and found.st_uid not in owners:
        raise OSError(errno.EPERM, f"it belongs to another user, with the id {found.st_uid}")
    if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) != wanted:
        os.fchmod(descriptor, wanted)


def try_lock(descriptor: int, path: Path) -> bool:
    """Locks an open file exclusively, unless another has it; raises DatabaseError if none can."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise DatabaseError(
            f"{path} cannot be locked ({error.strerror}): keep the database on a local disk"
        ) from error
    return True


def _write_holder(descriptor: int, command: str, path: Path) -> None:
    holder = {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started_at": time.time(),
        "command": command,
    }
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)
    except OSError as error:
        raise DatabaseError(f"{path} cannot be written ({error.strerror})") from error


def _read_holder(descriptor: int) -> dict[str, object]:
    """What the holder wrote about itself; empty if it does not say so within 0.2 s."""
    for _ in range(20):
        try:
            found = json.loads(os.pread(descriptor, 65536, 0))
        except (ValueError, RecursionError):
            time.sleep(0.01)  # locked a moment ago, and not written yet
            continue
        return found if isinstance(found, dict) else {}
    return {}
