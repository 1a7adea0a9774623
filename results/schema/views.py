"""Read-only views for other programs: psql, DBeaver, DuckDB, pandas, Grafana.

`runs_flat` has one row a run, `evaluations_flat` one row a measurement, `attempts_flat` one row
an execution of a run, `metrics_flat` one row a metric that a trainer reported by name,
`epoch_metrics_flat` one row a value of it, `probes_flat` one row a value of a probe, `blocks_flat`
one row a block with learned coefficients. docs/database.md describes every column.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection
from sqlalchemy.sql.compiler import RESERVED_WORDS

from results.run_columns import IDENTIFYING, MEASURED, OF_SCHEME, PLANNED, RUN_COLUMNS, RunColumn
from results.schema.bounds import MOMENT

NAMES = (
    "runs_flat",
    "evaluations_flat",
    "attempts_flat",
    "metrics_flat",
    "epoch_metrics_flat",
    "probes_flat",
    "blocks_flat",
)

_REPEATED = tuple(column for column in RUN_COLUMNS if column.repeated)


_TAGS = (
    "SELECT rt.tag FROM run_tags rt WHERE rt.run_id = r.run_id"
    " UNION SELECT st.tag FROM sweep_tags st JOIN sweep_runs sr ON sr.sweep_id = st.sweep_id"
    " WHERE sr.run_id = r.run_id"
)


def create_views(connection: Connection) -> None:
    """Makes the views; they must not exist."""
    for statement in view_statements(connection.dialect.name):
        connection.exec_driver_sql(statement)


def drop_views(connection: Connection) -> None:
    """Removes those of the views that are there."""
    for name in NAMES:
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")


def view_statements(dialect: str) -> list[str]:
    """The statements that make the views, for "sqlite" or "postgresql"."""
    # The scheme is each block's own, and every one of them is trainable.
    of_block = (c for c in _REPEATED if not c.of_scheme and c.name != "trainable")
    statements = (
        _runs_flat(dialect),
        f"""
CREATE VIEW evaluations_flat AS
SELECT
    e.run_id, e.evaluation_id, c.name AS evaluation, c.kind, c.level, e.accuracy, e.loss,
    r.test_accuracy - e.accuracy AS accuracy_lost, (e.import_id IS NOT NULL) AS imported,
    {_of_run(_REPEATED)}, r.test_accuracy, r.imported AS run_imported
FROM evaluations e
JOIN evaluation_configs c ON c.evaluation_id = e.evaluation_id
JOIN runs r ON r.run_id = e.run_id
""",
        f"""
CREATE VIEW attempts_flat AS
SELECT
    a.run_id, a.attempt, a.state, a.fault, a.error,
    {_of_run(IDENTIFYING)}, r.state AS run_state,
    a.host, a.device, a.git_commit, a.storage, a.first_epoch, i.file AS imported_from,
    d.host AS driver_host, d.pid AS driver_pid,
    {_moment(dialect, "a.started_at")} AS started_at,
    {_moment(dialect, "a.finished_at")} AS finished_at,
    a.finished_at - a.started_at AS seconds
FROM attempts a
JOIN runs r ON r.run_id = a.run_id
LEFT JOIN drivers d ON d.id = a.driver_id
LEFT JOIN imports i ON i.id = a.import_id
""",
        f"""
CREATE VIEW metrics_flat AS
SELECT
    m.run_id, m.name AS metric, m.value, m.better, m.unit, m.decimals, m.label,
    {_of_run(_REPEATED)}, r.diverged, r.imported
FROM metrics m
JOIN runs r ON r.run_id = m.run_id
""",
        f"""
CREATE VIEW epoch_metrics_flat AS
SELECT
    m.run_id, m.name AS metric, m.epoch, m.value,
    {_of_run(_REPEATED)}, r.state, r.imported
FROM epoch_metrics m
JOIN runs r ON r.run_id = m.run_id
""",
        f"""
CREATE VIEW probes_flat AS
SELECT
    p.run_id, p.probe, p.quantity, p.epoch, p.layer, p.value,
    {_of_run(_REPEATED)}, r.diverged, r.test_accuracy, r.imported
FROM probes p
JOIN runs r ON r.run_id = p.run_id
""",
        f"""
CREATE VIEW blocks_flat AS
SELECT
    b.run_id, b.block, {_of_run(OF_SCHEME, "b")},
    {_of_run(of_block)}, r.diverged, r.test_accuracy, r.imported
