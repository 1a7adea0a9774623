"""Counts, means and spreads of groups of runs, computed in the database."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from sqlalchemy import (
    CTE,
    Boolean,
    ColumnElement,
    Connection,
    Float,
    FromClause,
    Integer,
    Label,
    Select,
    and_,
    case,
    func,
    literal,
    select,
    true,
)

from results.analysis.statistics import Summary, summary
from results.queries.columns import StoredColumn
from results.queries.selection import Selection
from results.schema.tables import evaluations, imports, runs
from results.schema.tables import metrics as reported

#: What a group has in common: its keys as they are stored.
Keys = tuple[Any, ...]

# A result may have 1,664 columns in Postgres and 2,000 in SQLite; a metric takes six.
_METRICS_AT_ONCE = 100

#: How many values the first center of a metric's moments is the mean of.
_SAMPLED = 100


@dataclass(frozen=True, slots=True)
class Moments:
    """A sample by its size, the sums of x - center and of its square, and its extremes."""

    size: int
    center: float
    sum: float
    squares: float
    low: float
    high: float

    @property
    def squared_deviations(self) -> float:
        """The sum of the squared deviations from the mean."""
        return max(0.0, self.squares - self.sum**2 / self.size)

    @property
    def are_precise(self) -> bool:
        """Whether rounding leaves the variance a relative error of at most 1e-9.

        Its numerator is the difference of two sums of `size` products. By the usual bound on
        rounding in sums (Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition,
        SIAM 2002, section 4.2) it is off by at most 3 (size + 2) u `squares`, with u = 2^-53.
        """
        if self.low == self.high:
            return True  # the sums are of no use then, see `around_itself`
        error = 3 * (self.size + 2) * 2**-53 * self.squares
        return error <= 1e-9 * self.squared_deviations

    def around_itself(self) -> Moments:
        """The same sample; one of equal values around their value, whatever its center was.

        Far from its center, the sums of such a sample are nothing but rounding.
        """
        if self.low == self.high:
            return replace(self, center=self.low, sum=0.0, squares=0.0)
        return self


_MOMENTS = len(fields(Moments))


@dataclass(slots=True)
class Group:
    """How many runs are done, diverged and imported among these, and not done; moments.

    `measured_elsewhere` are runs that were trained here and have measurements from an archive;
    `not_finite` done runs whose trainer reported a number that is not finite for one of the
    metrics. `moments` are of the done runs, by the name of the metric; one that no run has a value
    of is missing.
    """

    done: int
    unfinished: int
    diverged: int
    imported: int
    moments: dict[str, Moments]
    measured_elsewhere: int = 0
    not_finite: int = 0


def read_groups(
    connection: Connection,
    selection: Selection,
    filters: Sequence[ColumnElement[bool]],
    keys: Sequence[StoredColumn],
    metrics: Sequence[StoredColumn],
) -> dict[Keys, Group]:
    """The selected runs that pass the filters, by groups, with statistics of the metrics.

    A run that has several values of a key, as it may be in several sweeps, is in several groups.
    """
    counted = _counted(connection, metrics)
    grouped = _GroupedRuns(connection, selection, filters, keys, counted)
    of_runs = [metric for metric in metrics if metric.evaluation_id is None]
    measured = [metric for metric in metrics if metric.evaluation_id is not None]
    at_first = [*of_runs, *measured] if grouped.by_run else of_runs
    groups = grouped.groups(at_first[:_METRICS_AT_ONCE])
    others = [metric for metric in metrics if metric not in at_first[:_METRICS_AT_ONCE]]
    for stored, name, moments in grouped.moments(others):
        groups[stored].moments[name] = moments
    imprecise = {
        name
        for group in groups.values()
        for name, moments in group.moments.items()
        if not moments.are_precise
    }
    again = [metric for metric in metrics if metric.name in imprecise]
    for stored, name, moments in grouped.moments(again, precisely=True):
        groups[stored].moments[name] = moments
    return groups


def all_runs(
    connection: Connection,
    selection: Selection,
    filters: Sequence[ColumnElement[bool]],
    metrics: Sequence[StoredColumn],
) -> Group:
    """The selected runs that pass the filters as one group, without moments.

    Unlike the groups by a key with several values, it has each run once.
    """
    counted = _counted(connection, metrics)
    groups = _GroupedRuns(connection, selection, filters, (), counted).groups(())
    return groups[()]


def _counted(
    connection: Connection, metrics: Sequence[StoredColumn]
) -> dict[str, ColumnElement[bool]]:
    """What `Group` counts where it may be true of a run; elsewhere a query is quicker without."""
    counted = {}
    # Most databases have no imports, and it takes a look at every measurement.
    if connection.scalar(select(imports.c.id).limit(1)) is not None:
        counted["measured_elsewhere"] = _measured_elsewhere(metrics)
    if names := [metric.name for metric in metrics if metric.reported]:
        counted["not_finite"] = _not_finite(names)
    return counted


def _measured_elsewhere(metrics: Sequence[StoredColumn]) -> ColumnElement[bool]:
    """Whether a run was trained here and has measurements of these metrics from an archive."""
    ids = [metric.evaluation_id for metric in metrics if metric.evaluation_id is not None]
    brought = select(evaluations.c.run_id).where(
        evaluations.c.import_id.is_not(None), evaluations.c.evaluation_id.in_(ids)
    )
    return and_(runs.c.imported.is_(False), runs.c.run_id.in_(brought))


def _not_finite(names: Sequence[str]) -> ColumnElement[bool]:
    """Whether the run's trainer reported a number that is not finite under one of these names."""
    null = select(reported.c.run_id).where(reported.c.value.is_(None), reported.c.name.in_(names))
    return runs.c.run_id.in_(null)


