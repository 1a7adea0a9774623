"""Which runs are replicates: one network, trained with several seeds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from results.records import RunRow

_KEYS = ("model", "dataset", "depth", "epochs", "alpha", "beta", "trainable")


def replicate_key(row: RunRow) -> str:
    """Equal for runs that differ in nothing but their seed.

    `row` is one of `Queries.run_rows`; without `config=True` only what its keys say is compared.
    """
    config = {key: value for key, value in (row.get("config") or {}).items() if key != "seed"}
    label = None if config else row["scheme"]  # a config says the same more exactly
    return identity([[row[key] for key in _KEYS], label, config])


def by_network(rows: Iterable[RunRow]) -> list[list[RunRow]]:
    """The runs in groups that differ in nothing but their seed, in the order of their first."""
    members: dict[str, list[RunRow]] = {}
    for row in rows:
        members.setdefault(replicate_key(row), []).append(row)
    return list(members.values())


def identity(value: Any) -> str:
    """A text that equal JSON values share, and no others: 1 and 1.0 are equal, 1 and true are not.

    Numbers are told apart to the last digit.
    """
    return json.dumps(_as_equal(value), sort_keys=True)


def _as_equal(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _as_equal(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_equal(item) for item in value]
    return value
