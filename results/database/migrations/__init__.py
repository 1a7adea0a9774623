"""Bringing a database's schema up to date, in one transaction.

Each file in `versions` is one step. To change the schema: change `results.schema.tables` (and
`results.schema.views`), add a step, add its number to `results.schema.revisions.REVISIONS`, and
keep a fixture of the schema before it in tests/results/database/schemas.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from results.database.connect import open_unchecked
from results.errors import NoDatabaseError
from results.schema import revisions


def current(url: str) -> str:
    """The revision of the database's schema, whether or not this program can read it.

    Raises NoDatabaseError, and DatabaseError if it is no sweep database.
    """
    database = open_unchecked(url, "read")
    try:
        with database.reading() as connection:
            revision = revisions.find_revision(connection, database.shown)
    finally:
        database.close()
    if revision is None:
        raise NoDatabaseError(database.shown)
    return revision


def upgrade(url: str, revision: str = revisions.NEWEST) -> tuple[str, str]:
    """Brings the schema to `revision`; (before, after). Killed at any moment, it is one of them.

    Raises NoDatabaseError; DriverBusyError, as a driver must not work meanwhile; and
    DatabaseError, with nothing changed, if it is no sweep database or a newer one.
    """
    database = open_unchecked(url, "write")
    try:
        with database.reading() as connection:
            before = revisions.find_revision(connection, database.shown)
        if before is None:
            raise NoDatabaseError(database.shown)
        if before not in revisions.REVISIONS:
            revisions.require_current(before, database.shown)
        with database.alone("sweep db upgrade"), database.upgrading() as connection:
            revisions.lock(connection)
            before = revisions.find_revision(connection, database.shown) or before
            if revisions.REVISIONS.index(before) < revisions.REVISIONS.index(revision):
                migrate(connection, before, revision)
                return before, revision
            return before, before
    finally:
        database.close()


def migrate(connection: Connection, before: str | None, revision: str) -> None:
    """Runs the steps from `before` (None: an empty database) inside the caller's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["version_table"] = revisions.VERSION_TABLE
    if before == "0001" and not revisions.has_version_table(connection):
        command.stamp(config, before)  # the first schema kept its number elsewhere
    command.upgrade(config, revision)
