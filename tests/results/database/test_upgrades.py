"""The revisions after the baseline, on a database that the baseline made."""

from __future__ import annotations

import pytest
from sqlalchemy import text

import databases
import schema_0004
from results.database import migrations
from results.queries.queries import Queries
from results.schema import revisions
from results.store.store import Store
from schema_description import described_at


@pytest.fixture(params=databases.KINDS)
def before(request, tmp_path):
    """One database of revision 0004 on each kind."""
    path = schema_0004.write(tmp_path / "results.db", "database")
    if request.param == "sqlite":
        yield f"sqlite:///{path}"
        return
    with databases.postgres_schema(request.getfixturevalue("postgres")) as url:
        engine = databases.plain_engine(url)
        with engine.begin() as connection:
            schema_0004.fill(connection, path)
        yield url


def test_an_upgraded_database_has_the_schema_of_a_new_one(before, request, tmp_path):
    assert migrations.upgrade(before) == ("0004", revisions.NEWEST)
    if before.startswith("sqlite"):
        new = f"sqlite:///{tmp_path}/new.db"
        Store.open(new).close()
        assert described_at(before) == described_at(new)
        return
    with databases.postgres_schema(request.getfixturevalue("postgres")) as new:
        Store.open(new).close()
        assert described_at(before) == described_at(new)


def test_an_upgrade_marks_what_no_driver_of_the_database_made(before):
    kept = "SELECT run_id, config, test_accuracy, weights_sha256 FROM runs ORDER BY run_id"
    engine = databases.plain_engine(before)
    with engine.connect() as connection:
        rows = [tuple(map(str, row)) for row in connection.execute(text(kept))]
    migrations.upgrade(before)
    with engine.connect() as connection:
        assert [tuple(map(str, row)) for row in connection.execute(text(kept))] == rows
        marks = connection.execute(
            text("SELECT sweeps, imported, imported_from FROM runs_flat ORDER BY sweeps")
        ).all()
        measured = connection.execute(
            text(
                "SELECT DISTINCT s.name, e.import_id FROM evaluations e JOIN sweep_runs sr"
                " ON sr.run_id = e.run_id JOIN sweeps s ON s.id = sr.sweep_id ORDER BY s.name"
            )
        ).all()
        sweeps = connection.execute(text("SELECT name, import_id FROM sweeps ORDER BY name")).all()
    assert [tuple(row) for row in sweeps] == [("ours", None), ("theirs", 1)]
    assert [tuple(row) for row in marks] == [("ours", False, None)] * 4 + [
        ("theirs", True, "an archive (not known which)")
    ] * 2
    assert [tuple(row) for row in measured] == [("ours", None), ("theirs", 1)]
    with Store.open(before) as store, Queries.open(before) as queries:
        imported = {row["run_id"]: row["imported"] for row in queries.run_rows()}
        assert sorted(imported.values()) == [False] * 4 + [True] * 2
        assert store.counts("ours")["done"] == 4


def test_a_done_run_is_final_in_an_upgraded_database(before):
    migrations.upgrade(before)
    with (
        pytest.raises(Exception, match="a done run is final"),
        databases.plain_engine(before).begin() as connection,
    ):
        connection.exec_driver_sql("UPDATE runs SET attempt = 9")


def test_a_database_without_anything_imported_is_upgraded_without_marks(before):
    engine = databases.plain_engine(before)
    with engine.begin() as connection:
        schema_0004.forget_theirs(connection)
    migrations.upgrade(before)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM imports").scalar_one() == 0
        assert connection.exec_driver_sql("SELECT count(*) FROM runs").scalar_one() == 4


def test_a_run_that_nobody_asked_for_any_more_is_not_queued_after_an_upgrade(before):
    engine = databases.plain_engine(before)
    with engine.begin() as connection:
        run_id = schema_0004.add_queued(connection)
    migrations.upgrade(before)
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT run_id, state FROM runs").all()
    states = dict(map(tuple, rows))
    assert states.pop(run_id) == "cancelled"
    assert "cancelled" not in states.values()
