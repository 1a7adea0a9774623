"""What the JSON columns hold: of each the type, by which damage is found."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Column

from results.schema.tables import (
    attempts,
    blocks,
    evaluation_configs,
    runs,
    sweep_specs,
)

_OBJECT: TypeAdapter[Any] = TypeAdapter(dict[str, Any])


_NUMBERS: TypeAdapter[Any] = TypeAdapter(list[float])


_NUMBERS_OR_NULLS: TypeAdapter[Any] = TypeAdapter(list[float | None])


# What JSON columns hold; of another column, any JSON but null, which is an empty cell.
JSON_KINDS: dict[Column[Any], TypeAdapter[Any]] = {
    evaluation_configs.c.config: _OBJECT,
    runs.c.config: _OBJECT,
    attempts.c.provenance: _OBJECT,
    sweep_specs.c.overrides: TypeAdapter(list[str]),
    runs.c.alpha: _NUMBERS,
    runs.c.root_moduli: _NUMBERS,
    runs.c.learned_coefficients: TypeAdapter(list[Any]),
    blocks.c.alpha: _NUMBERS_OR_NULLS,
    blocks.c.root_moduli: _NUMBERS_OR_NULLS,
}
