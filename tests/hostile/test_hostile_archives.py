"""`sweep import` of archives that were damaged, or made by somebody who means harm.

Each is a sound archive with one change. Whatever it is: an exit code, a sentence without a
traceback and without a character that a terminal obeys, and every row that the database had is
there afterwards. What is imported can be shown by every command.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import archives
import databases
import schema_0004
from command_line import sweep
from results.archive.chosen import ARCHIVED
from results.database import migrations
from results.database.url import sqlite_url
from results.schema.archive_note import archive_note
from results.schema.tables import drivers, imports, metadata, runs

pytestmark = [pytest.mark.hostile, pytest.mark.timeout(120)]

SEED = 14
ESCAPES = "\x1b[2J\x1b]0;x\x07\u202e\x9b31m\r\n\t"
URLS = [
    "http://169.254.169.254/latest/meta-data", "s3://key:secret@bucket/runs", "file:///etc",
    "ftp://127.0.0.1:1/", "\\\\host\\share", "simplecache::http://127.0.0.1:1/x", "/dev/zero",
]  # fmt: skip
NUMBERS = [-1, -1.0, 0, 1, 2**31, 2**63 - 1, -(2**63), 1e75, 1e76, -1e300, 9e999, 1e12]
TEXTS = [
    "", " ", "x" * 1_001, "x" * 5_000_000, ESCAPES, "x\0y", "../../etc/passwd", "=1+1",
    "null", "[1e999]", "{}", "[]", '"x"', '{"a":' * 60 + "1" + "}" * 60, "[" * 100_000,
    '{"noise":"gaussian","std":1e400}', "[" + "1," * 150 + "1]", "9" * 5_000, "1/0", *URLS,
]  # fmt: skip
VALUES: list[Any] = [None, *NUMBERS, *TEXTS, b"\xff\xfe", b"", True]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A database with a sweep of its own, and an archive of that sweep and of another one."""
    folder = tmp_path_factory.mktemp("sound")
    lab = sqlite_url(schema_0004.write(folder / "lab.db", "database"))
    with databases.plain_engine(lab).begin() as connection:
        schema_0004.forget_theirs(connection)
    migrations.upgrade(lab)
    archives.import_into(sqlite_url(folder / "both.db"), schema_0004.write(folder / "o", "archive"))
    archives.export_from(sqlite_url(folder / "both.db"), folder / "archive.db")
    with closing(sqlite3.connect(folder / "archive.db", isolation_level=None)) as archive:
        archive.execute("PRAGMA journal_mode = DELETE")
    return folder


