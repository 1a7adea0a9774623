"""Read-only access to the database, beside a driver that writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Self

from sqlalchemy import Connection

from results.database.base import Database
from results.database.connect import connect


class Reader:
    """Reads a database: creates nothing, changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pinned: Connection | None = None

    @classmethod
    def open(cls, url: str) -> Self:
        """Raises NoDatabaseError, or DatabaseError if it is no sweep database."""
        return cls(connect(url, "read"))

    @property
    def shown(self) -> str:
        """The database as messages name it: without a password."""
        return self._database.shown

    def close(self) -> None:
        """Closes all connections."""
        self._database.close()

    def view(self) -> AbstractContextManager[Connection]:
        """One consistent view of the database.

        Keep it short: fetch the rows, leave the block, then work on them.
        """
        return nullcontext(self._pinned) if self._pinned else self._database.reading()

    def now(self, connection: Connection) -> float:
        """The time by the database's own clock, in seconds since the epoch."""
        return self._database.now(connection)

    def gone(self, connection: Connection, leases: Mapping[int, float]) -> set[int]:
        """The drivers among these, given with the ends of their leases, that work no more."""
        return self._database.gone(connection, leases)

    @contextmanager
    def one_view(self) -> Iterator[None]:
        """Inside the block every view is the same one, so that several answers agree."""
        with self._database.reading() as connection:
            self._pinned = connection
            try:
                yield
            finally:
                self._pinned = None
