"""What runs reported last, whether or not they are done: for watching them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select

from results.schema.tables import epoch_metrics, epochs, runs

_OF_EVERY_RUN = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")


@dataclass(slots=True)
class Latest:
    """The last epoch that a run reported, and the last value of each of its metrics.

    A value need not be of the last epoch: some are not measured at each. None: not finite.
    """

    epoch: int | None = None
    values: dict[str, float | None] = field(default_factory=dict)


def latest_values(
    connection: Connection, passing: Sequence[ColumnElement[bool]]
) -> dict[str, Latest]:
    """Of those runs that have reported anything, by run id. `passing` are conditions on `runs`.

    It looks for the last row of each metric by the key, however many there are.
    """
    found: dict[str, Latest] = {}
    for run_id, epoch, *values in connection.execute(_last_epochs(passing)):
        named = zip(_OF_EVERY_RUN, values, strict=True)
        found[run_id] = Latest(epoch, {name: value for name, value in named if value is not None})
    for run_id, name, epoch, value in connection.execute(_last_metrics(passing)):
        latest = found.setdefault(run_id, Latest())
        latest.epoch = epoch if latest.epoch is None else max(latest.epoch, epoch)
        latest.values[name] = value
    return found


def _last_epochs(passing: Sequence[ColumnElement[bool]]) -> Select[Any]:
    last = select(func.max(epochs.c.epoch)).where(epochs.c.run_id == runs.c.run_id)
    values = [
        select(epochs.c[name])
        .where(epochs.c.run_id == runs.c.run_id, epochs.c[name].is_not(None))
        .order_by(epochs.c.epoch.desc())
        .limit(1)
        .correlate(runs)
        .scalar_subquery()
        for name in _OF_EVERY_RUN
    ]
    any_epoch = select(epochs.c.epoch).where(epochs.c.run_id == runs.c.run_id).exists()
    epoch = last.correlate(runs).scalar_subquery()
    return select(runs.c.run_id, epoch, *values).where(*passing, any_epoch)


def _last_metrics(passing: Sequence[ColumnElement[bool]]) -> Select[Any]:
    of_run, named = epoch_metrics.alias("of_run"), epoch_metrics.alias("named")
    # One name after the other, each found by the key: DISTINCT would read every value.
    first = select(func.min(of_run.c.name)).where(of_run.c.run_id == runs.c.run_id)
    names = (
        select(runs.c.run_id, first.correlate(runs).scalar_subquery().label("name"))
        .where(*passing)
        .cte("names", recursive=True)
    )
    following = select(func.min(of_run.c.name)).where(
        of_run.c.run_id == names.c.run_id, of_run.c.name > names.c.name
    )
    names = names.union_all(
        select(names.c.run_id, following.correlate(names).scalar_subquery()).where(
            names.c.name.is_not(None)
        )
    )
    is_of = and_(named.c.run_id == names.c.run_id, named.c.name == names.c.name)
    last = (
        select(func.max(of_run.c.epoch))
        .where(of_run.c.run_id == names.c.run_id, of_run.c.name == names.c.name)
        .correlate(names)
        .scalar_subquery()
    )
    return (
        select(named.c.run_id, named.c.name, named.c.epoch, named.c.value)
        .select_from(names)
        .join(named, and_(is_of, named.c.epoch == last))
        .order_by(named.c.run_id, named.c.name)
    )
