"""The tables of the papers as data, with their sources, units and conditions.

    from results.published import PUBLISHED, published_table
    published_table("zerosnet/table3").rows[0].mean     # 77.55, percent

PUBLISHED has every table by the name that a spec's `published:` gives it. `docs/published.md` says
how the numbers came here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from results.errors import UnknownPublishedTableError
from results.published.reading import parse_table, read_table, table_names
from results.published.records import Network, Paper, PublishedRow, PublishedTable
from sweep_plugins import Registry


class _Shipped(Mapping[str, PublishedTable]):
    """The tables of this package by name, each read when it is asked for."""

    def __init__(self) -> None:
        self._names = {name: name for name in table_names()}

    def __getitem__(self, name: str) -> PublishedTable:
        return read_table(self._names[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


PUBLISHED: Registry[PublishedTable] = Registry(
    "published table",
    "sweep.published",
    _Shipped(),
    instance_of=PublishedTable,
    unknown=UnknownPublishedTableError,
)


def published_table(name: str) -> PublishedTable:
    """The table of this name. Raises UnknownPublishedTableError, and PluginError."""
    return PUBLISHED[name]


__all__ = [
    "PUBLISHED",
    "Network",
    "Paper",
    "PublishedRow",
    "PublishedTable",
    "parse_table",
    "published_table",
]
