from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import MetaData, select, text

import archives
import databases
import next_revision
from next_revision import BEFORE, NEXT
from results.database import migrations
from results.database.connect import open_unchecked
from results.database.url import sqlite_url as sqlite_url_of
from results.errors import DatabaseError, DriverBusyError, NoDatabaseError
from results.queries.queries import Queries
from results.schema import revisions
from results.store.store import Store
from schema_description import described_at
from tcp_proxy import TcpProxy

SUPPORT = Path(__file__).parents[2] / "support"


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    return next_revision.write_scripts(tmp_path_factory.mktemp("next") / "scripts 100%")


@pytest.fixture
def next_version(scripts):
    """From here on, this program is the next version."""
    with next_revision.known(scripts):
        yield


def fill(url, make):
    """A database of the schema before, with a run in every state."""
    with Store.open(url) as store:
        make.save(store, "states", make.runs(5), [make.evaluation(1)])
        make.finish(store, make.run(1), evaluations=[make.measured(make.evaluation(1), 50.0)])
        assert store.claim(f"{2:016x}", provenance={}) == 1
        assert store.fail(f"{2:016x}", 1, "ValueError: no", "Traceback ...")
        assert store.cancel(run_ids=[f"{3:016x}"]) == 1
        assert store.claim(f"{4:016x}", provenance={"host": "nœud"}) == 1


@pytest.fixture
def filled(url, make):
    fill(url, make)
    return url


@pytest.fixture
def before(filled, next_version):
    """A database of the schema before, and the program of the next version."""
    return filled


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


def with_what_is_added(rows):
    """Those of the schema before, as the next revision has them."""
    moods = {row["run_id"]: "new" for row in rows["runs"] if row["state"] != "done"}
    return rows | {
        "runs": sorted((r | {"mood": moods.get(r["run_id"])} for r in rows["runs"]), key=repr),
        "moods": sorted(({"run_id": r, "mood": m} for r, m in moods.items()), key=repr),
    }


def test_an_upgrade_keeps_all_rows_and_adds_the_new_columns(before):
    expected = with_what_is_added(rows_at(before))
    assert migrations.current(before) == BEFORE
    assert migrations.upgrade(before) == (BEFORE, NEXT)
    assert migrations.current(before) == NEXT
    assert rows_at(before) == expected
    assert "from_0" in str(described_at(before))
    assert migrations.upgrade(before) == (NEXT, NEXT)


def test_an_upgrade_keeps_json_text_unchanged(sqlite_url, make, scripts):
    fill(sqlite_url, make)
    query = "SELECT config FROM runs UNION ALL SELECT provenance FROM attempts"
    path = sqlite_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection:
        before = connection.execute(query).fetchall()
    with next_revision.known(scripts):
        assert migrations.upgrade(sqlite_url) == (BEFORE, NEXT)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(query).fetchall() == before


@pytest.mark.parametrize("opener", [Store.open, Queries.open])
def test_an_older_schema_is_refused_with_the_command_to_run(before, opener):
    content = databases.content(before)
    with pytest.raises(DatabaseError, match=rf"has schema {BEFORE}.*'sweep db upgrade'"):
        opener(before)
    assert databases.content(before) == content
    migrations.upgrade(before)
    with opener(before):
        pass


def test_an_archive_can_be_upgraded_like_any_database(sqlite_url, make, scripts, tmp_path):
    fill(sqlite_url, make)
    path = tmp_path / "archive.db"
    archives.export_from(sqlite_url, path)
    with next_revision.known(scripts):
        assert migrations.upgrade(sqlite_url_of(path)) == (BEFORE, NEXT)
        Store.open(sqlite_url_of(path)).close()


