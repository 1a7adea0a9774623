from __future__ import annotations

import contextlib
import io
import logging
import socket
import struct
import threading
import traceback
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import URL, text

import databases
from results.database import migrations
from results.database.url import PostgresAddress, SqliteAddress, parse_address
from results.errors import DatabaseError, DriverBusyError
from results.queries.queries import Queries
from results.store.store import Store

# Stands in every password, so that also a part of one is found where it must not be.
MARK = "s3cr3t"

#: What stands before and after the mark: characters that mean something in URLs, and any others.
around = st.text(st.one_of(st.sampled_from("@:/?#%[]&=+ '\"\\\n\0;,"), st.characters()), max_size=6)
encodable = st.text(
    st.one_of(
        st.sampled_from("@:/?#%[]&=+ '\"\\\n;,"), st.characters(exclude_categories=["Cs"])
    ).filter(lambda character: character != "\0"),
    max_size=6,
)


def passwords(characters):
    return st.builds("{}{}{}".format, characters, st.just(MARK), characters)


def everything_about(error):
    return "".join((str(error), repr(error), *traceback.format_exception(error)))


@contextlib.contextmanager
def all_that_is_logged():
    """The text of everything that anything logs in the block, at the finest level."""
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    loggers = [logging.getLogger(name) for name in (None, "sqlalchemy", "psycopg", "alembic")]
    levels = [logger.level for logger in loggers]
    loggers[0].addHandler(handler)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    try:
        yield said
    finally:
        loggers[0].removeHandler(handler)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///r.db", Path.cwd() / "r.db"),
        ("sqlite+pysqlite:////data/r.db", Path("/data/r.db")),
        ("sqlite:///~/r.db", Path.home() / "r.db"),
        ("sqlite:////data/../r.db", Path("/r.db")),
        ("sqlite:////data/a%20b%3F%25.db", Path("/data/a b?%.db")),
        ("sqlite:////data/me@home:1/r.db", Path("/data/me@home:1/r.db")),
    ],
)
def test_a_sqlite_url_names_a_file(url, path):
    address = parse_address(url)
    assert address == SqliteAddress(path)
    assert address.shown == str(path)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+psycopg://ann:pw@db.lab:5433/sweeps", "postgresql://ann@db.lab:5433/sweeps"),
        ("postgresql://ann@db.lab/sweeps", "postgresql://ann@db.lab/sweeps"),
        ("postgres:///sweeps?host=/run/postgresql", "postgresql:///sweeps"),
        ("postgresql://a%40b:pw@[::1]:5433/s", "postgresql://a%40b@[::1]:5433/s"),
        ("postgresql://ann@h/s?sslmode=require&password=pw", "postgresql://ann@h/s"),
        ("postgresql://:pw@h/two%20words", "postgresql://h/two%20words"),
    ],
)
def test_a_postgres_url_is_shown_without_password_and_options(url, shown):
    address = parse_address(url)
    assert isinstance(address, PostgresAddress)
    assert address.shown == shown
    assert address.url.password is None
    assert "pw" not in repr(address)


def test_url_options_reach_the_connection_and_secrets_are_kept_apart():
    address = parse_address("postgresql://u:a%40b@h/d?sslmode=require&sslpassword=key&options=-cx")
    assert dict(address.url.query) == {"sslmode": "require", "options": "-cx"}
    assert address.credentials == {"password": "a@b", "sslpassword": "key"}
    assert address.without_secrets("a@b, a%40b or the key") == "***, *** or the ***"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://user:s3cr3t@host/db", "unsupported database 'mysql'"),
        ("postgresql+psycopg2://user:s3cr3t@host/db", "unsupported database 'postgresql.psycopg2'"),
        ("s3cr3t://", "unsupported database;"),
        ("sqlite://", "names no file"),
        ("sqlite:///", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite://user:s3cr3t@host/x.db", "names no file"),
        ("sqlite:///%00", "names no file"),
        ("sqlite:///~nobody_of_that_name/x.db", "names no file"),
        ("sqlite:///x.db?mode=s3cr3t", "x.db has options"),
        ("results.db", "not a database URL.*write sqlite:///relative.db"),
        ("host=h password=s3cr3t", "not a database URL"),
        ("user:s3cr3t@host/db", "not a database URL"),
        ("", "not a database URL"),
        ("postgresql://", "names no database"),
        ("postgresql://host", "names no database"),
        ("postgresql://user:s3cr3t@host", "names no database"),
        ("postgresql://user:a@s3cr3t@host/db", "more than one '@'"),
        ("postgresql://user:s3cr3t/db", "cannot be read"),
        ("postgresql://us/er:s3cr3t@host/db", "cannot be read"),
        ("postgresql://user:s3cr3t@host:port/db", "cannot be read"),
        ("postgresql://user:s3cr3t@host:99999/db", "cannot be read"),
        ("postgresql://user:s3cr3t@host/db/s3cr3t", "cannot be read"),
        ("postgresql://user:s3cr3t@ho st/db", "cannot be read"),
        ("postgresql://user:s3cr3t%00@host/db", "cannot be read"),
        ("postgresql://user:s3cr3t\udc80@host/db", "cannot be read"),
        ("postgresql://user:s3cr3t@host/db?password=s3cr3t", "password more than once"),
        ("postgresql://host/db?password=a&password=s3cr3t", "password more than once"),
        ("postgresql://user:x@host/db?s3cr3t=1", "does not know"),
    ],
)
@pytest.mark.parametrize("opener", [Store.open, Queries.open, migrations.upgrade])
def test_unsupported_urls_are_refused_without_repeating_secrets(
    opener, url, said, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatabaseError, match=said) as caught:
        opener(url)
    assert MARK not in everything_about(caught.value)
    assert caught.value.__context__ is None or MARK not in everything_about(
        caught.value.__context__
    )


