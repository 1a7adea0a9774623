"""Which metrics a report, a test, a figure or a page is about if none is named.

They are those of which a run has a value. What every run of a network has, such as its test
accuracy, is shown of networks even where all of them diverged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, func, select

from results.queries.config_sql import config_text
from results.queries.latest import latest_values
from results.queries.selection import Selection
from results.run_columns import COLUMN, DEFAULT_METRIC, DEFAULT_METRICS, OF_OTHER_TRAINERS
from results.schema.tables import MAY_HAVE_OWN_CODE, metrics, runs

_TEST_LOSS = "test_loss"


@dataclass(frozen=True, slots=True)
class Measured:
    """What some runs have values of.

    Attributes:
        runs, done, networks: how many there are, are done, and are of a network.
        of_runs: those of the DEFAULT_METRICS of which any has a value.
        of_others: those of OF_OTHER_TRAINERS that a trainer of somebody's own gave a value.
        reported: the names that trainers reported numbers under, and whether it is known of each
            which values are better.
    """

    runs: int
    done: int
    networks: int
    of_runs: Sequence[str] = ()
    of_others: Sequence[str] = ()
    reported: Mapping[str, bool] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """All of which any run has a value, but for evaluations."""
        return [*self.of_runs, *self.of_others, *self.reported]

    @property
    def of_networks(self) -> bool:
        """Whether what networks have is shown though no run may have a value of it."""
        known = bool(self.networks) or not self.runs
        return known and not self.reported and (bool(self.of_runs) or not self.of_others)

    def by_default(self, evaluations: Iterable[str]) -> list[str]:
        """The metrics of a report; `evaluations` are those that networks may have."""
        return [
            *(DEFAULT_METRICS if self.of_networks else self.of_runs),
            *self.of_others,
            *(evaluations if self.networks or not self.runs else ()),
            *self.reported,
        ]


def measured_by_default(
    connection: Connection, selection: Selection, filters: Sequence[ColumnElement[bool]]
) -> Measured:
    """What those of the selection have values of that pass the filters; if none does, what all."""
    held = selection.holds(runs.c.run_id)
    found = measured(connection, [*held, *filters])
    return found if found.runs or not filters else measured(connection, held)


def measured(connection: Connection, passing: Sequence[ColumnElement[bool]]) -> Measured:
    """What those runs have values of that meet these conditions on `runs`."""
    counts = (func.count(), func.count().filter(runs.c.state == "done"), func.count(runs.c.model))
    of_runs = select(*counts, *_counted(DEFAULT_METRICS)).where(*passing)
    number, done, networks, *values = connection.execute(of_runs).one()
    dialect = connection.dialect.name
    # Without the index, every config would be read.
    may_be_own = select(runs.c.run_id).where(MAY_HAVE_OWN_CODE[dialect]).correlate(None)
    own = (runs.c.run_id.in_(may_be_own), config_text(dialect, ["source"]).is_not(None))
    of_others = select(*_counted(OF_OTHER_TRAINERS)).where(*own, *passing)
    others = connection.execute(of_others).one()
    said = select(metrics.c.name, metrics.c.better).join(runs, runs.c.run_id == metrics.c.run_id)
    reported: dict[str, bool] = {}
    for name, better in connection.execute(said.where(*passing).distinct()):
        reported[name] = reported.get(name, False) or better is not None
    return Measured(
        runs=number,
        done=done,
        networks=networks,
        of_runs=_with_values(DEFAULT_METRICS, values),
        of_others=_with_values(OF_OTHER_TRAINERS, others),
        reported=dict(sorted(reported.items())),
    )


def default_metric(
    connection: Connection,
    selection: Selection,
    filters: Sequence[ColumnElement[bool]],
    *,
    so_far: bool = False,
) -> str:
    """The metric of a figure or a pivot table: the first of these that any run has.

    The test accuracy; in the alphabet what a trainer reported of which it says which values are
    better; the test loss; what else it reported; the others. With `so_far`, what runs that are not
    done have reported counts where no other run has anything.
    """
    found = measured_by_default(connection, selection, filters)
    if so_far and not found.names:
        latest = latest_values(
            connection, [*selection.holds(runs.c.run_id), *filters, runs.c.state != "done"]
        )
        return _first({name for each in latest.values() for name in each.values}, ())
    if found.of_networks and not found.of_others:
        return DEFAULT_METRIC
    judged = [name for name, is_judged in found.reported.items() if is_judged]
    return _first(found.names, judged)


def _first(names: Collection[str], judged: Sequence[str]) -> str:
    others = sorted(name for name in names if name not in COLUMN)
    order = [DEFAULT_METRIC, *judged, _TEST_LOSS, *others, *names]
    return next((name for name in order if name in names), DEFAULT_METRIC)


def _counted(names: Sequence[str]) -> list[ColumnElement[int]]:
    return [func.count(runs.c[COLUMN[name].stored]) for name in names]


def _with_values(names: Sequence[str], counts: Sequence[int]) -> list[str]:
    return [name for name, count in zip(names, counts, strict=True) if count]
