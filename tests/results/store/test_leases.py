from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
from sqlalchemy import select, text

import databases
from results.database.base import Database
from results.errors import DriverBusyError, UnknownRunError, UnknownSweepError
from results.provenance import in_parts
from results.records import FAULTS, Orphan
from results.schema.tables import attempts, drivers
from results.store import leases, transitions
from results.store.store import LEASE_SECONDS, Store
from waiting import wait_until

ROOT = Path(__file__).parents[3]
RUN = f"{1:016x}"
OTHER = f"{2:016x}"

# A driver in a process of its own: claims runs, then does each thing it is told.
DRIVER = """
import json, os, sys, time
from results.store.store import Store
url, claimed, forks = json.loads(sys.argv[1])
with Store.open(url) as store, store.driving("/runs", "sweep run spec.yaml"):
    for run_id in claimed:
        assert store.claim(run_id, provenance={"host": "node-1"}) == 1
    child = os.fork() if forks else -1
    if child == 0:
        time.sleep(60)
        os._exit(0)
    print(child, flush=True)
    for line in sys.stdin:
        name, arguments, options = json.loads(line)
        print(json.dumps(getattr(store, name)(*arguments, **options)), flush=True)
"""


class OtherDriver:
    """A driver in another process; `child` is a fork of it, if it has one."""

    def __init__(self, url, claimed, forks):
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, json.dumps([url, claimed, forks])],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.child = int(self.process.stdout.readline())

    def tell(self, method, *arguments, **options):
        """Has it call a method of its store."""
        self.process.stdin.write(json.dumps([method, arguments, options]) + "\n")
        self.process.stdin.flush()

    def hear(self):
        """What the method gave."""
        return json.loads(self.process.stdout.readline())

    def ask(self, method, *arguments, **options):
        self.tell(method, *arguments, **options)
        return self.hear()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.kill()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        if self.child > 0:
            os.kill(self.child, signal.SIGKILL)


@contextlib.contextmanager
def starting():
    """Starts drivers in processes of their own."""
    with contextlib.ExitStack() as stack:

        def start(url, claimed=(), *, forks=False):
            other = OtherDriver(url, list(claimed), forks)
            stack.callback(other.close)
            return other

        yield start


@pytest.fixture
def start():
    with starting() as start:
        yield start


@pytest.fixture
def clock(monkeypatch):
    """The databases' clock, which moves when told to."""

    class Clock:
        now = 1_000_000.0

    monkeypatch.setattr("results.database.base.Database.now", lambda self, connection: Clock.now)
    return Clock


@pytest.fixture(autouse=True)
def _a_server_that_has_long_been_up(monkeypatch):
    """Or else nothing could be told from a lock that is missing."""
    monkeypatch.setattr("results.database.postgres_lock.RESTART_SECONDS", 0.0)


@pytest.fixture
def two_drivers(url, clock, monkeypatch):
    """Drives two stores at once: also on SQLite, as if the lock on the file did not work there."""
    monkeypatch.setattr("results.database.sqlite.driver_lock", lambda path, command: nullcontext())
    with (
        Store.open(url) as first,
        Store.open(url) as second,
        first.driving("/first"),
        second.driving("/second"),
    ):
        yield first, second


def rows_of(url, table):
    """All rows of a table as dicts."""
    engine = databases.plain_engine(url)
    with engine.begin() as connection:
        query = select(table).order_by(*table.primary_key.columns)
        return [dict(row) for row in connection.execute(query).mappings()]


@pytest.fixture
def rows(url):
    return lambda table: rows_of(url, table)


# A driver's row


