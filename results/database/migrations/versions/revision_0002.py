"""Typed columns of an attempt's provenance, the published table of a spec, views, indexes."""

from __future__ import annotations

import json
import re

from alembic import op
from sqlalchemy import text

revision = "0002"
down_revision = "0001"

_COLUMNS = (
    "ALTER TABLE attempts ADD COLUMN host TEXT",
    "ALTER TABLE attempts ADD COLUMN device TEXT",
    "ALTER TABLE attempts ADD COLUMN git_commit TEXT",
    "ALTER TABLE sweep_specs ADD COLUMN published TEXT",
)

_FILL = {
    "sqlite": (
        "UPDATE attempts SET host = json_extract(provenance, '$.host'),"
        " device = json_extract(provenance, '$.device'),"
        " git_commit = json_extract(provenance, '$.git_commit')"
    ),
    "postgresql": (
        "UPDATE attempts SET host = provenance ->> 'host', device = provenance ->> 'device',"
        " git_commit = provenance ->> 'git_commit'"
    ),
}

# SQLite keeps a table in the order of its key only if it was made so.
_REBUILT = {
    "epochs": """
CREATE TABLE new_epochs (
    run_id VARCHAR(16) NOT NULL,
    epoch INTEGER NOT NULL CONSTRAINT ck_epochs_from_1 CHECK (epoch >= 1),
    learning_rate FLOAT,
    train_loss FLOAT,
    train_accuracy FLOAT,
    test_loss FLOAT,
    test_accuracy FLOAT,
    seconds FLOAT,
    CONSTRAINT pk_epochs PRIMARY KEY (run_id, epoch),
    CONSTRAINT ck_epochs_train_accuracy_percent CHECK (train_accuracy BETWEEN 0 AND 100),
    CONSTRAINT ck_epochs_test_accuracy_percent CHECK (test_accuracy BETWEEN 0 AND 100),
    CONSTRAINT fk_epochs_run_id FOREIGN KEY(run_id) REFERENCES runs (run_id)
) WITHOUT ROWID
""",
    "evaluations": """
CREATE TABLE new_evaluations (
    run_id VARCHAR(16) NOT NULL,
    evaluation_id VARCHAR(16) NOT NULL,
    accuracy FLOAT,
    loss FLOAT,
    CONSTRAINT pk_evaluations PRIMARY KEY (run_id, evaluation_id),
    CONSTRAINT ck_evaluations_accuracy_percent CHECK (accuracy BETWEEN 0 AND 100),
    CONSTRAINT fk_evaluations_run_id FOREIGN KEY(run_id) REFERENCES runs (run_id),
    CONSTRAINT fk_evaluations_evaluation_id FOREIGN KEY(evaluation_id)
        REFERENCES evaluation_configs (evaluation_id)
) WITHOUT ROWID
""",
}

_INDEXES = (
    "CREATE INDEX ix_runs_zero_stable_depth ON runs (zero_stable, depth)",
    "CREATE INDEX ix_runs_dataset_model_depth ON runs (dataset, model, depth)",
    "CREATE INDEX ix_runs_finished_at ON runs (finished_at)",
)


def _whole_sqlite(path: str) -> str:
    at = f"r.config, '$.{path}'"
    return f"CASE json_type({at}) WHEN 'integer' THEN json_extract({at}) END"


def _number_sqlite(path: str) -> str:
    at = f"r.config, '$.{path}'"
    real = f"CAST(json_extract({at}) AS REAL)"
    return f"CASE WHEN json_type({at}) IN ('integer', 'real') THEN {real} END"


def _whole_postgres(path: str) -> str:
    at = "'{" + path.replace(".", ",") + "}'"
    said = f"r.config #>> {at}"
    is_whole = f"json_typeof(r.config #> {at}) = 'number' AND {said} ~ '^-?[0-9]{{1,18}}$'"
    return f"CASE WHEN {is_whole} THEN CAST({said} AS bigint) END"


def _number_postgres(path: str) -> str:
    at = "'{" + path.replace(".", ",") + "}'"
    number = f"CAST(r.config #>> {at} AS double precision)"
    return f"CASE WHEN json_typeof(r.config #> {at}) = 'number' THEN {number} END"


