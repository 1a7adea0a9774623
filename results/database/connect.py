"""From a database URL to an opened database whose schema is the one this program knows."""

from __future__ import annotations

from collections.abc import Callable

from results.database.base import Database, Purpose
from results.database.url import SqliteAddress, parse_address
from results.errors import DatabaseError, NoDatabaseError
from results.schema import revisions
from results.schema.archive_note import is_archive


def connect(
    url: str, purpose: Purpose, *, on_wait: Callable[[str], None] | None = None
) -> Database:
    """Opens the database that `url` names, and checks its schema.

    To "create" makes what is missing: the SQLite file with its folder, or the tables in an empty
    Postgres database. `on_wait` is called when a lost connection, or a locked file, is waited for.

    Raises NoDatabaseError if there is none (and it was not to be created), DatabaseError if the
    URL is not supported, the database cannot be reached, is no sweep database, has the schema of
    another version, or is an archive and to be written.
    """
    database = open_unchecked(url, purpose, on_wait=on_wait)
    try:
        revision = database.read(lambda c: revisions.find_revision(c, database.shown))
        if revision is not None:
            revisions.require_current(revision, database.shown)
            if purpose != "read" and database.read(is_archive):
                raise DatabaseError(
                    f"{database.shown} is an archive, which stays as it was written: 'sweep import'"
                    " adds its sweeps to another database"
                )
        elif purpose == "create":
            database.write(lambda c: revisions.create(c, database.shown), revisions.is_current)
        else:
            raise NoDatabaseError(database.shown)
        if purpose != "read":
            database.prepare_for_writing()
    except BaseException:
        database.close()
        raise
    return database


def open_unchecked(
    url: str, purpose: Purpose, *, on_wait: Callable[[str], None] | None = None
) -> Database:
    """The same without a look at the schema: for upgrades."""
    # Each is imported where it is used: a SQLite file needs no Postgres driver.
    address = parse_address(url)
    if isinstance(address, SqliteAddress):
        from results.database.sqlite import SqliteDatabase

        return SqliteDatabase(address, purpose, on_wait)
    from results.database.postgres import PostgresDatabase

    return PostgresDatabase(address, purpose, on_wait)