def test_a_drivers_lease_is_measured_by_the_databases_clock(store, rows, clock, monkeypatch):
    monkeypatch.setattr("results.store.store.time.time", lambda: 5.0)
    with store.driving():
        (row,) = rows(drivers)
        assert row == {
            "id": 1,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started_at": clock.now,
            "lease_until": clock.now + LEASE_SECONDS,
            "ended_at": None,
            "sweep": None,
        }
        clock.now += 30
        assert store.renew([]) == (True, [])
        assert rows(drivers)[0]["lease_until"] == clock.now + LEASE_SECONDS
    assert rows(drivers)[0]["ended_at"] == clock.now
    with store.driving():
        assert [row["ended_at"] is None for row in rows(drivers)] == [False, True]


def test_the_databases_clock_agrees_with_the_system_time(store):
    before = time.time()
    now = store._database.read(store._database.now)
    assert before - 0.1 < now < time.time() + 0.1


def test_a_claim_records_its_driver_and_storage(store, make, rows):
    make.save(store, "s", make.runs(2))
    with store.driving("s3://bucket/runs"):
        assert store.claim(RUN, provenance={}) == 1
    assert store.claim(OTHER, provenance={}) == 1
    with store.driving():
        assert store.held() == []
        assert store.take_over() == [(RUN, 1, "s3://bucket/runs"), (OTHER, 1, None)]
        assert store.release(RUN, 1, "lost", None)
        assert store.held() == [(OTHER, 1)]
        assert store.claim(RUN, provenance={}) == 2
        assert store.held() == sorted([(RUN, 2), (OTHER, 1)])
    found = [(row["run_id"], row["storage"], row["driver_id"]) for row in rows(attempts)]
    assert found == [(RUN, "s3://bucket/runs", 2), (RUN, None, 2), (OTHER, None, 2)]


def test_renew_and_take_over_need_driving_which_is_not_reentrant(store):
    for call in (lambda: store.renew([]), store.take_over, store.held):
        with pytest.raises(RuntimeError, match=r"Store\.driving"):
            call()
    with store.driving(), pytest.raises(RuntimeError, match="drives already"), store.driving():
        pytest.fail("twice")


def test_a_run_without_a_driver_is_writable_only_after_takeover(two_drivers, url, make):
    """As a database from before there were drivers has it."""
    first, second = two_drivers
    make.save(first, "s", make.runs(1))
    with Store.open(url) as script:
        assert script.claim(RUN, provenance={}) == 1
        assert not first.release(RUN, 1, "lost", None)
        assert first.take_over() == [(RUN, 1, None)]
        assert not script.release(RUN, 1, "lost", None)
        assert not script.commit(RUN, 1, make.result(RUN))
    assert second.take_over() == []
    assert first.commit(RUN, 1, make.result(RUN))


def test_a_forked_child_leaving_the_block_does_not_end_the_driver(store, url, make, rows):
    make.save(store, "s", make.runs(1))
    try:
        with store.driving():
            assert store.claim(RUN, provenance={}) == 1
            child = os.fork()
            if child == 0:
                raise RuntimeError("leaves")
            assert os.waitpid(child, 0)[1] == 0
            assert rows(drivers)[0]["ended_at"] is None
            if url.startswith("postgres"):
                with Store.open(url) as other, other.driving():
                    assert other.take_over() == []
            assert store.renew([(RUN, 1)]) == (True, [])
    except RuntimeError:
        os._exit(0)  # the child


def test_a_lease_can_be_renewed_in_a_thread_while_another_writes(store, make):
    """And so it hears of a run that was taken from it, and of no other."""
    make.save(store, "s", make.runs(60))
    ids = [run.run_id for run in make.runs(60)]
    done = threading.Event()
    lost = []

    def renew():
        while not done.is_set():
            alive, gone = store.renew([(run_id, 1) for run_id in ids[:1]])
            assert alive
            lost.extend(gone)

    with store.driving():
        assert store.claim(ids[0], provenance={}) == 1
        thread = threading.Thread(target=renew)
        thread.start()
        for run_id in ids[1:]:
            assert store.claim(run_id, provenance={}) == 1
            assert store.commit(run_id, 1, make.result(run_id))
        assert lost == []
        store.cancel(run_ids=ids[:1])
        wait_until(lambda: lost)
        done.set()
        thread.join()
    assert set(lost) == {(ids[0], 1)}


