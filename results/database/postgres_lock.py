"""Locks that show that a driver's process is alive, on a connection that ends with the process.

A driver holds two session advisory locks. One belongs to the schema: drivers share it, and an
upgrade has it alone. The other belongs to the driver's row in `drivers`, so that others see in
pg_locks whether its process still lives.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Literal

from sqlalchemy import Connection, Engine, TextClause, text
from sqlalchemy.exc import DBAPIError

from results.database import fork_safety
from results.errors import DriverBusyError

OWN_SESSION_SECONDS = 10.0
"""How long a session of our own that we ended may take to be gone."""

RESTART_SECONDS = 15.0
"""How long after the server's start a missing lock, or a lease that ran out while the server was
away, says nothing: the driver may be on the way. Longer than results.store.leases.RENEW_SECONDS and
the longest pause between two tries to connect."""

# Keys have 64 bits. Of the schema's lock: this number and the object id of its table `sweeps`.
# Of a driver's: the object id of the table `drivers` and the driver's id. So each schema of a
# database has locks of its own.
_HIGH = 0x73776570
_SCHEMA = f"({_HIGH}::bigint << 32) + to_regclass('sweeps')::oid::bigint"
_DRIVER = "(to_regclass('drivers')::oid::bigint << 32) + :driver"

_SHARE_SCHEMA = text(f"SELECT pg_try_advisory_lock_shared({_SCHEMA})")
_TAKE_SCHEMA = text(f"SELECT pg_try_advisory_lock({_SCHEMA})")
_TAKE_DRIVER = text(f"SELECT pg_try_advisory_lock({_DRIVER})")
_NEXT_DRIVER = text("SELECT nextval(pg_get_serial_sequence('drivers', 'id'))")
_UNLOCK = text("SELECT pg_advisory_unlock_all()")
_END = text("SELECT pg_terminate_backend(:pid)")

_HELD = (
    " FROM pg_locks l {join} WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_HOLDER = (
    "SELECT a.pid AS pid, a.application_name AS name"
    + _HELD.format(join="JOIN pg_stat_activity a ON a.pid = l.pid")
    + " AND a.pid <> pg_backend_pid()"
)
_SCHEMA_HOLDER = text(
    f"{_HOLDER} AND l.classid = {_HIGH} AND l.objid = CAST(to_regclass('sweeps') AS oid)"
    " ORDER BY a.pid LIMIT 1"
)
_DRIVER_HOLDER = text(
    f"{_HOLDER} AND l.classid = CAST(to_regclass('drivers') AS oid)"
    " AND l.objid = CAST(:driver AS oid)"
)
_LOCKED_DRIVERS = text(
    "SELECT CAST(CAST(l.objid AS bigint) AS integer) AS driver"
    + _HELD.format(join="")
    + " AND l.classid = CAST(to_regclass('drivers') AS oid)"
)
# After a crash the server process stays, and restarts all others. A user without permission to see
# those is shown no time, which greatest() leaves out. A standby knows nothing of its primary's
# locks: it counts as just started.
_UP_SECONDS = text(
    "SELECT CASE WHEN pg_is_in_recovery() THEN 0 ELSE"
    " CAST(extract(epoch FROM clock_timestamp() - greatest(pg_postmaster_start_time(),"
    " (SELECT max(backend_start) FROM pg_stat_activity WHERE backend_type = 'walwriter')))"
    " AS double precision) END"
)


def just_started(connection: Connection) -> bool:
    """Whether drivers that live may not have come back to the server yet."""
    return bool(connection.execute(_UP_SECONDS).scalar_one() < RESTART_SECONDS)


def vanished(connection: Connection, ids: Sequence[int]) -> set[int]:
    """The drivers among these whose locks are gone."""
    return set(ids) - set(connection.execute(_LOCKED_DRIVERS).scalars())


class PostgresDriverLock:
    """The locks of one process: the schema's, shared or alone, and that of one driver."""

    def __init__(
        self, make_engine: Callable[..., Engine], shown: str, use: Literal["shared", "alone"]
    ) -> None:
        self._name = f"sweep driver {os.getpid()} on {socket.gethostname()}"[:63]
        self._engine = make_engine(application_name=self._name)
        self._shown = shown
        self._use = use
        self._owner = os.getpid()
        self._connection: Connection | None = None
        self._driver: int | None = None
        self._socket = -1
        self._session = 0
        self._lost_sessions: set[int] = set()
        self._mutex = threading.Lock()

    def acquire(self) -> None:
        """Raises DriverBusyError at once, naming host and pid, if another one holds the lock."""
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            take = _SHARE_SCHEMA if self._use == "shared" else _TAKE_SCHEMA
            self._take(connection, take, _SCHEMA_HOLDER, {})
            if self._driver is not None:
                self._take(connection, _TAKE_DRIVER, _DRIVER_HOLDER, {"driver": self._driver})
            raw = connection.connection.driver_connection
            assert raw is not None
            self._session = int(raw.info.backend_pid)
            self._socket = int(raw.fileno())
            fork_safety.close_in_children(self._socket)
        except BaseException:
            connection.invalidate()  # it may have a lock, and must not keep it in the pool
            connection.close()
            raise
        self._connection = connection

    def new_driver(self) -> int:
        """A new driver's id, whose lock is held from now on in place of the one before."""
        with self._mutex:
            connection = self._living()
            driver = int(connection.execute(_NEXT_DRIVER).scalar_one())
            connection.execute(_TAKE_DRIVER, {"driver": driver})
            self._driver = driver
            return driver

    def require(self) -> None:
        """Takes the locks again if their connection was lost; raises as `acquire`."""
        with self._mutex:
            self._living()

    def release(self) -> None:
        """Ends the locks, and the connection with them."""
        if os.getpid() != self._owner:
            return  # a forked child has closed its copy already
        with self._mutex:
            if self._connection is not None and not self._connection.invalidated:
                # The server takes a moment to notice that a connection was closed.
                with suppress(DBAPIError):
                    self._connection.execute(_UNLOCK)
            self._drop()
            self._engine.dispose()

    def _living(self) -> Connection:
        if self._connection is not None and not self._answers(self._connection):
            self._lost_sessions.add(self._session)
            self._drop()
        if self._connection is None:
            self.acquire()
        assert self._connection is not None
        return self._connection

    def _answers(self, connection: Connection) -> bool:
        if connection.invalidated:  # by a statement that got no answer
            return False
        try:
            connection.exec_driver_sql("SELECT 1")
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            return False
        return True

    def _take(
        self, connection: Connection, take: TextClause, who: TextClause, key: dict[str, int]
    ) -> None:
        deadline = time.monotonic() + OWN_SESSION_SECONDS
        while not connection.execute(take, key).scalar_one():
            holder = connection.execute(who, key).one_or_none()
            if holder is not None:
                ours = holder.pid in self._lost_sessions and holder.name == self._name
                if not ours or time.monotonic() >= deadline:
                    raise DriverBusyError(self._shown, _read_name(str(holder.name)))
                # The server may take hours to notice that our former connection is gone.
                connection.execute(_END, {"pid": holder.pid})
            elif time.monotonic() >= deadline:
                raise DriverBusyError(self._shown, {})
            time.sleep(0.01)

    def _drop(self) -> None:
        fork_safety.keep_in_children(self._socket)
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None


def _read_name(name: str) -> dict[str, object]:
    words = name.split(" ", 4)
    if len(words) == 5 and words[:2] == ["sweep", "driver"]:
        return {"host": words[4], "pid": words[2]}
    return {}
