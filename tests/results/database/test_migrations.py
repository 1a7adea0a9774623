from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Boolean, MetaData, select, text

import databases
from results.database import migrations
from results.database.connect import open_unchecked
from results.errors import DatabaseError, DriverBusyError, NoDatabaseError
from results.queries.queries import Queries
from results.schema import revisions
from results.store.store import Store
from schema_description import described_at
from tcp_proxy import TcpProxy

SUPPORT = Path(__file__).parents[2] / "support"
SCHEMAS = Path(__file__).parent / "schemas"
OLDER = revisions.REVISIONS[:-1]

#: What 0002 finds in the fixture's texts and overrides, by sweep and version.
PUBLISHED = {
    ("quickstart", 1): None,
    ("learned", 1): None,
    ("states", 1): "zerosnet/table10",
    ("states", 2): None,
    ("states", 3): "zerosnet/table3",
}


def fixture_of(revision):
    """A database as a version with that schema left it, in SQLite's memory."""
    connection = sqlite3.connect(":memory:")
    connection.executescript((SCHEMAS / f"{revision}.sqlite.sql").read_text())
    return connection


def load(url, revision):
    """Makes the fixture's database at `url`."""
    with closing(fixture_of(revision)) as fixture:
        if url.startswith("sqlite"):
            with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as target:
                fixture.backup(target)
            return
        databases.make_by_migrations(url, revision)
        fixture.row_factory = sqlite3.Row
        engine = databases.plain_engine(url)
        with engine.begin() as connection:
            found = MetaData()
            found.reflect(connection)
            for table in found.sorted_tables:
                if table.name != revisions.VERSION_TABLE:
                    rows = fixture.execute(f'SELECT * FROM "{table.name}"').fetchall()
                    connection.execute(table.insert(), [as_python(table, row) for row in rows])
            for table in {"sweeps", "drivers"} & found.tables.keys():
                last = f"SELECT setval('{table}_id_seq', (SELECT max(id) FROM {table}))"
                connection.execute(text(last))


def as_python(table, row):
    """A row of SQLite's as SQLAlchemy takes it for any database."""
    values = {}
    for column in table.columns:
        value = row[column.name]
        if value is not None and column.type.__class__.__name__ == "JSON":
            value = json.loads(value)
        elif value is not None and isinstance(column.type, Boolean):
            value = bool(value)
        values[column.name] = value
    return values


def rows_at(url):
    """Every row of every table as a dict, without the note of the schema's revision."""
    engine = databases.plain_engine(url)
    found = {}
    with engine.begin() as connection:
        tables = MetaData()
        tables.reflect(connection)
        for table in tables.sorted_tables:
            if table.name != revisions.VERSION_TABLE:
                rows = connection.execute(select(table)).mappings()
                found[table.name] = sorted((dict(row) for row in rows), key=repr)
    return found


def with_what_0002_adds(before):
    names = {row["id"]: row["name"] for row in before["sweeps"]}
    facts = ("host", "device", "git_commit")
    return before | {
        "attempts": [
            row | {fact: row["provenance"].get(fact) for fact in facts}
            for row in before["attempts"]
        ],
        "sweep_specs": [
            row | {"published": PUBLISHED[names[row["sweep_id"]], row["version"]]}
            for row in before["sweep_specs"]
        ],
    }


def with_what_0003_adds(before):
    of_attempts = {"driver_id": None, "fault": None, "storage": None}
    return before | {
        "drivers": [],
        "attempts": [row | of_attempts for row in before["attempts"]],
        "runs": [row | {"retried_after": 0} for row in before["runs"]],
    }


def with_what_0004_adds(before):
    return before | {"probes": [], "blocks": []}


ADDED = {
    "0001": with_what_0002_adds,
    "0002": with_what_0003_adds,
    "0003": with_what_0004_adds,
}


