"""What probes measured, and the learned coefficients of blocks with what follows from them."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"

_PROBES = """
CREATE TABLE probes (
    run_id VARCHAR(16) NOT NULL,
    probe {text} NOT NULL CONSTRAINT ck_probes_named CHECK (probe <> ''),
    quantity {text} NOT NULL CONSTRAINT ck_probes_quantity CHECK (quantity <> ''),
    epoch INTEGER NOT NULL CONSTRAINT ck_probes_from_0 CHECK (epoch >= 0),
    layer {text} NOT NULL,
    value FLOAT,
    CONSTRAINT pk_probes PRIMARY KEY (run_id, probe, quantity, epoch, layer),
    CONSTRAINT fk_probes_run_id FOREIGN KEY(run_id) REFERENCES runs (run_id)
){order_of_key}
"""

_BLOCKS = """
CREATE TABLE blocks (
    run_id VARCHAR(16) NOT NULL,
    block INTEGER NOT NULL CONSTRAINT ck_blocks_from_1 CHECK (block >= 1),
    alpha JSON NOT NULL,
    beta FLOAT,
    root_moduli JSON,
    max_root_modulus FLOAT,
    zero_stable BOOLEAN,
    consistent BOOLEAN,
    "order" INTEGER,
    CONSTRAINT pk_blocks PRIMARY KEY (run_id, block),
    CONSTRAINT fk_blocks_run_id FOREIGN KEY(run_id) REFERENCES runs (run_id){flags}
){order_of_key}
"""

_PARTS = {
    "sqlite": {
        "text": "VARCHAR",
        "order_of_key": " WITHOUT ROWID",
        "flags": """,
    CONSTRAINT ck_blocks_zero_stable_flag CHECK (zero_stable IN (0, 1)),
    CONSTRAINT ck_blocks_consistent_flag CHECK (consistent IN (0, 1))""",
    },
    # In the order that SQLite has.
    "postgresql": {"text": 'VARCHAR COLLATE "C"', "order_of_key": "", "flags": ""},
}

_VIEWS = (
    """
CREATE VIEW probes_flat AS
SELECT
    p.run_id, p.probe, p.quantity, p.epoch, p.layer, p.value,
    r.model, r.scheme, r.depth, r.dataset, r.seed, r.trainable, r.max_root_modulus,
    r.zero_stable, r.consistent, r."order", r.parameters, r.epochs, r.diverged, r.test_accuracy
FROM probes p
JOIN runs r ON r.run_id = p.run_id
""".strip(),
    """
CREATE VIEW blocks_flat AS
SELECT
    b.run_id, b.block, b.alpha, b.beta, b.root_moduli, b.max_root_modulus, b.zero_stable,
    b.consistent, b."order",
    r.model, r.scheme, r.depth, r.dataset, r.seed, r.parameters, r.epochs, r.diverged,
    r.test_accuracy
FROM blocks b
JOIN runs r ON r.run_id = b.run_id
""".strip(),
)


def upgrade() -> None:
    connection = op.get_bind()
    dialect = connection.dialect.name
    for statement in (_PROBES, _BLOCKS):
        connection.exec_driver_sql(statement.format(**_PARTS[dialect]))
    for view in _VIEWS:
        connection.exec_driver_sql(view)
    if dialect == "sqlite":
        connection.exec_driver_sql("PRAGMA user_version = 4")
