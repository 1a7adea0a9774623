"""The scheme of a run as queries find it: by its config, which has every digit.

The column `runs.scheme` has the label that the run was planned with; that of an earlier version has
six digits, so that two schemes may share it.
"""

from __future__ import annotations

import json
from functools import lru_cache

from sqlalchemy import ColumnElement, case

from results.queries.config_sql import config_text, json_type
from results.schema.tables import runs
from sweep_plugins.schemes.scheme_label import scheme_label


def scheme_column(dialect: str) -> ColumnElement[str]:
    """The scheme in the config, as JSON; the stored label if there is none."""
    in_config = json_type(dialect, ["scheme"]) == "object"
    return case((in_config, config_text(dialect, ["scheme"])), else_=runs.c.scheme)


@lru_cache(maxsize=1 << 16)
def scheme_of(stored: str | None) -> str | None:
    """The label of what `scheme_column` gave."""
    if stored is None or not stored.lstrip().startswith("{"):
        return stored
    try:
        return scheme_label(json.loads(stored))
    except (ValueError, RecursionError):
        return stored
