"""`sweep du`, `sweep gc` and `sweep delete`, on sweeps of a trainer that finishes at once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path

import pytest

from command_line import sweep
from laboratories import CHECKPOINT, WEIGHTS, Lab
from results.queries.queries import Queries
from results.records import KeptRun, NewRun, Removal
from results.store.store import Store
from sweeper.commands.du import readable
from trainers.storage.local import LocalFolder


def test_du_counts_each_file_once(lab: Lab) -> None:
    rows = {row["sweep"]: row for row in lab.json("du")}
    for name in ("a", "b", "(several sweeps)"):
        assert (rows[name]["runs"], rows[name]["weights"], rows[name]["checkpoints"]) == (
            1,
            128,
            128,
        )
        assert rows[name]["total"] == sum(
            rows[name][kind]
            for kind in ("checkpoints", "weights", "results", "files", "logs", "other")
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
    assert [row["bytes"] for row in rows] == [128] * 3
    assert "384 B can go, 6 files: --yes removes them" in lab.ask("gc")[1]
    assert lab.files() == before
    assert "384 B removed, 6 files" in lab.ask("gc", "--yes")[1]
    assert {path.rpartition("/")[2] for path in lab.files()} == {*WEIGHTS, "result.json"}
    assert lab.json("gc") == []


def test_gc_removes_an_attempt_that_lost_but_its_log(lab: Lab) -> None:
    run_id = lab.ids()[0]
    # As if the result had been made by a second attempt.
    shutil.copytree(lab.runs / run_id / "1", lab.runs / run_id / "2")
    lab.put(0, 1, "log-1.txt", "checkpoint-2.pt")
    lab.change_attempt(run_id, 2)
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
    lab.change_attempt(run_id, 2)
    lab.ask("gc", "--yes")
    left = {path.name for path in (lab.runs / run_id / "1").iterdir()}
    assert {*WEIGHTS, "result.json"} <= left


def test_weights_of_runs_in_no_sweep_go_and_their_results_stay(lab: Lab) -> None:
    lab.ask("delete", "b")
    said = lab.ask("gc")[1]
    assert "1 run in no sweep could no longer be measured by new evaluations" in said
    lab.ask("gc", "--yes")
    left = {path.rpartition("/")[2] for path in lab.files() if path.startswith(lab.ids()[2])}
    assert left == {"result.json"}
    # Of those that a sweep holds they stay.
    assert {f"{lab.ids()[seed]}/1/weights.pt" for seed in (0, 1)} <= lab.files()
    assert {row["state"] for row in lab.rows()} == {"done"}


def test_beside_a_driver_all_goes_but_what_it_works_on(lab: Lab) -> None:
    ids = lab.ids()
    lab.run("c", [3])
    with Store.open(lab.url) as store, store.driving(command="sweep run"):
        save(store, "a", [ids[0], ids[1]])
        said = lab.ask("delete", "a", "--results", "--yes", code=3)[1]
        assert "another driver works on sweep a: host" in said
        assert f"{ids[0]}/1/result.json" in lab.files()
        lab.ask("delete", "b")
        lab.ask("delete", "c", "--results", "--yes")
        assert "1 run in no sweep can no longer be measured" in lab.ask("gc", "--yes")[1]
        # A worker may go on writing for a while, though its run was cancelled.
        lab.change(
            ("UPDATE runs SET state = 'cancelled', diverged = NULL, finished_at = NULL"
             " WHERE run_id = ?", (ids[2],)),
            ("UPDATE attempts SET state = 'cancelled', driver_id = (SELECT max(id) FROM drivers)"
             " WHERE run_id = ?", (ids[2],)),
        )  # fmt: skip
        lab.put(2, 1, *CHECKPOINT)
        before = lab.files()
        for more in ([], ["--results"]):
            said = lab.ask("gc", "--yes", *more)[1]
            assert "changed meanwhile" not in said
            assert (
                "left alone, as a driver at work may still write files of theirs: 1 run; once it"
                " has ended, they can go\n"
            ) in said
        assert lab.files() == before
    assert "deleted, with all that was measured: 1 run" in lab.ask("gc", "--yes", "--results")[1]
    assert set(lab.ids()) == {0, 1}


def save(store: Store, name: str, run_ids: Sequence[str]) -> None:
    """Makes a sweep hold these runs of the database."""
    rows = {row["run_id"]: row for row in Queries.of(store).run_rows(config=True)}
    facts = [field.name for field in fields(NewRun)]
    held = [NewRun(**{name: rows[run_id][name] for name in facts}) for run_id in run_ids]
    store.save_sweep(name, "", "", [], None, held, [])


def test_runs_in_no_sweep_are_deleted_when_that_is_asked_for_twice(lab: Lab) -> None:
    ids = lab.ids()
    said = lab.ask("delete", "b")[1]
    assert "frees the space of their weights, `sweep gc --home" in said
    assert said.endswith(" --results` deletes their results\n")
    lab.ask("export", "a", "--output", "theirs.db")
    before = lab.files()
    # What du says of it is what it frees.
    (row,) = [row for row in lab.json("du") if row["sweep"] == "(no sweep)"]
    assert "(no sweep): `sweep gc --home" in lab.ask("du")[1]
    stays = "all that was measured of {} in no sweep stays; --results lists it, too\n"
    assert stays.format("1 run") in lab.ask("gc")[1]
    listed = lab.json("gc", "--results")
    assert {(one["reason"], one["run_id"]) for one in listed} == {
        ("checkpoints of a done run", ids[0]),
        ("checkpoints of a done run", ids[1]),
        ("results of a run in no sweep", ids[2]),
    }
    freed = sum(one["bytes"] for one in listed if one["run_id"] == ids[2])
    assert (
        freed
        == row["total"]
        == sum(row[kind] for kind in ("weights", "checkpoints", "results", "logs"))
    )
    said = lab.ask("gc", "--results")[1]
    assert (
        "would be deleted, with all that was measured: 1 run in no sweep, 1 done, 1 attempt,"
        in said
    )
    assert "files: --results --yes removes them" in said
    assert lab.files() == before
    said = lab.ask("gc", "--results", "--yes")[1]
    assert (
        "\ndeleted, with all that was measured: 1 run in no sweep, 1 done, 1 attempt,"
        in f"\n{said}"
    )
    assert lab.ids() == {0: ids[0], 1: ids[1]}
    assert not (lab.runs / ids[2]).exists()
    assert {f"{ids[0]}/1/result.json", f"{ids[0]}/1/weights.pt"} <= lab.files()
    assert lab.json("gc", "--results") == []
    assert "(no sweep)" not in {row["sweep"] for row in lab.json("du")}
    # Also of runs that an archive brought, of which no file is here.
    lab.ask("delete", "a", "--results", "--yes")
    lab.ask("import", "theirs.db")
    said = lab.ask("delete", "a")[1]
    assert "2 runs stay, in no sweep; `sweep gc --home" in said
    assert "weights" not in said
    assert stays.format("2 runs") in lab.ask("gc")[1]
    printed, said = lab.ask("gc", "--results", "--yes", "--format", "json")
    assert "2 runs in no sweep (2 from archives), 2 done, 0 attempts, 0 files, 0 B" in said
    assert [one["attempt"] for one in json.loads(printed)] == [None, None]
    assert lab.rows() == []


def test_a_run_that_failed_and_that_nobody_asks_for_is_not_waited_for(lab: Lab) -> None:
    run_id = lab.ids()[2]
    lab.change(
        ("UPDATE runs SET state = 'failed', error = 'so', diverged = NULL WHERE run_id = ?",
         (run_id,)),
        ("UPDATE attempts SET state = 'failed' WHERE run_id = ?", (run_id,)),
    )  # fmt: skip
    assert "PARTIAL: 1 failed and left out" in lab.ask("report")[0]
    assert "1 run queued again" in lab.ask("retry", "b")[1]
    # The spec is edited, or its code: what was queued leaves the sweep.
    lab.run("b", [1])
    assert "PARTIAL" not in lab.ask("report")[0]
    said = lab.ask("retry", "--run", run_id, code=2)[1]
    assert f"run {run_id} is in no sweep, so that nobody asks for it" in said
    assert "0 runs queued again" in lab.ask("retry")[1]
    assert "1 run in no sweep, 0 done, 1 attempt" in lab.ask("gc", "--results", "--yes")[1]


def test_gc_leaves_running_runs_alone(lab: Lab) -> None:
    run_id = lab.ids()[2]
    lab.change(
        (
            "UPDATE runs SET state = 'running', diverged = NULL, finished_at = NULL"
            " WHERE run_id = ?",
            (run_id,),
        )
    )
    lab.ask("gc", "--yes")
    assert f"{run_id}/1/checkpoint-1.pt" in lab.files()
    lab.change(("DELETE FROM sweep_runs WHERE run_id = ?", (run_id,)))
    assert "--results lists it" not in lab.ask("gc")[1]
    said = lab.ask("gc", "--results", "--yes")[1]
    assert "left alone, as in no sweep, but running: 1 run\n" in said
    assert f"{run_id}/1/checkpoint-1.pt" in lab.files()


def test_gc_never_touches_the_place_of_another_database(lab: Lab, tmp_path: Path) -> None:
    other = Lab(tmp_path, "other")
    other.run("a", [0, 1], "--storage", str(lab.runs))
    (place,) = lab.runs.glob("database-*")
    run_id = lab.ids()[0]
    (place / run_id / "1" / "checkpoint-1.pt").write_bytes(b"theirs")
    lab.ask("gc", "--yes")
    lab.ask("delete", "a", "--results", "--yes")
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


def test_a_database_is_filled_again_after_gc_and_without_what_was_deleted(lab: Lab) -> None:
    before = {row["run_id"]: row["test_accuracy"] for row in lab.rows()}
    del before[lab.ids()[0]]
    lab.ask("gc", "--yes")
    lab.ask("delete", "a")
    for path in lab.home.glob("sweep.db*"):
        path.unlink()
    lab.ask("db", "rebuild")
    assert {row["run_id"]: row["test_accuracy"] for row in lab.rows()} == before
    assert [one["sweep"] for one in lab.json("status")] == ["b"]


def test_deleting_a_sweep_keeps_results_and_shared_runs(lab: Lab) -> None:
    lab.ask("tag", "a", "x")
    lab.ask("note", "a", "y")
    before, files = {row["run_id"]: row for row in lab.rows()}, lab.files()
    said = lab.ask("delete", "a")[1]
    assert "a is deleted\n" in said
    assert "1 run stays, in other sweeps\n1 run stays, in no sweep; `sweep gc --home" in said
    assert {row["run_id"] for row in lab.rows()} == before.keys()
    assert lab.files() == files
    assert [one["sweep"] for one in lab.json("status")] == ["b"]


def test_deleting_results_takes_only_runs_that_no_other_sweep_holds(lab: Lab) -> None:
    ids = lab.ids()
    assert "1 run deleted" in lab.ask("delete", "a", "--results", "--yes")[1]
    assert {row["run_id"] for row in lab.rows()} == {ids[1], ids[2]}
    assert not (lab.runs / ids[0]).exists()
    assert (lab.runs / ids[1] / "1" / "result.json").exists()
    assert "unknown sweep" in lab.ask("delete", "a", code=2)[1]
    # What was deleted can be run again.
    lab.run("a", [0, 1])
    assert {row["state"] for row in lab.rows()} == {"done"}


def test_a_deletion_that_was_cut_short_can_be_finished(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Store, "delete_sweep", die)
        with pytest.raises(Killed):
            lab.ask("delete", "a", "--results", "--yes")
    assert len(lab.rows()) == 2
    assert lab.json("status")[0]["sweep"] == "a"
    assert (lab.runs / "specs" / "a.json").exists()
    # What other sweeps hold is whole.
    assert (lab.runs / lab.ids()[1] / "1" / "result.json").exists()
    lab.ask("delete", "a", "--results", "--yes")
    assert len(lab.rows()) == 2
    assert not (lab.runs / "specs" / "a.json").exists()


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


def test_a_run_that_another_sweep_takes_up_meanwhile_keeps_its_weights(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.ask("delete", "b")
    run_id = lab.ids()[2]
    clear = Store.clear

    def after_others(
        store: Store, kept: Sequence[KeptRun], remove_files: Callable[[KeptRun], None]
    ) -> Removal:
        if not kept[0].sweeps:
            lab.run("d", [2])
        return clear(store, kept, remove_files)

    monkeypatch.setattr(Store, "clear", after_others)
    said = lab.ask("gc", "--yes")[1]
    assert "left alone, as changed meanwhile: 1 run\n" in said
    assert "a driver at work" not in said
    assert {f"{run_id}/1/{name}" for name in (*WEIGHTS, *CHECKPOINT)} < lab.files()
    assert "128 B removed" in lab.ask("gc", "--yes")[1]
    assert {f"{run_id}/1/{name}" for name in WEIGHTS} < lab.files()


def test_a_format_that_there_is_not_removes_nothing(lab: Lab) -> None:
    before = lab.files()
    assert "jsn" in lab.ask("gc", "--yes", "--format", "jsn", code=2)[1]
    assert lab.files() == before


def test_results_are_deleted_only_when_said_twice(lab: Lab) -> None:
    before = lab.files()
    said = lab.ask("delete", "a", "--results")[1]
    assert "with a would go all that was measured of 1 run, 1 done, and 5 files, " in said
    assert "1 run would stay, in other sweeps" in said
    assert "nothing was deleted; --results --yes deletes it for good" in said
    assert "--yes is for --results" in lab.ask("delete", "a", "--yes", code=2)[1]
    assert lab.files() == before
    assert len(lab.json("status")) == 2


def test_a_run_whose_weights_went_says_so_when_it_is_asked_for_more(lab: Lab) -> None:
    run_id = lab.ids()[2]
    assert lab.json("show", run_id)["weights_kept"] is True
    assert "none is kept" not in lab.ask("show", run_id)[0]
    lab.ask("delete", "b")
    lab.ask("gc", "--yes")
    spec = lab.spec("b", [1, 2], "evaluations: [{noise: gaussian, std: 0.2}]\n")
    said = lab.ask("run", spec, "--executor", "inline", code=1)[1]
    assert "has no stored weights" in said
    sentence = (
        "2 finished runs could not be evaluated, as no weights are kept; all results stay. `sweep"
        " delete b"
    )
    assert sentence in said
    assert lab.json("show", run_id)["weights_kept"] is False
    assert "none is kept: nothing more can be measured of it" in lab.ask("show", run_id)[0]
    # What it says helps.
    lab.ask("delete", "b", "--results", "--yes")
    assert "1 trained now" in lab.ask("run", spec, "--executor", "inline", code=1)[1]
    (row,) = [row for row in lab.rows() if row["seed"] == 2]
    assert [evaluation["accuracy"] for evaluation in row["evaluations"]] == [42.0]


def test_weights_that_may_be_in_a_storage_that_is_away_are_not_called_gone(spread: Lab) -> None:
    run_id = spread.ids()[2]
    spread.remote.rename(spread.folder / "elsewhere")
    assert spread.json("show", run_id)["weights_kept"] is None


def test_du_fits_a_terminal(lab: Lab) -> None:
    lines = lab.ask("du")[0].splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split()[:3] == ["sweep", "runs", "total"]
    # What nobody has is left out: no trainer wrote any other file.
    assert "other" not in lines[0]
    assert {row["sweep"] for row in lab.json("du")} > {"(archives)", "(data)"}
    assert "(archives)" not in "".join(lines)


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0 B"), (999, "999 B"), (999_400, "999 kB"), (999_600, "1 MB"), (5e15, "5,000 TB")],
)
def test_sizes_have_units(size: int, shown: str) -> None:
    assert readable(size) == shown
