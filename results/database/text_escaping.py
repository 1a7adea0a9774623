"""Text on its way into a database: escaped where no database, or not every one, can hold it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, event

from results.json_values import storable


def escape_text(engine: Engine) -> None:
    """From now on every text that `engine` sends is `storable`: what is stored, and looked for.

    A traceback or a file name may hold anything, and what a run failed of must not make the
    database fail.
    """
    event.listen(engine, "before_cursor_execute", _escape, retval=True)


def _escape(
    connection: object, cursor: object, statement: str, parameters: Any, *others: object
) -> tuple[str, Any]:
    if isinstance(parameters, list):
        return statement, [_storable_values(row) for row in parameters]
    return statement, _storable_values(parameters)


def _storable_values(row: Any) -> Any:
    # Without a call for each value: an archive has millions.
    if isinstance(row, dict):
        return {name: storable(v) if isinstance(v, str) else v for name, v in row.items()}
    return tuple([storable(v) if isinstance(v, str) else v for v in row])
