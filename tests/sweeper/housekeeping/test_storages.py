"""Runs in several storages, in those that fsspec knows, in a moved home, and on Postgres."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from file_server import SCHEME, FileServer
from laboratories import CHECKPOINT, WEIGHTS, Lab
from trainers.storage import open_folder


def at(lab: Lab, seed: int, *names: str) -> set[str]:
    return {f"{lab.ids()[seed]}/1/{name}" for name in names}


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file server does not answer."""

    def fail(operation: str, path: str) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(FileServer, "before", staticmethod(fail))


def test_every_storage_is_looked_at(spread: Lab) -> None:
    rows = {row["sweep"]: row for row in spread.json("du")}
    assert [rows[name]["weights"] for name in ("a", "b", "(several sweeps)")] == [128] * 3
    assert "384 B removed, 6 files" in spread.ask("gc", "--yes")[1]
    assert spread.files(spread.remote) == at(spread, 2, "result.json", *WEIGHTS)


@pytest.mark.parametrize("damaged", [False, True])
def test_an_attempt_that_lost_in_one_storage_to_one_in_another(spread: Lab, damaged: bool) -> None:
    run_id = spread.ids()[2]
    (spread.remote / run_id / "1").rename(spread.remote / run_id / "2")
    spread.change_attempt(run_id, 2)
    spread.put(2, 1, "result.json", *WEIGHTS)
    if damaged:
        (spread.remote / run_id / "2" / "weights.pt").write_bytes(b"half")
    spread.ask("gc", "--yes")
    lost = at(spread, 2, "result.json", *WEIGHTS) if damaged else set()
    assert spread.files() & at(spread, 2, "result.json", *WEIGHTS) == lost
    assert (spread.remote / run_id / "2" / "weights.pt").exists()


def test_a_storage_that_is_away_is_said_and_nothing_of_it_forgotten(
    spread: Lab, away: None, request: pytest.FixtureRequest
) -> None:
    before = spread.files(spread.remote)
    for command in (["du"], ["gc", "--yes"]):
        said = spread.ask(*command)[1]
        assert f"not looked at: {SCHEME}://{spread.remote}" in said
        assert "no route to host" in said
    assert not any("checkpoint" in path for path in spread.files())
    assert spread.files(spread.remote) == before
    for more in ([], ["--yes"]):
        said = spread.ask("delete", "b", "--results", *more, code=3)[1]
        assert "1 run of the sweep wrote there, and nothing was deleted" in said
    assert len(spread.rows()) == 3
    # Its name can go: the rows of the run still say where its files are.
    said = spread.ask("delete", "b")[1]
    assert "the spec of b stays there" in said
    assert len(spread.rows()) == 3
    # What is not there can be deleted.
    spread.ask("delete", "a", "--results", "--yes")
    assert len(spread.rows()) == 1
    assert spread.files(spread.remote) == before