class _GroupedRuns:
    """Runs, and how they are grouped: each query has a table with the columns key_0, key_1, ..."""

    def __init__(
        self,
        connection: Connection,
        selection: Selection,
        filters: Sequence[ColumnElement[bool]],
        keys: Sequence[StoredColumn],
        counted: Mapping[str, ColumnElement[bool]],
    ) -> None:
        self._connection = connection
        self._selection = selection
        self._filters = filters
        self._counted = [condition.label(name) for name, condition in counted.items()]
        self._keys = [key.sql.label(f"key_{i}") for i, key in enumerate(keys)]
        self._memberships = [key.memberships for key in keys if key.memberships is not None]

    @property
    def by_run(self) -> bool:
        """Whether one wide row a run is the quicker way to group what was measured of them.

        SQLite sorts what it groups, and computes keys for each row again. Postgres groups by hash,
        and is slower if it has to make rows of runs first.
        """
        return self._connection.dialect.name == "sqlite"

    def groups(self, metrics: Sequence[StoredColumn]) -> dict[Keys, Group]:
        """The groups, with the moments of these metrics; of evaluations only `by_run`."""
        table = self._runs(metrics)
        done = table.c.done
        counts: dict[str, ColumnElement[int]] = {
            "done": func.count().filter(done),
            "unfinished": func.count().filter(~done),
        }
        counts |= {
            name: func.count().filter(done, table.c[name])
            for name in ("diverged", "imported", *(column.name for column in self._counted))
        }
        keys, numbers = self._keys_in(table), _numbers_in(table, metrics)
        query = _around(keys, numbers, self._centers(metrics), list(counts.values()))
        groups = {}
        for row in self._connection.execute(query):
            stored, counted, values = _cut(row, len(keys), len(counts))
            moments = dict(_named(metrics, values))
            groups[stored] = Group(**dict(zip(counts, counted, strict=True)), moments=moments)
        return groups

    def moments(
        self, metrics: Sequence[StoredColumn], *, precisely: bool = False
    ) -> Iterator[tuple[Keys, str, Moments]]:
        """Keys of a group, name of a metric, and its moments over the group's done runs.

        They are taken around rough centers, or `precisely` around the mean of each group, which
        takes the database twice as long.
        """
        of_runs = [metric for metric in metrics if metric.evaluation_id is None]
        measured = [metric for metric in metrics if metric.evaluation_id is not None]
        for part in _parts(of_runs):
            yield from self._moments_by_run(self._runs(part), part, precisely)
        for part in _parts(measured):
            if self.by_run:
                yield from self._moments_by_run(self._accuracies(part), part, precisely)
            else:
                yield from self._moments_by_measurement(part, precisely)

    def _moments_by_run(
        self, table: CTE, metrics: Sequence[StoredColumn], precisely: bool
    ) -> Iterator[tuple[Keys, str, Moments]]:
        keys, numbers = self._keys_in(table), _numbers_in(table, metrics)
        if precisely:
            query = _around_means(table, keys, numbers)
        else:
            query = _around(keys, numbers, self._centers(metrics))
        for row in self._connection.execute(query):
            stored, _, values = _cut(row, len(keys))
            for name, moments in _named(metrics, values):
                yield stored, name, moments

    def _moments_by_measurement(
        self, metrics: Sequence[StoredColumn], precisely: bool
    ) -> Iterator[tuple[Keys, str, Moments]]:
        table = self._measurements([metric.evaluation_id for metric in metrics])
        evaluation = table.c.evaluation_id
        keys = [*self._keys_in(table), evaluation]
        if precisely:
            query = _around_means(table, keys, [table.c.accuracy])
        else:
            centers = zip(metrics, self._centers(metrics), strict=True)
            center = case(*((evaluation == m.evaluation_id, value) for m, value in centers))
            query = _around(keys, [table.c.accuracy], [center])
        by_id = {metric.evaluation_id: metric for metric in metrics}
        for row in self._connection.execute(query):
            stored, _, values = _cut(row, len(keys))
            for name, moments in _named([by_id[stored[-1]]], values):
                yield stored[:-1], name, moments

    def _runs(self, metrics: Sequence[StoredColumn]) -> CTE:
        """One row a run: keys, what `Group` counts, and number_0, ... of done runs."""
        done = runs.c.state == "done"
        table: FromClause = runs
        accuracies: dict[str, ColumnElement[Any]] = {}
        if measured := [metric for metric in metrics if metric.evaluation_id is not None]:
            by_run = self._by_run(measured)
            table = runs.outerjoin(by_run, by_run.c.run_id == runs.c.run_id)
            names = (metric.name for metric in measured)
            accuracies = dict(zip(names, _numbers_in(by_run, measured), strict=True))
        known = (accuracies.get(metric.name, metric.number) for metric in metrics)
        numbers = [case((done, number)) for number in known if number is not None]
        facts = (done.label("done"), runs.c.diverged, runs.c.imported, *self._counted)
        query = select(*self._keys, *facts, *_numbered(numbers))
        query = query.select_from(self._joined(table))
        asked_for = self._selection.done_or_asked_for()
        # Otherwise SQLite takes an index that has the order of the groups, and fetches the runs
        # one by one in that order.
        return _materialized(
            query.where(*self._selection.holds(runs.c.run_id), *asked_for, *self._filters),
            "grouped",
        )

    def _accuracies(self, metrics: Sequence[StoredColumn]) -> CTE:
        """One row a done run with measurements: keys, number_0, number_1, ..."""
        by_run = self._by_run(metrics)
        return (
            select(*self._keys, *_numbers_in(by_run, metrics))
            .select_from(self._joined(by_run.join(runs, runs.c.run_id == by_run.c.run_id)))
            .where(runs.c.state == "done", *self._filters)
            .cte("grouped")
        )

    def _by_run(self, metrics: Sequence[StoredColumn]) -> CTE:
        """One row a run with measurements: run_id, number_0, number_1, ..."""
        accuracies = (
            func.max(evaluations.c.accuracy).filter(
                evaluations.c.evaluation_id == metric.evaluation_id
            )
            for metric in metrics
        )
        return (
            select(evaluations.c.run_id, *_numbered(accuracies))
            .where(*self._selection.holds(evaluations.c.run_id))
            .group_by(evaluations.c.run_id)
            .cte("by_run")
        )

    def _measurements(self, evaluation_ids: Sequence[str | None]) -> CTE:
        """One row a measurement of a done run: keys, evaluation_id, accuracy."""
        # The keys are taken once a run, and not once a measurement.
        done = _materialized(
            select(runs.c.run_id, *self._keys)
            .select_from(self._joined(runs))
            .where(runs.c.state == "done", *self._selection.holds(runs.c.run_id), *self._filters),
            "done",
        )
        return (
            select(*self._keys_in(done), evaluations.c.evaluation_id, evaluations.c.accuracy)
            .join_from(done, evaluations, evaluations.c.run_id == done.c.run_id)
            .where(evaluations.c.evaluation_id.in_(evaluation_ids))
            .cte("grouped")
        )

    def _joined(self, table: FromClause) -> FromClause:
        """The runs in `table`, each once for each combination of its values."""
        for of_runs in self._memberships:
            table = table.outerjoin(of_runs, of_runs.c.run_id == runs.c.run_id)
        return table

    def _centers(self, metrics: Sequence[StoredColumn]) -> list[ColumnElement[float]]:
        """Means of a few values of each metric: near enough to the means of most groups."""
        means = []
        for metric in metrics:
            if metric.evaluation_id is None:
                some = select(*_numbered([metric.number])).where(runs.c.state == "done")
            else:
                some = select(*_numbered([evaluations.c.accuracy])).where(
                    evaluations.c.evaluation_id == metric.evaluation_id
                )
            (number,) = some.limit(_SAMPLED).subquery("some").c
            means.append(select(func.avg(number)).scalar_subquery())
        found = self._connection.execute(select(*means)).one() if means else ()
        return [literal(mean or 0.0, Float) for mean in found]

    def _keys_in(self, table: CTE) -> list[ColumnElement[Any]]:
        return [table.c[key.name] for key in self._keys]


