from __future__ import annotations

import functools
import os
import signal
import threading
import time
from contextlib import closing, contextmanager

import psycopg
import pytest
from sqlalchemy import inspect, make_url, select, text, update
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

import archives
import databases
from results.archive.reading import open_archive
from results.database.postgres_lock import _TAKE_SCHEMA
from results.database.retry import RetryPolicy
from results.errors import DatabaseError, DriverBusyError
from results.queries.queries import Queries
from results.schema.tables import drivers, imports, metadata, runs, sweeps
from results.store.store import Store
from tcp_proxy import TcpProxy
from waiting import wait_until

RUN = f"{1:016x}"

WRITES = ("INSERT", "UPDATE", "DELETE")
COMMIT = "COMMIT\0"  # as it is sent; a transaction begins with READ COMMITTED


class Work:
    """What a driver does with its Store, and what has to be there before."""

    def __init__(
        self, call, *, running=False, done=False, failed=False, orphans=False, fenced_off=False
    ):
        self.call = call
        self.running, self.done, self.failed = running, done, failed
        self.orphans, self.fenced_off = orphans, fenced_off

    def prepare(self, store, make, url):
        make.save(store, "s", make.runs(3), [make.evaluation(1)])
        if self.orphans:
            with Store.open(url) as other, other.driving("/other"):
                assert other.claim(RUN, provenance={}) == 1
                assert other.claim(make.run(2).run_id, provenance={}) == 1
        if self.running or self.done or self.failed:
            assert store.claim(RUN, provenance={"host": "node-1"}) == 1
        if self.done:
            assert store.commit(RUN, 1, make.result(RUN))
        if self.failed:
            assert store.fail(RUN, 1, "broke", "trace")
            other = make.run(2).run_id
            assert store.claim(other, provenance={}) == 1
            assert store.fail(other, 1, "broke too", None)
        if self.fenced_off:
            end(url, store)


# Values that come back from a column of JSON otherwise than they went in.
ODD = {"host": "nöde\0", "nan": float("nan"), "pair": (1, 2), 3: "\udc80"}
ODD["packages"] = dict(ODD)


def measured(make):
    return [make.measured(make.evaluation(1), 80.0), make.measured(make.evaluation(2), None)]


WORK = {
    "save a new sweep": Work(
        lambda store, make, _: make.save(store, "t", make.runs(5), [make.evaluation(2)])
    ),
    "save a known sweep": Work(
        lambda store, make, _: store.save_sweep(
            "s", "other text", "s.yaml", ["a=1"], None, [make.run(2), make.run(9)], []
        )
    ),
    "claim": Work(lambda store, make, _: store.claim(RUN, provenance=ODD)),
    "claim several": Work(
        lambda store, make, _: store.claim_all([run.run_id for run in make.runs(5)], provenance=ODD)
    ),
    "release": Work(lambda store, make, _: store.release(RUN, 1, "lost", "gone"), running=True),
    "fail": Work(lambda store, make, _: store.fail(RUN, 1, "broke\0", "trace\udc80"), running=True),
    "commit": Work(
        lambda store, make, _: store.commit(RUN, 1, make.result(RUN, evaluations=measured(make))),
        running=True,
    ),
    "add evaluations": Work(
        lambda store, make, _: store.add_evaluations(RUN, measured(make)), done=True
    ),
    "release with a fault": Work(
        lambda store, make, _: store.release(
            RUN, 1, "lost", "gone", fault="worker_lost", provenance=ODD
        ),
        running=True,
    ),
    "renew": Work(lambda store, make, _: store.renew([(RUN, 1), (RUN, 2)]), running=True),
    "renew when fenced off": Work(
        lambda store, make, _: store.renew([(RUN, 1)]), running=True, fenced_off=True
    ),
    "take over": Work(lambda store, make, _: store.take_over(), orphans=True),
    "cancel a sweep": Work(lambda store, make, _: store.cancel("s"), running=True),
    "cancel a run": Work(lambda store, make, _: store.cancel(run_ids=[RUN]), running=True),
    "retry a sweep": Work(lambda store, make, _: store.retry("s"), failed=True),
    "retry a run": Work(lambda store, make, _: store.retry(run_ids=[RUN]), failed=True),
    "merge": Work(lambda store, make, archive: store.merge(archive, {"s": "t"}), failed=True),
}
WORK_THAT_CHANGES_NOTHING = {
    "claim what runs": Work(lambda store, make, _: store.claim(RUN, provenance={}), running=True),
    "commit when fenced off": Work(
        lambda store, make, _: store.commit(RUN, 2, make.result(RUN, 2)), running=True
    ),
    "retry what did not fail": Work(lambda store, make, _: store.retry("s"), done=True),
    "claim several that are not to be had": Work(
        lambda store, make, _: store.claim_all([RUN, "f" * 16], provenance={}), running=True
    ),
    "commit several when fenced off": Work(
        lambda store, make, _: store.commit_all(
            [
                (RUN, 2, make.result(RUN, 2)),
                (make.run(2).run_id, 1, make.result(make.run(2).run_id)),
            ]
        ),
        running=True,
    ),
    "claim when fenced off": Work(
        lambda store, make, _: store.claim(RUN, provenance={}), fenced_off=True
    ),
    "take over when fenced off": Work(
        lambda store, make, _: store.take_over(), orphans=True, fenced_off=True
    ),
    "take over when no driver is gone": Work(
        lambda store, make, _: store.take_over(), running=True
    ),
    "cancel what has ended": Work(lambda store, make, _: store.cancel(run_ids=[RUN]), done=True),
}
QUESTIONS = {
    "pending": Work(lambda store, make, _: [run.run_id for run in store.pending("s")]),
    "others": Work(lambda store, make, _: store.others("s"), running=True),
    "stored spec": Work(lambda store, make, _: store.stored_spec()),
}


