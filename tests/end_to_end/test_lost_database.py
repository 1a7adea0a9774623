"""A sweep whose database is lost while it runs, or afterwards: nothing that was done is."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from command_line import finished_home, sweep

SPEC = """
name: lost
model: zerosnet
depth: 20
dataset: digits
trainer: fake_trainers:TRAINER
training: {epochs: 2}
grid: {seed: [0, 1, 2, 3]}
evaluations: [{noise: gaussian, std: 0.1}]
"""


def rows(home: Path) -> list[dict[str, object]]:
    found = sweep("report", "--group-by", "run_id", "--format", "json", f"--home={home}")
    return json.loads(found.stdout)


def test_a_sweep_whose_database_is_deleted_stops_and_goes_on_from_what_was_rescued(
    tmp_path: Path,
) -> None:
    (tmp_path / "s.yaml").write_text(SPEC.replace("TRAINER", "loses_the_database"))
    home = tmp_path / "home"
    run = ("run", str(tmp_path / "s.yaml"), "--executor=inline", f"--home={home}")
    stopped = sweep(*run)
    assert stopped.exit_code == 3, stopped.stderr
    message = stopped.stderr.splitlines()[-1]
    assert message.startswith(f"error: {home}/sweep.db was deleted while it was in use; "), message
    assert "Traceback" not in stopped.stderr
    (rescued,) = home.glob("sweep.db.rescued-*")
    assert f"sweep db restore {rescued}" in message
    again = sweep(*run)
    assert again.exit_code == 3
    assert f"sweep db restore {rescued}" in again.stderr
    assert "puts back what was saved of one that was lost" in again.stderr
    assert not (home / "sweep.db").exists()

    assert sweep("db", "restore", str(rescued), f"--home={home}").exit_code == 0
    again = sweep(*run)
    assert again.exit_code == 0, again.stderr
    # Seed 2 was finished when its database had gone.
    assert "4 of 4 runs done (1 trained now, 1 adopted from an interrupted driver)" in again.stderr


@pytest.mark.parametrize("left", ["nothing", "one run"])
def test_a_lost_database_is_filled_again_from_the_storage(left: str, tmp_path: Path) -> None:
    home = finished_home(tmp_path, SPEC.replace("TRAINER", "quick"))
    before = rows(home)
    (home / "sweep.db").unlink()
    if left == "one run":
        alone = tmp_path / "alone.yaml"
        alone.write_text(SPEC.replace("TRAINER", "quick").replace("[0, 1, 2, 3]", "[3]"))
        assert sweep("run", str(alone), "--executor=inline", f"--home={home}").exit_code == 0
        # The newest spec of that name is the small one.
        filled = sweep("db", "rebuild", str(tmp_path / "s.yaml"), f"--home={home}")
    else:
        filled = sweep("db", "rebuild", f"--home={home}")
    assert filled.exit_code == 0, filled.stderr
    assert filled.stderr == "lost: 4 of 4 runs done\n"
    assert rows(home) == before
    with closing(sqlite3.connect(home / "sweep.db")) as database:
        storages = database.execute("SELECT DISTINCT storage, attempt FROM attempts").fetchall()
    assert storages == [(str(home / "runs"), 1)]
    again = sweep("run", str(tmp_path / "s.yaml"), "--executor=inline", f"--home={home}")
    assert "4 of 4 runs done already; nothing to train" in again.stderr


def test_a_rebuild_takes_attempts_by_their_numbers_and_leaves_out_what_is_malformed(
    tmp_path: Path,
) -> None:
    home = finished_home(tmp_path, SPEC.replace("TRAINER", "quick"))
    (home / "sweep.db").unlink()
    folders = sorted(path for path in (home / "runs").iterdir() if len(path.name) == 16)
    third, malformed, damaged, _ = folders
    result = json.loads((third / "1" / "result.json").read_text())
    del result["sha256"]
    rewrite(third / "3", {**result, "attempt": 3})
    rewrite(malformed / "1", {**result, "run_id": malformed.name, "test_accuracy": 101})
    with (damaged / "1" / "result.json").open("a") as file:
        file.write("x")
    filled = sweep("db", "rebuild", f"--home={home}")
    assert filled.exit_code == 0, filled.stderr
    assert f"the result of run {malformed.name} is malformed" in filled.stderr
    assert "lost: 2 of 4 runs done; the rest: sweep resume lost" in filled.stderr
    with closing(sqlite3.connect(home / "sweep.db")) as database:
        (attempt,) = database.execute(
            "SELECT attempt FROM runs WHERE run_id = ?", [third.name]
        ).fetchone()
    assert attempt == 3
    rest = sweep("resume", "lost", "--executor=inline", f"--home={home}")
    assert "4 of 4 runs done (2 trained now)" in rest.stderr


def rewrite(folder: Path, result: dict[str, object]) -> None:
    from trainers.result_file import store_result
    from trainers.storage import open_folder

    store_result(open_folder(folder), result)


def test_a_storage_that_knows_no_sweep_says_what_to_name(tmp_path: Path) -> None:
    said = sweep("db", "rebuild", f"--home={tmp_path / 'home'}")
    assert said.exit_code == 2
    assert "has nothing to fill a database from: --home or --storage names" in said.stderr
    assert not (tmp_path / "home").exists()
    (tmp_path / "home" / "runs" / ("0" * 16)).mkdir(parents=True)
    said = sweep("db", "rebuild", f"--home={tmp_path / 'home'}")
    assert said.exit_code == 2
    assert "has kept no spec: name the files of the sweeps" in said.stderr
    (tmp_path / "home" / "runs" / "specs").mkdir(parents=True)
    (tmp_path / "home" / "runs" / "specs" / "bad.json").write_text('{"text": 1}')
    said = sweep("db", "rebuild", f"--home={tmp_path / 'home'}")
    assert said.exit_code == 2
    assert "bad.json is damaged; remove it, and name the spec's own file" in said.stderr


def test_a_backup_is_made_and_put_back(tmp_path: Path) -> None:
    home = finished_home(tmp_path, SPEC.replace("TRAINER", "quick"))
    before = rows(home)
    backup = tmp_path / "backup.db"
    made = sweep("db", "backup", str(backup), f"--home={home}")
    hint = f"`sweep db restore {backup} --home {home}` puts it back"
    assert made.stderr == f"{backup}: {hint}\n"
    (home / "sweep.db").write_text("nonsense")
    assert sweep("status", f"--home={home}").exit_code == 3
    back = sweep("db", "restore", str(backup), f"--home={home}")
    assert back.exit_code == 0, back.stderr
    (aside,) = home.glob("sweep.db.replaced-*")
    assert back.stderr == f"restored; the former database is {aside}\n"
    assert rows(home) == before
    for command in ("backup", "restore"):
        said = sweep("db", command, str(backup), "--db=postgresql://user@host/lab")
        assert (said.exit_code, "pg_dump" in said.stderr) == (2, True)
