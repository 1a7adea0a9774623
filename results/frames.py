"""The database as tidy pandas DataFrames, filtered in the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from results.analysis import reports
from results.analysis.imported import MARKS
from results.analysis.varied_keys import stored_keys
from results.queries.queries import Queries
from results.queries.row_columns import sweeps_of
from results.run_columns import IDENTIFYING, NAMED_KEYS, RUN_COLUMNS, Kind
from results.schema.tables import blocks, epoch_metrics, epochs, files, metrics, probes

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import Table

#: Several texts, or one.
Texts = str | Sequence[str]

#: What every frame repeats of the run, so that nothing has to be joined before it is grouped.
_OF_RUN = (
    "sweep",
    *(column.name for column in IDENTIFYING),
    "max_root_modulus",
    "zero_stable",
    "sweeps",
)

#: What the frame of runs has after their keys. Their configs and errors are text for people.
_DETAILS = tuple(
    column.name
    for column in RUN_COLUMNS
    if not column.key and (column.kind == "time" or (column.measured and column.kind != "list"))
)

_DTYPES: dict[Kind, str] = {
    "text": "string",
    "whole": "Int64",
    "number": "float64",
    "percent": "float64",
    "flag": "boolean",
    "numbers": "object",
    "list": "object",
    "time": "datetime64[us, UTC]",
}
_DTYPE_OF = (
    {column.name: _DTYPES[column.kind] for column in RUN_COLUMNS}
    | dict.fromkeys(
        (
            "evaluation_id", "evaluation", "kind", "name", "description", "published", "probe",
            "quantity", "layer", "metric", "better", "unit", "label",
            "path", "sha256",
        ),
        "string",
    )
    | {"sweeps": "object", "tags": "object", "run_imported": "boolean"}
    | dict.fromkeys(("epoch", "runs", "done", "block", "decimals", "size"), "Int64")
    | {"updated_at": "datetime64[us, UTC]"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Options:
    """The options of runs, by path, and the types of their columns."""

    by_run: Mapping[str, dict[str, Any]]
    kinds: dict[str, str]

    def of(self, run_id: str) -> dict[str, Any]:
        """Those of one run; None of those that only others have."""
        return {**dict.fromkeys(self.kinds), **self.by_run.get(run_id, {})}


class Results:
    """A results database, read only. Close it, or use it with `with`.

    Accuracies are percent, times seconds, parameters counts. Text, whole numbers and flags have
    pandas' nullable types; other numbers are float64, NaN where the database has null; lists are
    Python lists; points in time are UTC. Every frame but those of sweeps and of reports has the
    options of trainers of one's own, such as "options.alpha", after the columns of their runs.

    A run is one row, whatever sweeps share it: `sweep` names them joined by commas, `sweeps` is
    their list, so that `frame.explode("sweeps").groupby("sweeps")` counts it in each. A filter such
    as "sweep=monday", and a report by sweep, take it so.

    `sweeps` are names, or one name; without any, the whole database. `where` are filters such as
    "depth>=32", or one filter; `results.queries.filters` describes them. Both raise as
    `Queries.run_rows`: UnknownSweepError, UnknownColumnError, BadFilterError.
    """

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    @classmethod
    def open(cls, url: str) -> Self:
        """As `results.open`."""
        return cls(Queries.open(url))

    def close(self) -> None:
        """Closes all connections."""
        self._queries.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def sweeps(self) -> pd.DataFrame:
        """One row a sweep: name, description, published, created_at, updated_at, runs, done.

        `imported` is whether an archive brought it, and nobody has run it here since.
        """
        columns = (
            *("name", "description", "published", "created_at", "updated_at", "runs", "done"),
            "imported",
        )
        return frame(self._queries.sweep_rows(), columns)

    def runs(self, sweeps: Texts = (), where: Texts = ()) -> pd.DataFrame:
        """One row a run: the keys of a run in JSON but its evaluations, then details, then lists.

        The lists are `sweeps`, and `tags`, its own and those of its sweeps.
        The details are best_epoch, train_loss, test_loss, diverged_epoch, weights_sha256,
        created_at and finished_at. Last come a column for each option of a trainer of one's own,
        such as "options.alpha", and one for each metric that such a trainer reported, by its name.
        """
        with self._queries.one_view():
            rows = self._queries.run_rows(_list(sweeps), where=_list(where), more_keys=_DETAILS)
            options = self._options(sweeps, where)
        columns = dict.fromkeys((*NAMED_KEYS, *_DETAILS, "sweeps", "tags"))
        known = {m["name"] for row in rows for m in row["metrics"]} - columns.keys()
        none = dict.fromkeys(sorted(known))
        listed = [
            none
            | {m["name"]: m["value"] for m in row["metrics"]}
            | row
            | {"sweeps": sweeps_of(row)}
            | options.of(row["run_id"])
            for row in rows
        ]
        kinds = options.kinds | dict.fromkeys(none, "float64")
        return frame(listed, [*columns, *options.kinds, *none], more_kinds=kinds)

    def metrics(self, sweeps: Texts = (), where: Texts = ()) -> pd.DataFrame:
        """One row a metric that a trainer reported under its own name, after columns of the run.

        `metric` is its name, `value` what it was at the end of the run (NaN where it was not
        finite); `better`, `unit`, `decimals` and `label` are what the trainer said of it.
        """
        own = ("metric", *_own(metrics)[1:])
        return self._of_parts(self._queries.metric_rows, sweeps, where, (*_OF_RUN, "imported"), own)

    def epoch_metrics(self, sweeps: Texts = (), where: Texts = ()) -> pd.DataFrame:
        """One row a value of such a metric at an epoch, after columns of the run.

        `epoch` is what the trainer counts by. Runs that are not done are as in `epochs`.
        """
        own = ("metric", *_own(epoch_metrics)[1:])
        return self._of_parts(
            self._queries.epoch_metric_rows, sweeps, where, (*_OF_RUN, "imported"), own
        )

    def files(self, sweeps: Texts = (), where: Texts = ()) -> pd.DataFrame:
        """One row a file that a run keeps, after columns of the run.

        `path` is where its trainer wrote it in job.files, `size` its bytes.
        """
        of_run = (*_OF_RUN, "imported")
        return self._of_parts(self._queries.file_rows, sweeps, where, of_run, _own(files))

    def epochs(self, sweeps: Texts = (), where: Texts = ()) -> pd.DataFrame:
        """One row an epoch of a done run, after columns of the run.

        Of runs that are not done what they reported so far, if a filter is about `state`: such as
        "state=running".
        """
        of_run = (*_OF_RUN, "imported")
        return self._of_parts(self._queries.epoch_rows, sweeps, where, of_run, _own(epochs))

    def evaluations(self, sweeps: Texts = (), where: Texts = ()) -> pd.DataFrame:
        """One row a measurement, after columns of the run.

        `evaluation` is its name, `kind` and `level` say what it is, `accuracy` and `loss` what
        was measured, and `test_accuracy` is the run's accuracy on clean images. `imported` is
        whether an archive brought the measurement, `run_imported` whether one brought the run.
        """
        measured = ("evaluation_id", "evaluation", "kind", "level", "accuracy", "loss", "imported")
        of_run = (*_OF_RUN, "run_imported", "test_accuracy")
        return self._of_parts(self._queries.evaluation_rows, sweeps, where, of_run, measured)

    def probes(self, sweeps: Texts = (), where: Texts = ()) -> pd.DataFrame:
        """One row a value of a probe, after columns of the run.

        `quantity` is what the `probe` measured, after `epoch` (0: before training), in `layer`
        ('': of the whole network); `value` is NaN where it was not finite.
        """
        of_run = (*_OF_RUN, "imported", "test_accuracy")
        return self._of_parts(self._queries.probe_rows, sweeps, where, of_run, _own(probes))

    def blocks(self, sweeps: Texts = (), where: Texts = ()) -> pd.DataFrame:
        """One row a block with learned coefficients, after columns of the run.

        `block` counts from 1 among all blocks of the network; `alpha` (newest state first) and
        `beta` are what it learned, and `root_moduli` (largest first), `max_root_modulus`,
        `zero_stable`, `consistent` and `order` are the block's own, not the run's.
        """
        own = _own(blocks)
        of_run = [*(name for name in _OF_RUN if name not in own), "imported", "test_accuracy"]
        return self._of_parts(self._queries.block_rows, sweeps, where, of_run, own)

    def _of_parts(
        self,
        ask: Callable[..., list[dict[str, Any]]],
        sweeps: Texts,
        where: Texts,
        of_run: Sequence[str],
        own: Sequence[str],
    ) -> pd.DataFrame:
        """What `ask` gives of the runs, each row after these columns of its run."""
        with self._queries.one_view():
            runs = self._queries.run_rows(_list(sweeps), where=_list(where))
            parts = ask(_list(sweeps), where=_list(where))
            options = self._options(sweeps, where)
        shared = {}
        for run in runs:
            known = run | {"sweeps": sweeps_of(run), "run_imported": run["imported"]}
            shared[run["run_id"]] = {key: known[key] for key in of_run} | options.of(run["run_id"])
        rows = [shared[row["run_id"]] | row for row in parts if row["run_id"] in shared]
        return frame(rows, ["run_id", *of_run, *options.kinds, *own], more_kinds=options.kinds)

    def _options(self, sweeps: Texts, where: Texts) -> _Options:
        by_run = self._queries.options(_list(sweeps), where=_list(where))
        columns = dict.fromkeys(path for options in by_run.values() for path in options)
        kinds = {
            path: _fitting_kind([options.get(path) for options in by_run.values()])
            for path in columns
        }
        return _Options(by_run, kinds)

    def report(
        self,
        group_by: Texts | None = None,
        metrics: Texts | None = None,
        where: Texts = (),
        sweeps: Texts = (),
    ) -> pd.DataFrame:
        """What `sweep report` says: one row a group, `<metric>_mean`, `_std`, `_min`, `_max`.

        `results.analysis.reports` describes it. By default the groups are those of the command; an
        empty list of keys makes one group of all runs. A path into the config has the type that
        fits its values.
        """
        of_sweeps, filters = _list(sweeps), _list(where)
        if group_by is None:
            keys = stored_keys(self._queries, of_sweeps, filters)
        else:
            keys = _list(group_by)
        found = reports.report(
            self._queries,
            of_sweeps,
            keys,
            None if metrics is None else _list(metrics),
            filters,
        )
        counts = ["runs", "diverged", "unfinished", *MARKS]
        further = ("not_finite", "code_versions")
        counts += [n for n in further if any(n in group for group in found.groups)]
        kinds = dict.fromkeys(counts, "Int64")
        kinds |= {name: "float64" for m in found.metrics for name in reports.columns_of(m)}
        for key in found.group_by:
            values = [group[key] for group in found.groups]
            kinds[key] = _DTYPE_OF[key] if key in NAMED_KEYS else _fitting_kind(values)
        columns = dict.fromkeys((*found.group_by, *kinds))
        return frame(found.groups, list(columns), kinds)


def _own(table: Table) -> list[str]:
    """The columns of a table other than those of its run."""
    return [column.name for column in table.c if column.name != "run_id"]


def _list(texts: Texts) -> list[str]:
    return [texts] if isinstance(texts, str) else list(texts)


def _fitting_kind(values: Sequence[Any]) -> str:
    types = {type(value) for value in values if value is not None}
    if any(type(value) is int and abs(value) >= 2**63 for value in values):
        return "object"
    for kind, fitting in (("boolean", {bool}), ("Int64", {int}), ("string", {str})):
        if types == fitting:
            return kind
    return "float64" if types and types <= {int, float} else "object"


def frame(
    rows: Sequence[dict[str, Any]],
    columns: Sequence[str],
    kinds: Mapping[str, str] = _DTYPE_OF,
    more_kinds: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """A frame of these columns, whether it has rows or not.

    Their types are those of `more_kinds` or `kinds`, and else float64.
    """
    import pandas as pd

    kinds = {**kinds, **(more_kinds or {})}
    series = {}
    for name in columns:
        values = [row[name] for row in rows]
        kind: Any = kinds.get(name, "float64")
        if kind.startswith("datetime"):
            seconds = pd.Series(values, dtype="float64")
            # What no calendar has is NaT.
            moments = pd.to_datetime(seconds, unit="s", utc=True, errors="coerce")
            series[name] = moments.astype(kind)
        else:
            series[name] = pd.Series(values, dtype=kind)
    return pd.DataFrame(series, columns=list(columns))