def end(url, store):
    """What a takeover does to the row of the store's driver."""
    engine = databases.plain_engine(url)
    with engine.begin() as connection:
        mine = drivers.c.id == store._driver.id
        connection.execute(update(drivers).where(mine).values(ended_at=1.0))


def all_but_times(url):
    """Every row of every table; points in time as whether there is one, numbers by their place."""
    engine = databases.plain_engine(url)
    found = {}
    with engine.begin() as connection:
        # A transaction that was rolled back has used up its number.
        places = {
            reference: list(connection.execute(select(table.c.id).order_by(table.c.id)).scalars())
            for reference, table in (
                ("sweep_id", sweeps),
                ("driver_id", drivers),
                ("import_id", imports),
            )
        }
        places |= {sweeps: places["sweep_id"], drivers: places["driver_id"]}
        places[imports] = places["import_id"]

        def comparable(table, name, value):
            if name.endswith("_at") or name == "lease_until":
                return value is None
            numbers = places.get(table if name == "id" else name)
            return value if numbers is None or value is None else numbers.index(value)

        for table in metadata.sorted_tables:
            found[table.name] = sorted(
                repr({name: comparable(table, name, value) for name, value in row.items()})
                # Not as a statement of SQLAlchemy's, which each new engine compiles.
                for row in connection.exec_driver_sql(f"SELECT * FROM {table.name}").mappings()
            )
    return found


@pytest.fixture
def postgres_url(postgres_tables):
    """As in other files, but the tables are there."""
    with postgres_tables.schema() as made:
        yield made


@pytest.fixture
def proxy(postgres_url):
    """In front of the test's database."""
    proxy = TcpProxy(postgres_url)
    yield proxy
    proxy.close()


@pytest.fixture
def store(proxy):
    with Store.open(proxy.url) as opened:
        yield opened


