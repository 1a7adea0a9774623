"""Compiled graphs are code: they are looked for where nobody else can have put them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from trainers.errors import TrainerError
from trainers.optim.graph_folder import VARIABLE, graph_folder

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.delenv(VARIABLE)
    return tmp_path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_graphs_lie_in_a_private_folder_that_torch_takes(temporary: Path) -> None:
    before = os.umask(0)
    try:
        folder = graph_folder()
    finally:
        os.umask(before)
    assert folder == temporary / f"sweep-graphs-{os.geteuid()}"
    assert mode(folder) == 0o700
    assert os.environ[VARIABLE] == str(folder)
    assert graph_folder() == folder


def test_a_folder_of_ours_is_closed_to_others(temporary: Path) -> None:
    (temporary / f"sweep-graphs-{os.geteuid()}").mkdir(mode=0o755)
    assert mode(graph_folder()) == 0o700


@ROOT
@pytest.mark.parametrize("given", [False, True])
def test_a_folder_of_another_user_is_refused(
    given: bool, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = temporary / ("given" if given else "sweep-graphs-0")
    if given:
        monkeypatch.setenv(VARIABLE, str(folder))
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, 12345)
    with pytest.raises(TrainerError, match=r"belongs to another user \(with the id 12345\)"):
        graph_folder()


def test_a_link_is_refused(temporary: Path) -> None:
    (temporary / "elsewhere").mkdir()
    (temporary / f"sweep-graphs-{os.geteuid()}").symlink_to(temporary / "elsewhere")
    with pytest.raises(TrainerError, match="is no folder"):
        graph_folder()


def test_a_folder_that_everybody_can_write_into_is_refused(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = temporary / "given"
    folder.mkdir()
    folder.chmod(0o777)
    monkeypatch.setenv(VARIABLE, str(folder))
    with pytest.raises(TrainerError, match="can be written by every user"):
        graph_folder()


def test_a_place_that_cannot_be_made_is_named(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (temporary / "file").touch()
    monkeypatch.setenv(VARIABLE, str(temporary / "file" / "graphs"))
    with pytest.raises(
        TrainerError, match=f"file/graphs, where .* name another folder in {VARIABLE}"
    ):
        graph_folder()
