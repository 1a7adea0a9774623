"""Read-only access to the database, beside a driver that writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from results.database import (
    check_tables,
    database_path,
    error_code,
    foreign_errors,
    open_engine,
    require_file,
)


class Reader:
    """Opens the database with SQLite's mode=ro: creates nothing, changes nothing.

    One exception: after a driver was killed in mid-commit, its half-written transaction lies
    beside the file, and nobody can read before it is rolled back. The reader then opens the file
    for writing once, which makes SQLite do that.
    """

    def __init__(self, url: str) -> None:
        """Raises NoDatabaseError, or DatabaseError if the file is no sweep database."""
        self.path: Path = database_path(url)
        require_file(self.path)
        self._engine = open_engine(self.path, "ro")
        try:
            with self.view() as connection:
                check_tables(connection, self.path)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Closes all connections."""
        self._engine.dispose()

    @contextmanager
    def view(self) -> Iterator[Connection]:
        """One consistent view of the database.

        Keep it short: fetch the rows, leave the block, then work on them. A writer cannot
        commit while a view is open.
        """
        with foreign_errors(self.path):
            try:
                self._touch()
            except OperationalError as error:
                if error_code(error.orig) != "SQLITE_READONLY_ROLLBACK":
                    raise
                self._roll_back_dead_writer()
            with self._engine.begin() as connection:
                yield connection

    def _touch(self) -> None:
        with self._engine.begin() as connection:
            connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")

    def _roll_back_dead_writer(self) -> None:
        if not os.access(self.path, os.W_OK):
            return  # the view then fails, and says what rights are missing
        engine = open_engine(self.path, "rw")
        try:
            with engine.execution_options(sqlite_begin="BEGIN").begin() as connection:
                connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
        finally:
            engine.dispose()