@pytest.fixture(scope="module")
def archive(tmp_path_factory, make):
    """An archive with a run that is done and one that is not, and three measurements."""
    folder = tmp_path_factory.mktemp("archive")
    url = f"sqlite:///{folder}/other.db"
    asked = [make.evaluation(1), make.evaluation(3)]
    with Store.open(url) as store:
        make.save(store, "s", [make.run(3), make.run(1), make.run(7)], asked)
        for number in (1, 7):
            measured = [make.measured(evaluation, 70.0) for evaluation in asked[: number // 2 or 1]]
            make.finish(store, make.run(number), evaluations=measured)
    archives.export_from(url, folder / "archive.db")
    with open_archive(folder / "archive.db") as opened:
        yield opened


@pytest.fixture(scope="module")
def undisturbed(postgres_tables, make, archive):
    """What each work gives and leaves when nothing gets in its way."""

    @functools.cache
    def find(work):
        with postgres_tables.schema() as url, Store.open(url) as store:
            with store.driving("/mine"):
                work.prepare(store, make, url)
                value = work.call(store, make, archive)
            return value, all_but_times(url)

    return find


@pytest.fixture(autouse=True, scope="module")
def _a_server_that_has_long_been_up():
    """Or else nothing could be told from a lock that is missing."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("results.database.postgres_lock.RESTART_SECONDS", 0.0)
        yield


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr("results.database.retry._FIRST_PAUSE_SECONDS", 0.005)


def end_sessions(connection, of="application_name LIKE 'sweep%'"):
    """Ends sessions as an administrator, or a server that shuts down, does."""
    connection.execute(
        text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            f" AND backend_type = 'client backend' AND {of}"
        )
    )


@pytest.fixture
def disturb(proxy, plain_postgres):
    """Gets in the way of the next change, in each of these ways."""

    def end_all_sessions():
        with plain_postgres.begin() as connection:
            end_sessions(connection)

    def be_down_for_a_while():
        proxy.go_down()
        threading.Timer(0.1, proxy.come_up).start()

    def again_and_again():
        looks = ("FOR UPDATE", "DO NOTHING", "UPDATE", "LOCK")
        proxy.on("lose", COMMIT)
        proxy.on("lose", *looks)
        proxy.on("lose answer", COMMIT)
        proxy.on("lose answer", *looks)

    return {
        "lost while idle": proxy.cut,
        "ended while idle": end_all_sessions,
        "statement lost": lambda: proxy.on("lose", *WRITES),
        "answer lost": lambda: proxy.on("lose answer", *WRITES),
        "commit lost": lambda: proxy.on("lose", COMMIT),
        "answer to the commit lost": lambda: proxy.on("lose answer", COMMIT),
        "ended at the commit": lambda: proxy.on("swallow", COMMIT, before=end_all_sessions),
        "down": lambda: proxy.on("lose answer", COMMIT, after=be_down_for_a_while),
        "lost again and again": again_and_again,
    }


IDLE = ("lost while idle", "ended while idle")
AT_WORK = ("statement lost", "answer lost")
AT_COMMIT = (
    "commit lost",
    "answer to the commit lost",
    "ended at the commit",
    "down",
    "lost again and again",
)


@pytest.mark.parametrize("disturbance", [*IDLE, *AT_WORK, *AT_COMMIT])
@pytest.mark.parametrize("name", WORK)
def test_a_write_happens_once_whatever_happens_to_its_connection(
    store, proxy, postgres_url, undisturbed, archive, disturb, make, name, disturbance
):
    work = WORK[name]
    value, content = undisturbed(work)
    with store.driving("/mine"):
        work.prepare(store, make, postgres_url)
        disturb[disturbance]()
        assert work.call(store, make, archive) == value
        assert proxy.rules == []
    assert all_but_times(postgres_url) == content


def test_a_connection_whose_ping_fails_is_replaced(store, make, monkeypatch):
    """As psycopg does if the session ends while SQLAlchemy pings it in autocommit mode."""
    make.save(store, "s", make.runs(1))
    complaints = [psycopg.ProgrammingError("can't change 'autocommit' now: status ACTIVE")]
    ping = PGDialect_psycopg.do_ping

    def complain_once(dialect, connection):
        if complaints:
            raise complaints.pop()
        return ping(dialect, connection)

    monkeypatch.setattr(PGDialect_psycopg, "do_ping", complain_once)
    assert store.claim(RUN, provenance={}) == 1
    assert complaints == []


@pytest.mark.parametrize("disturbance", ["answer to the commit lost", "ended at the commit"])
@pytest.mark.parametrize("name", WORK_THAT_CHANGES_NOTHING)
def test_a_no_op_write_stays_a_no_op_whatever_happens_to_its_connection(
    store, proxy, postgres_url, undisturbed, archive, disturb, make, name, disturbance
):
    work = WORK_THAT_CHANGES_NOTHING[name]
    value, content = undisturbed(work)
    with store.driving("/mine"):
        work.prepare(store, make, postgres_url)
        disturb[disturbance]()
        assert work.call(store, make, archive) == value
        assert proxy.rules == []
    assert all_but_times(postgres_url) == content


@pytest.mark.parametrize("disturbance", [*IDLE, "answer lost"])
@pytest.mark.parametrize("name", QUESTIONS)
def test_a_read_succeeds_whatever_happens_to_its_connection(
    store, proxy, postgres_url, undisturbed, archive, disturb, make, name, disturbance
):
    work = QUESTIONS[name]
    value, _ = undisturbed(work)
    with store.driving("/mine"):
        work.prepare(store, make, postgres_url)
        if disturbance == "answer lost":
            proxy.on("lose answer", "FROM")
        else:
            disturb[disturbance]()
        assert work.call(store, make, archive) == value
        assert proxy.rules == []


def test_a_retry_with_unknown_outcome_is_not_repeated_after_a_new_failure(
    store, proxy, postgres_url, make
):
    WORK["retry a sweep"].prepare(store, make, postgres_url)

    def meanwhile():
        with Store.open(postgres_url) as driver:
            assert driver.claim(RUN, provenance={}) == 2
            assert driver.fail(RUN, 2, "broke again", None)

    proxy.on("lose answer", COMMIT, after=meanwhile)
    assert store.retry("s") == 2
    with Queries.open(postgres_url) as queries:
        assert [row["state"] for row in queries.run_rows(["s"])] == ["failed", "queued", "queued"]


@pytest.mark.parametrize("fate", ["lose", "lose answer"])
def test_tables_are_made_once_if_the_connection_is_lost_at_their_commit(postgres, fate):
    with databases.postgres_schema(postgres) as empty, closing(TcpProxy(empty)) as proxy:
        proxy.on("pass", "CREATE TABLE")
        proxy.on(fate, COMMIT)
        with Store.open(proxy.url) as opened:
            assert databases.running(opened) == []
        assert proxy.rules == []


def test_a_commit_that_the_server_answered_is_not_asked_about(store, plain_postgres, make):
    make.save(store, "s", make.runs(1))
    with plain_postgres.begin() as connection:
        for statement in (
            "CREATE SEQUENCE tries",  # sequences are not rolled back
            "CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF nextval('tries') = 1 THEN RAISE EXCEPTION 'no' USING ERRCODE = '40001'; END IF;"
            " RETURN NULL; END $$",
            "CREATE CONSTRAINT TRIGGER fail_once AFTER UPDATE ON runs"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail_once()",
        ):
            connection.exec_driver_sql(statement)
    tries = []

    def change(connection):
        tries.append(connection.execute(update(runs).values(created_at=0.0)).rowcount)

    store._database.write(change, lambda connection: pytest.fail("it was in doubt"))
    assert tries == [1, 1]


HOLD_COMMITS = (
    "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN PERFORM pg_advisory_xact_lock_shared(77); RETURN NULL; END $$",
    *(
        f"CREATE CONSTRAINT TRIGGER hold_{table} AFTER INSERT OR UPDATE ON {table}"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hold()"
        for table in ("sweeps", "runs", "evaluations", "sweep_specs", "drivers", "attempts")
    ),
)
WAITING = (
    "FROM pg_locks WHERE NOT granted AND pid IN"
    " (SELECT pid FROM pg_stat_activity WHERE application_name = 'sweep')"
)


@contextmanager
def commits_held(engine):
    """Every commit waits while the block runs; gives the connection that holds them up."""
    with engine.connect() as holder:
        holder.exec_driver_sql("; ".join(HOLD_COMMITS))
        holder.exec_driver_sql("SELECT pg_advisory_lock(77)")
        holder.commit()
        yield holder
        holder.exec_driver_sql("SELECT pg_advisory_unlock(77)")
        holder.commit()


@pytest.mark.parametrize("it_ends_with", ["a commit", "a rollback"])
@pytest.mark.parametrize("name", WORK)
def test_a_commit_still_in_progress_on_the_server_is_waited_for(
    store, proxy, plain_postgres, postgres_url, undisturbed, archive, make, name, it_ends_with
):
    work = WORK[name]
    value, content = undisturbed(work)
    values = []
    writer = threading.Thread(target=lambda: values.append(work.call(store, make, archive)))
    with store.driving("/mine"):
        work.prepare(store, make, postgres_url)
        with commits_held(plain_postgres) as holder:

            def waiting():
                found = holder.exec_driver_sql(f"SELECT count(*) {WAITING}").scalar_one()
                holder.commit()
                return found

            if work.fenced_off:
                proxy.on("pass", "INSERT INTO drivers")
            proxy.on("abandon", COMMIT)
            writer.start()
            # The commit on the lost connection, and the question about it on the new one.
            wait_until(lambda: waiting() == 2)
            assert values == []
            if it_ends_with == "a rollback":
                end_sessions(holder, f"pid IN (SELECT pid {WAITING} AND locktype = 'advisory')")
                holder.commit()
        writer.join()
    assert values == [value]
    assert all_but_times(postgres_url) == content
    with plain_postgres.begin() as connection:  # the tables are as they were, for another test
        connection.exec_driver_sql("DROP FUNCTION hold() CASCADE")


@pytest.mark.parametrize("code", ["40001", "40P01"])
def test_transactions_aborted_by_the_server_are_retried(
    store, postgres_url, plain_postgres, make, code
):
    make.save(store, "s", make.runs(2))
    with plain_postgres.begin() as connection:
        for statement in (
            "CREATE SEQUENCE tries",  # sequences are not rolled back
            "CREATE FUNCTION fail_twice() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF nextval('tries') < 3 THEN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END IF;"
            " RETURN NEW; END $$",
            "CREATE TRIGGER fail_twice BEFORE INSERT ON attempts FOR EACH ROW"
            " EXECUTE FUNCTION fail_twice()",
        ):
            connection.exec_driver_sql(statement)
    assert store.claim(RUN, provenance={}) == 1
    assert databases.running(store) == [(RUN, 1)]


def test_two_deadlocked_writers_both_succeed(store, postgres_url, make):
    make.save(store, "s", make.runs(2))
    both_have_one = threading.Barrier(2, timeout=5)
    first_try = threading.local()

    def change_both(numbers):
        first_try.now = True

        def apply(connection):
            for number in numbers:
                run_id = make.run(number).run_id
                connection.execute(
                    update(runs).where(runs.c.run_id == run_id).values(depth=runs.c.depth + 1)
                )
                if first_try.now:
                    first_try.now = False
                    both_have_one.wait()

        with Store.open(postgres_url) as own:
            own._database.write(apply, lambda connection: False)

    threads = [threading.Thread(target=change_both, args=(order,)) for order in ([1, 2], [2, 1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Queries.open(postgres_url) as queries:
        assert [row["depth"] for row in queries.run_rows()] == [34, 34]


def test_waiting_for_the_server_is_reported_once_and_the_store_continues(proxy, make):
    told = []
    with Store.open(proxy.url, on_wait=told.append) as store:
        make.save(store, "s", make.runs(1))
        proxy.go_down()
        threading.Timer(0.3, proxy.come_up).start()
        assert store.claim(RUN, provenance={}) == 1
    (said,) = told
    assert said.startswith("postgresql://")
    assert said.endswith("; trying again for 300 s")


def test_retries_back_off_report_every_ten_seconds_and_end(monkeypatch):
    now = 1000.0
    pauses = []
    told = []

    def sleep(seconds):
        nonlocal now
        pauses.append(seconds)
        now += seconds

    def fail_with(error):
        raise error

    monkeypatch.undo()
    monkeypatch.setattr("results.database.retry.time.sleep", sleep)
    monkeypatch.setattr("results.database.retry.time.monotonic", lambda: now)
    policy = RetryPolicy(
        60.0,
        lambda error: isinstance(error, DatabaseError),
        lambda sentence: told.append((now - 1000.0, sentence)),
    )
    assert policy.call(lambda: 7) == 7
    with pytest.raises(ValueError, match="does not pass"):
        policy.call(lambda: fail_with(ValueError("does not pass")))
    assert not policy.waited
    problem = DatabaseError("lost")
    with pytest.raises(DatabaseError) as caught:
        policy.call(lambda: fail_with(problem))
    assert caught.value is problem
    assert policy.waited
    assert sum(pauses) == pytest.approx(60.0)
    assert pauses[0] < 0.1
    assert pauses[:-1] == sorted(pauses[:-1])
    assert max(pauses) == 5.0
    assert [at for at, _ in told] == pytest.approx([0, 11.35, 21.35, 31.35, 41.35, 51.35])
    assert told[0][1] == "lost; trying again for 60 s"


def test_after_an_unreachable_server_error_the_next_call_does_not_wait(proxy, make, monkeypatch):
    monkeypatch.setattr("results.database.postgres.RETRY_SECONDS", 0.2)
    told = []
    with Store.open(proxy.url, on_wait=told.append) as store:
        make.save(store, "s", make.runs(2))
        proxy.go_down()
        with pytest.raises(DatabaseError, match="cannot be reached"):
            store.claim(RUN, provenance={})
        assert len(told) == 1
        with pytest.raises(DatabaseError, match="cannot be reached"):
            store.release(RUN, 1, "lost", "who cleans up after the error")
        assert len(told) == 1
        proxy.come_up()
        assert store.claim(RUN, provenance={}) == 1
        proxy.cut()
        assert store.release(RUN, 1, "lost", "it is back, and is waited for again")


def test_readers_retry_for_a_shorter_time_than_writers(proxy, store, make, monkeypatch):
    monkeypatch.setattr("results.database.postgres.READER_RETRY_SECONDS", 0.2)
    make.save(store, "s", make.runs(2))
    with Queries.open(proxy.url) as queries:
        proxy.cut()
        assert len(queries.run_rows()) == 2
        proxy.go_down()
        with pytest.raises(DatabaseError, match="cannot be reached"):
            queries.run_rows()


def test_a_view_whose_connection_is_lost_is_an_error(proxy, store, make):
    reader = Queries.open(proxy.url)

    def look_twice():
        with reader.view() as view:
            assert view.execute(select(runs)).all() == []
            proxy.cut()
            view.execute(select(runs))

    with pytest.raises(DatabaseError, match=r"connection to .* was lost"):
        look_twice()
    with reader.view() as view:
        assert view.execute(select(runs)).all() == []
    reader.close()


@pytest.fixture
def _control_c_interrupts():
    """Also where the tests were started by a shell in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_control_c_interrupts")
def test_control_c_ends_waiting_for_the_server_for_later_calls_too(proxy, make):
    told = threading.Event()
    waits = []

    def tell(sentence):
        waits.append(sentence)
        told.set()

    def interrupt():
        told.wait()
        time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    with Store.open(proxy.url, on_wait=tell) as store:
        make.save(store, "s", make.runs(2))
        assert store.claim(RUN, provenance={}) == 1
        proxy.go_down()
        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            store.claim(make.run(2).run_id, provenance={})
        waits.clear()
        with pytest.raises(DatabaseError, match="cannot be reached"):
            store.release(RUN, 1, "interrupted", "stopped by a signal")
        assert waits == []


# A driver and its locks


def locked_drivers(engine):
    """The drivers whose locks are held."""
    with engine.connect() as connection:
        return set(
            connection.exec_driver_sql(
                "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory'"
                " AND classid = 'drivers'::regclass"
            ).scalars()
        )


LOSSES = ["lost while idle", "ended while idle", "statement lost", "answer lost", *AT_COMMIT]


@pytest.mark.parametrize("disturbance", LOSSES)
def test_a_driver_is_registered_once_whatever_happens_to_its_connection(
    store, proxy, postgres_url, plain_postgres, disturb, disturbance
):
    make_connections(store)
    disturb[disturbance]()
    with store.driving():
        assert proxy.rules == []
        with plain_postgres.connect() as connection:
            (row,) = connection.execute(select(drivers)).all()
        assert (row.id, row.ended_at) == (store._driver.id, None)
        assert locked_drivers(plain_postgres) == {row.id}
        assert store.renew([]) == (True, [])
    wait_until(lambda: not locked_drivers(plain_postgres))


def make_connections(store):
    """So that there is one to be lost."""
    assert databases.running(store) == []


@pytest.mark.parametrize("fate", ["lose", "lose answer"])
def test_a_fenced_off_driver_is_registered_again_once(
    store, proxy, postgres_url, plain_postgres, fate
):
    with store.driving():
        end(postgres_url, store)
        proxy.on("pass", "INSERT INTO drivers")
        proxy.on(fate, COMMIT)
        assert store.renew([(RUN, 1)]) == (False, [(RUN, 1)])
        assert proxy.rules == []
        with plain_postgres.connect() as connection:
            found = connection.execute(select(drivers).order_by(drivers.c.id)).all()
        assert [row.ended_at is None for row in found] == [False, True]
        assert found[1].id == store._driver.id
        assert store._driver.id in locked_drivers(plain_postgres)


def test_advisory_locks_are_reacquired_after_a_lost_connection(
    proxy, store, postgres_url, plain_postgres, make
):
    make.save(store, "s", make.runs(2))
    with Store.open(postgres_url) as other, store.driving(), other.driving():
        mine = store._driver.id
        assert store.claim(RUN, provenance={}) == 1
        for lose in (proxy.cut, proxy.abandon):
            lose()
            assert store.renew([(RUN, 1)]) == (True, [])
            assert mine in locked_drivers(plain_postgres)
            assert other.take_over() == []
        assert store._driver.id == mine
        assert store.commit(RUN, 1, make.result(RUN))


def test_advisory_locks_are_reacquired_after_a_server_outage(
    proxy, store, postgres_url, plain_postgres, make
):
    make.save(store, "s", make.runs(2))
    with store.driving():
        assert store.claim(RUN, provenance={}) == 1
        proxy.go_down()
        threading.Timer(0.2, proxy.come_up).start()
        assert store.commit(RUN, 1, make.result(RUN))
        assert locked_drivers(plain_postgres) == {store._driver.id}


def test_a_driver_that_cannot_reacquire_its_lock_stops_and_says_why(store, plain_postgres, make):
    make.save(store, "s", make.runs(2))
    with plain_postgres.connect() as other, store.driving():
        end_sessions(other, "application_name LIKE 'sweep driver%'")
        wait_until(lambda: other.execute(_TAKE_SCHEMA).scalar_one())
        with pytest.raises(DriverBusyError, match="another driver works on"):
            store.claim(RUN, provenance={})
    assert databases.running(store) == []


def test_a_driver_fenced_off_while_disconnected_changes_nothing(
    proxy, store, postgres_url, plain_postgres, make
):
    make.save(store, "s", make.runs(2))
    with Store.open(postgres_url) as other, store.driving(), other.driving():
        assert store.claim(RUN, provenance={}) == 1
        proxy.cut()
        wait_until(lambda: store._driver.id not in locked_drivers(plain_postgres))
        assert other.take_over() == [(RUN, 1, None)]
        before = databases.content(postgres_url)
        assert not store.commit(RUN, 1, make.result(RUN))
        assert store.claim(make.run(2).run_id, provenance={}) is None
        assert databases.content(postgres_url) == before
        assert store.renew([(RUN, 1)]) == (False, [(RUN, 1)])
        assert store.claim(make.run(2).run_id, provenance={}) == 1
        assert other.commit(RUN, 1, make.result(RUN))


def test_an_idle_transaction_does_not_block_other_writers_forever(postgres_url, make, monkeypatch):
    monkeypatch.setattr("results.database.postgres.IDLE_SECONDS", 0.1)
    with Store.open(postgres_url) as store, Store.open(postgres_url) as other:
        make.save(store, "s", make.runs(2))
        assert databases.running(store) == []
        state = select(runs.c.state).where(runs.c.run_id == RUN).with_for_update()
        states = []

        def stand_still(connection):
            states.append(connection.execute(state).scalar_one())
            if len(states) == 1:
                assert other.cancel(run_ids=[RUN]) == 1
            return connection.execute(state).scalar_one()

        assert store._database.write(stand_still, lambda connection: False) == "cancelled"
        assert states == ["queued", "cancelled"]


@pytest.fixture
def postgres_database(request, postgres):
    """The URL of a database with the encoding that a test is parametrized with."""
    name = f"sweep_test_{request.param.lower()}"
    engine = databases.plain_engine(postgres).execution_options(isolation_level="AUTOCOMMIT")
    kind = f"ENCODING '{request.param}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} {kind}"))
        yield make_url(postgres).set(database=name).render_as_string(hide_password=False)
        connection.execute(text(f"DROP DATABASE {name}"))


