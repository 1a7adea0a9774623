"""What both kinds of database have in common; `results.database.connect` opens one by its URL."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, Self, TypeVar

from sqlalchemy import Connection, text

T = TypeVar("T")

#: What a database is opened for: to be made if it does not exist, to be written, or to be read.
Purpose = Literal["create", "write", "read"]


class Database(ABC):
    """A results database, opened for one purpose.

    `shown` is how messages name it: never with a password. Every method raises DatabaseError if
    the database cannot be reached, read or written.
    """

    shown: str
    path: Path | None = None
    """Of a file."""
    retry_seconds: float = 0.0
    """How long a lost connection, or a file that others lock, is waited for."""

    def prepare_for_writing(self) -> None:  # noqa: B027 - some databases need nothing
        """To be called once it is clear that the schema is ours; before, nothing is touched."""

    def read(self, query: Callable[[Connection], T]) -> T:
        """What `query` gives on one consistent view; it runs again if the connection is lost."""
        with self.reading() as connection:
            return query(connection)

    @abstractmethod
    def reading(self) -> AbstractContextManager[Connection]:
        """One consistent view, for as long as the block runs. Nothing can be written in it.

        Keep it short: fetch the rows, leave the block, then work on them.
        """

    @abstractmethod
    def write(
        self,
        apply: Callable[[Connection], T],
        applied: Callable[[Connection], bool],
        *,
        wait: bool = True,
    ) -> T:
        """Runs `apply` in one transaction, commits it, and gives what it returned.

        If the connection is lost before the commit, nothing has happened, and `apply` runs again
        on a new connection. If it is lost during the commit, it is unknown whether it
        took place. Then `applied` is asked first, in a new transaction: it looks by key for what
        `apply` wrote, and waits for the row locks that a commit still under way would hold.

        Without `wait`, a lost connection is an error at once.
        """

    def prove(self, holds: Callable[[Connection], bool]) -> None:  # noqa: B027 - a server answers for it
        """Raises DatabaseGoneError unless the whole database is sound, and `holds` says yes of it.

        It reads everything, where something else than a server may have changed it.
        """

    def now(self, connection: Connection) -> float:
        """The time by the database's own clock, in seconds since the epoch."""
        return float(connection.execute(_NOW[connection.dialect.name]).scalar_one())

    @abstractmethod
    def driving(self, command: str) -> AbstractContextManager[Callable[[], int]]:
        """Shows others that this process is alive while the block runs, by locks that end with it.

        The block is given a function: each call makes an id for a row in `drivers`, whose lock
        is held from then on. On SQLite there is one driver at a time, on Postgres any number.

        Raises DriverBusyError at once if another driver has the file, or the schema is being
        upgraded.
        """

    @abstractmethod
    def alone(self, command: str) -> AbstractContextManager[None]:
        """Blocks drivers while the block runs; raises DriverBusyError at once if one is active."""

    def gone(self, connection: Connection, leases: Mapping[int, float]) -> set[int]:
        """The drivers among these, given with the ends of their leases, that no longer run.

        Their leases have run out, or their locks are gone, and therefore their processes. None
        just after the server's start: living drivers may still be on the way back to it.
        """
        if self._just_started(connection):
            return set()
        now = self.now(connection)
        run_out = {driver for driver, until in leases.items() if until < now}
        return run_out | self._vanished(connection, list(leases))

    def _just_started(self, connection: Connection) -> bool:
        """Whether the server started so recently that neither locks nor leases say anything."""
        return False

    @abstractmethod
    def _vanished(self, connection: Connection, ids: Sequence[int]) -> set[int]:
        """The drivers among these that can be seen to have no lock any more."""

    @abstractmethod
    def upgrading(self) -> AbstractContextManager[Connection]:
        """A transaction for changing the schema: all of it is kept, or nothing."""

    @abstractmethod
    def close(self) -> None:
        """Closes all connections; a later call opens new ones."""


class DatabaseClient:
    """What a database is read or written through. Close it, or use it with `with`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def of(cls, other: DatabaseClient) -> Self:
        """Another client of the same opened database, which `other` is to close."""
        return cls(other._database)

    @property
    def shown(self) -> str:
        """The database as messages name it: without a password."""
        return self._database.shown

    def close(self) -> None:
        """Closes all connections; a later call opens new ones."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


_NOW = {
    # Not the time at which the transaction began.
    "postgresql": text("SELECT CAST(extract(epoch FROM clock_timestamp()) AS double precision)"),
    "sqlite": text("SELECT (julianday('now') - 2440587.5) * 86400.0"),
}
