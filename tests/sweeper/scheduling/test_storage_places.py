"""Databases in one storage: each has folders of its own, and finds them again."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path

import pytest

from command_line import sweep
from results.records import DatabaseIdentity
from sweeper.scheduling.storage_places import place_of
from trainers.storage import Folder, open_folder

HOST = socket.gethostname()

SPEC = """
name: shared
model: zerosnet
depth: 20
dataset: digits
trainer: fake_trainers:quick
training: {epochs: 2}
grid: {seed: [0, 1]}
"""


@pytest.fixture
def storage(tmp_path: Path) -> Folder:
    return open_folder(tmp_path / "runs")


def file(path: Path, driver: str = "a") -> DatabaseIdentity:
    path.touch()
    return DatabaseIdentity(driver, HOST, str(path))


def test_the_first_database_has_the_storage_and_each_later_one_a_folder(
    storage: Folder, tmp_path: Path
) -> None:
    databases = [
        file(tmp_path / "one.db", "a"),
        file(tmp_path / "two.db", "b"),
        DatabaseIdentity("e", "other", str(tmp_path / "one.db")),  # the same path on another host
        DatabaseIdentity("c", "", None),
        DatabaseIdentity("d", "", None),
    ]
    places = [place_of(storage, database).location for database in databases]
    assert places[0] == storage.location
    assert len(set(places)) == len(places)
    assert all(place.startswith(f"{storage.location}/database-") for place in places[1:])
    assert [place_of(storage, database).location for database in databases] == places


def test_a_database_keeps_its_place_when_it_is_moved_or_made_anew(
    storage: Folder, tmp_path: Path
) -> None:
    first, second = file(tmp_path / "one.db", "a"), file(tmp_path / "two.db", "b")
    place_of(storage, first)
    of_second = place_of(storage, second).location
    anew = second._replace(first_driver="c")
    assert place_of(storage, anew).location == of_second
    (tmp_path / "two.db").rename(tmp_path / "moved.db")
    moved = anew._replace(path=str(tmp_path / "moved.db"))
    assert place_of(storage, moved).location == of_second
    elsewhere = moved._replace(host="a container's")
    assert place_of(storage, elsewhere).location == of_second
    assert place_of(storage, first).location == storage.location


def test_a_copy_of_a_database_that_is_still_there_is_another_one(
    storage: Folder, tmp_path: Path
) -> None:
    first = file(tmp_path / "one.db")
    copy = file(tmp_path / "copy.db")
    assert place_of(storage, first).location == storage.location
    assert place_of(storage, copy).location != storage.location
    assert place_of(storage, first).location == storage.location


NOTE = '{"first_driver": "a", "host": "b", "path": %s, "place": %s}'


@pytest.mark.parametrize(
    "note",
    [
        "", "[]", "{}", '{"place": "../.."}', "[" * 10_000,
        NOTE % ("7", '""'), NOTE % ("null", "5"), NOTE % ("null", "null"), NOTE % ("{}", "[]"),
    ],
)  # fmt: skip
def test_a_note_that_is_damaged_is_another_databases(
    note: str, storage: Folder, tmp_path: Path
) -> None:
    storage.child("databases").write("0123456789abcdef", note.encode())
    place = place_of(storage, file(tmp_path / "one.db"))
    assert place.location.startswith(f"{storage.location}/database-")


def test_two_homes_with_one_storage_do_not_overwrite_each_others_results(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SPEC)
    storage = tmp_path / "runs"

    def run(home: str) -> None:
        said = sweep(
            "run", str(tmp_path / "s.yaml"), "--executor=inline",
            f"--home={tmp_path / home}", f"--storage={storage}",
        )  # fmt: skip
        assert said.exit_code == 0, said.stderr

    run("one")
    before = {path: path.read_bytes() for path in storage.glob("*/1/result.json")}
    assert len(before) == 2
    run("two")
    assert {path: path.read_bytes() for path in before} == before
    others = list(storage.glob("database-*/*/1/result.json"))
    assert {path.parent.parent.name for path in others} == {
        path.parent.parent.name for path in before
    }
    shutil.rmtree(tmp_path / "two")
    run("two")  # made anew in its place, it trains where its predecessor did
    assert sorted(storage.glob("database-*/*/1/result.json")) == sorted(others)
    notes = [json.loads(path.read_text()) for path in (storage / "databases").iterdir()]
    assert {note["path"] for note in notes} == {
        f"{tmp_path}/{home}/sweep.db" for home in ("one", "two")
    }
