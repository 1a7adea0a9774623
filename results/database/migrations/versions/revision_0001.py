"""The first schema: sweeps, runs, attempts, epochs and evaluations.

A migration is history and never changes: it repeats the tables as they were, and uses nothing of
the program as it is now.
"""

from alembic import op

revision = "0001"
down_revision = None

_NAMES = {
    "sqlite": {
        "serial": "INTEGER",
        "integer_64": "INTEGER",
        "flags": """,
    CONSTRAINT ck_runs_trainable_flag CHECK (trainable IN (0, 1)),
    CONSTRAINT ck_runs_zero_stable_flag CHECK (zero_stable IN (0, 1)),
    CONSTRAINT ck_runs_consistent_flag CHECK (consistent IN (0, 1)),
    CONSTRAINT ck_runs_diverged_flag CHECK (diverged IN (0, 1))""",
    },
    "postgresql": {"serial": "SERIAL", "integer_64": "BIGINT", "flags": ""},
}

_TABLES = """
CREATE TABLE evaluation_configs (
    evaluation_id VARCHAR(16) NOT NULL CONSTRAINT ck_evaluation_configs_id_length
        CHECK (length(evaluation_id) = 16),
    name VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    level FLOAT,
    config JSON NOT NULL,
    CONSTRAINT pk_evaluation_configs PRIMARY KEY (evaluation_id)
)
;
CREATE TABLE runs (
    run_id VARCHAR(16) NOT NULL CONSTRAINT ck_runs_id_length CHECK (length(run_id) = 16),
    config JSON NOT NULL,
    model VARCHAR NOT NULL,
    scheme VARCHAR NOT NULL,
    depth INTEGER NOT NULL,
    dataset VARCHAR NOT NULL,
    seed {integer_64} NOT NULL,
    alpha JSON,
    beta FLOAT,
    trainable BOOLEAN NOT NULL,
    root_moduli JSON,
    max_root_modulus FLOAT,
    zero_stable BOOLEAN,
    consistent BOOLEAN,
    "order" INTEGER,
    parameters {integer_64} NOT NULL CONSTRAINT ck_runs_counted CHECK (parameters >= 0),
    epochs INTEGER NOT NULL CONSTRAINT ck_runs_epochs CHECK (epochs >= 0),
    state VARCHAR DEFAULT 'queued' NOT NULL,
    attempt INTEGER DEFAULT '0' NOT NULL,
    test_accuracy FLOAT,
    best_test_accuracy FLOAT,
    best_epoch INTEGER,
    train_accuracy FLOAT,
    generalization_gap FLOAT,
    train_loss FLOAT,
    test_loss FLOAT,
    diverged BOOLEAN,
    diverged_epoch INTEGER,
    train_seconds FLOAT,
    images_per_second FLOAT,
    weights_sha256 VARCHAR,
    learned_coefficients JSON,
    error TEXT,
    created_at FLOAT NOT NULL,
    finished_at FLOAT,
    CONSTRAINT pk_runs PRIMARY KEY (run_id),
    CONSTRAINT ck_runs_test_accuracy_percent CHECK (test_accuracy BETWEEN 0 AND 100),
    CONSTRAINT ck_runs_best_test_accuracy_percent CHECK (best_test_accuracy BETWEEN 0 AND 100),
    CONSTRAINT ck_runs_train_accuracy_percent CHECK (train_accuracy BETWEEN 0 AND 100),
    CONSTRAINT ck_runs_state
        CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    CONSTRAINT ck_runs_attempt CHECK (attempt >= 0),
    CONSTRAINT ck_runs_claimed_once CHECK (attempt >= 1 OR state IN ('queued', 'cancelled')),
    CONSTRAINT ck_runs_failed_has_error CHECK ((state = 'failed') = (error IS NOT NULL)),
    CONSTRAINT ck_runs_done_has_result CHECK ((state = 'done') = (diverged IS NOT NULL)),
    CONSTRAINT ck_runs_finished_has_time
        CHECK ((state IN ('done', 'failed')) = (finished_at IS NOT NULL)){flags}
)
;
CREATE INDEX ix_runs_state ON runs (state)
;
CREATE TABLE sweeps (
    id {serial} NOT NULL,
    name VARCHAR NOT NULL CONSTRAINT ck_sweeps_named CHECK (name <> ''),
    created_at FLOAT NOT NULL,
    updated_at FLOAT NOT NULL,
    CONSTRAINT pk_sweeps PRIMARY KEY (id)
)
;
CREATE UNIQUE INDEX uq_sweeps_name ON sweeps (name)
;
CREATE TABLE attempts (
    run_id VARCHAR(16) NOT NULL,
    attempt INTEGER NOT NULL CONSTRAINT ck_attempts_from_1 CHECK (attempt >= 1),
    state VARCHAR NOT NULL,
    started_at FLOAT NOT NULL,
    finished_at FLOAT,
    first_epoch INTEGER,
    error TEXT,
    traceback TEXT,
    provenance JSON NOT NULL,
    CONSTRAINT pk_attempts PRIMARY KEY (run_id, attempt),
    CONSTRAINT ck_attempts_state
        CHECK (state IN ('running', 'done', 'failed', 'lost', 'interrupted')),
    CONSTRAINT ck_attempts_finished_has_time CHECK ((state = 'running') = (finished_at IS NULL)),
    CONSTRAINT fk_attempts_run_id FOREIGN KEY(run_id) REFERENCES runs (run_id)
)
;
CREATE UNIQUE INDEX uq_attempts_running ON attempts (run_id) WHERE state = 'running'
;
CREATE TABLE epochs (
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
)
;
CREATE TABLE evaluations (
    run_id VARCHAR(16) NOT NULL,
    evaluation_id VARCHAR(16) NOT NULL,
    accuracy FLOAT,
    loss FLOAT,
    CONSTRAINT pk_evaluations PRIMARY KEY (run_id, evaluation_id),
    CONSTRAINT ck_evaluations_accuracy_percent CHECK (accuracy BETWEEN 0 AND 100),
    CONSTRAINT fk_evaluations_run_id FOREIGN KEY(run_id) REFERENCES runs (run_id),
    CONSTRAINT fk_evaluations_evaluation_id
        FOREIGN KEY(evaluation_id) REFERENCES evaluation_configs (evaluation_id)
)
;
CREATE INDEX ix_evaluations_evaluation_id ON evaluations (evaluation_id)
;
CREATE TABLE sweep_evaluations (
    sweep_id INTEGER NOT NULL,
    evaluation_id VARCHAR(16) NOT NULL,
    position INTEGER NOT NULL,
    CONSTRAINT pk_sweep_evaluations PRIMARY KEY (sweep_id, evaluation_id),
    CONSTRAINT fk_sweep_evaluations_sweep_id FOREIGN KEY(sweep_id) REFERENCES sweeps (id),
    CONSTRAINT fk_sweep_evaluations_evaluation_id
        FOREIGN KEY(evaluation_id) REFERENCES evaluation_configs (evaluation_id)
)
;
CREATE UNIQUE INDEX uq_sweep_evaluations_position ON sweep_evaluations (sweep_id, position)
;
CREATE TABLE sweep_runs (
    sweep_id INTEGER NOT NULL,
    run_id VARCHAR(16) NOT NULL,
    position INTEGER NOT NULL,
    CONSTRAINT pk_sweep_runs PRIMARY KEY (sweep_id, run_id),
    CONSTRAINT fk_sweep_runs_sweep_id FOREIGN KEY(sweep_id) REFERENCES sweeps (id),
    CONSTRAINT fk_sweep_runs_run_id FOREIGN KEY(run_id) REFERENCES runs (run_id)
)
;
CREATE INDEX ix_sweep_runs_run_id ON sweep_runs (run_id)
;
CREATE UNIQUE INDEX uq_sweep_runs_position ON sweep_runs (sweep_id, position)
;
CREATE TABLE sweep_specs (
    sweep_id INTEGER NOT NULL,
    version INTEGER NOT NULL CONSTRAINT ck_sweep_specs_from_1 CHECK (version >= 1),
    text TEXT NOT NULL,
    source VARCHAR NOT NULL,
    overrides JSON NOT NULL,
    description TEXT,
    created_at FLOAT NOT NULL,
    CONSTRAINT pk_sweep_specs PRIMARY KEY (sweep_id, version),
    CONSTRAINT fk_sweep_specs_sweep_id FOREIGN KEY(sweep_id) REFERENCES sweeps (id)
)
"""

_TRIGGER = {
    "sqlite": [
        "CREATE TRIGGER done_is_final BEFORE UPDATE ON runs WHEN OLD.state = 'done'"
        " BEGIN SELECT RAISE(ABORT, 'a done run is final'); END",
    ],
    "postgresql": [
        "CREATE FUNCTION refuse_change_of_done_run() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'a done run is final'; END $$",
        "CREATE TRIGGER done_is_final BEFORE UPDATE ON runs FOR EACH ROW"
        " WHEN (OLD.state = 'done') EXECUTE FUNCTION refuse_change_of_done_run()",
    ],
}


def upgrade() -> None:
    connection = op.get_bind()
    dialect = connection.dialect.name
    for statement in _TABLES.format(**_NAMES[dialect]).split(";"):
        connection.exec_driver_sql(statement)
    for statement in _TRIGGER[dialect]:
        connection.exec_driver_sql(statement)
    if dialect == "sqlite":
        connection.exec_driver_sql("PRAGMA user_version = 1")
