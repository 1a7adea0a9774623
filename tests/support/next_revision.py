"""A revision after the newest, as the next change of the schema will bring one.

It adds a column, fills it, and makes a table again, which is how SQLite changes a constraint.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from results.database import migrations
from results.schema import revisions

BEFORE = revisions.NEWEST
NEXT = f"{int(BEFORE) + 1:04}"

_SCRIPT = f'''
from alembic import op

revision = "{NEXT}"
down_revision = "{BEFORE}"

STATEMENTS = (
    "ALTER TABLE runs ADD COLUMN mood VARCHAR",
    "CREATE TABLE moods (run_id VARCHAR(16) PRIMARY KEY, mood VARCHAR NOT NULL)",
    "INSERT INTO moods SELECT run_id, 'new' FROM runs WHERE state <> 'done'",
    "UPDATE runs SET mood = (SELECT mood FROM moods m WHERE m.run_id = runs.run_id)"
    " WHERE state <> 'done'",
    "CREATE TABLE new_members (sweep_id INTEGER NOT NULL REFERENCES sweeps (id),"
    " run_id VARCHAR(16) NOT NULL REFERENCES runs (run_id), position INTEGER NOT NULL,"
    " PRIMARY KEY (sweep_id, run_id), CONSTRAINT from_0 CHECK (position >= 0))",
    "INSERT INTO new_members SELECT sweep_id, run_id, position FROM sweep_runs",
    "DROP TABLE sweep_runs",
    "ALTER TABLE new_members RENAME TO sweep_runs",
    "CREATE UNIQUE INDEX uq_sweep_runs_position ON sweep_runs (sweep_id, position)",
)


def upgrade():
    for statement in STATEMENTS:
        op.get_bind().exec_driver_sql(statement)
'''


def write_scripts(folder: Path) -> Path:
    """The program's scripts, and the next one."""
    scripts = shutil.copytree(
        migrations.SCRIPTS, folder, ignore=shutil.ignore_patterns("__pycache__")
    )
    (scripts / "versions" / f"revision_{NEXT}.py").write_text(_SCRIPT)
    return scripts


@contextmanager
def known(scripts: Path) -> Iterator[None]:
    """In the block, this program is the next version."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrations, "SCRIPTS", scripts)
        patch.setattr(revisions, "REVISIONS", (*revisions.REVISIONS, NEXT))
        patch.setattr(revisions, "NEWEST", NEXT)
        yield
