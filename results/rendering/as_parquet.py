"""Parquet: exact values in typed columns, and what they mean in the file's metadata."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from results.analysis.pivot import Pivot
from results.analysis.reports import Report, columns_of
from results.json_values import finite
from results.metrics import Metric
from results.rendering.tabular import Tabular, flat_records
from results.run_columns import RunColumn

if TYPE_CHECKING:
    import pyarrow


def as_parquet(data: Tabular) -> bytes:
    """A Parquet file with one row a group, cell or row; null where there is no value.

    The columns are those of CSV. A column of objects, or of values of several kinds, is JSON text.
    The schema's metadata has, under "sweep", a JSON object: `content` (report, pivot or rows), for
    the first two their keys, metrics and counts of runs; and each field's has its `unit`, if any.
    """
    import pyarrow
    import pyarrow.parquet

    names, records, described = flat_records(data)
    types = _known_types(data, described)
    columns = [
        _column([finite(record.get(name)) for record in records], types.get(name)) for name in names
    ]
    fields = [
        pyarrow.field(name, column.type, metadata=_unit(described.get(name)))
        for name, column in zip(names, columns, strict=True)
    ]
    schema = pyarrow.schema(fields, metadata={"sweep": json.dumps(_content(data))})
    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_arrays(columns, schema=schema), stream)
    return stream.getvalue()


def _column(values: list[Any], known: pyarrow.DataType | None) -> pyarrow.Array:
    """The values in the type that is known for them, else in the one they have in common."""
    import pyarrow

    kinds = [known, pyarrow.string() if all(value is None for value in values) else None]
    # As a struct an object would have the keys of all the others too.
    for kind in [] if any(_holds_objects(value) for value in values) else kinds:
        try:
            return pyarrow.array(values, type=kind)
        except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, OverflowError):
            continue
    texts = [None if v is None else json.dumps(v, ensure_ascii=False) for v in values]
    return pyarrow.array(texts, type=pyarrow.string())


def _holds_objects(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(map(_holds_objects, value)))


def _known_types(data: Tabular, described: Mapping[str, Metric]) -> dict[str, pyarrow.DataType]:
    """The types of columns by their names, so that a column has one also where all are null."""
    import pyarrow

    of_kinds: dict[str | None, pyarrow.DataType] = {
        "text": pyarrow.string(),
        "whole": pyarrow.int64(),
        "flag": pyarrow.bool_(),
        "numbers": pyarrow.list_(pyarrow.float64()),
        "number": pyarrow.float64(),
        "percent": pyarrow.float64(),
    }
    found = {name: of_kinds.get(_kind(metric)) for name, metric in described.items()}
    if isinstance(data, Report | Pivot):
        of_metrics = [column for metric in data.metrics for column in columns_of(metric)]
        found |= dict.fromkeys(of_metrics, pyarrow.float64())
        found |= {f"{metric}_best": pyarrow.bool_() for metric in data.metrics}
    return found | {name: pyarrow.int64() for name in ("runs", "unfinished", "not_finite")}


def _kind(metric: Metric) -> str | None:
    if isinstance(metric, RunColumn):
        return metric.kind
    return "number" if metric.number else None


def _unit(metric: Metric | None) -> dict[str, str] | None:
    return {"unit": metric.unit} if metric is not None and metric.unit else None


def _content(data: Tabular) -> dict[str, Any]:
    if isinstance(data, Report):
        keys = {"group_by": data.group_by}
    elif isinstance(data, Pivot):
        keys = {"rows": data.rows, "columns": data.columns}
    else:
        return {"content": "rows"}
    return {
        "content": "report" if isinstance(data, Report) else "pivot",
        **keys,
        "metrics": data.metrics,
        "std": "sample standard deviation (n - 1)",
        "runs": data.runs,
        "unfinished": data.unfinished,
        "imported": data.imported,
        "measured_elsewhere": data.measured_elsewhere,
        "code_versions": data.code_versions,
    }
