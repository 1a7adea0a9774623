"""Questions to the results database. Nothing here writes, nor waits for a driver."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select

from results.database import rows_as_dicts
from results.errors import UnknownRunError, UnknownSweepError
from results.rates import AttemptSpan, rate_per_hour, seconds_left
from results.reader import Reader
from results.records import (
    RUN_KEYS,
    STATES,
    CostSample,
    Failure,
    RunRow,
    SweepStatus,
)
from results.tables import (
    attempts,
    epochs,
    evaluation_configs,
    evaluations,
    runs,
    sweep_evaluations,
    sweep_runs,
    sweeps,
)

_STORED_KEYS = tuple(key for key in RUN_KEYS if key not in ("sweep", "attempts", "evaluations"))
_DETAIL_KEYS = (
    "config",
    "best_epoch",
    "train_loss",
    "test_loss",
    "diverged_epoch",
    "weights_sha256",
    "learned_coefficients",
    "error",
    "created_at",
    "finished_at",
)


class Queries:
    """Reads a results database. Open it with a URL, and close it, or use it with `with`.

    Accuracies are percent, times seconds, parameters counts. Every method raises DatabaseError
    if the file cannot be read.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    @classmethod
    def open(cls, url: str) -> Self:
        """Opens `sqlite:///path` read only.

        Raises NoDatabaseError if there is no such file, DatabaseError if it is no sweep database.
        """
        return cls(Reader(url))

    def close(self) -> None:
        """Closes all connections."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def sweep_names(self) -> list[str]:
        """The names of all sweeps, the one saved first in front."""
        with self._reader.view() as connection:
            return list(_sweep_ids(connection).values())

    def run_rows(
        self,
        sweeps: Sequence[str] = (),
        *,
        run_ids: Iterable[str] | None = None,
        config: bool = False,
    ) -> list[RunRow]:
        """The runs of these sweeps, or of the whole database, as JSON objects (RUN_KEYS).

        A run in several sweeps is one row, whose `sweep` names them all, joined by commas; only
        those asked for, if any are. `evaluations` are those that these sweeps ask for, in their
        order, with accuracy None until measured; if no sweep is asked for, those measured for
        sweeps of the past come after them. Should two different measurements share a name, both
        get the start of their ids, as in "gaussian[0.3]@1f09ab", so that no report mixes them.

        `run_ids` keeps only these runs (unknown ones are left out); `config` adds the resolved
        config under the last key. In the order of the sweeps; runs in no sweep come last.
        Raises UnknownSweepError.
        """
        return self._rows(sweeps, run_ids, ("config",) if config else ())

    def _rows(
        self, names: Sequence[str], run_ids: Iterable[str] | None, more_keys: tuple[str, ...]
    ) -> list[RunRow]:
        only = None if run_ids is None else set(run_ids)
        columns = [runs.c[key] for key in (*_STORED_KEYS, *more_keys)]
        with self._reader.view() as connection:
            sweep_names = _chosen_sweeps(connection, names)
            members = _members(connection, list(sweep_names))
            query = select(*columns, runs.c.attempt.label("attempts"))
            query = _limited(query, runs.c.run_id, sweep_names if names else None, only)
            stored = {row["run_id"]: row for row in rows_as_dicts(connection.execute(query))}
            wanted = _wanted_evaluations(connection, list(sweep_names))
            configs = {
                row["evaluation_id"]: row
                for row in rows_as_dicts(
                    connection.execute(
                        select(
                            evaluation_configs.c.evaluation_id,
                            evaluation_configs.c.name,
                            evaluation_configs.c.kind,
                            evaluation_configs.c.level,
                        )
                    )
                )
            }
            measured = _measured(connection, sweep_names if names else None, only)
        order = list(members)
        if not names:
            order += sorted(stored.keys() - members.keys())
        rows = []
        shown: dict[str, list[str]] = {}
        for run_id in order:
            if run_id not in stored or (only is not None and run_id not in only):
                continue
            run = stored[run_id]
            in_sweeps = members.get(run_id, [])
            ids = dict.fromkeys(e for sweep in in_sweeps for e in wanted[sweep])
            if not names:
                ids |= dict.fromkeys(measured.get(run_id, {}))
            shown[run_id] = list(ids)
            run["sweep"] = ",".join(sweep_names[sweep] for sweep in in_sweeps)
            rows.append(run)
        labels = _labels(configs, {e for ids in shown.values() for e in ids})
        for run in rows:
            found = measured.get(run["run_id"], {})
            run["evaluations"] = [
                {
                    "name": labels[e],
                    "kind": configs[e]["kind"],
                    "level": configs[e]["level"],
                    "accuracy": found.get(e),
                }
                for e in shown[run["run_id"]]
            ]
        return [{key: run[key] for key in (*RUN_KEYS, *more_keys)} for run in rows]

    def run_detail(self, id_prefix: str) -> dict[str, Any]:
        """One run in full, by its id or a start of it that no other run shares.

        The keys of RUN_KEYS, then `config`, `best_epoch`, `train_loss`, `test_loss`,
        `diverged_epoch`, `weights_sha256`, `learned_coefficients`, `error`, `created_at`,
        `finished_at`, `sweeps` (names), `epoch_history` (one object an epoch) and
        `attempt_history` (one object an attempt, with state, first_epoch, error, traceback,
        provenance). Points in time are ISO 8601, UTC. Raises UnknownRunError.
        """
        run_id = self._full_id(id_prefix)
        (row,) = self._rows((), [run_id], _DETAIL_KEYS)
        with self._reader.view() as connection:
            epoch_rows = rows_as_dicts(
                connection.execute(
                    select(epochs).where(epochs.c.run_id == run_id).order_by(epochs.c.epoch)
                )
            )
            attempt_rows = rows_as_dicts(
                connection.execute(
                    select(attempts).where(attempts.c.run_id == run_id).order_by(attempts.c.attempt)
                )
            )
            names = list(
                connection.execute(
                    select(sweeps.c.name)
                    .join(sweep_runs)
                    .where(sweep_runs.c.run_id == run_id)
                    .order_by(sweeps.c.id)
                ).scalars()
            )
        for item in (*epoch_rows, *attempt_rows):
            del item["run_id"]
        for item in (row, *attempt_rows):
            for key in ("created_at", "started_at", "finished_at"):
                if key in item:
                    item[key] = _iso(item[key])
        row["sweeps"] = names
        row["epoch_history"] = epoch_rows
        row["attempt_history"] = attempt_rows
        return row

    def _full_id(self, prefix: str) -> str:
        if not re.fullmatch(r"[0-9a-f]{1,16}", prefix.lower()):
            raise UnknownRunError(prefix)
        query = select(runs.c.run_id).where(runs.c.run_id.startswith(prefix.lower()))
        with self._reader.view() as connection:
            found = list(connection.execute(query.order_by(runs.c.run_id)).scalars())
        if len(found) != 1:
            raise UnknownRunError(prefix, found)
        return str(found[0])

    def status(self, sweep: str | None = None) -> list[SweepStatus]:
        """How far `sweep` is, or every sweep, each with counts, failures, rate and time left.

        `results.rates` says how the rate is measured. The time left is for the queued and
        running runs, at that rate. Raises UnknownSweepError.
        """
        with self._reader.view() as connection:
            names = _chosen_sweeps(connection, [] if sweep is None else [sweep])
            return [_status(connection, key, name) for key, name in names.items()]

    def cost_samples(self) -> list[CostSample]:
        """What training took so far, by kind of run and device, for estimating what it will.

        Means over the done runs that neither diverged nor were resumed.
        """
        host = attempts.c.provenance["host"].as_string()
        device = attempts.c.provenance["device"].as_string()
        keys = (
            runs.c.model,
            runs.c.depth,
            runs.c.parameters,
            runs.c.dataset,
            runs.c.epochs,
            host.label("host"),
            device.label("device"),
            runs.c.config["precision"].as_string().label("precision"),
        )
        grouped = (
            select(
                *keys,
                func.count().label("runs"),
                func.avg(runs.c.train_seconds).label("train_seconds"),
                func.avg(runs.c.images_per_second).label("images_per_second"),
                func.min(runs.c.run_id).label("example"),
            )
            .join(
                attempts,
                and_(attempts.c.run_id == runs.c.run_id, attempts.c.attempt == runs.c.attempt),
            )
            .where(
                runs.c.state == "done",
                runs.c.diverged.is_(False),
                runs.c.train_seconds.is_not(None),
                func.coalesce(attempts.c.first_epoch, 1) <= 1,
            )
            .group_by(*keys)
            .subquery("grouped")
        )
        query = (
            select(*(c for c in grouped.c if c.name not in ("example", "precision")), runs.c.config)
            .join(runs, runs.c.run_id == grouped.c.example)
            .order_by(grouped.c.model, grouped.c.depth, grouped.c.example)
        )
        with self._reader.view() as connection:
            return [CostSample(**row) for row in rows_as_dicts(connection.execute(query))]


def _sweep_ids(connection: Connection) -> dict[int, str]:
    rows = connection.execute(select(sweeps.c.id, sweeps.c.name).order_by(sweeps.c.id))
    return {row.id: row.name for row in rows}


def _chosen_sweeps(connection: Connection, names: Sequence[str]) -> dict[int, str]:
    """Names of these sweeps by id, in the order given; of all if none is given."""
    by_id = _sweep_ids(connection)
    if not names:
        return by_id
    by_name = {name: key for key, name in by_id.items()}
    for name in names:
        if name not in by_name:
            raise UnknownSweepError(name, by_name)
    return {by_name[name]: name for name in names}


def _members(connection: Connection, sweep_ids: Sequence[int]) -> dict[str, list[int]]:
    """The sweeps of each run, by run id, in the order of the sweeps and their positions."""
    found: dict[str, list[int]] = {}
    for sweep_id in sweep_ids:
        query = select(sweep_runs.c.run_id).where(sweep_runs.c.sweep_id == sweep_id)
        for run_id in connection.execute(query.order_by(sweep_runs.c.position)).scalars():
            found.setdefault(run_id, []).append(sweep_id)
    return found


def _wanted_evaluations(connection: Connection, sweep_ids: Sequence[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for sweep_id in sweep_ids:
        query = select(sweep_evaluations.c.evaluation_id).where(
            sweep_evaluations.c.sweep_id == sweep_id
        )
        ids = connection.execute(query.order_by(sweep_evaluations.c.position)).scalars()
        found[sweep_id] = list(ids)
    return found


def _limited(
    query: Select[Any],
    run_id: ColumnElement[str],
    sweep_ids: Iterable[int] | None,
    only: set[str] | None,
) -> Select[Any]:
    """The query for the runs of these sweeps, and among these ids, where either is given."""
    if sweep_ids is not None:
        members = select(sweep_runs.c.run_id).where(sweep_runs.c.sweep_id.in_(list(sweep_ids)))
        query = query.where(run_id.in_(members))
    # SQLite bounds the number of parameters; a longer list is applied to the rows instead.
    if only is not None and len(only) <= 500:
        query = query.where(run_id.in_(only))
    return query


def _measured(
    connection: Connection, sweep_ids: Iterable[int] | None, only: set[str] | None
) -> dict[str, dict[str, float | None]]:
    """Accuracies by run id and evaluation id."""
    query = select(evaluations.c.run_id, evaluations.c.evaluation_id, evaluations.c.accuracy)
    found: dict[str, dict[str, float | None]] = defaultdict(dict)
    for key, evaluation_id, accuracy in connection.execute(
        _limited(query, evaluations.c.run_id, sweep_ids, only)
    ):
        found[key][evaluation_id] = accuracy
    return found


def _labels(configs: dict[str, dict[str, Any]], shown: set[str]) -> dict[str, str]:
    """What each evaluation is called: its name, with the start of its id where names clash."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for evaluation_id in shown:
        by_name[configs[evaluation_id]["name"]].append(evaluation_id)
    labels: dict[str, str] = {}
    for name, ids in by_name.items():
        # Six digits, or more if these do not tell the ids apart.
        digits = next(n for n in range(6, 17) if len({e[:n] for e in ids}) == len(ids))
        labels |= {e: name if len(ids) == 1 else f"{name}@{e[:digits]}" for e in ids}
    return labels