FROM blocks b
JOIN runs r ON r.run_id = b.run_id
""",
    )
    return [statement.strip() for statement in statements]


def _runs_flat(dialect: str) -> str:
    # One config with something else in this place must not make the whole view fail.
    def whole(path: str) -> str:
        if dialect == "sqlite":
            return f"CASE json_type({_at(path)}) WHEN 'integer' THEN json_extract({_at(path)}) END"
        return (
            f"CASE WHEN {_kind(path)} = 'number' AND {_said(path)} ~ '^-?[0-9]{{1,18}}$'"
            f" THEN CAST({_said(path)} AS bigint) END"
        )

    def number(path: str) -> str:
        if dialect == "sqlite":
            return (
                f"CASE WHEN json_type({_at(path)}) IN ('integer', 'real')"
                f" THEN CAST(json_extract({_at(path)}) AS REAL) END"
            )
        return (
            f"CASE WHEN {_kind(path)} = 'number' THEN CAST({_said(path)} AS double precision) END"
        )

    if dialect == "sqlite":
        precision = f"json_extract({_at('precision')})"
        # The inner query orders what group_concat joins; aggregates take no order before 3.44.
        sweeps = (
            "(SELECT group_concat(name, ',') FROM (SELECT s.name AS name FROM sweep_runs sr"
            " JOIN sweeps s ON s.id = sr.sweep_id WHERE sr.run_id = r.run_id ORDER BY s.id))"
        )
        tags = f"(SELECT group_concat(tag, ',') FROM (SELECT tag FROM ({_TAGS}) ORDER BY tag))"
    else:
        precision = _said("precision")
        sweeps = (
            "(SELECT string_agg(s.name, ',' ORDER BY s.id) FROM sweep_runs sr"
            " JOIN sweeps s ON s.id = sr.sweep_id WHERE sr.run_id = r.run_id)"
        )
        tags = f"(SELECT string_agg(tag, ',' ORDER BY tag) FROM ({_TAGS}) AS t)"
    of_config = {
        "dataset": [f"{whole('dataset.subset')} AS dataset_subset"],
        "parameters": [f"{precision} AS precision"],
        "epochs": [
            f"{whole('training.batch_size')} AS batch_size",
            f"{number('training.optimizer.lr')} AS learning_rate",
            f"{number('training.optimizer.momentum')} AS momentum",
            f"{number('training.optimizer.weight_decay')} AS weight_decay",
        ],
    }
    planned = [part for c in PLANNED for part in (_of_run([c]), *of_config.get(c.name, ()))]
    return f"""
CREATE VIEW runs_flat AS
SELECT
    r.run_id, {sweeps} AS sweeps, {tags} AS tags, r.state,
    {", ".join(planned)},
    {_of_run(c for c in _measured() if c.kind not in ("text", "list"))},
    r.attempt AS attempts, r.imported, i.file AS imported_from, a.host, a.device, a.git_commit,
    {_of_run(c for c in _measured() if c.kind == "text")}, r.error,
    {_moment(dialect, "r.created_at")} AS created_at,
    {_moment(dialect, "r.finished_at")} AS finished_at
FROM runs r
LEFT JOIN attempts a ON a.run_id = r.run_id AND a.attempt = r.attempt
LEFT JOIN imports i ON i.id = a.import_id
"""


def _measured() -> list[RunColumn]:
    """In the order that the view has had from the start, in which the losses are the other way."""
    place = {column.name: index for index, column in enumerate(MEASURED)}
    place["test_loss"], place["train_loss"] = place["train_loss"], place["test_loss"]
    return sorted(MEASURED, key=lambda column: place[column.name])


def _of_run(columns: Iterable[RunColumn], table: str = "r") -> str:
    quoted = (f'"{c.name}"' if c.name in RESERVED_WORDS else c.name for c in columns)
    return ", ".join(f"{table}.{name}" for name in quoted)


def _moment(dialect: str, column: str) -> str:
    if dialect == "sqlite":
        return f"strftime('%Y-%m-%dT%H:%M:%fZ', {column}, 'unixepoch')"
    # It fails for a time that no calendar has, and one such row would fail the whole view.
    low, high = MOMENT
    return f"CASE WHEN {column} BETWEEN {low} AND {high} THEN to_timestamp({column}) END"


def _at(path: str) -> str:
    return f"r.config, '$.{path}'"


def _kind(path: str) -> str:
    return f"json_typeof(r.config #> '{{{path.replace('.', ',')}}}')"


def _said(path: str) -> str:
    return f"r.config #>> '{{{path.replace('.', ',')}}}'"