class Ways:
    """Changes of an archive, drawn by one generator; each gives its name."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw

    def flip_a_bit(self, path: Path) -> str:
        content = bytearray(path.read_bytes())
        place = self._draw.randrange(len(content))
        content[place] ^= 1 << self._draw.randrange(8)
        path.write_bytes(content)
        return f"bit of byte {place}"

    def overwrite_bytes(self, path: Path) -> str:
        content = bytearray(path.read_bytes())
        place, length = self._draw.randrange(len(content)), self._draw.choice((1, 16, 512, 4096))
        content[place : place + length] = self._draw.randbytes(length)
        path.write_bytes(content)
        return f"{length} bytes from {place}"

    def cut_or_lengthen(self, path: Path) -> str:
        content = path.read_bytes()
        length = self._draw.randrange(2 * len(content))
        path.write_bytes((content + self._draw.randbytes(len(content)))[:length])
        return f"length {length}"

    def set_a_value(self, path: Path) -> str:
        table = self._draw.choice(_TABLES)
        column = self._draw.choice(table.columns.keys())
        value = self._draw.choice(VALUES)
        one = self._draw.random() < 0.5
        where = f" WHERE rowid = (SELECT min(rowid) FROM {table.name})" if one else ""
        given = "CAST(? AS TEXT)" if isinstance(value, bytes) and one else "?"
        self._change(path, f'UPDATE {table.name} SET "{column}" = {given}{where}', value=value)
        return f"{table.name}.{column} = {value!r:.40}{' once' if one else ''}"

    def set_a_value_of_json(self, path: Path) -> str:
        """A config, or a part of it, is another one, under the same id."""
        table, column = self._draw.choice(
            (
                *(("runs", "config"), ("evaluation_configs", "config")),
                *(("attempts", "provenance"), ("code_states", "content")),
            )
        )
        key = self._draw.choice(("seed", "std", "a\x1b[2J", "training", "host", "trainer"))
        value = self._draw.choice(("1", '"os:system"', "null", "1e300", "[[]]", '{"a": 1}'))
        self._change(
            path,
            f"UPDATE {table} SET {column} = json_set({column}, '$.\"{key}\"', json(?))",
            value=value,
        )
        return f"{table}.{column}[{key!r}] = {value}"

    def change_an_id(self, path: Path) -> str:
        """In every table that has it, so that all references hold."""
        table, column = self._draw.choice(
            (("runs", "run_id"), ("evaluation_configs", "evaluation_id"))
        )
        ids = archives.rows(path, table)
        old = self._draw.choice(ids)[column]
        new = self._draw.choice((f"{self._draw.getrandbits(64):016x}", "0" * 16, old.upper(), "x"))
        statements = [
            f"UPDATE {t.name} SET {column} = '{new}' WHERE {column} = '{old}'"
            for t in _TABLES
            if column in t.columns
        ]
        self._change(path, *statements)
        return f"{column} {old} -> {new}"

    def take_a_name(self, path: Path) -> str:
        column, name = self._draw.choice(
            [
                *(("sweeps.name", name) for name in ("ours", ESCAPES, "../x", "x" * 300, "-rf")),
                *(("evaluation_configs.name", name) for name in ("test_accuracy", "seed", ESCAPES)),
                *(("evaluation_configs.name", name) for name in ("uniform[0,1]", "fgsm[8/255]")),
                *(("evaluation_configs.kind", kind) for kind in ("uniform", "pgd", "x")),
                *(("attempts.storage", url) for url in URLS),
                *(("sweep_specs.source", url) for url in URLS),
                *(("attempts.host", text) for text in (ESCAPES, "x" * 999)),
                *(("sweep_specs.text", text) for text in (ESCAPES, "trainer: os:system\n", "")),
            ]
        )
        table, _, column = column.partition(".")
        self._change(path, f"UPDATE {table} SET {column} = ?", value=name)
        return f"{table}.{column} = {name!r:.40}"

    def change_rows(self, path: Path) -> str:
        table = self._draw.choice(_TABLES).name
        what = self._draw.choice(
            (
                f"DELETE FROM {table}",
                f"DELETE FROM {table} WHERE rowid = (SELECT max(rowid) FROM {table})",
                f"INSERT INTO {table} SELECT * FROM {table} LIMIT 1",
            )
        )
        self._change(path, what)
        return what

    def change_the_schema(self, path: Path) -> str:
        table = self._draw.choice(_TABLES).name
        what = self._draw.choice(
            (
                f"DROP TABLE {table}",
                f"ALTER TABLE {table} ADD COLUMN x",
                f"ALTER TABLE {table} RENAME TO x",
                f"ALTER TABLE {table} ADD COLUMN x AS (hex(zeroblob(500000000)))",
                f"CREATE TRIGGER t BEFORE INSERT ON {table} BEGIN SELECT raise(ABORT, 'x'); END",
                f"CREATE INDEX {table}_x ON {table} (hex(zeroblob(100)))",
                "CREATE VIRTUAL TABLE x USING fts5(y)",
                "CREATE VIEW x AS SELECT hex(zeroblob(500000000)) AS y",
                "CREATE TABLE 'a\x1b[2J' (b)",
                "UPDATE sweep_schema SET version_num = '0004'",
                "UPDATE sweep_schema SET version_num = '\x1b[2J'",
                "DELETE FROM sweep_schema",
                f"UPDATE {archive_note.name} SET created_at = -1",
                f"DROP TABLE {archive_note.name}",
            )
        )
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute(what)
        return what

    @staticmethod
    def _change(path: Path, *statements: str, **parameter: Any) -> None:
        """Past all rules, and as a database that has no note of its content."""
        archives.change(path)
        archives.make_ordinary(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            for statement in statements:
                database.execute(statement, tuple(parameter.values()))


_TABLES = [table for table in ARCHIVED if table is not imports]
_KEPT = metadata.tables.keys() - {"sweep_specs", drivers.name, imports.name}

TIMES: dict[Callable[[Ways, Path], str], int] = {
    Ways.flip_a_bit: 120,
    Ways.overwrite_bytes: 40,
    Ways.cut_or_lengthen: 20,
    Ways.set_a_value: 170,
    Ways.set_a_value_of_json: 30,
    Ways.change_an_id: 30,
    Ways.take_a_name: 40,
    Ways.change_rows: 30,
    Ways.change_the_schema: 40,
}


@pytest.mark.parametrize("way", TIMES, ids=lambda way: way.__name__)
def test_no_archive_breaks_the_database_or_the_terminal(way, place, tmp_path, monkeypatch):
    draw = random.Random(f"{SEED} {way.__name__}")
    ways = Ways(draw)
    _refuse_connections(monkeypatch)
    before = rows_of(place / "lab.db")
    home, archive = tmp_path / "home", tmp_path / "archive.db"
    home.mkdir()
    shutil.copy(place / "lab.db", home / "sweep.db")
    ask("import", str(place / "archive.db"), home=home, what="nothing")
    sound = rows_of(home / "sweep.db")
    assert any(sound[table] > before[table] for table in before)
    ends = []
    for _ in range(TIMES[way]):
        shutil.copy(place / "lab.db", home / "sweep.db")
        shutil.copy(place / "archive.db", archive)
        what = way(ways, archive)
        said = ask("import", str(archive), home=home, what=what, codes=(0, 2, 3))
        ends.append(said)
        after = rows_of(home / "sweep.db")
        lost = {t: rows - after[t] for t, rows in before.items() if rows - after[t]}
        assert not lost, what
        if said == 0 and after != sound:
            again = str(tmp_path / "again")
            for command in (["status"], ["report"], ["export", "--output", again]):
                ask(*command, home=home, what=what)
            for run_id in draw.sample(ids(home / "sweep.db"), 2):
                ask("show", run_id, home=home, what=what)
            (tmp_path / "again").unlink()
    assert len(ends) == TIMES[way]


def ask(*arguments: str, home: Path, what: str, codes: tuple[int, ...] = (0,)) -> int:
    said = sweep(*arguments, "--home", str(home))
    text = said.stdout + said.stderr
    assert said.exit_code in codes, (what, arguments, text[-2_000:])
    assert "Traceback" not in text, what
    assert len(text) < 100_000, what
    hidden = [c for c in text if not c.isprintable() and c not in "\n\t"]
    assert not hidden, (what, arguments, hidden)
    if said.exit_code:
        assert text.startswith("error: "), (what, text[:500])
    return said.exit_code


def _refuse_connections(monkeypatch) -> None:
    """Nothing that an archive names is opened."""

    def connect(*arguments: Any) -> None:
        raise AssertionError(f"a connection to {arguments}")

    monkeypatch.setattr("socket.socket.connect", connect)
    monkeypatch.setattr("trainers.storage.opening.open_folder", connect)


def rows_of(path: Path) -> dict[str, set[str]]:
    """Every row, as text; the newest spec of a sweep may get a higher version."""
    found = databases.content(sqlite_url(path))
    return {table: set(rows) for table, rows in found.items() if table in _KEPT}


def ids(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as database:
        return [row[0] for row in database.execute(f"SELECT run_id FROM {runs.name}")]
