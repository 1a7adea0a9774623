"""What the JSON columns hold: of each the type, by which corruption is found."""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Column

from results.run_columns import OF_SCHEME, RUN_COLUMNS, Kind
from results.schema.bounds import LONGEST_SCHEME, is_plain, problem_inside
from results.schema.tables import (
    attempts,
    blocks,
    code_states,
    evaluation_configs,
    runs,
    sweep_specs,
)

_OBJECT: TypeAdapter[Any] = TypeAdapter(dict[str, Any])
_NUMBERS_OR_NULLS: TypeAdapter[Any] = TypeAdapter(list[float | None])
_OF_RUNS: dict[Kind, TypeAdapter[Any]] = {
    "numbers": TypeAdapter(list[float]),
    "list": TypeAdapter(list[Any]),
}

_OF_SCHEMES = frozenset(
    table.c[c.name] for table in (runs, blocks) for c in OF_SCHEME if c.kind == "numbers"
)

# What JSON columns hold; of another column, any JSON but null, which is an empty cell.
JSON_KINDS: dict[Column[Any], TypeAdapter[Any]] = {
    evaluation_configs.c.config: _OBJECT,
    runs.c.config: _OBJECT,
    attempts.c.provenance: _OBJECT,
    code_states.c.content: _OBJECT,
    sweep_specs.c.overrides: TypeAdapter(list[str]),
    **{runs.c[c.name]: _OF_RUNS[c.kind] for c in RUN_COLUMNS if c.kind in _OF_RUNS},
    **{blocks.c[c.name]: _NUMBERS_OR_NULLS for c in OF_SCHEME if c.kind == "numbers"},
}


_COEFFICIENTS: TypeAdapter[Any] = TypeAdapter(list[list[float | None] | float | None])


def json_problem(column: Column[Any], text: str | bytes, *, bounded: bool = False) -> str | None:
    """What is wrong with a text in a JSON column; None if it can be read as what it should be.

    With `bounded` it is also asked whether a trainer of this project could have said it.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
        if value is None:
            return "JSON's null is stored as NULL"
        if column in JSON_KINDS:
            JSON_KINDS[column].validate_python(value, strict=True)
        if bounded:
            if column is runs.c.learned_coefficients:
                _COEFFICIENTS.validate_python(value, strict=True)
            if column in _OF_SCHEMES and len(value) > LONGEST_SCHEME:
                return f"it has {len(value)} numbers, and a scheme at most {LONGEST_SCHEME}"
            plain = isinstance(text, str) and is_plain(text)
            if not plain and (problem := problem_inside(value)) is not None:
                return f"it {problem}"
    except ValidationError as error:
        first = error.errors()[0]
        return "".join(f"[{part!r}]" for part in first["loc"]) + f" {first['msg']}".lstrip()
    except (ValueError, RecursionError) as error:
        return f"it is not JSON ({error})"
    return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
