"""What attempts say of code, from where it is stored once."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from results.database.dialects import is_one_of
from results.schema.tables import CODE_OF_ATTEMPTS, code_states


def add_code_states(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Makes `provenance` of these rows of `attempts` whole, in place of what they refer to."""
    named = {row[c.name] for row in rows for c in CODE_OF_ATTEMPTS} - {None}
    these = is_one_of(connection.dialect.name, code_states.c.sha256, named)
    query = select(code_states.c.sha256, code_states.c.content).where(these)
    contents = {row.sha256: row.content for row in connection.execute(query)}
    for row in rows:
        for column in CODE_OF_ATTEMPTS:
            sha256 = row.pop(column.name)
            if sha256 is not None:
                row["provenance"] = {**row["provenance"], **contents[sha256]}