def test_a_driver_that_is_registered_again_while_it_saves_a_sweep_works_on_it(store, make, plain):
    """By another thread, just after the sweep was committed."""
    write = store._database.write

    def write_and_lose(*arguments, **options):
        change = write(*arguments, **options)
        store._database.write = write
        with plain.begin() as connection:
            connection.exec_driver_sql("UPDATE drivers SET ended_at = started_at")
        assert not store.renew([]).alive
        return change

    with store.driving():
        store._database.write = write_and_lose
        make.save(store, "s", make.runs(1))
        with plain.connect() as connection:
            known = connection.exec_driver_sql("SELECT sweep, ended_at IS NULL FROM drivers")
            assert sorted(map(tuple, known)) == [("s", False), ("s", True)]


# Taking over


def test_runs_of_a_driver_that_left_are_taken_over(store, make, clock):
    make.save(store, "s", make.runs(3))
    with store.driving("/runs"):
        for run in make.runs(2):
            store.claim(run.run_id, provenance={})
        assert store.take_over() == []
    with store.driving():
        assert store.take_over() == [Orphan(RUN, 1, "/runs"), Orphan(OTHER, 1, "/runs")]
        assert store.take_over() == []
        assert store.commit(RUN, 1, make.result(RUN))
        assert store.release(OTHER, 1, "lost", "its driver ended")


def test_a_driver_that_ended_cannot_renew_its_lease(store, rows):
    with store.driving():
        driver = store._driver
    assert driver.renew([(RUN, 1)]) == (False, [(RUN, 1)])
    (row,) = rows(drivers)
    assert (row["id"], row["ended_at"] is None) == (driver.id, False)


def test_a_killed_drivers_runs_can_be_taken_over_at_once(store, url, start, make, clock):
    make.save(store, "s", make.runs(3))
    other = start(url, [RUN, OTHER], forks=True)
    other.kill()
    os.kill(other.child, 0)  # its child lives on, and holds nothing
    with contextlib.ExitStack() as stack:

        def drives():
            with contextlib.suppress(DriverBusyError):
                stack.enter_context(store.driving())
                return True

        wait_until(drives)
        assert wait_until(store.take_over) == [(RUN, 1, "/runs"), (OTHER, 1, "/runs")]


def test_a_stopped_driver_loses_its_runs_after_the_lease_and_is_fenced_off(
    postgres_url, start, make, monkeypatch
):
    many = [run.run_id for run in make.runs(40)]
    held, queued = many[:20], many[20:]
    later = 0.0
    now = Database.now
    with Store.open(postgres_url) as store, store.driving():
        make.save(store, "s", make.runs(40))
        other = start(postgres_url, held)
        other.process.send_signal(signal.SIGSTOP)
        monkeypatch.setattr(Database, "now", lambda self, c: now(self, c) + later)
        assert store.take_over() == []
        later = LEASE_SECONDS - 20
        assert store.take_over() == []
        later = LEASE_SECONDS + 1
        assert [orphan.run_id for orphan in store.take_over()] == held
        before = databases.content(postgres_url)
        other.process.send_signal(signal.SIGCONT)
        for run_id in held:
            assert other.ask("commit", run_id, 1, make.result(run_id)) is False
            assert other.ask("release", run_id, 1, "lost", "it woke up") is False
            assert other.ask("fail", run_id, 1, "it woke up", None) is False
        for run_id in queued:
            assert other.ask("claim", run_id, provenance={}) is None
        assert databases.content(postgres_url) == before
        alive, lost = other.ask("renew", [[run_id, 1] for run_id in held])
        assert (alive, len(lost)) == (False, 20)
        assert other.ask("claim", queued[0], provenance={}) == 1
        for run_id in held:
            assert other.ask("commit", run_id, 1, make.result(run_id)) is False
            assert store.commit(run_id, 1, make.result(run_id))