@pytest.mark.parametrize("postgres_database", ["SQL_ASCII", "LATIN1"], indirect=True)
def test_a_database_in_another_encoding_than_utf8_is_refused(postgres_database, monkeypatch):
    for asked in ("", "LATIN1"):
        monkeypatch.setenv("PGCLIENTENCODING", asked)
        with pytest.raises(DatabaseError, match=r"has the encoding \w+, which cannot"):
            Store.open(postgres_database)
    with databases.plain_engine(postgres_database).connect() as connection:
        assert inspect(connection).get_table_names() == []


@pytest.mark.parametrize("asked", ["LATIN1", "SQL_ASCII", "no_encoding"])
def test_text_and_numbers_are_exact_whatever_the_user_asks_the_server_for(
    asked, postgres_url, make, monkeypatch
):
    url = make_url(postgres_url)
    chosen = {"client_encoding": asked, "options": f"{url.query['options']} {PGOPTIONS}"}
    for address in (url, url.update_query_dict(chosen)):
        with monkeypatch.context() as outside:
            outside.setenv("PGCLIENTENCODING", asked)
            store = Store.open(address.render_as_string(hide_password=False))
        with store:
            store.save_sweep("s", "name: λ 語", "s.yaml", [], None, [make.run(beta=1 / 3)], [])
            assert store.stored_spec("s").text == "name: λ 語"
            beta = store._database.read(lambda c: c.execute(select(runs.c.beta)).scalar_one())
            assert beta == 1 / 3


