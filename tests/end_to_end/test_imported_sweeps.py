"""Whose results? What somebody else's archive can make of a laboratory's own sweeps."""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import archives
from command_line import sweep
from file_server import SCHEME, FileServer
from trainers.config.canonical import identity_of_json
from trainers.models.counting import NetworkCounts

SPEC = """
name: {name}
model: zerosnet
depth: 8
dataset: digits
trainer: {trainer}
training: {{epochs: 2}}
scheme: {{lambda: -9/5}}
grid: {{seed: [0, 1]}}
evaluations: [{{noise: gaussian, std: 0.1}}]
"""
INLINE = ("--executor", "inline")
QUEUED = "state = 'queued', diverged = NULL, finished_at = NULL"
EMPTIED = ("DELETE FROM epochs", "DELETE FROM evaluations")


@pytest.fixture(autouse=True)
def counted(monkeypatch):
    """No network is counted, which takes torch."""
    counts = NetworkCounts(parameters=8000, multiply_adds=1_000_000)
    monkeypatch.setattr("trainers.config.run.count", lambda *_, **__: counts)


class Lab:
    """A home, and what is typed there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def spec(self, name: str, trainer: str = "fake_trainers:quick") -> str:
        path = self.folder / f"{name}.yaml"
        path.write_text(SPEC.format(name=name, trainer=trainer))
        return str(path)

    def ask(self, *arguments: str, code: int = 0) -> str:
        said = sweep(*arguments, "--home", str(self.folder / "home"), folder=self.folder)
        assert said.exit_code == code, said.stderr
        return said.stdout if "json" in arguments else said.stderr

    def table(self, *arguments: str) -> list[dict[str, str]]:
        """What it says as CSV."""
        path = self.folder / "said.csv"
        self.ask(*arguments, "--format", "csv", "--output", str(path))
        with path.open(newline="") as lines:
            return list(csv.DictReader(lines))

    @property
    def database(self) -> Path:
        return self.folder / "home" / "sweep.db"


@pytest.fixture
def ours(tmp_path) -> Lab:
    return Lab(tmp_path / "ours")


@pytest.fixture
def theirs(tmp_path) -> Lab:
    return Lab(tmp_path / "theirs")


def archive_of(lab: Lab, *changes: str) -> str:
    """What the laboratory exports, with changes past all rules."""
    path = lab.folder / "archive.db"
    path.unlink(missing_ok=True)
    lab.ask("export", "--output", str(path))
    if changes:
        archives.change(path, *changes)
        archives.make_ordinary(path)
    return str(path)


def test_resume_runs_no_trainer_of_an_imported_sweep_unless_told_to(ours, theirs):
    (theirs.folder / "their_trainer.py").write_text(
        "from fake_trainers import quick\n"
        "def train(job):\n    open('ran', 'w').close()\n    return quick(job)\n"
    )
    # Queued in both laboratories: nothing has run it yet.
    spec = theirs.spec("theirs", "their_trainer:train")
    theirs.ask("run", spec, *INLINE)
    (theirs.folder / "ran").unlink()
    archive = archive_of(
        theirs,
        *EMPTIED, "DELETE FROM attempts", f"UPDATE runs SET {QUEUED}, attempt = 0",
    )  # fmt: skip
    (ours.folder / "their_trainer.py").write_text((theirs.folder / "their_trainer.py").read_text())
    ours.ask("import", archive)
    said = ours.ask("resume", *INLINE, code=2)
    assert "no sweep has run here yet: theirs came with archives" in said
    said = ours.ask("resume", "theirs", *INLINE, code=2)
    assert "theirs came with archive.db and never ran here" in said
    assert "sweep resume theirs --imported" in said
    ours.ask("run", ours.spec("own"), *INLINE)
    assert "own: 2 of 2 runs done already" in ours.ask("resume", *INLINE)
    assert not (ours.folder / "ran").exists()
    ours.ask("resume", "theirs", "--imported", *INLINE)
    assert (ours.folder / "ran").exists()
    # From then on it is a sweep of here, with results of here.
    assert "theirs: 2 of 2 runs done already" in ours.ask("resume", *INLINE)
    assert [run["imported"] for run in json.loads(ours.ask("status", "--format", "json"))] == [0, 0]


def test_an_imported_result_counts_as_done_and_is_said_to_be_imported(ours, theirs):
    theirs.ask("run", theirs.spec("theirs"), *INLINE)
    ours.ask("import", archive_of(theirs))
    mine = ours.spec("mine")
    said = ours.ask("plan", mine)
    assert "2 runs, 2 done (2 imported), 0 failed" in said
    rows = json.loads(ours.ask("plan", mine, "--format", "json"))
    assert [(row["state"], row["imported"]) for row in rows] == [("done", True)] * 2
    assert [row["evaluations"][0]["imported"] for row in rows] == [True] * 2
    listed = ours.table("plan", mine)
    assert [(row["state"], row["imported"]) for row in listed] == [("done", "true")] * 2
    assert [row["imported"] for row in ours.table("status", "theirs")] == ["2"]
    assert [row["imported"] for row in ours.table("report", "theirs", "--gap")] == ["2"]
    said = ours.ask("run", mine, *INLINE)
    assert "mine: 2 of 2 runs done (2 imported) already; nothing to train" in said
    (group,) = json.loads(ours.ask("report", "mine", "--format", "json"))
    assert (group["runs"], group["imported"]) == (2, 2)
    assert json.loads(ours.ask("report", "--where", "imported=false", "--format", "json")) == []


@pytest.mark.parametrize("state", ["queued", "done"])
def test_another_config_under_the_id_of_a_genuine_run_is_refused(ours, theirs, state):
    """Queued it would block the genuine spec for ever, done it would count as its result."""
    theirs.ask("run", theirs.spec("theirs"), *INLINE)
    queued = (*EMPTIED, "DELETE FROM attempts", f"UPDATE runs SET {QUEUED}, attempt = 0")
    archive = archive_of(
        theirs,
        *(queued if state == "queued" else ()),
        "UPDATE runs SET config = json_set(config, '$.training.optimizer.lr', 0.5)",
    )
    assert "is not what its config says" in ours.ask("import", archive, code=2)
    assert not ours.database.exists()
    said = ours.ask("run", ours.spec("mine"), *INLINE)
    assert "mine: 2 of 2 runs done (2 trained now)" in said


def test_what_an_archive_names_as_a_place_is_never_opened(ours, theirs, monkeypatch):
    """A checkpoint served there made our own run report 99.99 % under our host and commit."""
    theirs.ask("run", theirs.spec("theirs"), *INLINE)
    asked: list[str] = []
    monkeypatch.setattr(FileServer, "before", lambda operation, path: asked.append(path))
    place = f"UPDATE attempts SET storage = '{SCHEME}://{theirs.folder}/home/runs'"
    lost = (
        place, "UPDATE attempts SET state = 'lost'", *EMPTIED, f"UPDATE runs SET {QUEUED}",
    )  # fmt: skip
    ours.ask("import", archive_of(theirs, *lost))
    ours.ask("run", ours.spec("mine"), *INLINE)
    with closing(sqlite3.connect(ours.database)) as database:
        query = "SELECT imported_from FROM attempts_flat WHERE state = ? AND run_state = 'done'"
        assert set(database.execute(query, ("done",))) == {(None,)}
        assert set(database.execute(query, ("lost",))) == {("archive.db",)}
    assert asked == []


@pytest.mark.slow
def test_weights_of_an_imported_run_are_measured_where_the_user_says_that_they_lie(ours, theirs):
    real = SPEC.replace("dataset: digits", "dataset: {{name: digits, subset: 64}}")
    (theirs.folder / "theirs.yaml").write_text(
        real.format(name="theirs", trainer="trainers.train:train").replace("epochs: 2", "epochs: 1")
    )
    theirs.ask("run", "theirs.yaml", *INLINE)
    ours.ask("import", archive_of(theirs))
    more = (theirs.folder / "theirs.yaml").read_text().replace("std: 0.1", "std: 0.2")
    (ours.folder / "mine.yaml").write_text(more.replace("name: theirs", "name: mine"))
    assert "has no stored weights" in ours.ask("run", "mine.yaml", *INLINE, code=1)
    place = ("--storage", str(theirs.folder / "home" / "runs"))
    assert "2 evaluated from stored weights" in ours.ask("run", "mine.yaml", *INLINE, *place)
    rows = json.loads(ours.ask("plan", "mine.yaml", "--format", "json"))
    assert [(row["imported"], row["evaluations"][0]["imported"]) for row in rows] == [
        (True, False)
    ] * 2


def test_an_evaluation_of_somebody_else_takes_no_name_of_ours(ours, theirs):
    theirs.ask("run", theirs.spec("theirs"), *INLINE)
    weak = {"noise": "gaussian", "std": 1e-9, "seed": 1}
    archive = archive_of(
        theirs,
        f"UPDATE evaluation_configs SET evaluation_id = '{identity_of_json(weak)}',"
        f" config = '{json.dumps(weak)}'",
        f"UPDATE evaluations SET evaluation_id = '{identity_of_json(weak)}'",
        f"UPDATE sweep_evaluations SET evaluation_id = '{identity_of_json(weak)}'",
    )
    said = ours.ask("import", archive, code=2)
    assert "has the name 'gaussian[0.1]', and its config says 'gaussian[1e-09]'" in said