FENCED_WRITES = {
    "commit": lambda store, run_id, make: store.commit(run_id, 1, make.result(run_id)),
    "release": lambda store, run_id, make: store.release(
        run_id, 1, "lost", "late", fault="worker_lost", provenance={"host": "node-9"}
    ),
    "fail": lambda store, run_id, make: store.fail(run_id, 1, "late", "trace", fault="hung"),
}


@pytest.mark.parametrize("write", FENCED_WRITES)
def test_no_write_of_a_fenced_off_driver_changes_anything(two_drivers, make, clock, content, write):
    first, second = two_drivers
    make.save(first, "s", make.runs(20))
    ids = [run.run_id for run in make.runs(20)]
    assert [first.claim(run_id, provenance={}) for run_id in ids] == [1] * 20
    clock.now += LEASE_SECONDS + 1
    second.renew([])
    assert second.take_over() == [(run_id, 1, "/first") for run_id in ids]
    before = content()
    assert [FENCED_WRITES[write](first, run_id, make) for run_id in ids] == [False] * 20
    assert content() == before
    # Nor later, when the runs are running again by the next attempt of the other driver.
    for run_id in ids:
        assert second.release(run_id, 1, "lost", "its driver ended")
        assert second.claim(run_id, provenance={}) == 2
    before = content()
    assert [FENCED_WRITES[write](first, run_id, make) for run_id in ids] == [False] * 20
    assert content() == before
    assert first.renew([]) == (False, [])
    assert [FENCED_WRITES[write](first, run_id, make) for run_id in ids] == [False] * 20
    assert databases.running(first) == [(run_id, 2) for run_id in ids]


def test_a_fenced_off_driver_cannot_claim_or_take_over_runs(two_drivers, url, make, clock, content):
    first, second = two_drivers
    make.save(first, "s", make.runs(20))
    ids = [run.run_id for run in make.runs(20)]
    clock.now += LEASE_SECONDS + 1
    second.renew([])
    second.take_over()
    before = content()
    assert [first.claim(run_id, provenance={}) for run_id in ids] == [None] * 20
    assert content() == before
    with Store.open(url) as script:
        assert script.claim(RUN, provenance={}) == 1
    before = content()
    assert [first.take_over() for _ in range(20)] == [[]] * 20
    assert content() == before
    assert first.renew([(RUN, 7)]) == (False, [(RUN, 7)])
    assert first.claim(OTHER, provenance={}) == 1
    assert first.renew([(RUN, 1), (OTHER, 1)]) == (True, [(RUN, 1)])


def test_runs_under_a_renewed_lease_cannot_be_taken_over(postgres_url, make, clock):
    with Store.open(postgres_url) as first, Store.open(postgres_url) as second:
        make.save(first, "s", make.runs(2))
        with first.driving(), second.driving():
            assert first.claim(RUN, provenance={}) == 1
            for _ in range(5):
                clock.now += LEASE_SECONDS - 1
                assert first.renew([(RUN, 1)]) == (True, [])
                assert second.take_over() == []
            # An end of the lease alone takes nothing away.
            clock.now += LEASE_SECONDS + 1
            assert first.renew([(RUN, 1)]) == (True, [])
            clock.now += LEASE_SECONDS + 1
            assert second.take_over() == [(RUN, 1, None)]