def _around(
    keys: Sequence[ColumnElement[Any]],
    numbers: Sequence[ColumnElement[float]],
    centers: Sequence[ColumnElement[float]],
    counts: Sequence[ColumnElement[int]] = (),
) -> Select[Any]:
    """Keys of each group, counts, and the moments of its numbers, each around its center."""
    moments = [
        part
        for number, center in zip(numbers, centers, strict=True)
        for part in _moments(number, center, center)
    ]
    return select(*keys, *counts, *moments).group_by(*keys)


def _around_means(
    table: CTE, keys: Sequence[ColumnElement[Any]], numbers: Sequence[ColumnElement[float]]
) -> Select[Any]:
    """The same, each around its mean over the group."""
    means = (
        select(
            *(_never_null(key).label(f"key_{i}") for i, key in enumerate(keys)),
            *(key.is_(None).label(f"null_{i}") for i, key in enumerate(keys)),
            *(func.avg(number).label(f"mean_{i}") for i, number in enumerate(numbers)),
        )
        .group_by(*keys)
        .cte("means")
    )
    # Equality joins by hash or index, where IS NOT DISTINCT FROM compares each with each.
    same_group: list[ColumnElement[bool]] = [true()]
    for i, key in enumerate(keys):
        same_group.append(_never_null(key) == means.c[f"key_{i}"])
        same_group.append(key.is_(None) == means.c[f"null_{i}"])
    moments = []
    for i, number in enumerate(numbers):
        mean = means.c[f"mean_{i}"]
        # It is the same in all rows of a group, which the query cannot know.
        moments += _moments(number, mean, func.min(mean))
    return select(*keys, *moments).join_from(table, means, and_(*same_group)).group_by(*keys)


