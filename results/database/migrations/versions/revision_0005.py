"""Which rows an archive brought, and which archive.

Until now nothing said so, but an attempt that no driver of this database made. What it ended in,
and what was measured of it, is taken for imported; so are sweeps of which no driver has tried a
run. Of the archive nothing is known.
"""

from alembic import op

revision = "0005"
down_revision = "0004"

ID = {"sqlite": "INTEGER", "postgresql": "SERIAL"}
FLAG = {
    "sqlite": "DEFAULT 0 NOT NULL CONSTRAINT ck_runs_imported_flag CHECK (imported IN (0, 1))",
    "postgresql": "DEFAULT false NOT NULL",
}
# A done run is final, but for this.
OPEN = {
    "sqlite": "DROP TRIGGER done_is_final",
    "postgresql": "ALTER TABLE runs DISABLE TRIGGER done_is_final",
}
CLOSE = {
    "sqlite": "CREATE TRIGGER done_is_final BEFORE UPDATE ON runs WHEN OLD.state = 'done'"
    " BEGIN SELECT RAISE(ABORT, 'a done run is final'); END",
    "postgresql": "ALTER TABLE runs ENABLE TRIGGER done_is_final",
}
NEXT_ID = {
    "sqlite": "SELECT 1",
    "postgresql": "SELECT setval('imports_id_seq', 1) FROM imports",
}

_BROUGHT = "driver_id IS NULL AND state <> 'running'"
_NEVER_TRIED = (
    "NOT EXISTS (SELECT 1 FROM sweep_runs sr JOIN attempts a ON a.run_id = sr.run_id"
    " WHERE sr.sweep_id = sweeps.id AND a.driver_id IS NOT NULL)"
)
MARKS = (
    "INSERT INTO imports (id, file) SELECT 1, 'an archive (not known which)'"
    f" WHERE EXISTS (SELECT 1 FROM attempts WHERE {_BROUGHT})"
    f" OR EXISTS (SELECT 1 FROM sweeps WHERE {_NEVER_TRIED})",
    f"UPDATE sweeps SET import_id = 1 WHERE {_NEVER_TRIED}",
    f"UPDATE attempts SET import_id = 1 WHERE {_BROUGHT}",
    "UPDATE runs SET imported = true WHERE EXISTS (SELECT 1 FROM attempts a"
    " WHERE a.run_id = runs.run_id AND a.attempt = runs.attempt AND a.import_id IS NOT NULL)",
    "UPDATE evaluations SET import_id = 1 WHERE EXISTS (SELECT 1 FROM runs r"
    " WHERE r.run_id = evaluations.run_id AND r.imported)",
)


def _import_id(table: str) -> str:
    return (
        f"ALTER TABLE {table} ADD COLUMN import_id INTEGER"
        f" CONSTRAINT fk_{table}_import_id REFERENCES imports (id)"
    )


def upgrade() -> None:
    """Adds the table `imports` and what refers to it, and marks what is known to be imported."""
    connection = op.get_bind()
    dialect = connection.dialect.name
    for statement in (
        f"CREATE TABLE imports (id {ID[dialect]} NOT NULL, file TEXT NOT NULL,"
        " content_sha256 VARCHAR, exported_at FLOAT, imported_at FLOAT,"
        " CONSTRAINT pk_imports PRIMARY KEY (id))",
        *map(_import_id, ("sweeps", "attempts", "evaluations")),
        f"ALTER TABLE runs ADD COLUMN imported BOOLEAN {FLAG[dialect]}",
        OPEN[dialect],
        *MARKS,
        CLOSE[dialect],
        NEXT_ID[dialect],
    ):
        connection.exec_driver_sql(statement)
