"""A database's schema in its own words, to compare schemas that were made in different ways."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Connection, inspect, text

import databases

# What Postgres knows of a schema, each object in its own words.
CATALOGUE = {
    "columns": """
        SELECT c.relname, c.relkind, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod),
            a.attnotnull, a.attcollation::regcollation::text, pg_get_expr(d.adbin, d.adrelid)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = current_schema()::regnamespace AND a.attnum > 0
            AND c.relkind IN ('r', 'v')""",
    "constraints": """
        SELECT conrelid::regclass, conname, contype, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = current_schema()::regnamespace""",
    "indexes": """
        SELECT tablename, indexname, indexdef FROM pg_indexes
        WHERE schemaname = current_schema()""",
    "triggers": """
        SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE c.relnamespace = current_schema()::regnamespace AND NOT t.tgisinternal""",
    "functions": """
        SELECT pg_get_functiondef(oid) FROM pg_proc
        WHERE pronamespace = current_schema()::regnamespace""",
    "views": """
        SELECT viewname, definition FROM pg_views WHERE schemaname = current_schema()""",
    "sequences": """
        SELECT s.relname, d.refobjid::regclass, d.refobjsubid, q.data_type
        FROM pg_class s JOIN pg_depend d ON d.objid = s.oid AND d.deptype = 'a'
        JOIN pg_sequences q ON q.sequencename = s.relname AND q.schemaname = current_schema()
        WHERE s.relnamespace = current_schema()::regnamespace AND s.relkind = 'S'""",
}


def described(connection: Connection) -> dict[str, Any]:
    """The schema as the database itself reports it, whoever made it."""
    if connection.dialect.name == "postgresql":
        name = connection.execute(text("SELECT current_schema()")).scalar_one()
        return {
            kind: sorted(
                repr(tuple(row)).replace(f"{name}.", "") for row in connection.execute(text(query))
            )
            for kind, query in CATALOGUE.items()
        }
    inspector = inspect(connection)
    found: dict[str, Any] = {}
    for table in sorted(inspector.get_table_names()):
        found[table] = {
            "columns": connection.exec_driver_sql(f"PRAGMA table_xinfo({table})").all(),
            # SQLite forgets the names of references.
            "keys": sorted(repr(key | {"name": None}) for key in inspector.get_foreign_keys(table)),
            "primary key": inspector.get_pk_constraint(table),
            "checks": sorted(map(repr, inspector.get_check_constraints(table))),
            "uniques": sorted(map(repr, inspector.get_unique_constraints(table))),
            "collations": set(re.findall(r"COLLATE \w+", sql_of(connection, table))),
        }
    others = connection.exec_driver_sql(
        "SELECT type, name, sql FROM sqlite_master WHERE type <> 'table' ORDER BY type, name"
    ).all()
    found["others"] = [(row.type, row.name, " ".join((row.sql or "").split())) for row in others]
    return found


def sql_of(connection: Connection, table: str) -> str:
    query = text("SELECT sql FROM sqlite_master WHERE name = :name")
    return str(connection.execute(query, {"name": table}).scalar_one())


def described_at(url: str) -> dict[str, Any]:
    engine = databases.plain_engine(url)
    with engine.begin() as connection:
        return described(connection)
