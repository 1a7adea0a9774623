"""`sweep du`, `sweep gc` and `sweep delete`, on sweeps of a trainer that finishes at once."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from command_line import sweep
from results.queries.queries import Queries
from results.store.store import Store
from sweeper.housekeeping import deleting
from trainers.storage.local import LocalFolder

SPEC = """\
name: {name}
model: zerosnet
depth: 20
dataset: digits
trainer: fake_trainers:quick
training: {{epochs: 1}}
grid: {{seed: {seeds}}}
"""


class Lab:
    """A home, in which sweeps of these names hold runs of these seeds."""

    def __init__(self, folder: Path, home: str = "home") -> None:
        self.folder = folder
        self.home = folder / home
        self.runs = self.home / "runs"

    def ask(self, *arguments: str, code: int = 0, home: bool = True) -> tuple[str, str]:
        where = ["--home", str(self.home)] if home else []
        done = sweep(*arguments, *where)
        assert done.exit_code == code, done.stderr + done.stdout
        return done.stdout, done.stderr

    def run(self, name: str, seeds: list[int], *more: str) -> None:
        path = self.folder / f"{name}.yaml"
        path.write_text(SPEC.format(name=name, seeds=seeds))
        self.ask("run", str(path), "--executor", "inline", *more)

    @property
    def url(self) -> str:
        return f"sqlite:///{self.home}/sweep.db"

    def ids(self) -> dict[int, str]:
        """The run ids by seed."""
        with Queries.open(self.url) as queries:
            return {row["seed"]: row["run_id"] for row in queries.run_rows()}

    def put(self, seed: int, attempt: int, *names: str, size: int = 100) -> None:
        folder = self.runs / self.ids()[seed] / str(attempt)
        folder.mkdir(exist_ok=True)
        for name in names:
            (folder / name).write_bytes(b"x" * size)

    def files(self) -> set[str]:
        return {
            str(path.relative_to(self.runs))
            for run_id in self.ids().values()
            for path in (self.runs / run_id).rglob("*")
            if path.is_file() and not path.name.startswith("log-")
        }

    def json(self, *arguments: str) -> list[dict]:
        return json.loads(self.ask(*arguments, "--format", "json")[0])


WEIGHTS = ("weights.pt", "weights.pt.sha256")
CHECKPOINT = ("checkpoint-1.pt", "checkpoint-1.pt.sha256")


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Sweep "a" holds the seeds 0 and 1, "b" 1 and 2."""
    made = Lab(tmp_path)
    made.run("a", [0, 1])
    made.run("b", [1, 2])
    for seed in (0, 1, 2):
        made.put(seed, 1, *WEIGHTS, *CHECKPOINT)
    return made


def test_du_counts_each_file_once(lab: Lab) -> None:
    rows = {row["sweep"]: row for row in lab.json("du")}
    for name in ("a", "b", "(several sweeps)"):
        assert (rows[name]["runs"], rows[name]["weights"], rows[name]["checkpoints"]) == (
            1,
            200,
            200,
        )
        assert rows[name]["total"] == sum(
            rows[name][kind] for kind in ("checkpoints", "weights", "results", "logs", "other")
        )
    database = sum(
        path.stat().st_size
        for end in ("", "-wal", "-shm")
        if (path := lab.home / f"sweep.db{end}").exists()
    )
    assert rows["(database)"]["total"] == database > 0
    on_disk = sum(path.stat().st_size for path in lab.runs.rglob("*") if path.is_file())
    of_runs = (row for name, row in rows.items() if name not in HOME_ROWS)
    assert sum(row["total"] for row in of_runs) == on_disk
    said = lab.ask("du")[1]
    assert "runs that sweeps share count once, as (several sweeps)\n" in said


HOME_ROWS = ("(database)", "(archives)", "(data)")


def test_gc_lists_and_removes_only_when_told(lab: Lab) -> None:
    before = lab.files()
    rows = lab.json("gc")
    assert [row["reason"] for row in rows] == ["checkpoints of a done run"] * 3
    assert [row["bytes"] for row in rows] == [200] * 3
    assert "600 B can go, 6 files: --yes removes them" in lab.ask("gc")[1]
    assert lab.files() == before
    assert "600 B removed, 6 files" in lab.ask("gc", "--yes")[1]
    assert {path.rpartition("/")[2] for path in lab.files()} == {*WEIGHTS, "result.json"}
    assert lab.json("gc") == []


