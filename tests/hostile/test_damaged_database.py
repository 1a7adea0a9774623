"""A database edited by hand: a named error, never a traceback."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import archives
from command_line import finished_home, sweep

pytestmark = pytest.mark.hostile

SPEC = """
name: damaged
published: zerosnet/table3
model: zerosnet
depth: 20
dataset: digits
trainer: fake_trainers:quick
training: {epochs: 2}
grid:
  scheme: [{lambda: 10}, {alpha: [1, 1, 1], beta: 1}, {lambda: 1, trainable: true}]
  seed: [0, 1]
evaluations: [{noise: gaussian, std: 0.1}]
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a sweep that is done."""
    return finished_home(tmp_path_factory.mktemp("whole"), SPEC)


@pytest.fixture
def home(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "home")


def damage(home: Path, *statements: str) -> None:
    """Changes the file as whoever knows SQLite can, past every rule of the tables."""
    with closing(sqlite3.connect(home / "sweep.db")) as database, database:
        database.execute("PRAGMA ignore_check_constraints = ON")
        triggers = database.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall()
        for name, _ in triggers:
            database.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            database.execute(statement)
        for _, sql in triggers:
            database.execute(sql)


ONE = "WHERE run_id = (SELECT min(run_id) FROM runs)"
DAMAGES = {
    "a spec that is no YAML": "UPDATE sweep_specs SET text = 'not: [yaml'",
    "a spec of bytes": "UPDATE sweep_specs SET text = x'ff00'",
    "a version in words": "UPDATE sweep_specs SET version = 'first'",
    "overrides that are no JSON": "UPDATE sweep_specs SET overrides = 'nonsense'",
    "overrides that are no list": "UPDATE sweep_specs SET overrides = 'null'",
    "overrides that are numbers": "UPDATE sweep_specs SET overrides = '[1]'",
    "no specs": "DELETE FROM sweep_specs",
    "no sweeps": "DELETE FROM sweeps",
    "no runs": "DELETE FROM runs",
    "no kinds of evaluations": "DELETE FROM evaluation_configs",
    "no epochs": "DELETE FROM epochs",
    "no table of epochs": "DROP TABLE epochs",
    "a name that leads out": "UPDATE sweeps SET name = '../../out'",
    "an evaluation of bytes": "UPDATE evaluation_configs SET name = x'ff'",
    "an evaluation that is no JSON": "UPDATE evaluation_configs SET config = 'x'",
    "a config that is no JSON": f"UPDATE runs SET config = 'x' {ONE}",
    "a config that is a list": f"UPDATE runs SET config = '[]' {ONE}",
    "a queued config that is empty": f"UPDATE runs SET config = '{{}}', state = 'queued' {ONE}",
    "coefficients that are no JSON": f"UPDATE runs SET alpha = 'x' {ONE}",
    "coefficients in words": f"""UPDATE runs SET alpha = '["x"]' {ONE}""",
    "moduli of nothing": f"UPDATE runs SET root_moduli = '[null]' {ONE}",
    "a model of bytes": f"UPDATE runs SET model = x'ff' {ONE}",
    "a state of bytes": f"UPDATE runs SET state = x'ff' {ONE}",
    "an accuracy in words": f"UPDATE runs SET test_accuracy = 'good' {ONE}",
    "an accuracy beyond 100": f"UPDATE runs SET test_accuracy = 9e999 {ONE}",
    "a seed of bytes": f"UPDATE runs SET seed = x'ff' {ONE}",
    "a provenance that is no JSON": f"UPDATE attempts SET provenance = 'x' {ONE}",
    "code that is no JSON": "UPDATE code_states SET content = 'x'",
    "code that is a list": "UPDATE code_states SET content = '[]'",
    "no code": "DELETE FROM code_states",
    "a run whose id is a path": "UPDATE runs SET run_id = '../../../../evil', state = 'running'"
    f" {ONE}",
}
COMMANDS = [
    ["status"],
    ["report", "--group-by=zero_stable,alpha,scheme", "--format=json"],
    ["report", "--where=alpha=1,1,1", "--group-by=seed"],
    ["report", "--test=zero_stable"],
    ["report", "--gap"],
    ["compare", "damaged"],
    ["plot", "damaged", "roots", "--output=figures"],
    ["show", "RUN", "--format=json"],
    ["export", "--output=archive"],
    ["plan", "s.yaml"],
    ["retry", "damaged"],
    ["resume", "damaged", "--executor=inline"],
    ["run", "s.yaml", "--executor=inline"],
]


@pytest.mark.parametrize("case", DAMAGES)
@pytest.mark.slow
def test_no_command_ends_in_a_traceback_over_a_damaged_database(case, whole, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(SPEC)
    with closing(sqlite3.connect(whole / "sweep.db")) as database:
        (run_id,) = database.execute("SELECT min(run_id) FROM runs").fetchone()
    for command in COMMANDS:
        home = shutil.copytree(whole, tmp_path / "home")
        damage(home, DAMAGES[case])
        said = sweep(*(run_id if word == "RUN" else word for word in command), f"--home={home}")
        assert said.exit_code in (0, 1, 2, 3), (command, said.stderr)
        if said.exit_code > 1:
            assert said.stderr.splitlines()[-1].startswith("error: "), command
        shutil.rmtree(home)
    assert {path.name for path in tmp_path.iterdir()} <= {"s.yaml", "figures", "archive"}


@pytest.mark.parametrize(
    ("statement", "command", "says"),
    [
        (f"UPDATE runs SET alpha = 'x' {ONE}", ["report", "--gap"], "runs.alpha is 'x' where run"),
        (f"UPDATE runs SET state = x'ff' {ONE}", ["status"], "runs.state is b'\\xff' where run_id"),
        ("UPDATE sweep_specs SET overrides = '[1]'", ["resume"], "sweep_specs.overrides is '[1]'"),
        ("DELETE FROM sweep_specs", ["compare", "damaged"], "sweep 'damaged' has no spec"),
        ("DELETE FROM code_states", ["report", "--html=page"], "refers to nothing in code_states"),
        ("DELETE FROM evaluation_configs", ["report"], "refers to nothing in evaluation_configs"),
    ],
)
def test_the_error_names_what_is_damaged_in_the_database(statement, command, says, home):
    damage(home, statement)
    said = sweep(*command, f"--home={home}")
    assert said.exit_code == 3
    assert said.stderr.startswith(f"error: {home}/sweep.db is damaged: "), said.stderr
    assert says in said.stderr
    assert "restore an older copy" in said.stderr


def test_a_bug_is_not_reported_as_database_damage(home, monkeypatch):
    def fails(*_, **__):
        raise KeyError("ours")

    monkeypatch.setattr("results.analysis.reports.report", fails)
    with pytest.raises(KeyError, match="ours"):
        sweep("report", f"--home={home}")


def test_an_error_because_the_database_is_no_database_names_it(home, monkeypatch):
    def fails(*_, **__):
        (home / "sweep.db").write_text("no database" * 100)
        raise KeyError("of what is there no more")

    monkeypatch.setattr("results.analysis.reports.report", fails)
    said = sweep("report", f"--home={home}")
    assert said.exit_code == 3
    assert "sweep.db is not a SQLite database" in said.stderr
    assert said.stderr.count("\n") == 1


def test_a_bug_of_a_command_before_there_is_a_database_is_shown(tmp_path, monkeypatch):
    def fails(*_, **__):
        raise KeyError("ours")

    monkeypatch.setattr("sweeper.sweep.read_spec", fails)
    with pytest.raises(KeyError, match="ours"):
        sweep("plan", "quickstart", f"--home={tmp_path}")


def test_a_bug_of_a_command_without_a_home_is_shown(monkeypatch):
    def fails(*_, **__):
        raise KeyError("ours")

    monkeypatch.setattr("sweeper.commands.options._used", None)
    monkeypatch.setattr("sweeper.spec.shipped.shipped_specs", fails)
    with pytest.raises(KeyError, match="ours"):
        sweep("specs")


def test_an_archive_with_a_hostile_sweep_name_needs_a_new_name(home, tmp_path):
    archive = tmp_path / "archive"
    assert sweep("export", f"--output={archive}", f"--home={home}").exit_code == 0
    name = "../../out"
    archives.change(archive, f"UPDATE sweeps SET name = '{name}'")
    archives.make_ordinary(archive)
    other = tmp_path / "other"
    said = sweep("import", str(archive), f"--home={other}")
    assert said.exit_code == 2
    assert said.stderr.startswith(f"error: {name!r} is not a name for a sweep")
    assert not other.exists()
    assert sweep("import", str(archive), "--as=sound", f"--home={other}").exit_code == 0


def test_plot_refuses_a_sweep_name_as_folder_if_it_is_a_path(home, tmp_path, monkeypatch):
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    damage(home, "UPDATE sweeps SET name = '../../out'")
    before = sorted(tmp_path.rglob("*"))
    said = sweep("plot", "../../out", "roots", f"--home={home}")
    assert said.exit_code == 2
    assert "choose one with --output" in said.stderr
    assert sorted(tmp_path.rglob("*")) == before
    assert sweep("plot", "../../out", "roots", "--output=here", f"--home={home}").exit_code == 0
    assert Path("here/roots.png").exists()
