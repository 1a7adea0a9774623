"""A home and its sweeps, of a trainer that finishes at once, as housekeeping finds them."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any

from command_line import sweep
from results.queries.queries import Queries

SPEC = """\
name: {name}
model: zerosnet
depth: 20
dataset: digits
trainer: fake_trainers:quick
training: {{epochs: 1}}
grid: {{seed: {seeds}}}
"""

WEIGHTS = ("weights.pt", "weights.pt.sha256")
CHECKPOINT = ("checkpoint-1.pt", "checkpoint-1.pt.sha256")

CONTENT = b"x" * 64
"""Of every file that is put there; a digest has as many bytes."""


class Lab:
    """A home in a folder, with the runs of its sweeps by their seeds.

    Args:
        db: the URL of the database; None for a file in the home.
    """

    def __init__(self, folder: Path, home: str = "home", db: str | None = None) -> None:
        self.folder = folder
        self.home = folder / home
        self.runs = self.home / "runs"
        self.remote = folder / "remote"
        self._db = db

    @property
    def url(self) -> str:
        return self._db or f"sqlite:///{self.home}/sweep.db"

    def ask(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        """stdout and stderr of a command."""
        environment = {"SWEEP_DB": self._db} if self._db else {}
        done = sweep(*arguments, "--home", str(self.home), folder=self.folder, **environment)
        assert done.exit_code == code, done.stderr + done.stdout
        return done.stdout, done.stderr

    def json(self, *arguments: str) -> Any:
        return json.loads(self.ask(*arguments, "--format", "json")[0])

    def spec(self, name: str, seeds: list[int], more: str = "") -> str:
        path = self.folder / f"{name}.yaml"
        path.write_text(SPEC.format(name=name, seeds=seeds) + more)
        return str(path)

    def run(self, name: str, seeds: list[int], *more: str) -> None:
        self.ask("run", self.spec(name, seeds), "--executor", "inline", *more)

    def rows(self) -> list[dict[str, Any]]:
        with Queries.open(self.url) as queries:
            return queries.run_rows()

    def ids(self) -> dict[int, str]:
        """The run ids by seed."""
        return {row["seed"]: row["run_id"] for row in self.rows()}

    def put(self, seed: int, attempt: int, *names: str, runs: Path | None = None) -> None:
        """Files of an attempt; a digest is the right one."""
        folder = (runs or self.runs) / self.ids()[seed] / str(attempt)
        folder.mkdir(exist_ok=True, parents=True)
        for name in names:
            digest = hashlib.sha256(CONTENT).hexdigest().encode()
            (folder / name).write_bytes(digest if name.endswith(".sha256") else CONTENT)

    def files(self, runs: Path | None = None) -> set[str]:
        """Those of runs that the database knows, but logs."""
        where = runs or self.runs
        return {
            str(path.relative_to(where))
            for run_id in self.ids().values()
            for path in (where / run_id).rglob("*")
            if path.is_file() and not path.name.startswith("log-")
        }

    def change(self, *statements: tuple[str, tuple[Any, ...]]) -> None:
        """What no command does, to a database in the home, done runs included."""
        with sqlite3.connect(self.home / "sweep.db") as connection:
            (trigger,) = connection.execute(
                "SELECT sql FROM sqlite_master WHERE name = 'done_is_final'"
            ).fetchone()
            connection.execute("DROP TRIGGER done_is_final")
            for statement, values in statements:
                connection.execute(statement, values)
            connection.execute(trigger)

    def change_attempt(self, run_id: str, attempt: int) -> None:
        """Makes the database say that this attempt made the run's result."""
        self.change(
            ("UPDATE runs SET attempt = ? WHERE run_id = ?", (attempt, run_id)),
            ("UPDATE attempts SET attempt = ? WHERE run_id = ?", (attempt, run_id)),
        )
