"""The rows of drivers, and the runs they hold: kept, or taken over when their process is gone.

Each function works inside a transaction of the caller. Points in time are those of the database's
clock.

Rows are locked in one order everywhere: drivers by their ids, then runs by theirs, then attempts,
then code states by their digests.
A claim holds its driver's row against a takeover until it commits, so that a takeover finds every
run of the driver that it ends. All other writes about a run check the attempt's driver itself.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    func,
    literal,
    not_,
    or_,
    select,
    update,
)

from results.database.base import Database
from results.errors import DriverBusyError
from results.provenance import AFTER_RUN, PLACE
from results.records import DatabaseIdentity, DriverStatus, Orphan
from results.schema.tables import IS_LAST_ATTEMPT, attempts, drivers, runs, sweep_runs
from results.store.kept_runs import among

LEASE_SECONDS = 60.0
"""How long a driver counts as alive after it renewed its lease, if nothing else shows its end."""

RENEW_SECONDS = 5.0
"""How often to renew: so that a driver has its lock again soon after the server's restart."""

# In the statement's text, since SQLite sees only there that an index of running attempts will do.
_IS_RUNNING = attempts.c.state == literal("running", literal_execute=True)

Gone = Callable[[Mapping[int, float]], set[int]]
"""Which drivers, given with the ends of their leases, no longer run, as `Database.gone`."""


def works(driver_id: int) -> ColumnElement[bool]:
    """Whether a row of `drivers` is this driver's, and neither itself nor another ended it."""
    return and_(drivers.c.id == driver_id, drivers.c.ended_at.is_(None))


def keep_from_takeover(connection: Connection, driver_id: int) -> bool:
    """Holds the driver against a takeover until the transaction ends; False if it was ended."""
    query = select(drivers.c.id).where(works(driver_id))
    kept = connection.execute(query.with_for_update(read=True, key_share=True))
    return kept.one_or_none() is not None


def identity_of(database: Database) -> DatabaseIdentity | None:
    """What tells this database from others; None if no driver ever worked on it."""
    first = database.read(_first_driver)
    if first is None:
        return None
    if database.path is None:
        return DatabaseIdentity(first, "", None)
    return DatabaseIdentity(first, socket.gethostname(), str(database.path))


def _first_driver(connection: Connection) -> str | None:
    """A digest of the first driver that the database had; None if there was none."""
    first = select(drivers.c.host, drivers.c.pid, drivers.c.started_at).order_by(drivers.c.id)
    row = connection.execute(first.limit(1)).one_or_none()
    if row is None:
        return None
    return hashlib.sha256(repr(tuple(row)).encode()).hexdigest()[:16]


def held_by(connection: Connection, driver_id: int) -> set[tuple[str, int]]:
    """(run id, attempt) of every run that this driver works on."""
    query = select(attempts.c.run_id, attempts.c.attempt).where(
        _IS_RUNNING, attempts.c.driver_id == driver_id
    )
    return {(row.run_id, row.attempt) for row in connection.execute(query)}


def waiting(connection: Connection, driver_id: int) -> set[str]:
    """The ids of the runs that this driver holds and that have not begun."""
    mine = select(attempts.c.run_id).where(attempts.c.driver_id == driver_id, has_not_begun())
    return set(connection.scalars(mine))


def has_not_begun() -> ColumnElement[bool]:
    """Whether an attempt runs, and yet waits for one before it, claimed for the same slot.

    Any of those: the one just before it may have been cancelled.
    """
    place = func.coalesce(attempts.c.provenance[PLACE].as_integer(), 0)
    # Of the same claim: all that still run have one driver, also after a takeover.
    claim = (attempts.c.driver_id, attempts.c.started_at)
    first = func.min(place).over(partition_by=claim)
    running = select(attempts.c.run_id, place.label("place"), first.label("first"))
    placed = running.where(_IS_RUNNING).subquery("placed")
    waits = select(placed.c.run_id).where(placed.c.place > placed.c.first)
    return and_(_IS_RUNNING, attempts.c.run_id.in_(waits))


def began_at() -> ColumnElement[float]:
    """When a running attempt began: as it was claimed, or as the one before it had ended."""
    before = attempts.alias("before")
    is_before = (
        before.c.run_id == attempts.c.provenance[AFTER_RUN].as_string(),
        # Of the same claim: a run may have been claimed again since.
        before.c.started_at == attempts.c.started_at,
    )
    ended = select(func.max(before.c.finished_at)).where(*is_before).correlate(attempts)
    return func.coalesce(ended.scalar_subquery(), attempts.c.started_at)


