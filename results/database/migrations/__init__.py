"""Upgrading a database's schema, in one transaction.

Each file in `versions` is one step, about the tables; the views, which hold nothing, are made
anew. To change the schema: change `results.schema.tables` or `results.schema.views`, add a step,
add its number to `results.schema.revisions.REVISIONS`, and test it on a dump of a database with
the schema before it.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection

from results.database.base import Database
from results.database.connect import open_unchecked
from results.errors import NoDatabaseError
from results.schema import revisions
from results.schema.archive_note import archive_note
from results.schema.views import create_views, drop_views

SCRIPTS = Path(__file__).parent


def current(url: str) -> str:
    """The revision of the database's schema, whether or not this program can read it.

    Raises NoDatabaseError, and DatabaseError if it is no sweep database.
    """
    with closing(open_unchecked(url, "read")) as database, database.reading() as connection:
        return _revision(connection, database)


def upgrade(url: str) -> tuple[str, str]:
    """Brings the schema up to date; (before, after). Killed at any moment, it is one of them.

    Raises NoDatabaseError; DriverBusyError, as a driver must not work meanwhile; and
    DatabaseError, with nothing changed, if it is no sweep database, a newer one, or one that is
    older than the baseline.
    """
    with closing(open_unchecked(url, "write")) as database:
        with database.reading() as connection:
            before = _revision(connection, database)
        revisions.require_known(before, database.shown)
        with database.alone("sweep db upgrade"), database.upgrading() as connection:
            revisions.lock(connection)
            before = revisions.find_revision(connection, database.shown) or before
            if before != revisions.NEWEST:
                # An archive's note is about the content that it had: from now on it is none.
                archive_note.drop(connection, checkfirst=True)
                run_steps(connection)
            return before, revisions.NEWEST


def _revision(connection: Connection, database: Database) -> str:
    revision = revisions.find_revision(connection, database.shown)
    if revision is None:
        raise NoDatabaseError(database.shown)
    return revision


def run_steps(connection: Connection) -> None:
    """Runs what is left to run, inside the caller's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["version_table"] = revisions.VERSION_TABLE
    drop_views(connection)
    command.upgrade(config, revisions.NEWEST)
    create_views(connection)