@given(passwords(encodable))
@pytest.mark.slow
def test_percent_encoded_passwords_of_any_characters_are_decoded(password):
    for url in (
        f"postgresql://user:{quote(password, safe='')}@host/db",
        f"postgresql://user@host/db?password={quote(password, safe='')}",
        URL.create("postgresql", "user", password, "host", None, "db").render_as_string(
            hide_password=False
        ),
    ):
        address = parse_address(url)
        assert address.credentials == {"password": password}
        assert MARK not in f"{address} {address!r} {address.shown} {address.url!r}"
        assert MARK not in str(address.url.render_as_string(hide_password=False))


@pytest.fixture(scope="module")
def nowhere():
    """A port of this machine where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


TEMPLATES = (
    "postgresql+psycopg://user:{}@127.0.0.1:{port}/lab",
    "postgresql://:{}@127.0.0.1:{port}/lab?sslmode=disable",
    "postgresql://us/er:{}@127.0.0.1:{port}/lab",
    "postgresql://user@127.0.0.1:{port}/lab?password={}",
    "postgresql://127.0.0.1:{port}/lab?password={}&sslmode=disable",
    "postgresql:/user:{}@127.0.0.1:{port}/lab",
    "postgresql//user:{}@127.0.0.1:{port}/lab",
    " postgresql://user:{}@127.0.0.1:{port}/lab",
    "jdbc:postgresql://user:{}@127.0.0.1:{port}/lab",
    "mysql://user:{}@127.0.0.1:{port}/lab",
    "sqlite://user:{}@127.0.0.1:{port}/lab",
    "user:{}@127.0.0.1:{port}/lab",
    "host=127.0.0.1 port={port} user=user dbname=lab password={}",
    "{}",
)


@settings(max_examples=150, deadline=None)
@given(template=st.sampled_from(TEMPLATES), password=passwords(around))
@pytest.mark.slow
def test_errors_about_unparsable_urls_never_repeat_a_password(nowhere, template, password):
    url = template.replace("{port}", str(nowhere)).replace("{}", password)
    for opener in (Store.open, Queries.open, migrations.current):
        with all_that_is_logged() as logged, pytest.raises(DatabaseError) as caught:
            opener(url)
        assert MARK not in everything_about(caught.value)
        assert MARK not in logged.getvalue()


@pytest.fixture(scope="module")
def gossip():
    """The port of a server that asks for a password, and repeats it in its error."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve(client):
        with client, contextlib.suppress(OSError, struct.error):
            while struct.unpack("!I", client.recv(1000)[4:8])[0] != 3 << 16:
                client.sendall(b"N")  # no encryption here
            client.sendall(b"R" + struct.pack("!II", 8, 3))
            password = client.recv(1000)[5:-1]
            said = b"SFATAL\0C28P01\0Mno user has the password " + password + b", sorry\0\0"
            client.sendall(b"E" + struct.pack("!I", len(said) + 4) + said)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                client, _ = server.accept()
                threading.Thread(target=serve, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()


@settings(max_examples=50, deadline=None)
@given(password=passwords(encodable))
def test_a_password_repeated_by_the_server_is_redacted(gossip, password):
    url = f"postgresql://user:{quote(password, safe='')}@127.0.0.1:{gossip}/lab"
    with pytest.raises(DatabaseError) as caught:
        Store.open(url)
    assert "no user has the password ***, sorry" in str(caught.value)
    assert MARK not in everything_about(caught.value)


PASSWORDS = ("s3cr3t", "a@s3cr3t:/?#[]%25", "' s3cr3t\n\"\\", "ünï s3cr3t 100%", "&options=s3cr3t")


def sessions(engine):
    """All that the server tells about its sessions."""
    with engine.begin() as connection:
        return str(connection.execute(text("SELECT * FROM pg_stat_activity")).all())


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_reaches_only_the_server(
    postgres_url, plain_postgres, user_with_password, make, password
):
    name, _ = user_with_password
    literal = password.replace("'", "''")
    with plain_postgres.begin() as connection:
        connection.exec_driver_sql(f"ALTER ROLE {name} PASSWORD '{literal}'".replace("%", "%%"))
        schema = connection.exec_driver_sql("SELECT current_schema()").scalar_one()
        connection.exec_driver_sql(f"GRANT ALL ON SCHEMA {schema} TO {name}")
    url = databases.with_user(postgres_url, name, password)
    with all_that_is_logged() as logged, Store.open(url) as store, Store.open(url) as other:
        make.save(store, "s", make.runs(2))
        make.finish(store, make.run(1))
        with store.driving(command=f"sweep run --db {url}"):
            with pytest.raises(DriverBusyError) as busy, other._database.alone("upgrade"):
                pytest.fail("an upgrade while a driver works")
            with pytest.raises(DatabaseError, match="id_length") as refused:
                make.save(store, "t", [make.run(1, run_id="short")])
            with pytest.raises(ZeroDivisionError) as unexpected:
                store._database.read(lambda connection: 1 / 0)
            told = sessions(plain_postgres)
        engine = store._database._engine  # type: ignore[attr-defined]
        shown = f"{store.shown} {engine!r} {engine.pool!r} {engine.url!r} {engine.pool.status()}"
    assert "sweep driver" in told
    stored = str(databases.content(postgres_url))
    errors = "".join(everything_about(found.value) for found in (busy, refused, unexpected))
    for secret in (password, quote(password, safe=""), MARK):
        for place in (told, shown, stored, errors, logged.getvalue()):
            assert secret not in place
