"""A SQLite file as results database: how it is opened, locked and written.

The file is in WAL mode while a Store is open, so that readers (ours, or a database browser) never
hold up a driver's commit; the last Store to close turns it back into one plain file, which can be
read anywhere. SQLite versions up to 3.51.2 can damage a WAL file if two connections write or
checkpoint at one instant (https://sqlite.org/wal.html, "The WAL-reset bug"), and most Pythons
have such a version: therefore all our writing is also serialized by a lock file.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from glob import escape
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, func, select
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import PoolProxiedConnection
from typing_extensions import override

from results.database import fork_safety
from results.database.base import Database, Purpose, T
from results.database.open_file import OpenFile, sidecars
from results.database.retry import RetryPolicy
from results.database.sqlite_lock import driver_lock, is_driven, open_lock, try_lock
from results.database.text_escaping import escape_text
from results.database.url import SqliteAddress
from results.errors import (
    DamagedDatabaseError,
    DatabaseError,
    DatabaseGoneError,
    NoDatabaseError,
)
from results.json_values import to_json
from results.schema.tables import drivers

BUSY_SECONDS = 10.0
_RESCUED = ".rescued-"
SOURCE = "source"
"""The schema of the tables that a new file is filled from."""


class SqliteDatabase(Database):
    """One SQLite file.

    Opening checks that the file is there, or makes its folder (to "create"), and touches nothing
    else. A "read" database creates nothing and changes nothing, with one exception: after a
    driver was killed in mid-commit, its half-written transaction lies next to the file, and nothing
    can be read before it is rolled back.
    """

    path: Path

    def __init__(
        self,
        address: SqliteAddress,
        purpose: Purpose,
        on_wait: Callable[[str], None] | None = None,
    ) -> None:
        self.path = address.path
        self._on_wait = on_wait or (lambda _: None)
        self.shown = address.shown
        _require_place(self.path, create=purpose == "create")
        self._read_only = purpose == "read"
        self._in_wal_mode = False
        self._file: OpenFile | None = None
        self._gone: DatabaseGoneError | None = None
        self._driving = False
        self._kept: PoolProxiedConnection | None = None
        self._engine = _engine(self.path, {"create": "rwc", "write": "rw", "read": "ro"}[purpose])

    @override
    def prepare_for_writing(self) -> None:
        self._disconnect()
        with foreign_errors(self.path):
            try:
                self._file = OpenFile(self.path)
            except OSError as error:
                raise DatabaseError(f"{self.path} cannot be read ({error.strerror})") from error
            self._engine = _engine(self.path, "rw", wal=True, opened=self._file)
            self._in_wal_mode = True
            # With the last connection SQLite removes its log, and a second Control-C during a
            # statement closes the one that is used. This one stays.
            self._kept = self._engine.raw_connection()
            self._kept.detach()
            self._kept.cursor().execute("SELECT count(*) FROM sqlite_master").fetchall()

    def _disconnect(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None
        self._engine.dispose()

    @contextmanager
    @override
    def reading(self) -> Iterator[Connection]:
        with foreign_errors(self.path):
            if self._read_only:
                self._settle_dead_writer()
            with self._engine.execution_options(sqlite_begin="BEGIN").begin() as connection:
                yield connection

    @override
    def write(
        self,
        apply: Callable[[Connection], T],
        applied: Callable[[Connection], bool],
        *,
        wait: bool = True,
    ) -> T:
        # No network in between: a commit either took place or raised.
        def commit() -> T:
            with foreign_errors(self.path), writer_lock(self.path, BUSY_SECONDS):
                self._require_there()
                with self._engine.begin() as connection:
                    done = apply(connection)
                self._require_there()  # or it is committed to a file that nobody will find
                return done

        def attempt() -> T:
            try:
                return commit()
            except DatabaseError:
                self._require_there()  # or else that is why
                raise

        return self._persist(attempt) if wait else attempt()

    def _require_there(self) -> None:
        """Raises DatabaseGoneError unless the file is the one that was opened, and whole."""
        if self._gone is None and self._file is not None:
            problem = self._file.problem()
            if problem is not None:
                lost = not self._file.has_its_folder  # before another is made for the rescued copy
                self._gone = DatabaseGoneError(self.path, problem, self._rescue(), with_folder=lost)
        if self._gone is not None:
            raise self._gone

    def _rescue(self) -> Path | None:
        """A copy, beside the file, of all that this process has of it; None if it has nothing."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        target = self.path.with_name(f"{self.path.name}{_RESCUED}{stamp}")
        with suppress(OSError, SQLAlchemyError, sqlite3.Error, DatabaseError):
            target.parent.mkdir(parents=True, exist_ok=True)
            with self._engine.connect() as connection:
                copy_whole(connection, target)
            return target
        return None

    @override
    def prove(self, holds: Callable[[Connection], bool]) -> None:
        # By a new connection: what others have in memory need not be in the file.
        with foreign_errors(self.path):
            self._require_there()
            engine = _engine(self.path, "ro", opened=self._file)
            try:
                with engine.connect() as connection:
                    problem = unsound(connection)
                    if problem is None and not holds(connection):
                        problem = "was overwritten: what was committed is not in it"
            except DBAPIError as error:
                if _code(error.orig).startswith(_OF_LOCKS):
                    raise
                problem = f"is damaged ({error.orig})"
            finally:
                engine.dispose()
            if problem is not None:
                self._gone = DatabaseGoneError(self.path, problem, None)
                raise self._gone

    @override
    def read(self, query: Callable[[Connection], T]) -> T:
        return self._persist(lambda: super(SqliteDatabase, self).read(query))

    def _persist(self, attempt: Callable[[], T]) -> T:
        """A driver, with hours of work at stake, waits while others keep the file locked."""
        seconds = self.retry_seconds if self._driving else 0.0
        policy = RetryPolicy(seconds, lambda e: isinstance(e, _LockedError), self._on_wait)
        return policy.call(attempt)

    @contextmanager
    @override
    def driving(self, command: str) -> Iterator[Callable[[], int]]:
        # No other process makes ids while the file is locked.
        next_id = select(func.coalesce(func.max(drivers.c.id), 0) + 1)
        with driver_lock(self.path, command):
            self._driving = True
            try:
                yield lambda: self.read(lambda c: int(c.execute(next_id).scalar_one()))
            finally:
                self._driving = False

    @override
    def alone(self, command: str) -> AbstractContextManager[None]:
        return driver_lock(self.path, command)

    def _vanished(self, connection: Connection, ids: Sequence[int]) -> set[int]:
        # The process that holds the file is the only living driver.
        return set(ids) if self._driving or not is_driven(self.path) else set()

    @contextmanager
    @override
    def upgrading(self) -> Iterator[Connection]:
        # SQLite changes a table by making another one: no reference may be followed meanwhile,
        # and the setting cannot be changed inside a transaction.
        with (
            foreign_errors(self.path),
            writer_lock(self.path, BUSY_SECONDS),
        ):
            self._file = self._file or OpenFile(self.path)
            unchecked = self._engine.execution_options(sqlite_before="PRAGMA foreign_keys = OFF")
            with unchecked.begin() as connection:
                yield connection
                broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
                if broken:
                    raise DatabaseError(
                        f"{self.path}: the upgrade would break references: {broken[0]}"
                    )
            self._require_there()
        self._engine.dispose()  # its connections have foreign keys switched off

    @override
    def close(self) -> None:
        self._disconnect()
        opened, self._file = self._file, None
        with suppress(sqlite3.Error, DatabaseError, OSError):
            if opened is not None and not opened.is_named:
                self._take_sidecars_away(opened)
            elif self._in_wal_mode and self._gone is None:
                self._leave_one_plain_file()
        if opened is not None:
            opened.close()
            self._engine = _engine(self.path, "rw", wal=self._in_wal_mode)

    def _take_sidecars_away(self, opened: OpenFile) -> None:
        """Or else SQLite would write our last changes into the file that has the name now."""
        rescued = self._gone is not None and self._gone.rescued is not None
        for path in opened.own_sidecars():
            if rescued or path.name.endswith("-shm"):
                path.unlink()
            else:
                path.rename(path.with_name(f"{path.name}.left"))

    def _leave_one_plain_file(self) -> None:
        """Fails without harm while another Store writes, which will do it when it closes."""
        if not self.path.exists():
            return
        with writer_lock(self.path, 0):
            connection = sqlite3.connect(self.path, timeout=0, isolation_level=None)
            try:
                connection.execute("PRAGMA journal_mode = DELETE")
            except sqlite3.OperationalError:
                # A reader is active; at least truncate the WAL file.
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                connection.close()

    def _settle_dead_writer(self) -> None:
        try:
            with self._engine.begin() as connection:
                connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
        except OperationalError as error:
            if _code(error.orig) != "SQLITE_READONLY_ROLLBACK":
                raise
            self._roll_back_dead_writer()

    def _roll_back_dead_writer(self) -> None:
        if not os.access(self.path, os.W_OK) or not os.access(self.path.parent, os.W_OK):
            raise DatabaseError(
                f"{self.path} was left in the middle of a change by a program that was killed, and"
                " you have no permission to undo that change: have it"
                " read by a user with write permission"
            )
        engine = _engine(self.path, "rw")
        try:
            with engine.execution_options(sqlite_begin="BEGIN").begin() as connection:
                connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
        finally:
            engine.dispose()


