"""What the two kinds of database have in common; `results.connect` opens one by its URL."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Literal, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")

#: What a database is opened for: to be made if it does not exist, to be written, or to be read.
Purpose = Literal["create", "write", "read"]


class Database(ABC):
    """A results database, opened for one purpose.

    `shown` is how messages name it: never with a password. Every method raises DatabaseError if
    the database cannot be reached, read or written.
    """

    shown: str

    @abstractmethod
    def prepare_for_writing(self) -> None:
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
    def write(self, apply: Callable[[Connection], T], applied: Callable[[Connection], bool]) -> T:
        """Runs `apply` in one transaction, commits it, and gives what it returned.

        If the connection is lost before the commit, nothing has happened, and `apply` runs again
        on a new connection. If it is lost while the commit is under way, nobody knows whether it
        took place. Then `applied` is asked first, in a new transaction: it looks by key for what
        `apply` wrote, and waits for the row locks that a commit still under way would hold.
        """

    @abstractmethod
    def driver_lock(self, command: str) -> AbstractContextManager[None]:
        """Makes this process the one driver of the database while the block runs.

        The lock ends with the process, however that ends. Raises DriverBusyError at once if
        another has it.
        """

    @abstractmethod
    def upgrading(self) -> AbstractContextManager[Connection]:
        """A transaction for changing the schema: all of it is kept, or nothing."""

    @abstractmethod
    def close(self) -> None:
        """Closes all connections; a later call opens new ones."""


def rows_as_dicts(result: Any) -> list[dict[str, Any]]:
    """All rows of a SQLAlchemy result as plain dicts, so that its transaction can end."""
    return [dict(row) for row in result.mappings()]
