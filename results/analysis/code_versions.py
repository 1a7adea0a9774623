"""How many versions of somebody's own code are among the runs of a group.

The code of a trainer or plug-in is part of what a run is, so that runs before and after an edit
are different runs: whose numbers a group by other keys puts together.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, FromClause, literal, or_, select

from results.analysis.group_statistics import Keys
from results.queries.columns import StoredColumn
from results.queries.config_sql import config_text
from results.queries.selection import Selection
from results.schema.tables import MAY_HAVE_OWN_CODE, runs


class Code(NamedTuple):
    """What the config of a run says of it, as JSON texts; None where it says nothing."""

    trainer: str | None
    source: str | None
    plugins: str | None


def codes_of_groups(
    connection: Connection,
    selection: Selection,
    filters: Sequence[ColumnElement[bool]],
    keys: Sequence[StoredColumn],
) -> dict[Keys, set[Code]]:
    """The different codes of the done runs that pass the filters, by groups.

    Empty where none of them has code of somebody's own, or all have the same.
    """
    done = [runs.c.state == "done", *selection.holds(runs.c.run_id), *filters]
    code = [config_text(connection.dialect.name, [name]) for name in Code._fields]
    _, source, plugins = code
    # Without the index, every config would be read.
    may_have = select(runs.c.run_id).where(MAY_HAVE_OWN_CODE[connection.dialect.name])
    has = or_(source.is_not(None), plugins.is_not(None))
    own = select(literal(1)).where(runs.c.run_id.in_(may_have.correlate(None)), has, *done)
    if connection.scalar(own.limit(1)) is None:
        return {}
    of_all = connection.execute(select(*code).where(*done).distinct())
    if not versions(map(Code._make, of_all)):
        return {}
    table: FromClause = runs
    for of_runs in (key.memberships for key in keys if key.memberships is not None):
        table = table.outerjoin(of_runs, of_runs.c.run_id == runs.c.run_id)
    query = select(*(key.sql for key in keys), *code).select_from(table).where(*done).distinct()
    found: dict[Keys, set[Code]] = defaultdict(set)
    for row in connection.execute(query):
        found[tuple(row[: len(keys)])].add(Code._make(row[len(keys) :]))
    return found


def versions(codes: Iterable[Code]) -> dict[str, int]:
    """How many versions there are among these, where there are several, by the key to group by.

    Such as {"source": 2, "plugins.model plain": 3}: of any one trainer's code, and of a plug-in's.
    """
    found: dict[tuple[str, str | None], set[Any]] = defaultdict(set)
    for code in codes:
        found["source", code.trainer].add(code.source)
        for name, digest in _object(code.plugins).items():
            found[f"plugins.{name}", None].add(digest)
    counts: dict[str, int] = {}
    for (key, _), digests in found.items():
        if len(digests) > 1:
            counts[key] = max(len(digests), counts.get(key, 0))
    return counts


def _object(text: str | None) -> Mapping[str, Any]:
    value = None if text is None else json.loads(text)
    return value if isinstance(value, dict) else {}
