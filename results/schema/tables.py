"""The tables. Each rule that the code relies on is also a constraint here.

Points in time are seconds since the epoch (UTC); accuracies are percent. Numbers that are not
finite are stored as NULL. JSON is stored as text, so that it comes back as it was written.

This is the newest schema. A change here needs a step in `results.database.migrations`, and an entry
in `results.schema.revisions.REVISIONS`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    DDL,
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    and_,
    event,
    false,
    select,
    text,
)
from sqlalchemy.types import TypeEngine

from results.metrics import DIRECTIONS
from results.records import FAULTS, STATES
from results.run_columns import MEASURED, OF_SCHEME, PLANNED, Kind, RunColumn

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


# Text of which every kind of database makes the same order: that of its characters' numbers.
_ORDERED_TEXT = String().with_variant(String(collation="C"), "postgresql")

# SQLite's INTEGER has 64 bits, that of Postgres 32.
_INTEGER_64 = BigInteger().with_variant(Integer, "sqlite")


def _key(name: str) -> Column[str]:
    """The primary key of what has 16 hex digits as its id."""
    check = CheckConstraint(f"length({name}) = 16", name="id_length")
    return Column(name, String(16), check, primary_key=True)


def _json(name: str, *, nullable: bool = True) -> Column[object]:
    return Column(name, JSON(none_as_null=True), nullable=nullable)


def _flag(name: str, *, nullable: bool = True, **more: Any) -> Column[bool]:
    kind = Boolean(create_constraint=True, name=f"{name}_flag")
    return Column(name, kind, nullable=nullable, **more)


def _percent(name: str) -> tuple[Column[float], CheckConstraint]:
    check = CheckConstraint(f"{name} BETWEEN 0 AND 100", name=f"{name}_percent")
    return Column(name, Float), check


def _columns(of_run: Iterable[RunColumn]) -> list[Column[Any] | CheckConstraint]:
    """These columns of a run with their constraints."""
    made: list[Column[Any] | CheckConstraint] = []
    for column in of_run:
        if column.kind == "percent":
            made += _percent(column.name)
        elif column.kind == "flag":
            made.append(_flag(column.name, nullable=column.nullable))
        elif column.kind in ("numbers", "list"):
            made.append(_json(column.name, nullable=column.nullable))
        else:
            check = [CheckConstraint(column.check[0], name=column.check[1])] if column.check else []
            kind = _INTEGER_64 if column.wide else _TYPES[column.kind]
            made.append(Column(column.name, kind, *check, nullable=column.nullable))
    return made


_TYPES: dict[Kind, type[TypeEngine[Any]]] = {
    "text": String,
    "whole": Integer,
    "number": Float,
    "time": Float,
}


# Archives that rows of this database came from; null is what is not known of one.
imports = Table(
    "imports",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("file", Text, nullable=False),
    Column("content_sha256", String),
    Column("exported_at", Float),
    Column("imported_at", Float),
)


def _import_id() -> Column[int]:
    """Which archive the row came from; null: it was made here."""
    return Column("import_id", ForeignKey("imports.id"))


sweeps = Table(
    "sweeps",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, CheckConstraint("name <> ''", name="named"), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    # Null again once a driver of this database has worked on it, by a spec given to it here.
    _import_id(),
    Index("uq_sweeps_name", "name", unique=True),
)

sweep_specs = Table(
    "sweep_specs",
    metadata,
    Column("sweep_id", ForeignKey("sweeps.id"), primary_key=True),
    Column("version", Integer, CheckConstraint("version >= 1", name="from_1"), primary_key=True),
    Column("text", Text, nullable=False),
    Column("source", String, nullable=False),
    _json("overrides", nullable=False),
    Column("description", Text),
    Column("created_at", Float, nullable=False),
    Column("published", Text),
)

evaluation_configs = Table(
    "evaluation_configs",
    metadata,
    _key("evaluation_id"),
    Column("name", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("level", Float),
    _json("config", nullable=False),
)

# A config that is no JSON would be an error in SQLite, so it is asked for the text, which may be
# something else's. Most runs have neither, and their configs are not read again.
_OWN = text("""instr(config, '"source"') > 0 OR instr(config, '"plugins"') > 0""")
_OWN_POSTGRES = text("config ->> 'source' IS NOT NULL OR config ->> 'plugins' IS NOT NULL")

runs = Table(
    "runs",
    metadata,
    _key("run_id"),
    _json("config", nullable=False),
    *_columns(PLANNED),
    Column("state", String, nullable=False, server_default="queued"),
    Column("attempt", Integer, nullable=False, server_default="0"),
    *_columns(MEASURED),
    Column("error", Text),
    Column("created_at", Float, nullable=False),
    Column("finished_at", Float),
    # The number of the last attempt before the newest retry: faults up to it no longer count.
    Column(
        "retried_after",
        Integer,
        CheckConstraint("retried_after >= 0", name="retried_after"),
        nullable=False,
        server_default="0",
    ),
    # Whether state and result are of an attempt that an archive brought.
    _flag("imported", nullable=False, server_default=false()),
    CheckConstraint(f"state IN {STATES}", name="state"),
    CheckConstraint("attempt >= 0", name="attempt"),
    CheckConstraint("attempt >= 1 OR state IN ('queued', 'cancelled')", name="claimed_once"),
    CheckConstraint("(state = 'failed') = (error IS NOT NULL)", name="failed_has_error"),
    CheckConstraint("(state = 'done') = (diverged IS NOT NULL)", name="done_has_result"),
    CheckConstraint(
        "(state IN ('done', 'failed')) = (finished_at IS NOT NULL)", name="finished_has_time"
    ),
    Index(None, "state"),
    Index("ix_runs_own_code", "run_id", sqlite_where=_OWN, postgresql_where=_OWN_POSTGRES),
    Index(None, "zero_stable", "depth"),
    Index(None, "dataset", "model", "depth"),
    Index(None, "finished_at"),
)

sweep_runs = Table(
    "sweep_runs",
    metadata,
    Column("sweep_id", ForeignKey("sweeps.id"), primary_key=True),
    Column("run_id", ForeignKey("runs.run_id"), primary_key=True, index=True),
    Column("position", Integer, nullable=False),
    Index("uq_sweep_runs_position", "sweep_id", "position", unique=True),
)

MAY_HAVE_OWN_CODE = {"sqlite": _OWN, "postgresql": _OWN_POSTGRES}
"""Whether the config of a run may name code of a trainer or plug-in, by the kind of database."""

IS_IN_A_SWEEP = (
    select(sweep_runs.c.run_id).where(sweep_runs.c.run_id == runs.c.run_id).correlate(runs).exists()
)
"""Whether a row of `runs` is in a sweep, as every queued one is."""

sweep_evaluations = Table(
    "sweep_evaluations",
    metadata,
    Column("sweep_id", ForeignKey("sweeps.id"), primary_key=True),
    Column("evaluation_id", ForeignKey("evaluation_configs.evaluation_id"), primary_key=True),
    Column("position", Integer, nullable=False),
    Index("uq_sweep_evaluations_position", "sweep_id", "position", unique=True),
)

# A process that works on runs. It lives as long as its lease is renewed, and, where it can be seen,
# its lock is held; `ended_at` is set when it leaves, or by another driver that took its runs over.
drivers = Table(
    "drivers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("lease_until", Float, nullable=False),
    Column("ended_at", Float),
    # The name of the one that it has saved last; null before it has saved any.
    Column("sweep", Text),
)

# What is said of code, once for each content: the state of repositories, digests of source files,
# versions of packages. The key is the SHA-256 of the content.
code_states = Table(
    "code_states",
    metadata,
    Column(
        "sha256",
        String(64),
        CheckConstraint("length(sha256) = 64", name="digest"),
        primary_key=True,
    ),
    _json("content", nullable=False),
)

_IS_RUNNING = text("state = 'running'")

attempts = Table(
    "attempts",
    metadata,
    Column("run_id", ForeignKey("runs.run_id"), primary_key=True),
    Column("attempt", Integer, CheckConstraint("attempt >= 1", name="from_1"), primary_key=True),
    Column("state", String, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("finished_at", Float),
    Column("first_epoch", _INTEGER_64),
    Column("error", Text),
    Column("traceback", Text),
    _json("provenance", nullable=False),
    Column("host", Text),
    Column("device", Text),
    Column("git_commit", Text),
    # Whose write about the attempt counts; null: a program that is no driver.
    Column("driver_id", ForeignKey("drivers.id")),
    Column("fault", Text),
    Column("storage", Text),
    _import_id(),
    # Code as its driver saw it, and as its worker did; with `provenance` all that is known.
    Column("driver_code", ForeignKey("code_states.sha256")),
    Column("worker_code", ForeignKey("code_states.sha256")),
    CheckConstraint(
        "state IN ('running', 'done', 'failed', 'lost', 'interrupted', 'cancelled')", name="state"
    ),
    CheckConstraint("(state = 'running') = (finished_at IS NULL)", name="finished_has_time"),
    CheckConstraint(f"fault IN {FAULTS}", name="fault"),
    CheckConstraint(
        "fault IS NULL OR state IN ('failed', 'lost', 'interrupted')", name="fault_ended_it"
    ),
    # Two attempts of one run can never be open at once.
    Index(
        "uq_attempts_running",
        "run_id",
        unique=True,
        sqlite_where=_IS_RUNNING,
        postgresql_where=_IS_RUNNING,
    ),
)

CODE_OF_ATTEMPTS = (attempts.c.driver_code, attempts.c.worker_code)

IS_LAST_ATTEMPT = and_(attempts.c.run_id == runs.c.run_id, attempts.c.attempt == runs.c.attempt)
"""Whether a row of `attempts` is the newest of a row of `runs`."""

# In SQLite the rows of a run lie together in the order of the key, so that reading all of a run's
# epochs or measurements, or all of everybody's run by run, jumps nowhere.
epochs = Table(
    "epochs",
    metadata,
    Column("run_id", ForeignKey("runs.run_id"), primary_key=True),
    Column("epoch", Integer, CheckConstraint("epoch >= 1", name="from_1"), primary_key=True),
    Column("learning_rate", Float),
    Column("train_loss", Float),
    *_percent("train_accuracy"),
    Column("test_loss", Float),
    *_percent("test_accuracy"),
    Column("seconds", Float),
    sqlite_with_rowid=False,
)

evaluations = Table(
    "evaluations",
    metadata,
    Column("run_id", String(16), primary_key=True),
    Column("evaluation_id", String(16), primary_key=True, index=True),
    *_percent("accuracy"),
    Column("loss", Float),
    _import_id(),
    ForeignKeyConstraint(["run_id"], ["runs.run_id"]),
    ForeignKeyConstraint(["evaluation_id"], ["evaluation_configs.evaluation_id"]),
    sqlite_with_rowid=False,
)

# What probes measured of a run's network: `quantity` at `layer` ('' is the whole network) after
# `epoch` (0 is before training). NULL is a value that is not finite.
probes = Table(
    "probes",
    metadata,
    Column("run_id", ForeignKey("runs.run_id"), primary_key=True),
    Column("probe", _ORDERED_TEXT, CheckConstraint("probe <> ''", name="named"), primary_key=True),
    Column(
        "quantity",
        _ORDERED_TEXT,
        CheckConstraint("quantity <> ''", name="quantity"),
        primary_key=True,
    ),
    Column("epoch", Integer, CheckConstraint("epoch >= 0", name="from_0"), primary_key=True),
    Column("layer", _ORDERED_TEXT, primary_key=True),
    Column("value", Float),
    sqlite_with_rowid=False,
)

# What each block of a network with learned coefficients had at the end of training, and what
# follows from that. Nothing follows from coefficients that are not finite.
blocks = Table(
    "blocks",
    metadata,
    Column("run_id", ForeignKey("runs.run_id"), primary_key=True),
    Column("block", Integer, CheckConstraint("block >= 1", name="from_1"), primary_key=True),
    *_columns(replace(column, nullable=column.name != "alpha") for column in OF_SCHEME),
    sqlite_with_rowid=False,
)

# What a trainer reported under names of its own: its value at the end of the run, with what the
# trainer said of the metric. NULL is a value that is not finite.
metrics = Table(
    "metrics",
    metadata,
    Column("run_id", ForeignKey("runs.run_id"), primary_key=True),
    Column("name", _ORDERED_TEXT, CheckConstraint("name <> ''", name="named"), primary_key=True),
    Column("value", Float),
    Column("better", String, CheckConstraint(f"better IN {DIRECTIONS}", name="better")),
    Column("unit", Text),
    Column("decimals", Integer, CheckConstraint("decimals >= 0", name="decimals")),
    Column("label", Text),
    Index(None, "name"),
    sqlite_with_rowid=False,
)

# The same at each epoch, or at whatever the trainer counts by.
epoch_metrics = Table(
    "epoch_metrics",
    metadata,
    Column("run_id", ForeignKey("runs.run_id"), primary_key=True),
    Column("name", _ORDERED_TEXT, CheckConstraint("name <> ''", name="named"), primary_key=True),
    Column("epoch", _INTEGER_64, CheckConstraint("epoch >= 0", name="from_0"), primary_key=True),
    Column("value", Float),
    sqlite_with_rowid=False,
)

# What a trainer left in `job.files`: where it lay there, with /, its bytes, and their SHA-256 by
# which they are found in the storage.
files = Table(
    "files",
    metadata,
    Column("run_id", ForeignKey("runs.run_id"), primary_key=True),
    Column("path", _ORDERED_TEXT, CheckConstraint("path <> ''", name="named"), primary_key=True),
    Column("size", _INTEGER_64, CheckConstraint("size >= 0", name="bytes"), nullable=False),
    Column(
        "sha256", String(64), CheckConstraint("length(sha256) = 64", name="digest"), nullable=False
    ),
)

# Words that people give to runs and sweeps, to find and to group them by. A run has those of its
# sweeps too.
run_tags = Table(
    "run_tags",
    metadata,
    Column("run_id", ForeignKey("runs.run_id"), primary_key=True),
    Column("tag", _ORDERED_TEXT, CheckConstraint("tag <> ''", name="named"), primary_key=True),
)

sweep_tags = Table(
    "sweep_tags",
    metadata,
    Column("sweep_id", ForeignKey("sweeps.id"), primary_key=True),
    Column("tag", _ORDERED_TEXT, CheckConstraint("tag <> ''", name="named"), primary_key=True),
)

# What people wrote about a run or a sweep, numbered from 1.
run_notes = Table(
    "run_notes",
    metadata,
    Column("run_id", ForeignKey("runs.run_id"), primary_key=True),
    Column("number", Integer, CheckConstraint("number >= 1", name="from_1"), primary_key=True),
    Column("text", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)

sweep_notes = Table(
    "sweep_notes",
    metadata,
    Column("sweep_id", ForeignKey("sweeps.id"), primary_key=True),
    Column("number", Integer, CheckConstraint("number >= 1", name="from_1"), primary_key=True),
    Column("text", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)

TAGS = (run_tags, sweep_tags)
NOTES = (run_notes, sweep_notes)

IMPORT_MARKS = frozenset(
    column
    for table in metadata.sorted_tables
    for column in table.columns
    if column is runs.c.imported or column.references(imports.c.id)
)
"""The columns that say of a row that an archive brought it."""

OF_RESULTS = tuple(
    table
    for table in metadata.sorted_tables
    if table not in (attempts, sweep_runs, run_tags, run_notes)
    and any(key.column is runs.c.run_id for key in table.foreign_keys)
)
"""What was measured of runs: only a done run has rows in them, but for REPORTED_LIVE."""

REPORTED_LIVE = (epochs, epoch_metrics)
"""What is stored while a run trains, too. A run that is not done has what its newest attempts
reported so far; its result replaces all of it."""

# Done is final, also for writes that bypass the store.
_DONE_IS_FINAL = {
    "sqlite": (
        "CREATE TRIGGER done_is_final BEFORE UPDATE ON runs WHEN OLD.state = 'done'"
        " BEGIN SELECT RAISE(ABORT, 'a done run is final'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION refuse_change_of_done_run() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'a done run is final'; END $$",
        "CREATE TRIGGER done_is_final BEFORE UPDATE ON runs FOR EACH ROW"
        " WHEN (OLD.state = 'done') EXECUTE FUNCTION refuse_change_of_done_run()",
    ),
}
for _dialect, _statements in _DONE_IS_FINAL.items():
    for _statement in _statements:
        event.listen(
            runs,
            "after_create",
            DDL(_statement).execute_if(dialect=_dialect),  # type: ignore[no-untyped-call]
        )