def with_all_that_was_added(revision, rows):
    for step in OLDER[OLDER.index(revision) :]:
        rows = ADDED[step](rows)
    return {table: sorted(found, key=repr) for table, found in rows.items()}


def test_every_older_schema_has_a_fixture():
    assert sorted(path.name for path in SCHEMAS.iterdir()) == [f"{r}.sqlite.sql" for r in OLDER]


@pytest.mark.parametrize("revision", OLDER)
def test_the_fixture_has_a_run_in_every_state_and_names_no_real_place(revision):
    with closing(fixture_of(revision)) as fixture:
        states = {row[0] for row in fixture.execute("SELECT DISTINCT state FROM runs")}
        ends = {row[0] for row in fixture.execute("SELECT DISTINCT state FROM attempts")}
    assert states == {"queued", "running", "done", "failed", "cancelled"}
    assert ends == {"running", "done", "failed", "lost", "interrupted"}
    assert not re.search(r"['\"]/", (SCHEMAS / f"{revision}.sqlite.sql").read_text())


@pytest.mark.parametrize("revision", OLDER[1:])
def test_a_migration_makes_what_its_version_made(sqlite_url, tmp_path, revision):
    load(sqlite_url, revision)
    databases.make_by_migrations(f"sqlite:///{tmp_path}/migrated.db", revision)
    assert described_at(sqlite_url) == described_at(f"sqlite:///{tmp_path}/migrated.db")


def test_the_first_migration_makes_what_the_first_version_made(sqlite_url, tmp_path):
    load(sqlite_url, "0001")
    databases.make_by_migrations(f"sqlite:///{tmp_path}/migrated.db", "0001")
    migrated = described_at(f"sqlite:///{tmp_path}/migrated.db")
    # It kept the number of its schema elsewhere.
    del migrated[revisions.VERSION_TABLE]
    migrated["others"] = [
        row for row in migrated["others"] if revisions.VERSION_TABLE not in row[1]
    ]
    assert described_at(sqlite_url) == migrated


@pytest.mark.parametrize("revision", OLDER)
def test_an_upgrade_keeps_everything_and_adds_what_is_new(url, revision):
    load(url, revision)
    before = rows_at(url)
    assert migrations.current(url) == revision
    assert migrations.upgrade(url) == (revision, revisions.NEWEST)
    assert migrations.current(url) == revisions.NEWEST
    expected = with_all_that_was_added(revision, before)
    found = rows_at(url)
    assert found.keys() == expected.keys()
    for table, rows in expected.items():
        assert found[table] == rows, table
    assert migrations.upgrade(url) == (revisions.NEWEST, revisions.NEWEST)


@pytest.mark.parametrize("revision", OLDER)
def test_an_upgraded_database_has_the_schema_of_a_new_one(url, revision, tmp_path, request):
    load(url, revision)
    migrations.upgrade(url)
    with contextlib.ExitStack() as stack:
        other = f"sqlite:///{tmp_path}/new.db"
        if url.startswith("postgres"):
            server = request.getfixturevalue("postgres")
            other = stack.enter_context(databases.postgres_schema(server))
        Store.open(other).close()
        assert described_at(url) == described_at(other)


@pytest.mark.parametrize("revision", OLDER)
def test_a_view_that_somebody_made_is_kept(url, revision):
    load(url, revision)
    engine = databases.plain_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE VIEW mine AS SELECT run_id, state FROM attempts"))
        before = connection.execute(text("SELECT * FROM mine ORDER BY 1, 2")).all()
    migrations.upgrade(url)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT * FROM mine ORDER BY 1, 2")).all() == before


@pytest.mark.parametrize("revision", OLDER)
def test_the_text_of_json_stays_as_it_was(sqlite_url, revision):
    load(sqlite_url, revision)
    query = "SELECT config FROM runs UNION ALL SELECT provenance FROM attempts"
    path = sqlite_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection:
        before = connection.execute(query).fetchall()
    migrations.upgrade(sqlite_url)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(query).fetchall() == before


