"""A database and an archive that schema 0004 was made with, as programs before the next one left
them: the sweep `ours` was trained there, the sweep `theirs` imported.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, MetaData, create_engine, insert, inspect, select

from results.json_values import to_json
from results.run_columns import PLANNED
from results.schema.tables import metadata

_FOLDER = Path(__file__).parents[1] / "results" / "database" / "schema_0004"


def write(path: Path, name: str) -> Path:
    """The "database" or the "archive" as a SQLite file."""
    with closing(sqlite3.connect(path)) as database, database:
        for statement in _statements(f"{name}.sql"):
            database.execute(statement)
    return path


def fill(connection: Connection, path: Path) -> None:
    """Makes the same database in an empty schema of Postgres as in the SQLite file."""
    for statement in _statements("postgres.sql"):
        connection.exec_driver_sql(statement)
    engine = create_engine(f"sqlite:///{path}", json_serializer=to_json)
    with engine.connect() as source:
        found = MetaData()
        found.reflect(source)
        for table in metadata.sorted_tables:
            if table.name not in found.tables:
                continue
            columns = [table.c[name] for name in found.tables[table.name].c.keys()]  # noqa: SIM118
            rows = [dict(row) for row in source.execute(select(*columns)).mappings()]
            if rows:
                connection.execute(insert(table).values(dict.fromkeys(rows[0])), rows)
    for name in ("sweeps", "drivers"):
        connection.exec_driver_sql(f"SELECT setval('{name}_id_seq', 9)")
    engine.dispose()


def forget_theirs(connection: Connection) -> None:
    """Leaves the sweep that was trained there, and nothing of the other one."""
    of_ours = "(SELECT run_id FROM sweep_runs WHERE sweep_id = 1)"
    for table in ("attempts", "evaluations", "epochs", "probes", "blocks", "sweep_runs"):
        connection.exec_driver_sql(f"DELETE FROM {table} WHERE run_id NOT IN {of_ours}")
    connection.exec_driver_sql(f"DELETE FROM runs WHERE run_id NOT IN {of_ours}")
    for table in ("sweep_evaluations", "sweep_specs"):
        connection.exec_driver_sql(f"DELETE FROM {table} WHERE sweep_id = 2")
    connection.exec_driver_sql("DELETE FROM sweeps WHERE id = 2")


def add_queued(connection: Connection) -> str:
    """Adds a run that waits in the queue, and that no sweep holds; its id."""
    run_id = connection.exec_driver_sql("SELECT min(run_id) FROM runs").scalar_one()
    columns = [column["name"] for column in inspect(connection).get_columns("runs")]
    values = {"run_id": "'f000000000000001'", "state": "'queued'", "attempt": "0"}
    planned = {column.name for column in PLANNED} | {"config", "created_at"}
    kept = [name for name in columns if name in values or name in planned]
    quoted = ", ".join(f'"{name}"' for name in kept)
    copied = ", ".join(values.get(name, f'"{name}"') for name in kept)
    connection.exec_driver_sql(
        f"INSERT INTO runs ({quoted}) SELECT {copied} FROM runs WHERE run_id = '{run_id}'"
    )
    return "f000000000000001"


def _statements(name: str) -> list[str]:
    return (_FOLDER / name).read_text().removesuffix(";\n").split(";\n--\n")