def test_concurrent_takeovers_get_disjoint_runs(postgres_url, make, clock):
    with contextlib.ExitStack() as stack:
        dead, *living = (stack.enter_context(Store.open(postgres_url)) for _ in range(4))
        make.save(dead, "s", make.runs(20))
        ids = [run.run_id for run in make.runs(20)]
        for store in living:
            stack.enter_context(store.driving())
        for number in range(20):
            with dead.driving():
                for run_id in ids:
                    assert dead.claim(run_id, provenance={}) == number + 1
            together = threading.Barrier(len(living))
            found = [[] for _ in living]

            def take_over(store, mine, together=together):
                together.wait()
                mine += store.take_over()

            pairs = zip(living, found, strict=True)
            threads = [threading.Thread(target=take_over, args=pair) for pair in pairs]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sorted(orphan.run_id for mine in found for orphan in mine) == ids
            for store, mine in zip(living, found, strict=True):
                for orphan in mine:
                    assert store.release(orphan.run_id, orphan.attempt, "lost", None)


def test_a_takeover_waits_for_a_claim_in_progress_and_finds_its_run(postgres_url, make, clock):
    with Store.open(postgres_url) as first, Store.open(postgres_url) as second:
        make.save(first, "s", make.runs(1))
        with first.driving(), second.driving():
            first_id = first._driver.id
            clock.now += LEASE_SECONDS + 1
            second.renew([])
            found = []
            thread = threading.Thread(target=lambda: found.extend(second.take_over()))

            def claim_slowly(connection):
                assert leases.keep_from_takeover(connection, first_id)
                thread.start()
                wait_until(lambda: is_blocked(second))
                assert transitions.claim(connection, [RUN], in_parts({}), 1.0, first._driver) == {
                    RUN: 1
                }
                assert found == []

            first._database.write(claim_slowly, lambda connection: False)
            thread.join()
            assert found == [(RUN, 1, None)]
            assert first._driver.id == first_id
            assert not first.commit(RUN, 1, make.result(RUN))


def is_blocked(store):
    """Whether a session of the server waits for a lock."""
    query = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    return store._database.read(lambda c: c.execute(query).scalar_one()) > 0


def test_drivers_in_two_schemas_of_one_server_are_independent(postgres, make, clock):
    with (
        databases.postgres_schema(postgres) as here,
        databases.postgres_schema(postgres) as there,
        Store.open(here) as store,
        Store.open(there) as other,
        Store.open(here) as next_one,
    ):
        for opened in (store, other):
            make.save(opened, "s", make.runs(1))
        with other.driving():
            with store.driving():
                assert store._driver.id == other._driver.id == 1
                assert store.claim(RUN, provenance={}) == 1
                # As if its process had ended.
                store._database._lock.release()  # type: ignore[attr-defined]
                with next_one.driving():
                    assert next_one._driver.id == 2
                    assert next_one.take_over() == [(RUN, 1, None)]
            assert other.claim(RUN, provenance={}) == 1
            assert other.renew([(RUN, 1)]) == (True, [])


def test_advisory_locks_of_other_programs_do_not_interfere(postgres_url, plain_postgres, make):
    with (
        Store.open(postgres_url) as store,
        Store.open(postgres_url) as other,
        plain_postgres.connect() as connection,
    ):
        make.save(store, "s", make.runs(1))
        with store.driving():
            assert store.claim(RUN, provenance={}) == 1
            mine = connection.execute(
                text(
                    "SELECT classid, objid FROM pg_locks WHERE locktype = 'advisory' AND objid = 1"
                )
            ).one()
            # The same two numbers as a pair are another lock.
            pair = {"high": mine.classid, "low": mine.objid}
            lock = text("SELECT pg_try_advisory_lock(:high, :low)")
            assert connection.execute(lock, pair).scalar_one()
        with other.driving():
            assert other.take_over() == [(RUN, 1, None)]


# The server's end


@pytest.fixture(scope="module")
def own_postgres():
    with databases.own_server() as server:
        yield server


def test_drivers_keep_their_runs_when_the_server_is_restarted(
    own_postgres, make, clock, monkeypatch
):
    monkeypatch.setattr("results.database.postgres_lock.RESTART_SECONDS", 15.0)

    def restart():
        own_postgres.stop()
        clock.now += 1000.0  # much longer than a lease
        own_postgres.start()

    drive_on_after(restart, own_postgres, make)


