"""One driver at a time on a Postgres database, by a lock that goes with its connection."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from results import parent_only
from results.errors import DriverBusyError

OWN_SESSION_SECONDS = 10.0
"""How long a session of our own that we ended may take to be gone."""

# The upper half of the lock's 64-bit key; the lower is the object id of this schema's table
# `sweeps`, so that each schema of a database has a lock of its own.
_HIGH = 0x73776570
_KEY = f"({_HIGH}::bigint << 32) + to_regclass('sweeps')::oid::bigint"

_TRY = text(f"SELECT pg_try_advisory_lock({_KEY})")
_UNLOCK = text(f"SELECT pg_advisory_unlock({_KEY})")
_HOLDER = text(
    "SELECT a.pid AS pid, a.application_name AS name"
    " FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
    " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    f" AND l.classid = {_HIGH} AND l.objid = CAST(to_regclass('sweeps') AS oid)"
)
_END = text("SELECT pg_terminate_backend(:pid)")


class PostgresDriverLock:
    """A session advisory lock on a connection of its own."""

    def __init__(self, make_engine: Callable[..., Engine], shown: str) -> None:
        self._name = f"sweep driver {os.getpid()} on {socket.gethostname()}"[:63]
        self._engine = make_engine(application_name=self._name)
        self._shown = shown
        self._owner = os.getpid()
        self._connection: Connection | None = None
        self._socket = -1
        self._session = 0
        self._lost_sessions: set[int] = set()
        self._mutex = threading.Lock()

    def acquire(self) -> None:
        """Raises DriverBusyError at once, naming host and pid, if another driver has the lock."""
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            self._take(connection)
            driver = connection.connection.driver_connection
            assert driver is not None
            self._session = int(driver.info.backend_pid)
            self._socket = int(driver.fileno())
            parent_only.hold(self._socket)
        except BaseException:
            connection.invalidate()  # it may have the lock, and must not keep it in the pool
            connection.close()
            raise
        self._connection = connection

    def _take(self, connection: Connection) -> None:
        deadline = time.monotonic() + OWN_SESSION_SECONDS
        while not connection.execute(_TRY).scalar_one():
            holder = connection.execute(_HOLDER).one_or_none()
            if holder is not None:
                ours = holder.pid in self._lost_sessions and holder.name == self._name
                if not ours or time.monotonic() >= deadline:
                    raise DriverBusyError(self._shown, _read_name(str(holder.name)))
                # The server may take hours to notice that our former connection is gone.
                connection.execute(_END, {"pid": holder.pid})
            elif time.monotonic() >= deadline:
                raise DriverBusyError(self._shown, {})
            time.sleep(0.01)

    def require(self) -> None:
        """Takes the lock again if its connection was lost; raises DriverBusyError as `acquire`."""
        with self._mutex:
            if self._connection is not None:
                try:
                    self._connection.exec_driver_sql("SELECT 1")
                    return
                except DBAPIError as error:
                    if not error.connection_invalidated:
                        raise
                    self._lost_sessions.add(self._session)
                    self._drop()
            self.acquire()

    def release(self) -> None:
        """Ends the lock, and the connection with it."""
        if os.getpid() != self._owner:
            return  # a forked child has closed its copy already
        if self._connection is not None:
            # The server takes a moment to notice that a connection was closed.
            with suppress(DBAPIError):
                self._connection.execute(_UNLOCK)
        self._drop()
        self._engine.dispose()

    def _drop(self) -> None:
        parent_only.let_go(self._socket)
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None


def _read_name(name: str) -> dict[str, object]:
    words = name.split(" ", 4)
    if len(words) == 5 and words[:2] == ["sweep", "driver"]:
        return {"host": words[4], "pid": words[2]}
    return {}
