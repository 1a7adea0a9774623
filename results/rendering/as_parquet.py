"""Parquet: exact values in typed columns, and what they mean in the file's metadata."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from results.analysis.pivot import Pivot
from results.analysis.reports import STATISTICS, Report
from results.json_values import finite
from results.metrics import is_evaluation
from results.rendering.tabular import Tabular, flat_records

if TYPE_CHECKING:
    import pyarrow

_TEXT = ("run_id", "sweep", "state", "model", "scheme", "dataset")
_BOOL = ("trainable", "zero_stable", "consistent")
_COUNT = ("depth", "seed", "order", "parameters", "epochs", "attempts", "runs", "unfinished")
_LIST = ("alpha", "root_moduli")
_NUMBER = (
    "beta",
    "max_root_modulus",
    "test_accuracy",
    "best_test_accuracy",
    "train_accuracy",
    "generalization_gap",
    "train_seconds",
    "images_per_second",
)
_STATISTIC = tuple(f"_{name}" for name in STATISTICS)


def as_parquet(data: Tabular) -> bytes:
    """A Parquet file with one row a group, cell or row; null where there is no value.

    The columns are those of CSV. A column of objects, or of values of several kinds, is JSON text.
    The schema's metadata has, under "sweep", a JSON object: `content` (report, pivot or rows), for
    the first two their keys, metrics and counts of runs; and each field's has its `unit`, if any.
    """
    import pyarrow
    import pyarrow.parquet

    names, records = flat_records(data)
    columns = [_column(name, [finite(record.get(name)) for record in records]) for name in names]
    fields = [
        pyarrow.field(name, column.type, metadata=_unit(name))
        for name, column in zip(names, columns, strict=True)
    ]
    schema = pyarrow.schema(fields, metadata={"sweep": json.dumps(_content(data))})
    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_arrays(columns, schema=schema), stream)
    return stream.getvalue()


def _column(name: str, values: list[Any]) -> pyarrow.Array:
    """The values in the type that the name stands for, else in the one they have in common."""
    import pyarrow

    kinds = [_known_type(name), pyarrow.string() if _all_null(values) else None]
    # As a struct an object would have the keys of all the others too.
    for kind in [] if any(_holds_objects(value) for value in values) else kinds:
        try:
            return pyarrow.array(values, type=kind)
        except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, OverflowError):
            continue
    texts = [None if v is None else json.dumps(v, ensure_ascii=False) for v in values]
    return pyarrow.array(texts, type=pyarrow.string())


def _all_null(values: list[Any]) -> bool:
    return all(value is None for value in values)


def _holds_objects(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(map(_holds_objects, value)))


def _known_type(name: str) -> pyarrow.DataType | None:
    import pyarrow

    if name in _TEXT:
        return pyarrow.string()
    if name in _BOOL or name.endswith("_best"):
        return pyarrow.bool_()
    if name in _COUNT:
        return pyarrow.int64()
    if name in _LIST:
        return pyarrow.list_(pyarrow.float64())
    if name in _NUMBER or name.endswith(_STATISTIC) or is_evaluation(name):
        return pyarrow.float64()
    return None


def _unit(name: str) -> dict[str, str] | None:
    metric = name
    for ending in _STATISTIC:
        metric = metric.removesuffix(ending)
    if name.endswith("_best"):
        return None
    if "accuracy" in metric or metric == "generalization_gap" or is_evaluation(metric):
        return {"unit": "percent"}
    return {"unit": "seconds"} if metric == "train_seconds" else None


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
    }
