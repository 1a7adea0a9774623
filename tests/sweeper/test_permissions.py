"""Who can read what the program makes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from command_line import sweep
from results.store.store import Store

SPEC = """
name: private
model: zerosnet
depth: 20
dataset: digits
trainer: fake_trainers:quick
training: {epochs: 2}
"""


@pytest.fixture(autouse=True)
def _usual_umask(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("SWEEP_NETWORKS")
    before = os.umask(0o022)
    yield
    assert os.umask(before) == 0o022


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def modes(folder: Path) -> tuple[set[int], set[int]]:
    """Of all files, and of all folders."""
    found = [folder, *folder.rglob("*")]
    return (
        {mode(path) for path in found if path.is_file()},
        {mode(path) for path in found if path.is_dir()},
    )


def run(tmp_path: Path, home: str = "home", **environment: str) -> Path:
    (tmp_path / "s.yaml").write_text(SPEC)
    where = tmp_path / home
    said = sweep(
        "run", str(tmp_path / "s.yaml"), "--executor=inline", f"--home={where}", **environment
    )
    assert said.exit_code == 0, said.stderr
    return where


def test_what_a_sweep_keeps_is_for_the_user_alone(tmp_path: Path) -> None:
    home = run(tmp_path)
    assert {path.name for path in home.iterdir()} >= {"networks.json", "runs", "sweep.db"}
    assert modes(home) == ({0o600}, {0o700})
    for command in (
        ("export", "--output=archive.db"),
        ("export", "--output=tables", "--format=parquet"),
        ("db", "backup", "backup.db"),
    ):
        assert sweep(*command, f"--home={home}", folder=tmp_path).exit_code == 0
    assert modes(tmp_path / "archive.db") == ({0o600}, set())
    assert modes(tmp_path / "backup.db") == ({0o600}, set())
    assert modes(tmp_path / "tables") == ({0o600}, {0o700})


def test_the_files_beside_a_database_have_its_rights(tmp_path: Path) -> None:
    home = run(tmp_path)
    with Store.open(f"sqlite:///{home}/sweep.db") as store:
        store.cancel()
        beside = {path.name for path in home.glob("sweep.db-*")}
        assert beside == {"sweep.db-wal", "sweep.db-shm"}
        assert modes(home) == ({0o600}, {0o700})


def test_a_user_can_say_otherwise(tmp_path: Path) -> None:
    assert modes(run(tmp_path, "read", SWEEP_UMASK="27")) == ({0o640, 0o600}, {0o750})
    home = run(tmp_path, "write", SWEEP_UMASK="007")
    assert modes(home) == ({0o660}, {0o770})  # the locks too, once there is a database


@pytest.mark.parametrize("umask", ["rw", "8", "100", "-1", "0777"])
def test_what_is_no_umask_is_refused(umask: str, tmp_path: Path) -> None:
    said = sweep("status", f"--home={tmp_path / 'home'}", SWEEP_UMASK=umask)
    assert said.exit_code == 2
    assert said.stderr.startswith(f"error: SWEEP_UMASK={umask}: two octal digits are expected")


def test_what_exists_keeps_its_rights(tmp_path: Path) -> None:
    home = run(tmp_path)
    for path in (home, home / "sweep.db"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (home / "sweep.db.driver.lock").chmod(0o644)
    run(tmp_path)
    assert (mode(home), mode(home / "sweep.db")) == (0o755, 0o644)
    assert mode(home / "sweep.db.driver.lock") == 0o600  # but for locks, which readers could hold
    backup = tmp_path / "backup.db"
    sweep("db", "backup", str(backup), f"--home={home}")
    sweep("db", "restore", str(backup), f"--home={home}")
    assert mode(home / "sweep.db") == 0o644


def test_what_is_asked_for_elsewhere_has_the_usual_rights(tmp_path: Path) -> None:
    home = run(tmp_path)
    for command in (("report", "--output=report.txt", f"--home={home}"), ("init", "specs")):
        assert sweep(*command, folder=tmp_path).exit_code == 0
    assert mode(tmp_path / "report.txt") == 0o644
    assert modes(tmp_path / "specs") == ({0o644}, {0o755})
