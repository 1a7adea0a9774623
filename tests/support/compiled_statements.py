"""SQLAlchemy's compiled statements, kept for all engines of a process.

Each engine keeps its own, and a program has one or two. Tests open thousands, and a quarter of the
time of those about databases was spent on compiling the same statements for each.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, event

MOST = 2000


class CompiledStatements(dict[Any, Any]):
    """By statement and kind of dialect, where SQLAlchemy has the dialect of one engine."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_of_kind(key), default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        if len(self) >= MOST:
            self.clear()
        super().__setitem__(_of_kind(key), compiled)


def _of_kind(key: Any) -> tuple[Any, ...]:
    dialect, *statement = key
    # Where a statement names the default schema, it is the one of the dialect it was compiled for.
    here = (dialect.default_schema_name, dialect.server_version_info, dialect._json_serializer)
    return (type(dialect), *here, *statement)


def share() -> None:
    """Makes every connection from now on use the same ones."""
    compiled = CompiledStatements()

    @event.listens_for(Engine, "engine_connect")
    def use(connection: Connection) -> None:
        connection.execution_options(compiled_cache=compiled)
