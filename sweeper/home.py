"""The folder that holds what a laboratory keeps: database, checkpoints, weights, datasets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote


@dataclass(frozen=True)
class Home:
    """Where things lie.

    Attributes:
        folder: absolute, so that workers find it whatever folder they run in.
        database: SQLAlchemy URL.
    """

    folder: Path
    database: str

    @classmethod
    def at(cls, folder: Path, database: str | None = None) -> Home:
        absolute = folder.expanduser().absolute()
        return cls(absolute, database or f"sqlite:///{quote(str(absolute / 'sweep.db'))}")

    @property
    def runs(self) -> Path:
        """One folder for each run, and in it one for each attempt."""
        return self.folder / "runs"

    @property
    def data(self) -> Path:
        """Datasets that are not part of a package."""
        return self.folder / "data"
