"""Runs of trainers that have no model, dataset or scheme, metrics by name, files, tags and notes.

What such a run has no use for is NULL from now on. What attempts say of code is stored once; those
from before said next to nothing of it, and stay as they are. Trainers of somebody's own may count
beyond 32 bits. A driver says which sweep it works on, and a queued run is in a sweep.
"""

import re

from alembic import op
from sqlalchemy import inspect

revision = "0006"
down_revision = "0005"

OPTIONAL = ("model", "scheme", "depth", "dataset", "trainable", "parameters", "epochs")
NAME = {"sqlite": "VARCHAR", "postgresql": 'VARCHAR COLLATE "C"'}
WITHOUT_ROWID = {"sqlite": " WITHOUT ROWID", "postgresql": ""}
OWN_CODE = {
    "sqlite": """instr(config, '"source"') > 0 OR instr(config, '"plugins"') > 0""",
    "postgresql": "config ->> 'source' IS NOT NULL OR config ->> 'plugins' IS NOT NULL",
}
WIDE = {"sqlite": "INTEGER", "postgresql": "BIGINT"}


def upgrade() -> None:
    """Adds tables and columns, lets columns of a run be NULL, cancels queued runs in no sweep."""
    connection = op.get_bind()
    dialect = connection.dialect.name
    if dialect == "sqlite":
        _make_optional_in_sqlite()
    else:
        for column in OPTIONAL:
            connection.exec_driver_sql(f"ALTER TABLE runs ALTER COLUMN {column} DROP NOT NULL")
        connection.exec_driver_sql("ALTER TABLE attempts ALTER COLUMN first_epoch TYPE BIGINT")
    connection.exec_driver_sql(
        "CREATE TABLE metrics (run_id VARCHAR(16) NOT NULL,"
        f" name {NAME[dialect]} NOT NULL CONSTRAINT ck_metrics_named CHECK (name <> ''),"
        " value FLOAT,"
        " better VARCHAR CONSTRAINT ck_metrics_better CHECK (better IN ('higher', 'lower')),"
        " unit TEXT,"
        " decimals INTEGER CONSTRAINT ck_metrics_decimals CHECK (decimals >= 0),"
        " label TEXT,"
        " CONSTRAINT pk_metrics PRIMARY KEY (run_id, name),"
        " CONSTRAINT fk_metrics_run_id FOREIGN KEY(run_id) REFERENCES runs (run_id))"
        f"{WITHOUT_ROWID[dialect]}"
    )
    connection.exec_driver_sql("CREATE INDEX ix_metrics_name ON metrics (name)")
    connection.exec_driver_sql(
        "CREATE TABLE epoch_metrics (run_id VARCHAR(16) NOT NULL,"
        f" name {NAME[dialect]} NOT NULL CONSTRAINT ck_epoch_metrics_named CHECK (name <> ''),"
        f" epoch {WIDE[dialect]} NOT NULL"
        " CONSTRAINT ck_epoch_metrics_from_0 CHECK (epoch >= 0),"
        " value FLOAT,"
        " CONSTRAINT pk_epoch_metrics PRIMARY KEY (run_id, name, epoch),"
        " CONSTRAINT fk_epoch_metrics_run_id FOREIGN KEY(run_id) REFERENCES runs (run_id))"
        f"{WITHOUT_ROWID[dialect]}"
    )
    connection.exec_driver_sql(
        "CREATE TABLE files (run_id VARCHAR(16) NOT NULL,"
        f" path {NAME[dialect]} NOT NULL CONSTRAINT ck_files_named CHECK (path <> ''),"
        f" size {WIDE[dialect]} NOT NULL CONSTRAINT ck_files_bytes CHECK (size >= 0),"
        " sha256 VARCHAR(64) NOT NULL CONSTRAINT ck_files_digest CHECK (length(sha256) = 64),"
        " CONSTRAINT pk_files PRIMARY KEY (run_id, path),"
        " CONSTRAINT fk_files_run_id FOREIGN KEY(run_id) REFERENCES runs (run_id))"
    )
    connection.exec_driver_sql(
        "CREATE TABLE code_states (sha256 VARCHAR(64) NOT NULL"
        " CONSTRAINT ck_code_states_digest CHECK (length(sha256) = 64),"
        " content JSON NOT NULL,"
        " CONSTRAINT pk_code_states PRIMARY KEY (sha256))"
    )
    for column in ("driver_code", "worker_code"):
        connection.exec_driver_sql(
            f"ALTER TABLE attempts ADD COLUMN {column} VARCHAR(64)"
            f" CONSTRAINT fk_attempts_{column} REFERENCES code_states (sha256)"
        )
    for of, key, kind in (
        ("run", "run_id", "VARCHAR(16)"),
        ("sweep", "sweep_id", "INTEGER"),
    ):
        refers = f"{of}s ({'run_id' if of == 'run' else 'id'})"
        connection.exec_driver_sql(
            f"CREATE TABLE {of}_tags ({key} {kind} NOT NULL,"
            f" tag {NAME[dialect]} NOT NULL CONSTRAINT ck_{of}_tags_named CHECK (tag <> ''),"
            f" CONSTRAINT pk_{of}_tags PRIMARY KEY ({key}, tag),"
            f" CONSTRAINT fk_{of}_tags_{key} FOREIGN KEY({key}) REFERENCES {refers})"
        )
        connection.exec_driver_sql(
            f"CREATE TABLE {of}_notes ({key} {kind} NOT NULL,"
            f" number INTEGER NOT NULL CONSTRAINT ck_{of}_notes_from_1 CHECK (number >= 1),"
            " text TEXT NOT NULL,"
            " created_at FLOAT NOT NULL,"
            f" CONSTRAINT pk_{of}_notes PRIMARY KEY ({key}, number),"
            f" CONSTRAINT fk_{of}_notes_{key} FOREIGN KEY({key}) REFERENCES {refers})"
        )
    connection.exec_driver_sql("ALTER TABLE drivers ADD COLUMN sweep TEXT")
    connection.exec_driver_sql(
        f"CREATE INDEX ix_runs_own_code ON runs (run_id) WHERE {OWN_CODE[dialect]}"
    )
    # An archive says what it said when its hash was taken; importing it cancels such runs.
    if not inspect(connection).has_table("sweep_archive"):
        connection.exec_driver_sql(
            "UPDATE runs SET state = 'cancelled' WHERE state = 'queued'"
            " AND NOT EXISTS (SELECT 1 FROM sweep_runs WHERE sweep_runs.run_id = runs.run_id)"
        )


def _make_optional_in_sqlite() -> None:
    # SQLite cannot change a column. Copying the table would take as long as the table is large,
    # and what changes is in its text alone: https://sqlite.org/lang_altertable.html, section 8.
    connection = op.get_bind()
    text = connection.exec_driver_sql(
        "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'runs'"
    ).scalar_one()
    for column in OPTIONAL:
        text, changed = re.subn(rf"\b({column} [A-Z]+) NOT NULL", r"\1", text)
        if changed != 1:
            raise ValueError(f"the table runs has no column {column} that is not null: {text}")
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.exec_driver_sql(
        "UPDATE sqlite_master SET sql = ? WHERE type = 'table' AND name = 'runs'", (text,)
    )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
