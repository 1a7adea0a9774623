"""Whether a file is a plain SQLite database: tables with stored values, none of them enormous.

A file from elsewhere may hold tables whose values a program computes, or texts of gigabytes: of
that nothing is read.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

_MAGIC = b"SQLite format 3\0"
_MOST_BYTES = 1 << 25
"""Of one value, or of one row."""
_MOST_OBJECTS = 1_000
"""Tables, indexes, views and triggers; of ours there are some 50."""


def why_not(path: Path) -> str | None:
    """What is wrong with the file, in words; None if nothing is, or another step will say it."""
    if path.exists() and not path.is_file():
        return "it is no file"
    try:
        with path.open("rb") as file:
            start = file.read(len(_MAGIC))
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    if start != _MAGIC:
        return "it is no SQLite file; name one that 'sweep export' wrote"
    try:
        with closing(sqlite3.connect(_read_only(path), uri=True)) as connection:
            limit(connection)
            connection.text_factory = _text
            return next(_not_plain(connection), None)
    except sqlite3.Error as error:
        # Whatever else there is to say is said by who opens it as a database.
        return str(error) if _is_too_big(error) else None
    except UnicodeDecodeError:  # of what SQLite says
        return "it is malformed: a name in it is not UTF-8"


def sha256_of(path: Path) -> str:
    """Of the bytes of the file, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def limit(connection: sqlite3.Connection) -> None:
    """From here on, reading a larger value is an error, before there is memory for it."""
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_BYTES)
    connection.execute("PRAGMA trusted_schema = OFF")


def copy(path: Path, target: Path) -> None:
    """Makes `target` one consistent copy of the file, whoever is writing to it."""
    with (
        closing(sqlite3.connect(_read_only(path), uri=True)) as source,
        closing(sqlite3.connect(target)) as copied,
    ):
        source.backup(copied)


def _not_plain(connection: sqlite3.Connection) -> Iterator[str]:
    query = "SELECT type, name, substr(sql, 1, 100) FROM sqlite_master"
    objects = connection.execute(query).fetchmany(_MOST_OBJECTS + 1)
    if len(objects) > _MOST_OBJECTS:
        yield f"it has more than {_MOST_OBJECTS} tables, indexes, views and triggers"
    for kind, name, sql in objects:
        if kind != "table":
            continue
        if str(sql).split()[:2] == ["CREATE", "VIRTUAL"]:
            yield f"its table {name!a:.80} is a virtual one, whose rows a program makes"
            continue
        hidden = connection.execute(
            "SELECT name FROM pragma_table_xinfo(?) WHERE hidden <> 0", (name,)
        ).fetchone()
        if hidden is not None:
            yield f"its table {name!a:.80} computes a column, {hidden[0]!a:.80}, and stores none"


def _text(stored: bytes) -> str:
    return stored.decode(errors="replace")


def _is_too_big(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorname", None) == "SQLITE_TOOBIG"


def _read_only(path: Path) -> str:
    return f"file:{quote(os.fsencode(path))}?mode=ro"