PGOPTIONS = "-c extra_float_digits=-3 -c client_encoding=latin1"


@pytest.mark.timeout(120)  # else the driver would wait for minutes
def test_a_driver_that_exits_during_an_outage_does_not_wait(
    proxy, store, postgres_url, plain_postgres, make
):
    make.save(store, "s", make.runs(2))
    with store.driving():
        assert store.claim(RUN, provenance={}) == 1
        proxy.go_down()
    wait_until(lambda: not locked_drivers(plain_postgres))
    with Store.open(postgres_url) as other, other.driving():
        assert other.take_over() == [(RUN, 1, None)]


def test_retry_seconds_limits_how_long_a_store_retries(proxy, make):
    told = []
    with Store.open(proxy.url, on_wait=told.append, retry_seconds=0.2) as store:
        make.save(store, "s", make.runs(2))
        proxy.go_down()
        with pytest.raises(DatabaseError, match="cannot be reached"):
            store.claim(RUN, provenance={})
    assert told


def test_a_wrong_password_fails_at_once_and_says_so(postgres_url, user_with_password, monkeypatch):
    monkeypatch.setattr(
        "results.database.retry.time.sleep", lambda seconds: pytest.fail("it waited")
    )
    name, password = user_with_password
    right = make_url(postgres_url).set(username=name, password=password)
    wrong = right.set(password="guessed")
    with pytest.raises(DatabaseError, match="password authentication failed") as caught:
        Store.open(wrong.render_as_string(hide_password=False))
    assert "guessed" not in str(caught.value)
    with pytest.raises(DatabaseError, match=r"does not let this user|no database at"):
        Store.open(right.render_as_string(hide_password=False), create=False)


# The start of a driver


@pytest.mark.parametrize("fate", ["lose", "lose answer"])
@pytest.mark.parametrize(
    "words", ["extra_float_digits", "version()", "pg_try_advisory_lock", "nextval"]
)
def test_a_connection_that_is_lost_at_the_very_start_is_waited_for(proxy, store, words, fate):
    told = []
    proxy.on(fate, words)
    with Store.open(proxy.url, on_wait=told.append) as started, started.driving():
        assert started.held() == []
    assert proxy.rules == []
    assert told


def test_costs_are_asked_for_on_the_connection_that_is_waited_for(proxy, store):
    told = []
    with Store.open(proxy.url, on_wait=told.append) as started:
        proxy.on("lose", "images_per_second")
        assert Queries.of(started).cost_samples() == []
    assert proxy.rules == []
    assert told


def test_an_address_that_never_answered_is_an_error_at_once(proxy, monkeypatch):
    monkeypatch.setattr(
        "results.database.retry.time.sleep", lambda seconds: pytest.fail("it waited")
    )
    proxy.go_down()
    with pytest.raises(DatabaseError, match="cannot be reached"):
        Store.open(proxy.url)
