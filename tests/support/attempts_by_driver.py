"""Which process works, or worked, on which attempt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, inspect, select

import databases
from results.schema.tables import attempts, drivers, runs


@dataclass(frozen=True)
class DrivenAttempt:
    """`pid` is the process of the driver that it belongs to, None if it belongs to none."""

    run_id: str
    attempt: int
    state: str
    fault: str | None
    pid: int | None
    finished_at: float | None


class Watch:
    """Looks at a database again and again, at little cost. Close it, or use it with `with`."""

    def __init__(self, url: str) -> None:
        self._engine = databases.plain_engine(url)
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._connection is not None:
            self._connection.close()
        self._engine.dispose()

    def _connected(self) -> Connection | None:
        """None as long as there are no tables."""
        url = self._engine.url
        if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
            return None  # and only the driver may make it
        if self._connection is None:
            connection = self._engine.connect()
            connection.execution_options(isolation_level="AUTOCOMMIT")
            if not inspect(connection).has_table(drivers.name):
                connection.close()
                return None
            self._connection = connection
        return self._connection

    def attempts(self) -> list[DrivenAttempt]:
        """Every attempt, in the order of runs and attempts."""
        connection = self._connected()
        if connection is None:
            return []
        query = (
            select(
                attempts.c.run_id,
                attempts.c.attempt,
                attempts.c.state,
                attempts.c.fault,
                drivers.c.pid,
                attempts.c.finished_at,
            )
            .outerjoin(drivers, drivers.c.id == attempts.c.driver_id)
            .order_by(attempts.c.run_id, attempts.c.attempt)
        )
        return [DrivenAttempt(*row) for row in connection.execute(query)]

    def held_by(self, pid: int) -> list[DrivenAttempt]:
        """The open attempts of one process."""
        return [a for a in self.attempts() if a.state == "running" and a.pid == pid]

    def done(self) -> set[str]:
        """The runs that are done."""
        connection = self._connected()
        if connection is None:
            return set()
        return set(
            connection.execute(select(runs.c.run_id).where(runs.c.state == "done")).scalars()
        )

    def last_commit(self) -> float:
        """When the newest result was stored, in seconds since the epoch; 0 if there is none."""
        return max((a.finished_at or 0.0 for a in self.attempts() if a.state == "done"), default=0)