def _uri(path: Path, mode: str) -> str:
    return f"file:{quote(os.fsencode(path))}?mode={mode}"


def copy_whole(connection: Connection, target: Path) -> None:
    """Writes all that `connection` sees as one plain file, which appears when it is whole.

    Raises DatabaseError if the copy is not sound, what SQLite raises, and OSError.
    """
    source = connection.connection.driver_connection
    assert isinstance(source, sqlite3.Connection)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with closing(sqlite3.connect(partial, isolation_level=None)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
            (problem,) = copy.execute("PRAGMA quick_check(1)").fetchone()
        if problem != "ok":
            raise DatabaseError(f"{target} would be damaged: {problem}")
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
    descriptor = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unsound(connection: Connection) -> str | None:
    """What SQLite finds wrong with the file, as the end of a sentence; it reads all of it."""
    (problem,) = connection.exec_driver_sql("PRAGMA quick_check(1)").one()
    return None if problem == "ok" else f"is damaged ({' '.join(problem.split())})"


def _engine(path: Path, mode: str, *, wal: bool = False, opened: OpenFile | None = None) -> Engine:
    """An engine whose connections open `path` in SQLite's `mode`; the first use touches it.

    A transaction starts with BEGIN IMMEDIATE, because one that reads before it writes would
    otherwise fail as soon as another has written in between. The execution option `sqlite_begin`
    replaces that statement, and `sqlite_before` is run before it. With `wal` the file is
    put into WAL mode, if nobody is using it at that moment. No connection is made to another file
    than `opened`.
    """

    def connect() -> sqlite3.Connection:
        if opened is not None and not opened.is_named:
            raise DatabaseError(f"{path} is another file than the one that was opened")
        if mode == "rwc" and not path.exists():
            # With all the rights that the umask leaves: SQLite lets no group write.
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))
        connection = sqlite3.connect(
            _uri(path, mode),
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,  # SQLAlchemy's recipe: the driver emits no BEGIN of its own
            check_same_thread=False,
        )
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")
            # The views of a foreign file may hold anything.
            connection.execute("PRAGMA trusted_schema = OFF")
            if wal:
                _switch_to_wal(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        creator=connect,
        poolclass=QueuePool,
        json_serializer=to_json,
    )
    escape_text(engine)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if "sqlite_before" in options:
            connection.exec_driver_sql(options["sqlite_before"])
        default = "BEGIN" if mode == "ro" else "BEGIN IMMEDIATE"
        connection.exec_driver_sql(options.get("sqlite_begin", default))

    return engine


