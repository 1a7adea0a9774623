"""A Postgres database as results database: reconnecting, and commits whose outcome is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import psycopg
from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event
from sqlalchemy.exc import DBAPIError
from typing_extensions import override

from results.database.base import Database, Purpose, T
from results.database.postgres_lock import PostgresDriverLock, just_started, vanished
from results.database.retry import RetryPolicy
from results.database.text_escaping import escape_text
from results.database.url import PostgresAddress
from results.errors import DatabaseError
from results.json_values import to_json
from sweep_plugins.plain_text import one_line

CONNECT_SECONDS = 10
RETRY_SECONDS = 300.0
"""How long a driver waits for a lost database to come back before it gives up."""

READER_RETRY_SECONDS = 10.0
"""The same for readers: a person waits for the answer."""

LOCK_SECONDS = 10
"""How long one attempt waits for rows that another session has locked."""

IDLE_SECONDS = 60
"""How long a transaction may be idle before the server ends it. A process that was stopped in
the middle of one would keep others from the rows that it has locked."""

# A host that vanished is noticed within about a minute, on either side. Until the
# server notices, the locks of the lost session block the next one.
_CONNECTION = {
    "connect_timeout": CONNECT_SECONDS,
    "application_name": "sweep",
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
_ENCODING = "UTF8"

# Whatever the server, its databases and roles, PGCLIENTENCODING and PGOPTIONS say: text comes and
# goes as UTF-8, and floating-point numbers come with all their digits.
_SESSION = (
    "SET extra_float_digits = 3;"
    " SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3;"
    " SET lock_timeout = '{}s'; SET idle_in_transaction_session_timeout = '{}s'"
)

# SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
_ROLLED_BACK = ("40001", "40P01")  # serialization failure, deadlock
_LOCKED = "55P03"
_CLOSING = ("57P01", "57P02", "57P03", "57P05")  # the server stops, crashed, or starts
_MEANINGS = {
    "22003": "cannot hold a whole number beyond 64 bits",
    "42501": "does not let this user do that",
    "53100": "cannot grow: its disk is full",
}

OnWait = Callable[[str], None]


class PostgresDatabase(Database):
    """One Postgres database, in the schema that the connection's search path names first.

    `on_wait` is called with a sentence when a lost connection is waited for. Opening connects to
    nothing; an address that never answered is an error, and is tried once.
    """

    def __init__(
        self, address: PostgresAddress, purpose: Purpose, on_wait: OnWait | None = None
    ) -> None:
        if not address.url.query.keys() <= _known_options():
            # A part of a password, if that has a '&' which was not encoded.
            raise DatabaseError(
                f"the URL of {address.shown} has an option after '?' that Postgres does not know"
                " (it is not repeated here, as it may hold a password)"
            )
        self.shown = address.shown
        self._address = address
        self._on_wait = on_wait or (lambda sentence: None)
        self._read_only = purpose == "read"
        self.retry_seconds = READER_RETRY_SECONDS if self._read_only else RETRY_SECONDS
        self._used_up = False
        self._reached = False
        self._lock: PostgresDriverLock | None = None
        self._engine = self._make_engine()
        self._reader = self._engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )

    def _make_engine(self, **arguments: str) -> Engine:
        chosen = self._address.url.query
        engine = create_engine(
            self._address.url,
            # One round trip tells a connection that died while idle from a live one.
            pool_pre_ping=True,
            json_serializer=to_json,
            hide_parameters=True,
            connect_args={
                **{name: value for name, value in _CONNECTION.items() if name not in chosen},
                **self._address.credentials,
                **arguments,
                "client_encoding": _ENCODING,
            },
        )
        escape_text(engine)

        @event.listens_for(engine, "connect")
        def prepare(connection: psycopg.Connection[Any], record: object) -> None:
            self._reached = True
            encoding = connection.info.parameter_status("server_encoding")
            if encoding != _ENCODING:
                raise DatabaseError(
                    f"{self.shown} has the encoding {encoding}, which cannot hold every text; name"
                    " a database in UTF-8: createdb --encoding=UTF8 --locale=C --template=template0"
                    " NAME"
                )
            connection.autocommit = True  # a rollback would take the settings back
            idle = 0 if self._read_only else IDLE_SECONDS
            connection.execute(_SESSION.format(LOCK_SECONDS, idle))
            connection.autocommit = False

        @event.listens_for(engine, "handle_error")
        def give_up_what_does_not_answer(context: ExceptionContext) -> None:
            # A session that ends during the ping may leave its connection in a state that the
            # driver complains of in other words than of a lost one.
            if context.is_pre_ping:
                context.is_disconnect = True

        return engine

    @override
    def read(self, query: Callable[[Connection], T]) -> T:
        def attempt() -> T:
            with self._connected(self._reader) as connection, connection.begin():
                return query(connection)

        return self._persist(attempt)

    @contextmanager
    @override
    def reading(self) -> Iterator[Connection]:
        def connect() -> Connection:
            with self._foreign_errors():
                return self._reader.connect()

        connection = self._persist(connect)
        with self._foreign_errors(), connection, connection.begin():
            yield connection

    @override
    def write(
        self,
        apply: Callable[[Connection], T],
        applied: Callable[[Connection], bool],
        *,
        wait: bool = True,
    ) -> T:
        in_doubt: list[T] = []  # what `apply` gave before a commit that got no answer

        def attempt() -> T:
            with self._connected(self._engine) as connection:
                if self._lock is not None:
                    self._lock.require()
                transaction = connection.begin()
                if in_doubt and applied(connection):
                    return in_doubt[0]
                value = apply(connection)
                try:
                    transaction.commit()
                except DBAPIError as error:
                    if error.connection_invalidated or not _state(error.orig):
                        in_doubt[:] = [value]
                    raise
                return value

        return self._persist(attempt) if wait else attempt()

    def _persist(self, attempt: Callable[[], T]) -> T:
        """Retries after transient errors; raises DatabaseError if they persist."""
        # Cleaning up after a failed wait does not wait as long again.
        policy = RetryPolicy(
            0.0 if self._used_up else self.retry_seconds,
            lambda error: self._reached and isinstance(error, _PassingError),
            self._on_wait,
        )
        try:
            value = policy.call(attempt)
        except BaseException:
            self._used_up = self._used_up or policy.waited
            raise
        self._used_up = False
        return value

    @contextmanager
    @override
    def driving(self, command: str) -> Iterator[Callable[[], int]]:
        with self._locked("shared") as lock:

            def new_driver() -> int:
                with self._foreign_errors():
                    return lock.new_driver()

            self._lock = lock
            try:
                yield lambda: self._persist(new_driver)
            finally:
                self._lock = None

    @contextmanager
    @override
    def alone(self, command: str) -> Iterator[None]:
        with self._locked("alone"):
            yield

    @contextmanager
    def _locked(self, use: Literal["shared", "alone"]) -> Iterator[PostgresDriverLock]:
        # The command line is not sent to the server, where every user could read it.
        lock = PostgresDriverLock(self._make_engine, self.shown, use)

        def acquire() -> None:
            with self._foreign_errors():
                lock.acquire()

        self._persist(acquire)
        try:
            yield lock
        finally:
            lock.release()

    def _just_started(self, connection: Connection) -> bool:
        return just_started(connection)

    def _vanished(self, connection: Connection, ids: Sequence[int]) -> set[int]:
        return vanished(connection, ids)

    @contextmanager
    @override
    def upgrading(self) -> Iterator[Connection]:
        with self._connected(self._engine) as connection, connection.begin():
            yield connection

    @override
    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _connected(self, engine: Engine) -> Iterator[Connection]:
        with self._foreign_errors(), engine.connect() as connection:
            yield connection

    @contextmanager
    def _foreign_errors(self) -> Iterator[None]:
        """Turns what Postgres and SQLAlchemy raise into DatabaseError, without any secret."""
        try:
            yield
        except DBAPIError as error:
            raise self._explain(error.orig, lost=error.connection_invalidated) from None
        except psycopg.Error as error:
            raise self._explain(error, lost=False) from None

    def _explain(self, error: BaseException | None, *, lost: bool) -> DatabaseError:
        said = one_line(self._address.without_secrets(str(error)))
        state = _state(error)
        if lost or state in _CLOSING:
            self._reached = True
            return _PassingError(f"the connection to {self.shown} was lost ({said})")
        if state in _ROLLED_BACK:
            return _PassingError(f"{self.shown} could not bring changes together: {said}")
        if state == _LOCKED:
            return _PassingError(
                f"{self.shown} stayed locked for {LOCK_SECONDS} s: another session is changing it"
            )
        if state.startswith("23") or state == "P0001":
            return DatabaseError(f"{self.shown} refused a change, and kept nothing of it: {said}")
        if state == "25006":
            why = "it was opened for reading" if self._read_only else f"the server says {said}"
            return DatabaseError(f"{self.shown} cannot be written: {why}")
        if state in _MEANINGS:
            return DatabaseError(f"{self.shown} {_MEANINGS[state]}: {said}")
        if not state and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
            return _PassingError(f"{self.shown} cannot be reached: {said}; check --db")
        return DatabaseError(f"{self.shown}: Postgres says {said}")


def _known_options() -> set[str]:
    return {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}


def _state(error: BaseException | None) -> str:
    """The SQLSTATE of an error; empty if the server did not give one, as when connecting."""
    return str(getattr(error, "sqlstate", None) or "")


class _PassingError(DatabaseError):
    """Nothing is wrong with the request: the same may succeed a little later."""