def take_over(connection: Connection, driver_id: int, now: float, gone: Gone) -> list[Orphan]:
    """Ends all drivers that are gone, and makes their running attempts this driver's.

    So too those of no driver. An empty list if this driver was itself ended.
    """
    not_ended = (
        select(drivers.c.id, drivers.c.lease_until)
        .where(drivers.c.ended_at.is_(None))
        .order_by(drivers.c.id)
        .with_for_update()
    )
    leases = {row.id: row.lease_until for row in connection.execute(not_ended)}
    if leases.pop(driver_id, None) is None:
        return []
    to_end = gone(leases)
    if to_end:
        connection.execute(update(drivers).where(drivers.c.id.in_(to_end)).values(ended_at=now))
    # Ended by this takeover, or by themselves with runs still open.
    ended = select(drivers.c.id).where(drivers.c.ended_at.is_not(None))
    left_behind = and_(
        _IS_RUNNING, or_(attempts.c.driver_id.is_(None), attempts.c.driver_id.in_(ended))
    )
    connection.execute(
        select(runs.c.run_id)
        .join(attempts, attempts.c.run_id == runs.c.run_id)
        .where(left_behind)
        .order_by(runs.c.run_id)
        .with_for_update(of=runs)
    ).all()
    found = connection.execute(
        update(attempts)
        .where(left_behind)
        .values(driver_id=driver_id)
        .returning(attempts.c.run_id, attempts.c.attempt, attempts.c.storage)
    ).all()
    return [Orphan(row.run_id, row.attempt, row.storage) for row in sorted(found)]


def taken_over(connection: Connection, driver_id: int, orphans: Sequence[Orphan]) -> bool:
    """Whether the `take_over` that gave these took place: nothing else makes them this driver's."""
    # Waits for a takeover under way, which holds the row.
    connection.execute(select(drivers.c.id).where(drivers.c.id == driver_id).with_for_update())
    if not orphans:
        return True
    first = connection.execute(
        select(attempts.c.driver_id).where(
            attempts.c.run_id == orphans[0].run_id, attempts.c.attempt == orphans[0].attempt
        )
    ).scalar_one()
    return bool(first == driver_id)


def any_works(connection: Connection, now: float, gone: Gone) -> bool:
    """Whether there is a driver that is not gone."""
    return bool(_living(connection, gone, drivers.c.lease_until > now))


def note_sweep(connection: Connection, driver_id: int, sweep: str) -> None:
    """Notes that the driver works on this sweep from now on."""
    connection.execute(update(drivers).where(drivers.c.id == driver_id).values(sweep=sweep))


class LivingDriver(NamedTuple):
    """A process that works on runs."""

    id: int
    host: str
    pid: int

    def busy_with(self, what: str) -> DriverBusyError:
        """To be raised, as it has the run or sweep that is called so."""
        return DriverBusyError(what, {"host": self.host, "pid": self.pid})


def drivers_of_sweep(connection: Connection, sweep: str, gone: Gone) -> list[LivingDriver]:
    """The living drivers that work on the sweep."""
    return _living(connection, gone, drivers.c.sweep == sweep)


def drivers_of_runs(
    connection: Connection, run_ids: Collection[str], gone: Gone
) -> dict[str, LivingDriver]:
    """The living drivers that work on these runs, by the runs' ids.

    One whose attempt was cancelled may not know it yet, and still write.
    """
    last = (
        select(attempts.c.run_id, attempts.c.driver_id)
        .join(runs, IS_LAST_ATTEMPT)
        .where(
            among(connection, attempts.c.run_id, run_ids),
            attempts.c.state.in_(("running", "cancelled")),
            attempts.c.driver_id.is_not(None),
        )
    )
    by_run = {row.run_id: row.driver_id for row in connection.execute(last)}
    living = {
        each.id: each for each in _living(connection, gone, drivers.c.id.in_(by_run.values()))
    }
    return {run_id: living[driver] for run_id, driver in by_run.items() if driver in living}


def _living(connection: Connection, gone: Gone, which: ColumnElement[bool]) -> list[LivingDriver]:
    query = select(drivers.c.id, drivers.c.host, drivers.c.pid, drivers.c.lease_until)
    found = connection.execute(
        query.where(drivers.c.ended_at.is_(None), which).order_by(drivers.c.id)
    ).all()
    dead = gone({row.id: row.lease_until for row in found}) if found else set()
    return [LivingDriver(row.id, row.host, row.pid) for row in found if row.id not in dead]


def holders(
    connection: Connection, sweep_id: int, now: float, gone: Gone
) -> list[tuple[int | None, DriverStatus]]:
    """The drivers with runs of the sweep, by id, oldest first; those that left runs are gone."""
    rows = connection.execute(
        select(
            drivers.c.id,
            drivers.c.host,
            drivers.c.pid,
            drivers.c.lease_until,
            drivers.c.ended_at,
            func.count().filter(not_(has_not_begun())).label("runs"),
        )
        .select_from(attempts)
        .outerjoin(drivers, drivers.c.id == attempts.c.driver_id)
        .join(sweep_runs, sweep_runs.c.run_id == attempts.c.run_id)
        .where(sweep_runs.c.sweep_id == sweep_id, _IS_RUNNING)
        .group_by(drivers.c.id)
        .order_by(drivers.c.id)
    ).all()
    working = {row.id: row.lease_until for row in rows if row.id and row.ended_at is None}
    for driver in gone(working):
        del working[driver]
    return [
        (
            row.id,
            DriverStatus(
                host=row.host,
                pid=row.pid,
                runs=row.runs,
                # Not more, though the clock was set back.
                lease_left=min(max(0.0, working.get(row.id, 0.0) - now), LEASE_SECONDS),
                gone=row.id not in working,
            ),
        )
        for row in rows
    ]