def test_drivers_keep_their_runs_when_the_server_crashes(own_postgres, make, clock, monkeypatch):
    engine = databases.plain_engine(own_postgres.url)
    since = "SELECT extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8"

    def seconds_up():
        with engine.connect() as connection:
            return float(connection.exec_driver_sql(since).scalar_one())

    wait_until(lambda: seconds_up() > 3)
    started = time.monotonic() - seconds_up()

    def take_over(store):
        # A crash is no start of the server process, which has been up for longer than this.
        up = time.monotonic() - started
        monkeypatch.setattr("results.database.postgres_lock.RESTART_SECONDS", up)
        return store.take_over()

    drive_on_after(own_postgres.crash, own_postgres, make, take_over)


def drive_on_after(end, own_postgres, make, take_over=Store.take_over):
    with databases.postgres_schema(own_postgres.url) as url, contextlib.ExitStack() as stack:
        first, second = (stack.enter_context(Store.open(url)) for _ in range(2))
        make.save(first, "s", make.runs(3))
        for store in (first, second):
            stack.enter_context(store.driving())
        assert first.claim(RUN, provenance={}) == 1
        end()
        # The first has not noticed yet, and its lock is gone.
        assert take_over(second) == []
        assert first.renew([(RUN, 1)]) == (True, [])
        assert first.commit(RUN, 1, make.result(RUN))
        assert first.claim(OTHER, provenance={}) == 1
        assert take_over(second) == []


def test_a_driver_that_does_not_relock_after_a_restart_loses_its_runs(
    own_postgres, make, clock, monkeypatch
):
    with databases.postgres_schema(own_postgres.url) as url, contextlib.ExitStack() as stack:
        first, second = (stack.enter_context(Store.open(url)) for _ in range(2))
        make.save(first, "s", make.runs(3))
        for store in (first, second):
            stack.enter_context(store.driving())
        assert first.claim(RUN, provenance={}) == 1
        own_postgres.stop()
        own_postgres.start()
        monkeypatch.setattr("results.database.postgres_lock.RESTART_SECONDS", 15.0)
        assert second.take_over() == []
        monkeypatch.setattr("results.database.postgres_lock.RESTART_SECONDS", 0.0)
        assert second.take_over() == [(RUN, 1, None)]
        assert first.renew([(RUN, 1)]) == (False, [(RUN, 1)])


# Working together


@pytest.mark.long
def test_eight_threads_racing_for_a_thousand_claims_win_each_once(postgres_url, make):
    assert race(postgres_url, make, RACING_DRIVER) == 1000
    found = rows_of(postgres_url, attempts)
    assert len({row["driver_id"] for row in found}) == 8
    assert all(row["attempt"] == 1 for row in found)


@pytest.mark.slow
@pytest.mark.long
def test_eight_processes_racing_for_a_thousand_claims_win_each_once(sqlite_url, make):
    assert race(sqlite_url, make, RACING) == 1000


RACING = """
import json, random, sys
from contextlib import nullcontext
from results.store.store import Store
url, number = json.loads(sys.argv[1])
dice = random.Random(number)
won = []
with Store.open(url) as store, nullcontext():
    print("ready", flush=True)
    sys.stdin.readline()
    while queued := [run.run_id for run in store.pending("s")]:
        dice.shuffle(queued)
        missed = 0
        while queued and missed < 5:
            run_id = queued.pop()
            if store.claim(run_id, provenance={"n": number}) is None:
                missed += 1
            else:
                won.append(run_id)
    print(json.dumps(won))
"""
RACING_DRIVER = RACING.replace("nullcontext():", "store.driving():")


