"""This process as a driver: what a Store knows of itself while it drives."""

from __future__ import annotations

import os
import socket
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from sqlalchemy import Connection, func, select, update

from results.database.base import Database
from results.database.dialects import upsert
from results.errors import DatabaseError
from results.records import Orphan, Renewal
from results.schema.tables import attempts, drivers
from results.store import leases
from results.store.leases import LEASE_SECONDS


class Driver:
    """A row in `drivers`, and the lock that goes with this process.

    `storage` is where the attempts of this driver write, `sweep` what it works on. A driver whose
    runs were taken over gets another `id` when it renews its lease. One thread may renew it while
    another works.
    """

    def __init__(self, database: Database, new_id: Callable[[], int], storage: str | None) -> None:
        self._database = database
        self._new_id = new_id
        self._owner = os.getpid()
        self._mutex = threading.Lock()
        self._left = False
        self._committed: Counter[int] = Counter()
        self.storage = storage
        self.sweep: str | None = None
        self.id = self._register()

    def _register(self) -> int:
        new = self._new_id()  # first: from the moment that others see the row, its lock is held
        host, pid = socket.gethostname(), os.getpid()

        def apply(connection: Connection) -> None:
            now = self._database.now(connection)
            row = {"started_at": now, "lease_until": now + LEASE_SECONDS, "sweep": self.sweep}
            insert = upsert(connection, drivers).values(id=new, host=host, pid=pid, **row)
            connection.execute(insert.on_conflict_do_nothing(index_elements=[drivers.c.id]))

        self._database.write(apply, _idempotent)
        return new

    def renew(self, held: Sequence[tuple[str, int]]) -> Renewal:
        """Extends the lease; see `Store.renew`."""

        def apply(connection: Connection) -> set[tuple[str, int]] | None:
            until = self._database.now(connection) + LEASE_SECONDS
            lease = update(drivers).where(leases.works(self.id)).values(lease_until=until)
            renewed = connection.execute(lease).rowcount
            return leases.held_by(connection, self.id) if renewed else None

        with self._mutex:
            mine = self._database.write(apply, _idempotent)
            if mine is None:
                if not self._left:
                    self.id = self._register()
                return Renewal(False, list(held))
        return Renewal(True, [run for run in held if run not in mine])

    def committed(self, runs: int) -> None:
        """Notes that so many runs more were committed as done."""
        self._committed[self.id] += runs

    def prove(self) -> None:
        """Raises DatabaseGoneError unless all that was committed is there."""
        if not self._committed:
            return
        done = (
            select(attempts.c.driver_id, func.count())
            .where(attempts.c.state == "done", attempts.c.driver_id.is_not(None))
            .group_by(attempts.c.driver_id)
        )

        def holds(connection: Connection) -> bool:
            return self._committed <= Counter({row[0]: row[1] for row in connection.execute(done)})

        self._database.prove(holds)

    def take_over(self) -> list[Orphan]:
        """Takes the runs of drivers that are gone; see `Store.take_over`."""
        orphans: list[Orphan] = []
        driver_id = self.id

        def apply(connection: Connection) -> list[Orphan]:
            now, gone = self._database.now(connection), partial(self._database.gone, connection)
            orphans[:] = leases.take_over(connection, driver_id, now, gone)
            return orphans

        return self._database.write(apply, lambda c: leases.taken_over(c, driver_id, orphans))

    def end(self) -> None:
        """Notes that this driver ends, unless the database is unreachable: its lock shows it too.

        Does nothing in a forked child.
        """
        if os.getpid() != self._owner:
            return
        self._left = True

        def apply(connection: Connection) -> None:
            now = self._database.now(connection)
            connection.execute(update(drivers).where(leases.works(self.id)).values(ended_at=now))

        with suppress(DatabaseError):
            self._database.write(apply, _idempotent, wait=False)


def _idempotent(connection: Connection) -> bool:
    """For writes that can be repeated: they wait for themselves, and change the same again."""
    return False