def _status(connection: Connection, sweep_id: int, name: str) -> SweepStatus:
    of_sweep = sweep_runs.c.sweep_id == sweep_id
    counts = dict.fromkeys(STATES, 0)
    train_seconds = 0.0
    last_finished: list[float] = []
    for row in connection.execute(
        select(
            runs.c.state,
            func.count().label("number"),
            func.coalesce(func.sum(runs.c.train_seconds), 0.0).label("seconds"),
            func.max(runs.c.finished_at).label("last"),
        )
        .join(sweep_runs)
        .where(of_sweep)
        .group_by(runs.c.state)
    ):
        counts[row.state] = row.number
        train_seconds += row.seconds
        if row.last is not None:
            last_finished.append(row.last)
    failures = [
        Failure(
            run_id=row.run_id,
            label=f"{row.model} ({row.scheme}), depth {row.depth}, seed {row.seed}",
            error=row.error,
            attempts=row.attempt,
        )
        for row in connection.execute(
            select(runs)
            .join(sweep_runs)
            .where(of_sweep, runs.c.state == "failed")
            .order_by(sweep_runs.c.position)
        )
    ]
    rate = rate_per_hour(
        AttemptSpan(row.state, row.started_at, row.finished_at)
        for row in connection.execute(
            select(attempts.c.state, attempts.c.started_at, attempts.c.finished_at)
            .join(sweep_runs, sweep_runs.c.run_id == attempts.c.run_id)
            .where(of_sweep)
        )
    )
    return SweepStatus(
        sweep=name,
        runs=sum(counts.values()),
        counts=counts,
        failures=failures,
        train_seconds=train_seconds,
        rate_per_hour=rate,
        seconds_left=seconds_left(counts["queued"] + counts["running"], rate),
        last_finished_at=max(last_finished, default=None),
    )


def _iso(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
