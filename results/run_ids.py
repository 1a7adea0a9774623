"""Runs by their ids, or by as much of the start of an id as names one run."""

from __future__ import annotations

import re

from sqlalchemy import Connection, select

from results.errors import UnknownRunError
from results.schema.tables import runs


def full_run_id(connection: Connection, start: str) -> str:
    """The 16 hex digits of the one run whose id starts so; raises UnknownRunError."""
    digits = start.lower()
    if not re.fullmatch(r"[0-9a-f]{1,16}", digits):
        raise UnknownRunError(start)
    query = select(runs.c.run_id).where(runs.c.run_id.startswith(digits)).order_by(runs.c.run_id)
    found = list(connection.execute(query).scalars())
    if len(found) != 1:
        raise UnknownRunError(start, found)
    return str(found[0])
