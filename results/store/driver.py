"""This process as a driver: what a Store knows of itself while it drives."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from sqlalchemy import Connection

from results.database.base import Database
from results.errors import DatabaseError
from results.records import Orphan, Renewal
from results.store import leases


class Driver:
    """A row in `drivers`, and the lock that goes with this process.

    `storage` is where the attempts of this driver write. A driver whose runs were taken over
    gets another `id` when it renews its lease. One thread may renew it while another works.
    """

    def __init__(self, database: Database, new_id: Callable[[], int], storage: str | None) -> None:
        self._database = database
        self._new_id = new_id
        self._owner = os.getpid()
        self._mutex = threading.Lock()
        self._left = False
        self.storage = storage
        self.id = self._register()

    def _register(self) -> int:
        new = self._new_id()  # first: from the moment that others see the row, its lock is held
        host, pid = socket.gethostname(), os.getpid()
        self._database.write(
            lambda c: leases.register(c, new, host, pid, self._database.now(c)), _idempotent
        )
        return new

    def renew(self, held: Sequence[tuple[str, int]]) -> Renewal:
        """Extends the lease; see `Store.renew`."""
        with self._mutex:
            mine = self._database.write(self._extend, _idempotent)
            if mine is None:
                if not self._left:
                    self.id = self._register()
                return Renewal(False, list(held))
        return Renewal(True, [run for run in held if run not in mine])

    def _extend(self, connection: Connection) -> set[tuple[str, int]] | None:
        if not leases.renew(connection, self.id, self._database.now(connection)):
            return None
        return leases.held_by(connection, self.id)

    def take_over(self) -> list[Orphan]:
        """Takes the runs of drivers that are gone; see `Store.take_over`."""
        orphans: list[Orphan] = []
        driver_id = self.id

        def apply(connection: Connection) -> list[Orphan]:
            orphans[:] = leases.take_over(
                connection,
                driver_id,
                self._database.now(connection),
                lambda leases: self._database.gone(connection, leases),
            )
            return list(orphans)

        return self._database.write(apply, lambda c: leases.taken_over(c, driver_id, orphans))

    def end(self) -> None:
        """Notes that this driver leaves, unless the database is away: its lock's end says it too.

        Does nothing in a forked child.
        """
        if os.getpid() != self._owner:
            return
        self._left = True
        with suppress(DatabaseError):
            self._database.write(
                lambda c: leases.end(c, self.id, self._database.now(c)), _idempotent, wait=False
            )


@contextmanager
def driving(database: Database, storage: str | None, command: str) -> Iterator[Driver]:
    """Makes this process a driver of the database while the block runs; see `Store.driving`."""
    with database.driving(command) as new_id:
        driver = Driver(database, new_id, storage)
        try:
            yield driver
        finally:
            driver.end()


def _idempotent(connection: Connection) -> bool:
    """For writes that can be repeated: they wait for themselves, and change the same again."""
    return False