_CONFIG = {
    "sqlite": {
        "subset": _whole_sqlite("dataset.subset"),
        "precision": "json_extract(r.config, '$.precision')",
        "batch_size": _whole_sqlite("training.batch_size"),
        "lr": _number_sqlite("training.optimizer.lr"),
        "momentum": _number_sqlite("training.optimizer.momentum"),
        "weight_decay": _number_sqlite("training.optimizer.weight_decay"),
        "created_at": "strftime('%Y-%m-%dT%H:%M:%fZ', r.created_at, 'unixepoch')",
        "finished_at": "strftime('%Y-%m-%dT%H:%M:%fZ', r.finished_at, 'unixepoch')",
        "sweeps": (
            "(SELECT group_concat(name, ',') FROM (SELECT s.name AS name FROM sweep_runs sr"
            " JOIN sweeps s ON s.id = sr.sweep_id WHERE sr.run_id = r.run_id ORDER BY s.id))"
        ),
    },
    "postgresql": {
        "subset": _whole_postgres("dataset.subset"),
        "precision": "r.config #>> '{precision}'",
        "batch_size": _whole_postgres("training.batch_size"),
        "lr": _number_postgres("training.optimizer.lr"),
        "momentum": _number_postgres("training.optimizer.momentum"),
        "weight_decay": _number_postgres("training.optimizer.weight_decay"),
        "created_at": "to_timestamp(r.created_at)",
        "finished_at": "to_timestamp(r.finished_at)",
        "sweeps": (
            "(SELECT string_agg(s.name, ',' ORDER BY s.id) FROM sweep_runs sr"
            " JOIN sweeps s ON s.id = sr.sweep_id WHERE sr.run_id = r.run_id)"
        ),
    },
}

_RUNS_FLAT = """
CREATE VIEW runs_flat AS
SELECT
    r.run_id, {sweeps} AS sweeps, r.state, r.model, r.scheme, r.depth, r.dataset,
    {subset} AS dataset_subset, r.seed,
    r.alpha, r.beta, r.trainable, r.root_moduli, r.max_root_modulus, r.zero_stable,
    r.consistent, r."order", r.parameters,
    {precision} AS precision, r.epochs,
    {batch_size} AS batch_size,
    {lr} AS learning_rate,
    {momentum} AS momentum,
    {weight_decay} AS weight_decay,
    r.test_accuracy, r.best_test_accuracy, r.best_epoch, r.train_accuracy, r.generalization_gap,
    r.test_loss, r.train_loss, r.diverged, r.diverged_epoch,
    r.train_seconds, r.images_per_second, r.attempt AS attempts,
    a.host, a.device, a.git_commit, r.weights_sha256, r.error,
    {created_at} AS created_at, {finished_at} AS finished_at
FROM runs r
LEFT JOIN attempts a ON a.run_id = r.run_id AND a.attempt = r.attempt
""".strip()

_EVALUATIONS_FLAT = """
CREATE VIEW evaluations_flat AS
SELECT
    e.run_id, e.evaluation_id, c.name AS evaluation, c.kind, c.level, e.accuracy, e.loss,
    r.test_accuracy - e.accuracy AS accuracy_lost,
    r.model, r.scheme, r.depth, r.dataset, r.seed, r.trainable, r.max_root_modulus,
    r.zero_stable, r.consistent, r."order", r.parameters, r.epochs, r.test_accuracy
FROM evaluations e
JOIN evaluation_configs c ON c.evaluation_id = e.evaluation_id
JOIN runs r ON r.run_id = e.run_id
""".strip()


def upgrade() -> None:
    connection = op.get_bind()
    dialect = connection.dialect.name
    for statement in (*_COLUMNS, _FILL[dialect], *_INDEXES):
        connection.exec_driver_sql(statement)
    if dialect == "sqlite":
        for table, statement in _REBUILT.items():
            connection.exec_driver_sql(statement)
            connection.exec_driver_sql(
                f"INSERT INTO new_{table} SELECT * FROM {table} ORDER BY 1, 2"
            )
            connection.exec_driver_sql(f"DROP TABLE {table}")
            connection.exec_driver_sql(f"ALTER TABLE new_{table} RENAME TO {table}")
        connection.exec_driver_sql(
            "CREATE INDEX ix_evaluations_evaluation_id ON evaluations (evaluation_id)"
        )
    rows = connection.execute(text("SELECT sweep_id, version, text, overrides FROM sweep_specs"))
    for row in rows.all():
        overrides = row.overrides if isinstance(row.overrides, list) else json.loads(row.overrides)
        name = _published(row.text, overrides)
        if name is not None:
            connection.execute(
                text(
                    "UPDATE sweep_specs SET published = :name WHERE sweep_id = :id AND version = :v"
                ),
                {"name": name, "id": row.sweep_id, "v": row.version},
            )
    connection.exec_driver_sql(_RUNS_FLAT.format(**_CONFIG[dialect]))
    connection.exec_driver_sql(_EVALUATIONS_FLAT)
    if dialect == "sqlite":
        connection.exec_driver_sql("PRAGMA user_version = 2")


def _published(spec: str, overrides: list[str]) -> str | None:
    """The spec's `published`, which is a name without spaces at the left margin, if any."""
    found = re.search(r"^published:[ \t]*[\"']?([\w./-]+)", spec, re.MULTILINE)
    name = found[1] if found else None
    for override in overrides:
        path, _, value = override.partition("=")
        if path == "published":
            name = None if value in ("null", "~", "") else value
    return name
