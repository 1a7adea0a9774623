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

#: Every revision since the baseline, oldest first; the steps between them are in
#: results/database/migrations.
REVISIONS = ("0004", "0005", "0006")
NEWEST = REVISIONS[-1]

VERSION_TABLE = "sweep_schema"

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
    # A Postgres database may be shared with others, as long as no name is taken.
    shared = connection.dialect.name == "postgresql"
    taken = sorted(found & metadata.tables.keys() if shared else found)
    if taken:
        raise DatabaseError(
            f"{shown} is not a sweep database, but has a table {taken[0]!r}; check --db, or"
            " choose a database that does not exist yet"
        )
    return None


def require_current(revision: str, shown: str) -> None:
    """Raises DatabaseError, saying what to do, unless this is the newest revision."""
    if revision == NEWEST:
        return
    require_known(revision, shown)
    raise DatabaseError(
        f"{shown} has schema {revision}, and this version of sweep works with {NEWEST}:"
        " 'sweep db upgrade' brings it up to date, with all its results"
    )


def require_known(revision: str, shown: str) -> None:
    """Raises DatabaseError, saying what to do, unless it can be upgraded."""
    if revision in REVISIONS:
        return
    known = REVISIONS[0] if len(REVISIONS) == 1 else f"{REVISIONS[0]} to {NEWEST}"
    if revision.isdecimal() and revision < REVISIONS[0]:
        raise DatabaseError(
            f"{shown} has schema {revision}, which is from before the first release, and this"
            f" version of sweep knows {known}; nothing was changed. Bring it to"
            f" {REVISIONS[0]} with an earlier version of sweep, or choose another database"
        )
    raise DatabaseError(
        f"{shown} was made by another version of sweep: its schema is {revision}, and this one"
        f" knows {known}; nothing was changed. Install the newer version, or choose another"
        " database"
    )


def create(connection: Connection, shown: str) -> None:
    """Makes the newest schema in an empty database; leaves one that has it by now as it is."""
    lock(connection)
    revision = find_revision(connection, shown)
    if revision is not None:
        require_current(revision, shown)
        return
    metadata.create_all(connection, checkfirst=False)  # none of them is there
    create_views(connection)
    _revision.create(connection)
    connection.execute(insert(_revision).values(version_num=NEWEST))


def is_current(connection: Connection) -> bool:
    """Whether the newest schema is there."""
    return find_revision(connection, "the database") == NEWEST


def lock(connection: Connection) -> None:
    """Waits until no other connection changes the schema; others then wait until the commit."""
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK)
