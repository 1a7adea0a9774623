"""Checking a worker's result before anything of it is written.

A result is a file written by another process, perhaps of another version: what is wrong with it
is said here by the place in it, and not by a constraint of the database in mid-transaction.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Float, Table

from results.json_values import storable
from results.metrics import DIRECTIONS
from results.provenance import Told, in_parts
from results.run_columns import OF_SCHEME, REPORTED
from results.schema.bounds import NUMBER
from results.schema.tables import (
    REPORTED_LIVE,
    blocks,
    epoch_metrics,
    epochs,
    evaluation_configs,
    evaluations,
    files,
    metrics,
    probes,
)
from results.store.object_reader import LARGEST_INTEGER, ObjectReader, brief
from sweep_plugins.file_path import MOST_FILES, problem_of_path
from sweep_plugins.metric_name import MOST_DECIMALS, MOST_METRIC_VALUES, MOST_METRICS

FORMAT = 1

_SHA256 = re.compile("[0-9a-f]{64}")
EPOCH_NUMBERS = tuple(column for column in epochs.columns if isinstance(column.type, Float))
"""What every run may have at an epoch."""

_PROBE_KEYS = frozenset(probes.c.keys()) - {"run_id"}
_BLOCK_KEYS = frozenset(blocks.c.keys()) - {"run_id"}
_DEFINITION_KEYS = frozenset({"better", "unit", "decimals", "label"})
_EPOCH_METRIC_KEYS = frozenset({"epoch", "values"})
_FILE_KEYS = frozenset(files.c.keys()) - {"run_id"}


@dataclass(frozen=True, slots=True)
class CheckedEvaluation:
    """One evaluation of a result: the row of its config, and the row of what was measured."""

    config: dict[str, Any]
    measured: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CheckedResult:
    """A result as rows: columns of `runs`, rows of the tables of what was measured."""

    columns: dict[str, Any]
    rows: dict[Table, list[dict[str, Any]]]
    evaluations: list[CheckedEvaluation]
    told: Told
    first_epoch: int | None


def check_result(run_id: str, attempt: int, result: Any) -> CheckedResult:
    """The content of `result.json` for this attempt, as rows.

    `probes`, `blocks`, `metrics`, `files` and what belongs to these may be missing: older
    versions, and trainers that have none of it, say none.

    Raises BadResultError if it belongs to another run or attempt, lacks a key, or has a value
    of the wrong kind.
    """
    reader = ObjectReader(run_id, result, "")
    reader.values = _with_columns_among_metrics(reader.values)
    if reader.whole("format") != FORMAT:
        raise reader.problem("format", f"is {result['format']}, and {FORMAT} is what is read here")
    if reader.text("run_id") != run_id:
        raise reader.problem("run_id", f"is {brief(result['run_id'])}: it belongs to another run")
    if reader.whole("attempt") != attempt:
        raise reader.unexpected("attempt", result["attempt"], str(attempt))
    columns = {column.name: reader.column(column) for column in REPORTED}
    provenance = reader.object("provenance")
    first_epoch = provenance.get("first_epoch")
    if first_epoch is not None:
        origin = ObjectReader(run_id, provenance, "provenance")
        first_epoch = origin.whole("first_epoch")
    return CheckedResult(
        columns=columns,
        rows={table: read(reader) for table, read in _ROWS.items()},
        evaluations=_evaluations(reader),
        told=in_parts(provenance),
        first_epoch=first_epoch,
    )


def _with_columns_among_metrics(result: dict[str, Any]) -> dict[str, Any]:
    """The result with what it has under the name of a column, among its metrics, in its place."""
    reported = result.get("metrics")
    if not isinstance(reported, dict):
        return result
    columns = {c.name for c in REPORTED} & reported.keys() - result.keys()
    others = {name: value for name, value in reported.items() if name not in columns}
    return result | {name: reported[name] for name in columns} | {"metrics": others}


def check_evaluations(run_id: str, evaluations: Sequence[Any]) -> list[CheckedEvaluation]:
    """Evaluations measured after the run was done, as rows; raises BadResultError."""
    return _evaluations(ObjectReader(run_id, {"evaluations": list(evaluations)}, ""))


def check_epochs(
    run_id: str, of_run: Sequence[Any], by_name: Sequence[Any]
) -> dict[Table, list[dict[str, Any]]]:
    """Rows of REPORTED_LIVE, from what a result has as `epochs` and `epoch_metrics`.

    Raises BadResultError.
    """
    reader = ObjectReader(run_id, {"epochs": list(of_run), "epoch_metrics": list(by_name)}, "")
    return {table: _ROWS[table](reader) for table in REPORTED_LIVE}


def _epochs(reader: ObjectReader) -> list[dict[str, Any]]:
    rows = []
    seen: set[int] = set()
    for item in reader.objects("epochs"):
        row: dict[str, Any] = {
            "run_id": reader.run_id,
            "epoch": item.whole("epoch", 1, LARGEST_INTEGER),
        }
        row |= {column.name: item.number_of(column) for column in EPOCH_NUMBERS}
        item.once("epoch", row["epoch"], seen)
        rows.append(row)
    return rows


def _probes(reader: ObjectReader) -> list[dict[str, Any]]:
    rows = []
    seen: set[tuple[Any, ...]] = set()
    for item in reader.objects("probes") if "probes" in reader.values else ():
        item.only(_PROBE_KEYS)
        # As they will be stored, so that two that become one there are seen here.
        row: dict[str, Any] = {key: storable(item.some_text(key)) for key in ("probe", "quantity")}
        row["epoch"] = item.whole("epoch", most=LARGEST_INTEGER)
        row["layer"] = storable(str(item.text("layer")))
        if tuple(row.values()) in seen:
            what = "for {probe} {quantity} after epoch {epoch}".format_map(row)
            raise item.problem("layer", f"is {brief(row['layer'])} a second time {what}")
        seen.add(tuple(row.values()))
        rows.append({"run_id": reader.run_id, **row, "value": item.finite_number("value")})
    return rows


def _blocks(reader: ObjectReader) -> list[dict[str, Any]]:
    rows = []
    seen: set[int] = set()
    for item in reader.objects("blocks") if reader.values.get("blocks") is not None else ():
        item.only(_BLOCK_KEYS)
        block = item.whole("block", 1, LARGEST_INTEGER)
        item.once("block", block, seen)
        of_scheme = {column.name: item.of_block(column) for column in OF_SCHEME}
        rows.append({"run_id": reader.run_id, "block": block, **of_scheme})
    return rows


def _metrics(reader: ObjectReader) -> list[dict[str, Any]]:
    """Of `metrics`, with what `metric_definitions` says of them."""
    reported = ObjectReader(reader.run_id, reader.values.get("metrics", {}), "metrics")
    said = ObjectReader(
        reader.run_id, reader.values.get("metric_definitions", {}), "metric_definitions"
    )
    if len(reported.values) > MOST_METRICS:
        raise reader.problem(
            "metrics",
            f"has {len(reported.values):,} names, where at most {MOST_METRICS:,} are expected",
        )
    return [
        {
            "run_id": reader.run_id,
            "name": reported.metric_name(name),
            "value": reported.number(name, NUMBER),
            **_definition(said, name),
        }
        for name in reported.values
    ]


def _definition(said: ObjectReader, name: str) -> dict[str, Any]:
    """What the trainer said of its metric of this name, all of which may be null."""
    if said.values.get(name) is None:
        return dict.fromkeys(_DEFINITION_KEYS)
    item = ObjectReader(said.run_id, said.values[name], f"{said.place}.{name}")
    item.only(_DEFINITION_KEYS)
    better, decimals = item.values.get("better"), item.values.get("decimals")
    if better is not None and better not in DIRECTIONS:
        raise item.unexpected("better", better, f"{' or '.join(map(repr, DIRECTIONS))} or null")
    return {
        "better": better,
        "decimals": None if decimals is None else item.whole("decimals", most=MOST_DECIMALS),
        **{
            key: None if item.values.get(key) is None else item.some_text(key)
            for key in ("unit", "label")
        },
    }


def _epoch_metrics(reader: ObjectReader) -> list[dict[str, Any]]:
    rows = []
    seen: set[int] = set()
    for item in reader.objects("epoch_metrics") if "epoch_metrics" in reader.values else ():
        item.only(_EPOCH_METRIC_KEYS)
        epoch = item.whole("epoch")
        item.once("epoch", epoch, seen)
        values = ObjectReader(
            reader.run_id, item.take("values", "an object"), f"{item.place}.values"
        )
        for name in values.values:
            value = values.number(values.metric_name(name), NUMBER)
            rows.append({"run_id": reader.run_id, "name": name, "epoch": epoch, "value": value})
        if len(rows) > MOST_METRIC_VALUES:
            raise reader.problem("epoch_metrics", f"has more than {MOST_METRIC_VALUES:,} values")
    return rows


def _files(reader: ObjectReader) -> list[dict[str, Any]]:
    rows = []
    seen: set[str] = set()
    found = reader.objects("files") if "files" in reader.values else []
    if len(found) > MOST_FILES:
        raise reader.problem(
            "files", f"has {len(found):,} items, where at most {MOST_FILES:,} are kept"
        )
    for item in found:
        item.only(_FILE_KEYS)
        path = item.some_text("path")
        if (problem := problem_of_path(path)) is not None:
            raise item.problem("path", f"is {brief(path)}: {problem}")
        item.once("path", path, seen)
        sha256 = item.some_text("sha256")
        if not _SHA256.fullmatch(sha256):
            raise item.problem("sha256", f"is {brief(sha256)}, not 64 hex digits")
        size = item.whole("size")
        rows.append({"run_id": reader.run_id, "path": path, "size": size, "sha256": sha256})
    return rows


_ROWS: dict[Table, Callable[[ObjectReader], list[dict[str, Any]]]] = {
    epochs: _epochs,
    probes: _probes,
    blocks: _blocks,
    metrics: _metrics,
    epoch_metrics: _epoch_metrics,
    files: _files,
}


def _evaluations(reader: ObjectReader) -> list[CheckedEvaluation]:
    checked = []
    seen: set[str] = set()
    for item in reader.objects("evaluations"):
        evaluation_id = item.id("evaluation_id")
        item.once("evaluation_id", evaluation_id, seen)
        config = {
            "evaluation_id": evaluation_id,
            "name": item.text("name"),
            "kind": item.text("kind"),
            "level": item.number_of(evaluation_configs.c.level),
            "config": item.object("config"),
        }
        measured = {
            "run_id": reader.run_id,
            "evaluation_id": evaluation_id,
            "accuracy": item.number_of(evaluations.c.accuracy),
            "loss": item.number_of(evaluations.c.loss),
        }
        checked.append(CheckedEvaluation(config, measured))
    return checked
