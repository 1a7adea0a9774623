"""Drivers with leases, kinds of faults, where an attempt's files lie, cancelled attempts."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Connection

revision = "0003"
down_revision = "0002"

_SERIAL = {"sqlite": "INTEGER", "postgresql": "SERIAL"}

_DRIVERS = """
CREATE TABLE drivers (
    id {serial} NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    started_at FLOAT NOT NULL,
    lease_until FLOAT NOT NULL,
    ended_at FLOAT,
    CONSTRAINT pk_drivers PRIMARY KEY (id)
)
"""

_RETRIED_AFTER = (
    "ALTER TABLE runs ADD COLUMN retried_after INTEGER DEFAULT '0' NOT NULL"
    " CONSTRAINT ck_runs_retried_after CHECK (retried_after >= 0)"
)

_STATE = "state IN ('running', 'done', 'failed', 'lost', 'interrupted', 'cancelled')"
_FAULT = (
    "fault IN ('trainer_error', 'out_of_memory', 'worker_lost', 'hung', 'driver_lost', 'stopped')"
)
_FAULT_ENDED_IT = "fault IS NULL OR state IN ('failed', 'lost', 'interrupted')"

_ALTER_ATTEMPTS = (
    "ALTER TABLE attempts"
    " ADD COLUMN driver_id INTEGER"
    " CONSTRAINT fk_attempts_driver_id REFERENCES drivers (id),"
    " ADD COLUMN fault TEXT,"
    " ADD COLUMN storage TEXT,"
    " DROP CONSTRAINT ck_attempts_state,"
    f" ADD CONSTRAINT ck_attempts_state CHECK ({_STATE}),"
    f" ADD CONSTRAINT ck_attempts_fault CHECK ({_FAULT}),"
    f" ADD CONSTRAINT ck_attempts_fault_ended_it CHECK ({_FAULT_ENDED_IT})"
)

# SQLite changes a constraint by making the table anew.
_NEW_ATTEMPTS = f"""
CREATE TABLE new_attempts (
    run_id VARCHAR(16) NOT NULL,
    attempt INTEGER NOT NULL CONSTRAINT ck_attempts_from_1 CHECK (attempt >= 1),
    state VARCHAR NOT NULL,
    started_at FLOAT NOT NULL,
    finished_at FLOAT,
    first_epoch INTEGER,
    error TEXT,
    traceback TEXT,
    provenance JSON NOT NULL,
    host TEXT,
    device TEXT,
    git_commit TEXT,
    driver_id INTEGER,
    fault TEXT,
    storage TEXT,
    CONSTRAINT pk_attempts PRIMARY KEY (run_id, attempt),
    CONSTRAINT ck_attempts_state CHECK ({_STATE}),
    CONSTRAINT ck_attempts_finished_has_time CHECK ((state = 'running') = (finished_at IS NULL)),
    CONSTRAINT ck_attempts_fault CHECK ({_FAULT}),
    CONSTRAINT ck_attempts_fault_ended_it CHECK ({_FAULT_ENDED_IT}),
    CONSTRAINT fk_attempts_run_id FOREIGN KEY(run_id) REFERENCES runs (run_id),
    CONSTRAINT fk_attempts_driver_id FOREIGN KEY(driver_id) REFERENCES drivers (id)
)
"""
_KEPT = (
    "run_id, attempt, state, started_at, finished_at, first_epoch, error, traceback, provenance,"
    " host, device, git_commit"
)
_RUNNING = "CREATE UNIQUE INDEX uq_attempts_running ON attempts (run_id) WHERE state = 'running'"

_MOMENT = {
    "sqlite": "strftime('%Y-%m-%dT%H:%M:%fZ', {}, 'unixepoch')",
    "postgresql": "to_timestamp({})",
}

_ATTEMPTS_FLAT = """
CREATE VIEW attempts_flat AS
SELECT
    a.run_id, a.attempt, a.state, a.fault, a.error,
    r.model, r.scheme, r.depth, r.dataset, r.seed, r.state AS run_state,
    a.host, a.device, a.git_commit, a.storage, a.first_epoch,
    d.host AS driver_host, d.pid AS driver_pid,
    {started_at} AS started_at,
    {finished_at} AS finished_at,
    a.finished_at - a.started_at AS seconds
FROM attempts a
JOIN runs r ON r.run_id = a.run_id
LEFT JOIN drivers d ON d.id = a.driver_id
""".strip()


def upgrade() -> None:
    connection = op.get_bind()
    dialect = connection.dialect.name
    connection.exec_driver_sql(_DRIVERS.format(serial=_SERIAL[dialect]))
    connection.exec_driver_sql(_RETRIED_AFTER)
    if dialect == "sqlite":
        _make_attempts_anew(connection)
    else:
        connection.exec_driver_sql(_ALTER_ATTEMPTS)
    moment = _MOMENT[dialect]
    moments = {name: moment.format(f"a.{name}") for name in ("started_at", "finished_at")}
    connection.exec_driver_sql(_ATTEMPTS_FLAT.format(**moments))
    if dialect == "sqlite":
        connection.exec_driver_sql("PRAGMA user_version = 3")


def _make_attempts_anew(connection: Connection) -> None:
    # A table that a view names cannot be replaced under it.
    views = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE type = 'view' ORDER BY rowid"
    ).all()
    for view in views:
        connection.exec_driver_sql(f'DROP VIEW "{view.name}"')
    connection.exec_driver_sql(_NEW_ATTEMPTS)
    connection.exec_driver_sql(
        f"INSERT INTO new_attempts ({_KEPT}) SELECT {_KEPT} FROM attempts ORDER BY rowid"
    )
    connection.exec_driver_sql("DROP TABLE attempts")
    connection.exec_driver_sql("ALTER TABLE new_attempts RENAME TO attempts")
    connection.exec_driver_sql(_RUNNING)
    for view in views:
        connection.exec_driver_sql(view.sql)
