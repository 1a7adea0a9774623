"""The tables of the papers as data, with their sources, units and conditions.

    from results.published import PUBLISHED, published_table
    published_table("zerosnet/table3").rows[0].mean     # 77.55, percent

PUBLISHED has every table by the name that a spec's `published:` gives it. `docs/published.md` says
how the numbers came here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from results.errors import UnknownPublishedTableError
from results.published import lm_resnet, newton, tm_resnet, zerosnet
from results.published.records import (
    Measure,
    Network,
    Paper,
    ProbeQuantity,
    PublishedRow,
    PublishedTable,
    Recipe,
)

PUBLISHED: Mapping[str, PublishedTable] = MappingProxyType(
    {
        table.name: table
        for tables in (zerosnet.TABLES, lm_resnet.TABLES, newton.TABLES, tm_resnet.TABLES)
        for table in tables
    }
)


def published_table(name: str) -> PublishedTable:
    """The table of this name. Raises UnknownPublishedTableError."""
    try:
        return PUBLISHED[name]
    except KeyError:
        raise UnknownPublishedTableError(name, PUBLISHED) from None


__all__ = [
    "PUBLISHED",
    "Measure",
    "Network",
    "Paper",
    "ProbeQuantity",
    "PublishedRow",
    "PublishedTable",
    "Recipe",
    "published_table",
]
