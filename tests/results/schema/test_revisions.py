from __future__ import annotations

import re
from pathlib import Path

import pytest

import databases
from results.database import migrations
from results.errors import DatabaseError
from results.queries.queries import Queries
from results.schema import revisions
from results.store.store import Store
from schema_description import described, described_at

VERSIONS = Path(migrations.__file__).parent / "versions"


def test_the_schema_description_detects_every_kind_of_change(url):
    Store.open(url).close()
    before = described_at(url)
    # A change of each kind, so that comparisons of schemas are known to see it.
    changes = [
        "ALTER TABLE runs ADD COLUMN extra INTEGER",
        "CREATE INDEX extra ON runs (seed)",
        "DROP INDEX ix_runs_state",
        "DROP VIEW runs_flat",
        "CREATE VIEW extra AS SELECT 1 AS one",
        "CREATE TABLE extra (id INTEGER PRIMARY KEY CHECK (id > 0))",
    ]
    if url.startswith("postgres"):
        changes += [
            "ALTER TABLE epochs ALTER COLUMN epoch TYPE bigint",
            'ALTER TABLE sweep_specs ALTER COLUMN source TYPE VARCHAR COLLATE "C"',
            "ALTER TABLE runs ALTER COLUMN config DROP NOT NULL",
            "ALTER TABLE runs DROP CONSTRAINT ck_runs_state",
            "ALTER TABLE runs RENAME CONSTRAINT ck_runs_state TO state",
            "ALTER TABLE evaluations DROP CONSTRAINT fk_evaluations_run_id",
            "ALTER TABLE sweeps ALTER COLUMN id DROP DEFAULT",
            "DROP TRIGGER done_is_final ON runs",
            "CREATE OR REPLACE FUNCTION refuse_change_of_done_run() RETURNS trigger"
            " LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
        ]
    else:
        changes += ["DROP TRIGGER done_is_final"]
    engine = databases.plain_engine(url)
    for change in changes:
        with engine.connect() as connection:
            transaction = connection.begin()
            connection.exec_driver_sql("SELECT 1" if url.startswith("postgres") else "BEGIN")
            connection.exec_driver_sql(change)
            assert described(connection) != before, change
            transaction.rollback()
    assert described_at(url) == before


def test_known_revisions_match_the_migration_scripts():
    names = sorted(path.stem for path in VERSIONS.glob("revision_*.py"))
    assert names == [f"revision_{revision}" for revision in revisions.REVISIONS]
    older = [None, *revisions.REVISIONS]
    for revision, before in zip(revisions.REVISIONS, older, strict=False):
        script = (VERSIONS / f"revision_{revision}.py").read_text()
        assert f'\nrevision = "{revision}"\n' in script
        assert (
            f"\ndown_revision = {'None' if before is None else repr(before)}\n".replace("'", '"')
            in script
        )


def test_migration_scripts_import_nothing_from_results():
    for path in VERSIONS.glob("revision_*.py"):
        assert not re.search(r"^\s*(from|import) results", path.read_text(), re.MULTILINE)


def test_a_new_database_records_its_revision(store, url):
    assert migrations.current(url) == revisions.NEWEST
    assert migrations.upgrade(url) == (revisions.NEWEST, revisions.NEWEST)


SAID = {
    "0002": "has schema 0002, which is from before the first release, .* knows 0004 to 0006;"
    " nothing was changed. Bring it to 0004 with an earlier version of sweep",
    "0099": "another version of sweep: its schema is 0099, and this one knows 0004 to 0006;"
    " nothing was changed. Install the newer version",
    "abcdef": "another version of sweep: its schema is abcdef, and this one knows 0004 to 0006",
}


@pytest.mark.parametrize("opener", [Store.open, Queries.open, migrations.upgrade])
@pytest.mark.parametrize("revision", SAID)
def test_an_unknown_schema_revision_is_refused_unchanged(url, plain, tmp_path, opener, revision):
    Store.open(url).close()
    with plain.begin() as connection:
        connection.exec_driver_sql(
            f"UPDATE {revisions.VERSION_TABLE} SET version_num = '{revision}'"
        )
    plain.dispose()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    content = databases.content(url)
    with pytest.raises(DatabaseError, match=SAID[revision]):
        opener(url)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert databases.content(url) == content
    assert migrations.current(url) == revision
