"""Opening the SQLite file: addresses, engines, the schema check, and the mapping of errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, inspect, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from results.errors import DatabaseError, NoDatabaseError
from results.plain import to_json
from results.tables import SCHEMA_VERSION, metadata

BUSY_SECONDS = 10.0
_EXAMPLE = "this version stores results in SQLite only: sqlite:///relative.db, sqlite:////absolute"

#: How SQLite opens the file: create it if needed, only if it exists, or read it.
OpenMode = Literal["rwc", "rw", "ro"]


def database_path(url: str) -> Path:
    """The file that a database URL names, as an absolute path with links resolved.

    Raises DatabaseError for anything but `sqlite:///path`.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise DatabaseError(f"{url!r} is not a database URL; {_EXAMPLE}") from None
    shown = parsed.render_as_string(hide_password=True)
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise DatabaseError(f"unsupported database {shown!r}; {_EXAMPLE}")
    if parsed.host or not parsed.database or parsed.database == ":memory:":
        raise DatabaseError(f"{shown!r} names no file; {_EXAMPLE}")
    if parsed.query:
        raise DatabaseError(f"{shown!r} has options after '?', which are not taken; {_EXAMPLE}")
    # Two names of one file must share one driver lock.
    return Path(parsed.database).expanduser().resolve()


def open_engine(path: Path, mode: OpenMode) -> Engine:
    """An engine whose connections open `path` in `mode`; nothing is touched before the first.

    A transaction starts with BEGIN IMMEDIATE, because one that reads before it writes would
    otherwise fail as soon as another has written in between. The execution option
    `sqlite_begin` replaces that statement; readers use a plain BEGIN.
    """

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode={mode}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,  # SQLAlchemy's recipe: the driver emits no BEGIN of its own
            check_same_thread=False,
        )
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            if mode != "ro":
                # Not WAL: it has a reset bug in the SQLite versions of common Pythons.
                connection.execute("PRAGMA journal_mode = DELETE")
                connection.execute("PRAGMA synchronous = FULL")
        except BaseException:
            connection.close()
            raise
        return connection

    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        creator=connect,
        poolclass=QueuePool,
        json_serializer=to_json,
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        default = "BEGIN" if mode == "ro" else "BEGIN IMMEDIATE"
        statement = connection.get_execution_options().get("sqlite_begin", default)
        connection.exec_driver_sql(statement)

    return engine


@contextmanager
def foreign_errors(path: Path) -> Iterator[None]:
    """Turns what SQLite and SQLAlchemy raise about `path` into DatabaseError."""
    try:
        yield
    except DBAPIError as error:
        raise DatabaseError(_explain(path, error.orig)) from error
    except sqlite3.Error as error:
        raise DatabaseError(_explain(path, error)) from error
    except OverflowError as error:
        raise DatabaseError(f"{path} cannot hold a whole number beyond 64 bits: {error}") from error


def error_code(error: object) -> str:
    """SQLite's own name of an error, such as SQLITE_BUSY; empty where it gave none."""
    return str(getattr(error, "sqlite_errorname", None) or "")


def _explain(path: Path, error: object) -> str:
    code = error_code(error)
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return (
            f"{path} stayed locked for {BUSY_SECONDS:g} s: another program is writing to it;"
            " try again when that is done"
        )
    if code.startswith("SQLITE_NOTADB"):
        return f"{path} is not a SQLite database: check --db, or choose another file"
    if code.startswith("SQLITE_CANTOPEN"):
        return f"{path} cannot be opened: check that it is a file, and your rights to it"
    if code.startswith("SQLITE_READONLY"):
        return f"{path} cannot be written: check your rights to it and to its folder"
    if code.startswith("SQLITE_FULL"):
        return f"{path} cannot grow: the disk is full; nothing of this change was kept"
    if code.startswith("SQLITE_CONSTRAINT"):
        return f"{path} refused a change, and kept nothing of it: {error}"
    return f"{path}: SQLite says {error}"


def create_tables(connection: Connection, path: Path) -> None:
    """Makes the tables in an empty database; leaves a sweep database as it is.

    Raises DatabaseError if the file holds other tables.
    """
    if not inspect(connection).get_table_names():
        metadata.create_all(connection)
        connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
    check_tables(connection, path)


def check_tables(connection: Connection, path: Path) -> None:
    """Raises DatabaseError unless the file is a sweep database of this version."""
    missing = sorted(metadata.tables.keys() - set(inspect(connection).get_table_names()))
    if missing:
        raise DatabaseError(
            f"{path} is not a sweep database: it has no table {missing[0]!r}; check --db, or"
            " choose a file that does not exist yet"
        )
    version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    if version != SCHEMA_VERSION:
        raise DatabaseError(
            f"{path} has schema version {version}, and this program reads {SCHEMA_VERSION}: use"
            " the version of sweep that wrote it, or another database"
        )


def require_file(path: Path) -> None:
    """Raises NoDatabaseError if there is nothing at `path`, DatabaseError if it is a folder."""
    try:
        if path.is_dir():
            raise DatabaseError(f"{path} is a folder: name a database file inside it with --db")
        if not path.exists():
            raise NoDatabaseError(path)
    except OSError as error:
        raise DatabaseError(f"{path} cannot be reached ({error.strerror})") from error


def rows_as_dicts(result: Any) -> list[dict[str, Any]]:
    """All rows of a SQLAlchemy result as plain dicts, so that its transaction can end."""
    return [dict(row) for row in result.mappings()]