@contextmanager
def new_file(path: Path, source: Path | None = None) -> Iterator[Connection]:
    """A transaction in which to fill a file that no other process opens; kept if it is committed.

    After a crash the file is of no use: it has no journal on disk. The tables of `source` are in
    the schema SOURCE: one consistent view, in which nothing can be written.
    """
    engine = _engine(path, "rwc")

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA journal_mode = MEMORY")
        if source is not None:
            connection.execute(f"ATTACH '{_uri(source, 'ro')}' AS {SOURCE}")

    try:
        # Older versions of SQLite begin nothing IMMEDIATE where a file can only be read.
        with engine.execution_options(sqlite_begin="BEGIN").connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA busy_timeout = {min(1.0, BUSY_SECONDS) * 1000:.0f}")
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        # A reader blocks the change. The rollback journal is as safe, only slower.
        if not _code(error).startswith("SQLITE_BUSY"):
            raise
    connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}")


@contextmanager
def writer_lock(path: Path, wait_seconds: float) -> Iterator[None]:
    """Waits until no other Store writes; raises DatabaseError after `wait_seconds`."""
    lock = path.with_name(path.name + ".write.lock")
    descriptor = open_lock(lock, path)
    with fork_safety.closed_in_children(descriptor):
        deadline = time.monotonic() + wait_seconds
        while not try_lock(descriptor, lock):
            if time.monotonic() >= deadline:
                raise _LockedError(path)
            time.sleep(0.002)
        yield