def test_gc_removes_an_attempt_that_lost_but_its_log(lab: Lab) -> None:
    run_id = lab.ids()[0]
    # As if the result had been made by a second attempt.
    shutil.copytree(lab.runs / run_id / "1", lab.runs / run_id / "2")
    lab.put(0, 1, "log-1.txt", "checkpoint-2.pt")
    change_attempt(lab, run_id, 2)
    lab.ask("gc", "--yes")
    assert {path.name for path in (lab.runs / run_id / "1").iterdir()} >= {"log-1.txt"}
    assert not any((lab.runs / run_id / "1").glob("[!l]*"))
    assert {path.name for path in (lab.runs / run_id / "2").glob("[!l]*")} == {
        *WEIGHTS,
        "result.json",
    }


@pytest.mark.parametrize("missing", ["result.json", *WEIGHTS])
def test_gc_keeps_earlier_attempts_while_the_last_is_not_whole(lab: Lab, missing: str) -> None:
    run_id = lab.ids()[0]
    shutil.copytree(lab.runs / run_id / "1", lab.runs / run_id / "2")
    (lab.runs / run_id / "2" / missing).unlink()
    change_attempt(lab, run_id, 2)
    lab.ask("gc", "--yes")
    left = {path.name for path in (lab.runs / run_id / "1").iterdir()}
    assert {*WEIGHTS, "result.json"} <= left


def change_attempt(lab: Lab, run_id: str, attempt: int) -> None:
    """Makes the database say that this attempt made the result."""
    with sqlite3.connect(lab.home / "sweep.db") as connection:
        (trigger,) = connection.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'done_is_final'"
        ).fetchone()
        connection.execute("DROP TRIGGER done_is_final")
        connection.execute("UPDATE runs SET attempt = ? WHERE run_id = ?", (attempt, run_id))
        connection.execute("UPDATE attempts SET attempt = ? WHERE run_id = ?", (attempt, run_id))
        connection.execute(trigger)


def test_weights_of_runs_in_no_sweep_go_and_their_results_stay(lab: Lab) -> None:
    lab.ask("delete", "b")
    said = lab.ask("gc")[1]
    assert "1 run in no sweep could no longer be measured by new evaluations" in said
    lab.ask("gc", "--yes")
    left = {path.rpartition("/")[2] for path in lab.files() if path.startswith(lab.ids()[2])}
    assert left == {"result.json"}
    # Of those that a sweep holds they stay.
    assert {f"{lab.ids()[seed]}/1/weights.pt" for seed in (0, 1)} <= lab.files()
    assert {row["state"] for row in rows(lab)} == {"done"}


def rows(lab: Lab) -> list[dict]:
    with Queries.open(lab.url) as queries:
        return queries.run_rows()


def test_gc_beside_a_driver_leaves_runs_in_no_sweep_alone(lab: Lab) -> None:
    lab.ask("delete", "b")
    with Store.open(lab.url) as store, store.driving(command="sweep run"):
        said = lab.ask("gc", "--yes")[1]
    assert "a driver is at work" in said
    assert f"{lab.ids()[2]}/1/weights.pt" in lab.files()
    held = [path for path in lab.files() if not path.startswith(lab.ids()[2])]
    assert not any("checkpoint" in path for path in held)


def test_gc_leaves_running_runs_alone(lab: Lab) -> None:
    lab.run("c", [3])
    with sqlite3.connect(lab.home / "sweep.db") as connection:
        connection.execute("DROP TRIGGER done_is_final")
        connection.execute(
            "UPDATE runs SET state = 'running', diverged = NULL, finished_at = NULL"
            " WHERE run_id = ?", (lab.ids()[3],)
        )  # fmt: skip
    lab.put(3, 1, *CHECKPOINT)
    lab.ask("gc", "--yes")
    assert f"{lab.ids()[3]}/1/checkpoint-1.pt" in lab.files()