@pytest.mark.parametrize("revision", OLDER)
def test_work_goes_on_in_an_upgraded_database(url, make, revision):
    load(url, revision)
    migrations.upgrade(url)
    with Store.open(url) as store, Queries.open(url) as queries, store.driving():
        assert queries.sweep_names()[-1] == "states"
        ((orphan, attempt, _),) = store.take_over()
        assert store.release(orphan, attempt, "lost", "its driver ended before it did")
        assert make.save(store, "new", make.runs(2)).added == 2
        make.finish(store, make.run(1))
        counts = queries.status("states")[0].counts
    assert (counts["running"], counts["cancelled"]) == (0, 1)


@pytest.fixture(scope="module")
def dying():
    """Runs upgrades that die at a moment; says how one ended."""
    path = os.pathsep.join((str(SUPPORT), str(SUPPORT.parents[1])))
    process = subprocess.Popen(
        [sys.executable, str(SUPPORT / "upgrades_that_die.py")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip

    def upgrade(url, moment):
        end = "busy"
        while end == "busy":
            process.stdin.write(f"{moment} {url}\n")
            end = process.stdout.readline().strip()
        return end

    yield upgrade
    process.stdin.close()
    process.stdout.close()
    process.wait()


@pytest.mark.parametrize("from_revision", OLDER)
def test_an_upgrade_killed_at_any_moment_leaves_the_old_schema_or_the_new(
    url, dying, tmp_path, from_revision
):
    load(url, from_revision)
    expected = with_all_that_was_added(from_revision, rows_at(url))
    old = (described_at(url), databases.content(url))
    journal = tmp_path / "results.db-journal"
    half_written = 0
    for moment in range(1000):
        end = dying(url, moment)
        assert end in ("killed", "finished")
        half_written += journal.exists() and journal.stat().st_size > 512
        revision = migrations.current(url)
        if revision != from_revision:
            break
        assert end == "killed"
        assert (described_at(url), databases.content(url)) == old
    assert revision == revisions.NEWEST
    assert moment > 10
    # It was also killed when a part of the new schema was in the file already.
    assert half_written or url.startswith("postgres")
    # Whoever is killed after the commit has upgraded nonetheless.
    while end == "killed":
        moment += 1
        end = dying(url, moment)
        assert migrations.current(url) == revisions.NEWEST
    assert rows_at(url) == expected
    Store.open(url).close()


def test_of_two_upgrades_at_once_one_does_it(url):
    load(url, "0001")
    start = threading.Barrier(2)
    ends = []

    def upgrade():
        start.wait()
        try:
            ends.append(migrations.upgrade(url))
        except DriverBusyError:
            ends.append("busy")

    threads = [threading.Thread(target=upgrade) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ("0001", revisions.NEWEST) in ends
    ends.remove(("0001", revisions.NEWEST))
    assert ends[0] in ("busy", (revisions.NEWEST, revisions.NEWEST))
    assert migrations.current(url) == revisions.NEWEST


def test_an_upgrade_while_a_driver_works_is_refused(url):
    load(url, "0001")
    before = rows_at(url)
    with (
        closing(open_unchecked(url, "write")) as database,
        database.alone("sweep run spec.yaml"),
        pytest.raises(DriverBusyError, match=f"pid {os.getpid()}"),
    ):
        migrations.upgrade(url)
    assert migrations.current(url) == "0001"
    assert rows_at(url) == before


def test_a_driver_keeps_upgrades_away_and_an_upgrade_drivers(url):
    with Store.open(url) as store, closing(open_unchecked(url, "write")) as database:
        with (
            store.driving(),
            pytest.raises(DriverBusyError, match=f"pid {os.getpid()}"),
            database.alone("sweep db upgrade"),
        ):
            pytest.fail("an upgrade beside a driver")
        with (
            database.alone("sweep db upgrade"),
            pytest.raises(DriverBusyError, match=f"pid {os.getpid()}"),
            store.driving(),
        ):
            pytest.fail("a driver beside an upgrade")


def test_an_upgrade_that_a_reader_holds_up_gives_up_and_changes_nothing(url, monkeypatch):
    load(url, "0001")
    before = rows_at(url)
    monkeypatch.setattr("results.database.sqlite.BUSY_SECONDS", 0.1)
    monkeypatch.setattr("results.database.postgres.LOCK_SECONDS", 0.1)
    with closing(open_unchecked(url, "read")) as database:
        with database.reading() as view:
            view.execute(text("SELECT count(*) FROM attempts"))
            with pytest.raises(DatabaseError, match=r"stayed locked for 0\.1 s"):
                migrations.upgrade(url)
        assert rows_at(url) == before
    assert migrations.upgrade(url) == ("0001", revisions.NEWEST)


@pytest.mark.parametrize(("fate", "found_next"), [("lose", "0001"), ("lose answer", "0004")])
def test_an_upgrade_whose_connection_is_lost_can_be_repeated(postgres_url, fate, found_next):
    load(postgres_url, "0001")
    proxy = TcpProxy(postgres_url)
    proxy.on("pass", "CREATE VIEW blocks_flat")
    proxy.on(fate, "COMMIT\0")
    with pytest.raises(DatabaseError, match=r"connection to .* was lost"):
        migrations.upgrade(proxy.url)
    proxy.close()
    assert migrations.upgrade(postgres_url) == (found_next, revisions.NEWEST)


def test_there_is_nothing_to_upgrade(tmp_path, postgres_url):
    for url in (f"sqlite:///{tmp_path}/none.db", postgres_url):
        for work in (migrations.current, migrations.upgrade):
            with pytest.raises(NoDatabaseError):
                work(url)
    assert list(tmp_path.iterdir()) == []
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE songs (id)")
    before = (tmp_path / "other.db").read_bytes()
    with pytest.raises(DatabaseError, match="not a sweep database"):
        migrations.upgrade(f"sqlite:///{tmp_path}/other.db")
    assert (tmp_path / "other.db").read_bytes() == before


MANY = 20_000
MORE = (
    "INSERT INTO runs (run_id, config, model, scheme, depth, dataset, seed, trainable, parameters,"
    " epochs, created_at) SELECT {id}, config, model, scheme, depth, dataset, n, trainable,"
    " parameters, epochs, created_at FROM runs, seq WHERE state = 'cancelled'",
    "INSERT INTO attempts (run_id, attempt, state, started_at, finished_at, provenance)"
    " SELECT {id}, 1, 'lost', 1, 2, provenance FROM attempts, seq"
    " WHERE provenance {host} = 'node-2'",
)


def test_a_big_database_is_upgraded_within_seconds(url):
    load(url, "0001")
    engine = databases.plain_engine(url)
    sqlite = url.startswith("sqlite")
    words = {
        "id": "printf('%016x', n)" if sqlite else "lpad(to_hex(n), 16, '0')",
        "host": "->> '$.host'" if sqlite else "->> 'host'",
    }
    with engine.begin() as connection:
        seq = f"(SELECT 1 AS n UNION ALL SELECT n + 1 FROM seq WHERE n < {MANY})"
        for statement in MORE:
            insert = statement.format(**words)
            connection.execute(text(f"WITH RECURSIVE seq AS {seq} {insert}"))
    start = time.perf_counter()
    assert migrations.upgrade(url) == ("0001", revisions.NEWEST)
    # Some 0.3 s.
    assert time.perf_counter() - start < 20
    with engine.begin() as connection:
        filled = text("SELECT count(*) FROM attempts WHERE host = 'node-2' AND device = 'cuda'")
        assert connection.execute(filled).scalar_one() == MANY + 1
        flat = text("SELECT count(*), count(DISTINCT seed) FROM runs_flat WHERE model = 'zerosnet'")
        assert connection.execute(flat).one()[0] > MANY
