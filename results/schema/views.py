"""Read-only views for other programs: psql, DBeaver, DuckDB, pandas, Grafana.

`runs_flat` has one row a run, `evaluations_flat` one row a measurement, `attempts_flat` one row
an execution of a run, `probes_flat` one row a value of a probe, `blocks_flat` one row a block with
learned coefficients. docs/database.md describes every column.
"""

from __future__ import annotations

from sqlalchemy import Connection

NAMES = ("runs_flat", "evaluations_flat", "attempts_flat", "probes_flat", "blocks_flat")


_PROBES_FLAT = """
CREATE VIEW probes_flat AS
SELECT
    p.run_id, p.probe, p.quantity, p.epoch, p.layer, p.value,
    r.model, r.scheme, r.depth, r.dataset, r.seed, r.trainable, r.max_root_modulus,
    r.zero_stable, r.consistent, r."order", r.parameters, r.epochs, r.diverged, r.test_accuracy
FROM probes p
JOIN runs r ON r.run_id = p.run_id
""".strip()

_BLOCKS_FLAT = """
CREATE VIEW blocks_flat AS
SELECT
    b.run_id, b.block, b.alpha, b.beta, b.root_moduli, b.max_root_modulus, b.zero_stable,
    b.consistent, b."order",
    r.model, r.scheme, r.depth, r.dataset, r.seed, r.parameters, r.epochs, r.diverged,
    r.test_accuracy
FROM blocks b
JOIN runs r ON r.run_id = b.run_id
""".strip()


def create_views(connection: Connection) -> None:
    """Makes the views; they must not exist."""
    for statement in view_statements(connection.dialect.name):
        connection.exec_driver_sql(statement)


def view_statements(dialect: str) -> list[str]:
    """The statements that make the views, for "sqlite" or "postgresql"."""
    return [
        _runs_flat(dialect),
        _evaluations_flat(),
        _attempts_flat(dialect),
        _PROBES_FLAT,
        _BLOCKS_FLAT,
    ]


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

    def words(path: str) -> str:
        return f"json_extract({_at(path)})" if dialect == "sqlite" else _said(path)

    if dialect == "sqlite":
        # The inner query orders what group_concat joins; aggregates take no order before 3.44.
        sweeps = (
            "(SELECT group_concat(name, ',') FROM (SELECT s.name AS name FROM sweep_runs sr"
            " JOIN sweeps s ON s.id = sr.sweep_id WHERE sr.run_id = r.run_id ORDER BY s.id))"
        )
    else:
        sweeps = (
            "(SELECT string_agg(s.name, ',' ORDER BY s.id) FROM sweep_runs sr"
            " JOIN sweeps s ON s.id = sr.sweep_id WHERE sr.run_id = r.run_id)"
        )
    return f"""
CREATE VIEW runs_flat AS
SELECT
    r.run_id, {sweeps} AS sweeps, r.state, r.model, r.scheme, r.depth, r.dataset,
    {whole("dataset.subset")} AS dataset_subset, r.seed,
    r.alpha, r.beta, r.trainable, r.root_moduli, r.max_root_modulus, r.zero_stable,
    r.consistent, r."order", r.parameters,
    {words("precision")} AS precision, r.epochs,
    {whole("training.batch_size")} AS batch_size,
    {number("training.optimizer.lr")} AS learning_rate,
    {number("training.optimizer.momentum")} AS momentum,
    {number("training.optimizer.weight_decay")} AS weight_decay,
    r.test_accuracy, r.best_test_accuracy, r.best_epoch, r.train_accuracy, r.generalization_gap,
    r.test_loss, r.train_loss, r.diverged, r.diverged_epoch,
    r.train_seconds, r.images_per_second, r.attempt AS attempts,
    a.host, a.device, a.git_commit, r.weights_sha256, r.error,
    {_moment(dialect, "r.created_at")} AS created_at,
    {_moment(dialect, "r.finished_at")} AS finished_at
FROM runs r
LEFT JOIN attempts a ON a.run_id = r.run_id AND a.attempt = r.attempt
""".strip()


def _moment(dialect: str, column: str) -> str:
    if dialect == "sqlite":
        return f"strftime('%Y-%m-%dT%H:%M:%fZ', {column}, 'unixepoch')"
    return f"to_timestamp({column})"


def _at(path: str) -> str:
    return f"r.config, '$.{path}'"


def _kind(path: str) -> str:
    return f"json_typeof(r.config #> '{{{path.replace('.', ',')}}}')"


def _said(path: str) -> str:
    return f"r.config #>> '{{{path.replace('.', ',')}}}'"


def _evaluations_flat() -> str:
    return """
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


def _attempts_flat(dialect: str) -> str:
    return f"""
CREATE VIEW attempts_flat AS
SELECT
    a.run_id, a.attempt, a.state, a.fault, a.error,
    r.model, r.scheme, r.depth, r.dataset, r.seed, r.state AS run_state,
    a.host, a.device, a.git_commit, a.storage, a.first_epoch,
    d.host AS driver_host, d.pid AS driver_pid,
    {_moment(dialect, "a.started_at")} AS started_at,
    {_moment(dialect, "a.finished_at")} AS finished_at,
    a.finished_at - a.started_at AS seconds
FROM attempts a
JOIN runs r ON r.run_id = a.run_id
LEFT JOIN drivers d ON d.id = a.driver_id
""".strip()