@pytest.fixture(scope="module")
def dying(scripts):
    """Runs upgrades that die at a moment; says how one ended."""
    path = os.pathsep.join((str(SUPPORT), str(SUPPORT.parents[1])))
    process = subprocess.Popen(
        [sys.executable, str(SUPPORT / "upgrades_that_die.py"), str(scripts)],
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


@pytest.mark.slow
@pytest.mark.long
def test_a_killed_upgrade_leaves_either_the_old_or_the_new_schema(before, dying, tmp_path):
    expected = with_what_is_added(rows_at(before))
    old = (described_at(before), databases.content(before))
    journal = tmp_path / "results.db-journal"
    half_written = 0
    for moment in range(1000):
        end = dying(before, moment)
        assert end in ("killed", "finished")
        half_written += journal.exists() and journal.stat().st_size > 512
        revision = migrations.current(before)
        if revision != BEFORE:
            break
        assert end == "killed"
        assert (described_at(before), databases.content(before)) == old
    assert revision == NEXT
    assert moment > 10
    # It was also killed when a part of the new schema was in the file already.
    assert half_written or before.startswith("postgres")
    # Whoever is killed after the commit has upgraded nonetheless.
    while end == "killed":
        moment += 1
        end = dying(before, moment)
        assert migrations.current(before) == NEXT
    assert rows_at(before) == expected
    Store.open(before).close()


def test_of_two_concurrent_upgrades_one_does_the_work(before):
    start = threading.Barrier(2)
    ends = []

    def upgrade():
        start.wait()
        try:
            ends.append(migrations.upgrade(before))
        except DriverBusyError:
            ends.append("busy")

    threads = [threading.Thread(target=upgrade) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (BEFORE, NEXT) in ends
    ends.remove((BEFORE, NEXT))
    assert ends[0] in ("busy", (NEXT, NEXT))
    assert migrations.current(before) == NEXT


def test_an_upgrade_while_a_driver_works_is_refused(before):
    rows = rows_at(before)
    with (
        closing(open_unchecked(before, "write")) as database,
        database.alone("sweep run spec.yaml"),
        pytest.raises(DriverBusyError, match=f"pid {os.getpid()}"),
    ):
        migrations.upgrade(before)
    assert migrations.current(before) == BEFORE
    assert rows_at(before) == rows


def test_a_running_driver_blocks_upgrades_and_an_upgrade_blocks_drivers(url):
    with Store.open(url) as store, closing(open_unchecked(url, "write")) as database:
        with (
            store.driving(),
            pytest.raises(DriverBusyError, match=f"pid {os.getpid()}"),
            database.alone("sweep db upgrade"),
        ):
            pytest.fail("an upgrade while a driver works")
        with (
            database.alone("sweep db upgrade"),
            pytest.raises(DriverBusyError, match=f"pid {os.getpid()}"),
            store.driving(),
        ):
            pytest.fail("a driver during an upgrade")


def test_an_upgrade_blocked_by_a_reader_gives_up_unchanged(before, monkeypatch):
    rows = rows_at(before)
    monkeypatch.setattr("results.database.sqlite.BUSY_SECONDS", 0.1)
    monkeypatch.setattr("results.database.postgres.LOCK_SECONDS", 0.1)
    with closing(open_unchecked(before, "read")) as database:
        with database.reading() as view:
            view.execute(text("SELECT count(*) FROM runs"))
            with pytest.raises(DatabaseError, match=r"stayed locked for 0\.1 s"):
                migrations.upgrade(before)
        assert rows_at(before) == rows
    assert migrations.upgrade(before) == (BEFORE, NEXT)


@pytest.mark.parametrize(("fate", "found_next"), [("lose", BEFORE), ("lose answer", NEXT)])
def test_an_upgrade_whose_connection_is_lost_can_be_repeated(
    postgres_url, make, scripts, fate, found_next
):
    fill(postgres_url, make)
    proxy = TcpProxy(postgres_url)
    proxy.on("pass", "CREATE VIEW runs_flat")
    proxy.on(fate, "COMMIT\0")
    with next_revision.known(scripts):
        with pytest.raises(DatabaseError, match=r"connection to .* was lost"):
            migrations.upgrade(proxy.url)
        proxy.close()
        assert migrations.upgrade(postgres_url) == (found_next, NEXT)


def test_an_upgrade_that_breaks_foreign_keys_is_rolled_back(before, scripts, tmp_path, monkeypatch):
    if not before.startswith("sqlite"):
        pytest.skip("Postgres checks every reference itself")
    broken = next_revision.write_scripts(tmp_path / "broken")
    script = broken / "versions" / f"revision_{NEXT}.py"
    script.write_text(
        script.read_text().replace('    "DROP TABLE', '    "DELETE FROM runs",\n    "DROP TABLE')
    )
    monkeypatch.setattr(migrations, "SCRIPTS", broken)
    rows = rows_at(before)
    with pytest.raises(DatabaseError, match="would break references"):
        migrations.upgrade(before)
    assert (migrations.current(before), rows_at(before)) == (BEFORE, rows)


def test_upgrading_where_there_is_no_sweep_database_is_an_error(tmp_path, postgres_url):
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