def race(url, make, script):
    """Lets eight processes claim the same runs; how many different ones they won."""
    with Store.open(url) as store:
        make.save(store, "s", make.runs(1000))
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", script, json.dumps([url, number])],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for number in range(8)
    ]  # fmt: skip
    try:
        for racer in racers:
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            racer.stdin.write("go\n")
            racer.stdin.flush()
        won = [json.loads(racer.stdout.readline()) for racer in racers]
    finally:
        for racer in racers:
            racer.kill()
            racer.wait()
            racer.stdout.close()
            with contextlib.suppress(BrokenPipeError):
                racer.stdin.close()
    everything = [run_id for mine in won for run_id in mine]
    assert len(everything) == len(set(everything))
    assert min(map(len, won)) > 0
    return len(everything)


def test_others_lists_living_drivers_with_runs_of_the_sweep(postgres_url, make, clock):
    with contextlib.ExitStack() as stack:
        first, second, third = (stack.enter_context(Store.open(postgres_url)) for _ in range(3))
        make.save(first, "s", make.runs(4))
        make.save(first, "t", [make.run(9)])
        me = (socket.gethostname(), os.getpid())
        with first.driving(), second.driving():
            for run in make.runs(2):
                first.claim(run.run_id, provenance={})
            second.claim(make.run(3).run_id, provenance={})
            assert first.others("s") == [(*me, 1)]
            assert second.others("s") == [(*me, 2)]
            assert third.others("s") == [(*me, 2), (*me, 1)]
            assert third.others("t") == []
            with pytest.raises(UnknownSweepError):
                third.others("u")
            clock.now += LEASE_SECONDS + 1
            second.renew([])
            assert third.others("s") == [(*me, 1)]


# Cancelling and retrying while a driver works


def test_a_driver_loses_its_run_when_it_is_cancelled(store, make, rows, queries):
    make.save(store, "s", make.runs(4))
    with store.driving():
        for run in make.runs(2):
            assert store.claim(run.run_id, provenance={}) == 1
        assert store.commit(OTHER, 1, make.result(OTHER))
        assert store.cancel("s") == 3
        assert store.renew([(RUN, 1)]) == (True, [(RUN, 1)])
        assert not store.commit(RUN, 1, make.result(RUN))
        assert not store.release(RUN, 1, "lost", None)
        assert store.claim(make.run(3).run_id, provenance={}) is None
        counts = queries.status("s")[0].counts
        assert (counts["cancelled"], counts["done"]) == (3, 1)
        (attempt,) = queries.run_detail(RUN)["attempt_history"]
        assert attempt["state"] == "cancelled"
        assert attempt["finished_at"] is not None
        assert store.cancel("s") == 0
        assert store.retry("s") == 3
        assert store.claim(RUN, provenance={}) == 2
        assert not store.commit(RUN, 1, make.result(RUN))
        assert store.commit(RUN, 2, make.result(RUN, 2))


def test_cancel_can_be_limited_to_a_sweep_or_runs(store, make, queries):
    make.save(store, "s", make.runs(3))
    make.save(store, "t", [make.run(3), make.run(4)])
    assert store.cancel("t", run_ids=[RUN, make.run(3).run_id]) == 1
    assert store.cancel(run_ids=[RUN]) == 1
    for arguments in (("u",), (None, [OTHER, "f" * 16]), (None, [""]), (None, [RUN[:-1]])):
        with pytest.raises((UnknownSweepError, UnknownRunError)):
            store.cancel(*arguments)
    states = {row["run_id"][-1]: row["state"] for row in queries.run_rows()}
    assert states == {"1": "cancelled", "2": "queued", "3": "cancelled", "4": "queued"}
    assert store.cancel() == 2


def test_retry_and_cancel_accept_a_prefix_of_a_run_id(store, make, queries):
    ids = ["abc" + "0" * 13, "abd" + "0" * 13]
    make.save(store, "s", [dataclasses.replace(make.run(1), run_id=run_id) for run_id in ids])
    assert store.cancel(run_ids=["ABC"]) == 1
    with pytest.raises(UnknownRunError, match=r"ambiguous.*abc0000000000000, abd0000000000000"):
        store.cancel(run_ids=["ab"])
    assert store.retry(run_ids=["abc", ids[0]]) == 1
    assert [row["state"] for row in queries.run_rows()] == ["queued", "queued"]


