"""The folder that holds what a laboratory keeps: database, checkpoints, weights, datasets."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from sweep_plugins.url_secrets import HOLDS_SECRET, holds_secret
from sweeper.errors import RequestError, ResourceError, SweepError, as_sweep_error


@dataclass(frozen=True)
class Home:
    """Where things lie.

    Attributes:
        folder: absolute, so that workers find it whatever folder they run in.
        database: SQLAlchemy URL.
        storage: absolute path or fsspec URL; one folder for each run, and in it one for each
            attempt.
        options: with which a command finds it again, each after a space.

    Raises RequestError for a path such as ~no_such_user.
    """

    folder: Path
    database: str
    storage: str
    options: str = field(default="", compare=False)

    @classmethod
    def at(
        cls,
        folder: Path,
        database: str | None = None,
        storage: str | None = None,
        options: str = "",
    ) -> Home:
        """The home in this folder, with database and storage in it unless they are named."""
        from results.database.url import sqlite_url
        from trainers.errors import StorageError
        from trainers.storage.opening import require_plain

        if holds_secret(str(folder)):
            raise RequestError(f"--home {HOLDS_SECRET}: it is a folder on a disk")
        if storage:
            # Before it is made a path, by which it would be hidden.
            try:
                require_plain(storage)
            except StorageError as error:
                raise RequestError(f"--storage: {error}") from None
        absolute = _absolute(folder)
        if storage and "://" not in storage:
            storage = str(_absolute(Path(storage)))
        return cls(
            absolute,
            database or sqlite_url(absolute / "sweep.db"),
            storage or str(absolute / "runs"),
            options,
        )

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a file."""
        return is_sqlite(self.database)

    @property
    def networks(self) -> Path:
        """Parameters and multiply-adds of the networks that were counted; see SWEEP_NETWORKS."""
        elsewhere = os.environ.get("SWEEP_NETWORKS")
        return _absolute(Path(elsewhere)) if elsewhere else self.folder / "networks.json"

    def damage(self) -> SweepError | None:
        """Corruption of the database, if that explains an unexpected error."""
        from results.database.connect import connect
        from results.database.integrity import find_corruption
        from results.errors import DatabaseError, NoDatabaseError

        try:
            with closing(connect(self.database, "read")) as database:
                found, shown = find_corruption(database), database.shown
        except NoDatabaseError:
            return None
        except DatabaseError as error:
            return as_sweep_error(error)
        if found is None:
            return None
        return ResourceError(
            f"{shown} is damaged: {found}; repair it by hand, or restore an older copy of the file"
        )

    @property
    def data(self) -> Path:
        """Datasets that are not part of a package."""
        return self.folder / "data"


def is_sqlite(database: str | None) -> bool:
    """Whether this URL, or none, means a file: then PGPASSWORD is for something else."""
    return database is None or database.startswith(("sqlite:", "sqlite+"))


def expanded(path: Path) -> Path:
    """The path with a leading ~ or ~user replaced. Raises RequestError for an unknown user."""
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise RequestError(f"{path} is no path: {error}") from None


def _absolute(path: Path) -> Path:
    return expanded(path).absolute()