def test_gc_never_touches_the_place_of_another_database(lab: Lab, tmp_path: Path) -> None:
    other = Lab(tmp_path, "other")
    other.run("a", [0, 1], "--storage", str(lab.runs))
    (place,) = lab.runs.glob("database-*")
    run_id = lab.ids()[0]
    (place / run_id / "1" / "checkpoint-1.pt").write_bytes(b"theirs")
    lab.ask("gc", "--yes")
    lab.ask("delete", "a", "--results")
    assert (place / run_id / "1" / "checkpoint-1.pt").read_bytes() == b"theirs"
    assert "(unknown runs)" not in {row["sweep"] for row in lab.json("du")}
    # Nor does a copy of a database.
    lab.put(1, 1, *CHECKPOINT)
    before = lab.files()
    copy = tmp_path / "copy.db"
    shutil.copy(lab.home / "sweep.db", copy)
    done = sweep(
        "gc", "--yes", "--db", f"sqlite:///{copy}", "--storage", str(lab.runs), "--home", "h",
        folder=tmp_path,
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert lab.files() == before


def test_a_database_is_filled_again_after_gc(lab: Lab) -> None:
    before = {row["run_id"]: row["test_accuracy"] for row in rows(lab)}
    lab.ask("gc", "--yes")
    for path in lab.home.glob("sweep.db*"):
        path.unlink()
    lab.ask("db", "rebuild")
    assert {row["run_id"]: row["test_accuracy"] for row in rows(lab)} == before


def test_deleting_a_sweep_keeps_results_and_shared_runs(lab: Lab) -> None:
    lab.ask("tag", "a", "x")
    lab.ask("note", "a", "y")
    before, files = {row["run_id"]: row for row in rows(lab)}, lab.files()
    said = lab.ask("delete", "a")[1]
    assert "a is deleted\n" in said
    assert "1 run of it stay in other sweeps" in said
    assert {row["run_id"] for row in rows(lab)} == before.keys()
    assert lab.files() == files
    assert [one["sweep"] for one in lab.json("status")] == ["b"]
    # It does not come back from the storage.
    for path in lab.home.glob("sweep.db*"):
        path.unlink()
    lab.ask("db", "rebuild")
    assert [one["sweep"] for one in lab.json("status")] == ["b"]


def test_deleting_results_takes_only_runs_that_no_other_sweep_holds(lab: Lab) -> None:
    ids = lab.ids()
    assert "1 run deleted" in lab.ask("delete", "a", "--results")[1]
    assert {row["run_id"] for row in rows(lab)} == {ids[1], ids[2]}
    assert not (lab.runs / ids[0]).exists()
    assert (lab.runs / ids[1] / "1" / "result.json").exists()
    assert "unknown sweep" in lab.ask("delete", "a", code=2)[1]
    # What was deleted can be run again.
    lab.run("a", [0, 1])
    assert {row["state"] for row in rows(lab)} == {"done"}


def test_delete_is_refused_beside_a_driver(lab: Lab) -> None:
    before = lab.files()
    with Store.open(lab.url) as store, store.driving(command="sweep run"):
        said = lab.ask("delete", "a", "--results", code=3)[1]
    assert "another process" in said or "pid" in said
    assert lab.files() == before
    assert len(rows(lab)) == 3


def test_a_deletion_that_was_cut_short_can_be_finished(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, Store.open(lab.url) as store:
        patch.setattr(store, "delete_sweep", die)
        with pytest.raises(Killed):
            deleting.delete_sweep(store, str(lab.runs), "a", results=True, command="x")
    # The rows are as they were, and what other sweeps hold is whole.
    assert len(rows(lab)) == 3
    assert (lab.runs / lab.ids()[1] / "1" / "result.json").exists()
    lab.ask("delete", "a", "--results")
    assert len(rows(lab)) == 2


def test_a_collection_that_was_cut_short_has_removed_garbage_only(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    left, removed = 0, LocalFolder.remove

    def remove(folder: LocalFolder, name: str) -> None:
        nonlocal left
        if left == 0:
            raise Killed
        left -= 1
        removed(folder, name)

    whole = lab.files()
    needed = {path for path in whole if "checkpoint" not in path}
    for steps in range(6):
        left = steps
        with monkeypatch.context() as patch:
            patch.setattr(LocalFolder, "remove", remove)
            with pytest.raises(Killed):
                lab.ask("gc", "--yes")
        assert needed < lab.files()
        # No digest is left of a checkpoint that is not.
        digests = {path for path in lab.files() if path.endswith(".pt.sha256")}
        assert {path.removesuffix(".sha256") for path in digests} <= lab.files()
        lab.ask("gc", "--yes")
        assert lab.files() == needed
        for seed in (0, 1, 2):
            lab.put(seed, 1, *CHECKPOINT)
        assert lab.files() == whole