def _moments(
    number: ColumnElement[float],
    center: ColumnElement[float],
    center_of_group: ColumnElement[float],
) -> list[ColumnElement[Any]]:
    """In the order of the fields of Moments."""
    deviation = number - center
    return [
        func.count(number),
        center_of_group,
        func.sum(deviation),
        func.sum(deviation * deviation),
        func.min(number),
        func.max(number),
    ]


def _never_null(key: ColumnElement[Any]) -> ColumnElement[Any]:
    """The key, or for null some value of its type."""
    if isinstance(key.type, Boolean):
        return func.coalesce(key, literal(False))
    some = 0 if isinstance(key.type, Integer | Float) else ""
    return func.coalesce(key, literal(some, key.type))


def _numbered(numbers: Iterable[ColumnElement[Any] | None]) -> list[Label[Any]]:
    return [number.label(f"number_{i}") for i, number in enumerate(numbers) if number is not None]


def _numbers_in(table: CTE, metrics: Sequence[StoredColumn]) -> list[ColumnElement[Any]]:
    return [table.c[f"number_{i}"] for i in range(len(metrics))]


def _materialized(query: Select[Any], name: str) -> CTE:
    return query.cte(name).prefix_with("MATERIALIZED")


def _cut(row: Sequence[Any], keys: int, counts: int = 0) -> tuple[Keys, Keys, Keys]:
    """The keys, the counts and the moments in a row."""
    return tuple(row[:keys]), tuple(row[keys : keys + counts]), tuple(row[keys + counts :])


def _named(metrics: Sequence[StoredColumn], values: Sequence[Any]) -> Iterator[tuple[str, Moments]]:
    """The moments of the metrics that have any value."""
    for i, metric in enumerate(metrics):
        size, *others = values[_MOMENTS * i : _MOMENTS * (i + 1)]
        if size:
            yield metric.name, Moments(size, *others)


def _parts(metrics: Sequence[StoredColumn]) -> list[Sequence[StoredColumn]]:
    starts = range(0, len(metrics), _METRICS_AT_ONCE)
    return [metrics[start : start + _METRICS_AT_ONCE] for start in starts]


def summary_of(parts: Sequence[Moments]) -> Summary:
    """The summary of a sample that consists of these parts.

    As `results.analysis.statistics.summarize` gives it for the values themselves, but for rounding.
    """
    size = sum(part.size for part in parts)
    if size == 0:
        return Summary(None, None, None, None)
    low, high = min(part.low for part in parts), max(part.high for part in parts)
    return summary(size, *_mean_and_squares(parts, size), low, high)


def _mean_and_squares(parts: Sequence[Moments], size: int) -> tuple[float, float]:
    """The mean, and the sum of the squared deviations from it.

    By parts, as Chan, Golub and LeVeque update a variance (Algorithms for computing the sample
    variance, The American Statistician 37, 1983); from one of the centers on, as all values may
    be far from 0 and close together.
    """
    parts = [part.around_itself() for part in parts]
    start = parts[0].center
    means = [part.center - start + part.sum / part.size for part in parts]
    mean = math.fsum(p.size * m for p, m in zip(parts, means, strict=True)) / size
    squares = math.fsum(
        part.squared_deviations + part.size * (of_part - mean) ** 2
        for part, of_part in zip(parts, means, strict=True)
    )
    return start + mean, squares
