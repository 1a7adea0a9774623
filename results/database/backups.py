"""Backups of a SQLite database, and putting one back.

To copy the file alone is not enough: while it is in use, or after a crash, its newest changes are
in other files beside it, and one database with those of another is malformed.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection

from results.database.connect import open_unchecked
from results.database.open_file import sidecars
from results.database.sqlite import (
    BUSY_SECONDS,
    copy_whole,
    foreign_errors,
    unsound,
    writer_lock,
)
from results.database.sqlite_lock import driver_lock
from results.database.url import SqliteAddress, parse_address, sqlite_url
from results.errors import BackupError, DamagedDatabaseError
from results.schema import revisions
from results.schema.archive_note import is_archive


def backup(url: str, target: Path) -> None:
    """Writes the database, as it is at one moment, as one file; a driver may work meanwhile.

    Raises BackupError if the target exists already or cannot be written, or the database is on a
    server; DatabaseError if it cannot be read, or is damaged.
    """
    path, target = _file(url), target.absolute()
    if os.path.lexists(target):
        raise BackupError(f"{target} exists already: name a new file for the backup")
    _copy(path, target)


def restore(url: str, source: Path) -> Path | None:
    """Puts a backup in the database's place; where the former one is now, if there was one.

    The former one is moved aside with all that belongs to it. After a crash at any moment one of
    the two is in its place, or none, and both are whole.

    Raises BackupError if the source is no sweep database, or is an archive, or the database is on
    a server; DriverBusyError if a driver works on it; DatabaseError if the source is damaged.
    """
    path, source = _file(url), source.resolve()
    if source == path:
        raise BackupError(f"{source} is the database itself: name a backup of it")
    if not source.is_file():
        raise BackupError(f"{source} is no file: name what 'sweep db backup' wrote")
    _require_whole(source)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BackupError(
            f"the folder {path.parent} cannot be made ({error.strerror}): check --home and --db"
        ) from error
    with driver_lock(path, "sweep db restore"), writer_lock(path, BUSY_SECONDS):
        staged = path.with_name(f".{path.name}.restored")
        staged.unlink(missing_ok=True)
        _copy(source, staged)
        try:
            if path.exists():
                shutil.copymode(path, staged)
            aside = _move_aside(path)
            os.replace(staged, path)
        except OSError as error:
            staged.unlink(missing_ok=True)
            raise BackupError(f"{path} cannot be replaced ({error.strerror})") from error
    return aside


def _file(url: str) -> Path:
    address = parse_address(url)
    if not isinstance(address, SqliteAddress):
        raise BackupError(
            f"{address.shown} is on a server, whose own tools make backups and put them back:"
            " pg_dump and pg_restore; 'sweep export' writes an archive of its sweeps"
        )
    return address.path


def _require_whole(source: Path) -> None:
    """Before anything is made for it."""
    with suppress(DamagedDatabaseError), _opened(source) as connection:
        if unsound(connection) is None:
            return
    raise BackupError(f"{source} is no whole SQLite database: name what 'sweep db backup' wrote")


def _copy(source: Path, target: Path) -> None:
    with _opened(source) as connection:
        try:
            with foreign_errors(target, source):
                copy_whole(connection, target)
        except OSError as error:
            raise BackupError(f"{target} cannot be written ({error.strerror})") from error


@contextmanager
def _opened(source: Path) -> Iterator[Connection]:
    """Raises BackupError for what is no sweep database, DatabaseError if it cannot be read."""
    with (
        closing(open_unchecked(sqlite_url(source), "read")) as database,
        database.reading() as connection,
    ):
        revision = revisions.find_revision(connection, database.shown)
        if revision is None:
            raise BackupError(f"{source} is empty: it holds no sweep database")
        revisions.require_known(revision, database.shown)
        if is_archive(connection):
            raise BackupError(
                f"{source} is an archive: 'sweep import' adds its sweeps to the database"
            )
        yield connection


def _move_aside(path: Path) -> Path | None:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    number = 1
    aside = path.with_name(f"{path.name}.replaced-{stamp}")
    while os.path.lexists(aside):
        number += 1
        aside = path.with_name(f"{path.name}.replaced-{stamp}-{number}")
    # The file first: without it, those beside it are never taken for a part of another.
    moved = path.exists()
    if moved:
        path.rename(aside)
    for old, new in zip(sidecars(path), sidecars(aside), strict=True):
        if old.exists():
            old.rename(new)
    return aside if moved else None