def test_a_storage_that_fails_in_the_middle_leaves_the_rows_of_what_is_left(
    spread: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(operation: str, path: str) -> None:
        if operation == "remove":
            raise OSError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(FileServer, "before", staticmethod(fail))
        assert "gone" in spread.ask("gc", "--yes", code=3)[1]
        assert "gone" in spread.ask("delete", "b", "--results", "--yes", code=3)[1]
    assert len(spread.rows()) == 3
    assert spread.files(spread.remote) >= at(spread, 2, "result.json", *WEIGHTS, *CHECKPOINT)
    spread.ask("delete", "b", "--results", "--yes")
    assert len(spread.rows()) == 2
    assert not list(spread.remote.rglob("*.pt"))


def test_a_disk_that_is_not_mounted_is_no_reason_to_forget(spread: Lab) -> None:
    elsewhere = spread.folder / "elsewhere"
    spread.remote.rename(elsewhere)
    where = f"{SCHEME}://{spread.remote}"
    for command in ("du", "gc"):
        said = spread.ask(command)[1]
        assert f"{where} has nothing of 1 run that wrote there; is its disk mounted?" in said
    said = spread.ask("delete", "b", "--results", "--yes", code=3)[1]
    assert f"mount its disk, or, if it is gone for good, add --storage {where}" in said
    assert len(spread.rows()) == 3
    spread.ask("delete", "b", "--results", "--yes", "--storage", where)
    assert len(spread.rows()) == 2


def test_runs_in_no_sweep_with_files_out_of_reach_stay_whole(spread: Lab) -> None:
    spread.ask("delete", "b")
    elsewhere = spread.folder / "elsewhere"
    spread.remote.rename(elsewhere)
    said = spread.ask("gc", "--results", "--yes")[1]
    assert "is its disk mounted?" in said
    assert "deleted" not in said
    assert len(spread.rows()) == 3
    elsewhere.rename(spread.remote)
    spread.ask("gc", "--results", "--yes")
    assert len(spread.rows()) == 2
    assert not any(path.name == "result.json" for path in spread.remote.rglob("*"))


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_run_without_a_result_stays_whole_while_its_disk_is_not_mounted(
    spread: Lab, state: str
) -> None:
    run_id = spread.ids()[2]
    more = "error = 'so'" if state == "failed" else "finished_at = NULL"
    spread.change(
        (f"UPDATE runs SET state = ?, diverged = NULL, {more} WHERE run_id = ?", (state, run_id)),
        ("UPDATE attempts SET state = ? WHERE run_id = ?", (state, run_id)),
    )
    elsewhere = spread.folder / "elsewhere"
    spread.remote.rename(elsewhere)
    where = f"{SCHEME}://{spread.remote}"
    said = spread.ask("delete", "b", "--results", "--yes", code=3)[1]
    assert f"{where} has nothing of 1 run of the sweep that wrote there" in said
    spread.ask("delete", "b")
    said = spread.ask("gc")[1]
    assert "--results lists it" not in said
    said = spread.ask("gc", "--results", "--yes")[1]
    assert f"{where} has nothing of 1 run that wrote there; is its disk mounted?" in said
    assert "with files that may be where they cannot be seen: 1 run\n" in said
    assert len(spread.rows()) == 3
    elsewhere.rename(spread.remote)
    assert "--results lists it" in spread.ask("gc")[1]
    spread.ask("gc", "--results", "--yes")
    assert len(spread.rows()) == 2
    assert not (spread.remote / run_id).exists()


def test_an_earlier_attempt_on_a_disk_that_is_not_mounted_keeps_a_run_whole(spread: Lab) -> None:
    run_id = spread.ids()[2]
    spread.change(
        ("UPDATE attempts SET state = 'lost' WHERE run_id = ?", (run_id,)),
        ("INSERT INTO attempts (run_id, attempt, state, started_at, finished_at, provenance,"
         " storage) SELECT run_id, 2, 'done', started_at, finished_at, provenance, ?"
         " FROM attempts WHERE run_id = ?", (str(spread.runs), run_id)),
        ("UPDATE runs SET attempt = 2 WHERE run_id = ?", (run_id,)),
    )  # fmt: skip
    spread.put(2, 2, "result.json", *WEIGHTS)
    spread.ask("delete", "b")
    elsewhere = spread.folder / "elsewhere"
    spread.remote.rename(elsewhere)
    spread.ask("gc", "--results", "--yes")
    assert len(spread.rows()) == 3
    elsewhere.rename(spread.remote)
    spread.ask("gc", "--results", "--yes")
    assert len(spread.rows()) == 2
    assert not (spread.remote / run_id).exists()
    assert not (spread.runs / run_id).exists()


def test_an_attempt_without_files_is_not_looked_for_where_the_run_was_moved_from(
    lab: Lab,
) -> None:
    run_id = lab.ids()[2]
    lab.change_attempt(run_id, 2)
    (lab.runs / run_id / "1").rename(lab.runs / run_id / "2")
    lab.change(
        ("INSERT INTO attempts (run_id, attempt, state, started_at, finished_at, provenance,"
         " storage) SELECT run_id, 1, 'interrupted', started_at, finished_at, provenance, storage"
         " FROM attempts WHERE run_id = ?", (run_id,)),
    )  # fmt: skip
    moved = Lab(lab.folder, "moved")
    lab.home.rename(moved.home)
    assert "mounted" not in moved.ask("du")[1]
    assert "1 run deleted" in moved.ask("delete", "b", "--results", "--yes")[1]
    assert not (moved.runs / run_id).exists()


def test_a_home_that_was_moved(lab: Lab) -> None:
    before = {row["sweep"]: row["weights"] for row in lab.json("du")}
    moved = Lab(lab.folder, "moved")
    lab.home.rename(moved.home)
    assert {row["sweep"]: row["weights"] for row in moved.json("du")} == before
    said = moved.ask("gc", "--yes")[1]
    assert said == "384 B removed, 6 files\n"
    run_id = moved.ids()[0]
    moved.ask("delete", "a", "--results", "--yes")
    assert not (moved.runs / run_id).exists()
    assert {row["seed"] for row in moved.rows()} == {1, 2}


def test_two_paths_of_one_folder_count_once(lab: Lab, tmp_path: Path) -> None:
    before = lab.json("du")
    (tmp_path / "link").symlink_to(lab.runs)
    assert lab.json("du", "--storage", str(tmp_path / "link")) == before
    assert "384 B can go" in lab.ask("gc", "--storage", str(tmp_path / "link"))[1]


def test_a_storage_without_notes_is_anybodys(lab: Lab) -> None:
    """As an earlier version left it: only attempts that say that they wrote there are ours."""
    shutil.rmtree(lab.runs / "databases")
    (lab.runs / lab.ids()[2]).rename(lab.folder / "theirs")
    other = lab.folder / "other"
    shutil.copytree(lab.runs, other)
    before = lab.files(other)
    lab.ask("gc", "--yes", "--storage", str(other))
    assert lab.files(other) == before
    assert not any("checkpoint" in path for path in lab.files())


@pytest.mark.parametrize("kind", ["memory://", "file://"])
def test_storages_that_fsspec_knows(kind: str, tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    storage = f"{kind}{tmp_path}/runs"
    lab.run("a", [0, 1], "--storage", storage)
    folder = open_folder(storage).child(lab.ids()[0])
    for name in CHECKPOINT:
        folder.child("1").write(name, b"x")
    # The other storage is found without being named.
    assert {row["sweep"]: row["checkpoints"] for row in lab.json("du")}["a"] == 2
    assert "2 B removed, 2 files" in lab.ask("gc", "--yes")[1]
    assert [path for path, _ in folder.files()] == ["1/result.json"]
    lab.ask("delete", "a", "--results", "--yes")
    assert lab.rows() == []
    assert not any("result.json" in path for path, _ in open_folder(storage).files())


def test_on_postgres(tmp_path: Path, postgres_url: str) -> None:
    lab = Lab(tmp_path, db=postgres_url)
    lab.run("a", [0, 1])
    lab.run("b", [1, 2])
    for seed in (0, 1, 2):
        lab.put(seed, 1, *WEIGHTS, *CHECKPOINT)
    sizes = {row["sweep"]: row["total"] for row in lab.json("du")}
    assert sizes["(database)"] > 100_000
    assert "384 B removed, 6 files" in lab.ask("gc", "--yes")[1]
    lab.ask("delete", "b")
    assert "128 B removed" in lab.ask("gc", "--yes")[1]
    assert not at(lab, 2, *WEIGHTS) & lab.files()
    assert at(lab, 0, *WEIGHTS) | at(lab, 1, *WEIGHTS) < lab.files()
    ids = lab.ids()
    lab.ask("delete", "a", "--results", "--yes")
    assert {row["seed"] for row in lab.rows()} == {2}
    assert sorted(path.name for path in lab.runs.iterdir() if path.name in ids.values()) == [ids[2]]
    assert "1 run in no sweep, 1 done" in lab.ask("gc", "--results", "--yes")[1]
    assert lab.rows() == []
    assert not (lab.runs / ids[2]).exists()


def test_a_database_that_nobody_ran_a_sweep_on_takes_nothing_of_others(lab: Lab) -> None:
    lab.ask("export", "--output", "archive.db")
    theirs = f"sqlite:///{lab.folder}/theirs.db"
    lab.ask("import", "archive.db", "--db", theirs)
    before = {path for path in lab.runs.rglob("*") if path.is_file()}
    lab.ask("gc", "--yes", "--db", theirs)
    lab.ask("delete", "a", "--results", "--yes", "--db", theirs)
    lab.ask("delete", "b", "--db", theirs)
    assert lab.ask("status", "--db", theirs, "--format", "json")[0].strip() == "[]"
    assert {path for path in lab.runs.rglob("*") if path.is_file()} == before
