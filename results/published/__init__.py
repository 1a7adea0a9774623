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
from results.published.records import (
    Network,
    Paper,
    ProbeQuantity,
    PublishedRow,
    PublishedTable,
    Recipe,
)


class _Published(Mapping[str, PublishedTable]):
    """The tables by name, each read when it is asked for."""

    def __init__(self) -> None:
        self._names = {name: name for name in table_names()}

    def __getitem__(self, name: str) -> PublishedTable:
        return read_table(self._names[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


PUBLISHED: Mapping[str, PublishedTable] = _Published()


def published_table(name: str) -> PublishedTable:
    """The table of this name. Raises UnknownPublishedTableError."""
    try:
        return PUBLISHED[name]
    except KeyError:
        raise UnknownPublishedTableError("published table", name, PUBLISHED) from None


__all__ = [
    "PUBLISHED",
    "Network",
    "Paper",
    "ProbeQuantity",
    "PublishedRow",
    "PublishedTable",
    "Recipe",
    "parse_table",
    "published_table",
]