@contextmanager
def foreign_errors(path: Path, source: Path | None = None) -> Iterator[None]:
    """Turns what SQLite and SQLAlchemy raise about `path`, or its source, into DatabaseError."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        found = getattr(error, "orig", error)
        if not isinstance(found, sqlite3.Error):
            raise  # another database's, while a file of SQLite is written from it
        if source is not None and not _code(found).startswith(_OF_WRITING):
            path = source
        raise _error(path, found) from error
    except OverflowError as error:
        raise DatabaseError(f"{path} cannot hold a whole number beyond 64 bits: {error}") from error


def _code(error: object) -> str:
    """SQLite's own name of an error, such as SQLITE_BUSY; empty where it gave none."""
    return str(getattr(error, "sqlite_errorname", None) or "")


class _LockedError(DatabaseError):
    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} stayed locked for {BUSY_SECONDS:g} s: another program is writing to it;"
            " wait for that to end, or end it"
        )


def _error(path: Path, error: object) -> DatabaseError:
    if _code(error).startswith(_OF_LOCKS):
        return _LockedError(path)
    for start, meaning in _DAMAGES.items():
        if _code(error).startswith(start):
            return DamagedDatabaseError(f"{path} {meaning.format(error=error)}")
    for start, meaning in _MEANINGS.items():
        if _code(error).startswith(start):
            return DatabaseError(f"{path} {meaning.format(error=error)}")
    return DatabaseError(f"{path}: SQLite says {error}")


_OF_LOCKS = ("SQLITE_BUSY", "SQLITE_LOCKED")

_OF_WRITING = ("SQLITE_CONSTRAINT", "SQLITE_FULL", "SQLITE_IOERR_FSYNC", "SQLITE_IOERR_WRITE")
"""What can only be about a file that is written, and not about its source."""

_DAMAGES = {
    "SQLITE_NOTADB": "is not a SQLite database: check --db, or choose another file",
    "SQLITE_CORRUPT": "is damaged ({error}): 'sweep db restore' puts a backup in its place; without"
    " one, move it away, and 'sweep db rebuild' fills another from the storage",
}
_MEANINGS = {
    "SQLITE_CANTOPEN": "cannot be opened: check that it is a file, and your rights to it",
    "SQLITE_READONLY": "cannot be written: check your rights to it and to its folder",
    "SQLITE_FULL": "cannot grow: the disk is full; nothing of this change was kept",
    "SQLITE_CONSTRAINT": "refused a change, and kept nothing of it: {error}",
}
"""By the start of SQLite's own name of an error."""


def _is_no_file(path: Path) -> bool:
    """Whether something else than a file is there: asked once, since a journal comes and goes."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _require_place(path: Path, *, create: bool) -> None:
    """Checks that there is a file at `path`, or, to create one, makes its folder."""
    try:
        if path.is_dir():
            raise DatabaseError(f"{path} is a folder: name a database file inside it with --db")
        for file in (path, *sidecars(path)):
            if file.exists() and not file.is_file():
                # A pipe would be waited for without an end.
                move = "" if file == path else "move it away, or "
                raise DatabaseError(
                    f"{path} cannot be opened: {file} is no file, but a pipe or the like;"
                    f" {move}name another database with --db"
                )
        if not path.exists():
            # A new one would train again what is done, and be in the way of the old one.
            copies = path.parent.glob(f"{escape(path.name)}{_RESCUED}*")
            rescued = max(copies, default=None)
            if rescued is not None or not create:
                raise NoDatabaseError(path, rescued, wanted=create)
    except OSError as error:
        raise DatabaseError(f"{path} cannot be reached ({error.strerror})") from error
    if create and not path.parent.is_dir():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseError(
                f"the folder {path.parent} cannot be made ({error.strerror}): check --home and --db"
            ) from error
