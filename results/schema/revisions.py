"""Which revision of the schema a database has, and making the newest in an empty one.

Alembic, which runs the migrations, is imported only where something is migrated.
"""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    insert,
    inspect,
    select,
    text,
)

from results.errors import DatabaseError
from results.schema.tables import metadata
from results.schema.views import create_views

#: Every revision that was ever released, oldest first; the scripts are in results/migrations.
REVISIONS = ("0001", "0002", "0003", "0004")
NEWEST = REVISIONS[-1]

VERSION_TABLE = "sweep_schema"

# By these the first schema is known, which kept its number where SQLite has a place for one.
_FIRST_TABLES = {
    "attempts",
    "epochs",
    "evaluation_configs",
    "evaluations",
    "runs",
    "sweep_evaluations",
    "sweep_runs",
    "sweep_specs",
    "sweeps",
}

# As Alembic makes it.
_revision = Table(
    VERSION_TABLE,
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
)

# Held while tables are made or changed, so that two processes do not do it at once.
_LOCK = text(
    "SELECT pg_advisory_xact_lock(:key, hashtext(coalesce(current_schema(), '')))"
).bindparams(key=0x73776570)


def find_revision(connection: Connection, shown: str) -> str | None:
    """The revision of the schema; None if the database is empty.

    Raises DatabaseError if it holds something else.
    """
    found = set(inspect(connection).get_table_names())
    if VERSION_TABLE in found:
        revisions = connection.execute(select(_revision.c.version_num)).scalars().all()
        if len(revisions) != 1:
            raise DatabaseError(
                f"{shown} should name one schema in its table {VERSION_TABLE}, and names"
                f" {len(revisions)}: another program has changed it"
            )
        return str(revisions[0])
    sqlite = connection.dialect.name == "sqlite"
    if sqlite and found >= _FIRST_TABLES:
        return f"{connection.exec_driver_sql('PRAGMA user_version').scalar_one():04}"
    # A Postgres database may be shared with others, as long as no name is taken.
    taken = sorted(found if sqlite else found & metadata.tables.keys())
    if taken:
        raise DatabaseError(
            f"{shown} is not a sweep database, but has a table {taken[0]!r}; check --db, or"
            " choose a database that does not exist yet"
        )
    return None


def require_current(revision: str, shown: str) -> None:
    """Raises DatabaseError, with the way out, unless this is the newest revision."""
    if revision == NEWEST:
        return
    if revision in REVISIONS:
        raise DatabaseError(
            f"{shown} has schema {revision}, and this version of sweep works with {NEWEST}:"
            " 'sweep db upgrade' brings it up to date, with all its results"
        )
    raise DatabaseError(
        f"{shown} was made by another version of sweep: its schema is {revision}, and this one"
        f" knows {REVISIONS[0]} to {NEWEST}; nothing was changed. Install the newer version, or"
        " choose another database"
    )


def create(connection: Connection, shown: str) -> None:
    """Makes the newest schema in an empty database; leaves one that has it by now as it is."""
    lock(connection)
    revision = find_revision(connection, shown)
    if revision is not None:
        require_current(revision, shown)
        return
    metadata.create_all(connection)
    create_views(connection)
    _revision.create(connection)
    connection.execute(insert(_revision).values(version_num=NEWEST))
    mark(connection, NEWEST)


def is_current(connection: Connection) -> bool:
    """Whether the newest schema is there."""
    return find_revision(connection, "the database") == NEWEST


def has_version_table(connection: Connection) -> bool:
    """False for the first schema on SQLite, which kept its number elsewhere."""
    return VERSION_TABLE in inspect(connection).get_table_names()


def lock(connection: Connection) -> None:
    """Waits until nobody else changes the schema, and keeps others waiting until the commit."""
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK)


def mark(connection: Connection, revision: str) -> None:
    """Lets versions that know only SQLite's own number see that they cannot read this."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA user_version = {int(revision)}")