def test_a_retried_run_has_its_faults_counted_anew(store, make):
    make.save(store, "s", make.runs(1))
    for number in (1, 2):
        assert store.claim(RUN, provenance={}) == number
        assert store.release(RUN, number, "lost", "gone", fault="worker_lost")
    assert store.pending("s")[0].faults == {"worker_lost": 2}
    assert store.cancel("s") == 1
    make.save(store, "s", make.runs(1))
    assert store.pending("s")[0].faults == {}


# Faults and storages


def test_pending_runs_list_their_faults_since_the_latest_retry(store, make):
    make.save(store, "s", make.runs(3), [make.evaluation(1)])
    for number, fault in enumerate(("worker_lost", "out_of_memory", "worker_lost", None), 1):
        assert store.claim(RUN, provenance={}) == number
        assert store.release(RUN, number, "interrupted", "why", fault=fault)
    assert store.pending("s")[0].faults == {"worker_lost": 2, "out_of_memory": 1}
    assert store.pending("s")[1].faults == {}
    assert store.claim(RUN, provenance={}) == 5
    assert store.fail(RUN, 5, "again", None, fault="trainer_error")
    assert store.retry("s") == 1
    assert store.pending("s")[0].faults == {}
    assert store.claim(RUN, provenance={}) == 6
    assert store.release(RUN, 6, "lost", "why", fault="hung")
    assert store.pending("s")[0].faults == {"hung": 1}
    make.finish(store, make.run(1))
    assert store.pending("s")[0].faults == {"hung": 1}


def test_retry_can_be_limited_to_failed_runs(store, make, queries):
    make.save(store, "s", make.runs(2))
    store.cancel(run_ids=[OTHER])
    store.claim(RUN, provenance={})
    store.fail(RUN, 1, "broke", None)
    assert store.retry(only_failed=True) == 1
    assert [row["state"] for row in queries.run_rows()] == ["queued", "cancelled"]
    assert store.retry() == 1


def test_storages_of_a_run_are_listed_newest_first_without_repeats(store, make):
    make.save(store, "s", make.runs(1), [make.evaluation(1)])
    for number, storage in enumerate(("/a", "s3://b", "", "/a", "/c"), 1):
        with store.driving(storage):
            assert store.claim(RUN, provenance={}) == number
            store.release(RUN, number, "lost", None)
    with store.driving("s3://b"):
        make.finish(store, make.run(1))
    (done,) = store.pending("s")
    assert (done.state, done.storages) == ("done", ("s3://b", "/c", "/a"))


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_can_be_stored(store, make, queries, fault):
    make.save(store, "s", make.runs(1))
    assert store.claim(RUN, provenance={"host": "node-1", "driver": "d"}) == 1
    where = {"host": "node-2", "device": "cuda:1"}
    assert store.release(RUN, 1, "lost", "gone", fault=fault, provenance=where)
    assert store.claim(RUN, provenance={}) == 2
    assert store.fail(RUN, 2, "gone", None, fault=fault, provenance=where)
    first, second = queries.run_detail(RUN)["attempt_history"]
    assert first["fault"] == second["fault"] == fault
    assert first["provenance"] == {"host": "node-2", "driver": "d", "device": "cuda:1"}
    assert (first["host"], second["device"]) == ("node-2", "cuda:1")


def test_an_unknown_fault_is_refused_before_anything_is_written(store, make, content):
    make.save(store, "s", make.runs(1))
    assert store.claim(RUN, provenance={}) == 1
    before = content()
    with pytest.raises(ValueError, match="'tired'"):
        store.release(RUN, 1, "lost", None, fault="tired")
    with pytest.raises(ValueError, match="'tired'"):
        store.fail(RUN, 1, "broke", None, fault="tired")
    assert content() == before
