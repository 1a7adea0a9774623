"""The folder of a Ray that we start is the user's alone, and short enough for its sockets."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sweeper.errors import ResourceError
from sweeper.executors.ray_folder import LONGEST, RayFolder

A_SOCKET = "session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store"


@pytest.fixture
def parent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """RAY_TMPDIR; shorter than pytest's own."""
    with tempfile.TemporaryDirectory(dir="/tmp") as made:
        monkeypatch.setenv("RAY_TMPDIR", made)
        yield Path(made)


def test_the_folder_is_the_users_alone_and_goes_with_what_is_in_it(parent: Path) -> None:
    umask = os.umask(0)
    try:
        folder, other = RayFolder(), RayFolder()
    finally:
        os.umask(umask)
    assert folder.path.parent.parent == parent
    assert folder.path != other.path
    assert stat.S_IMODE(folder.path.parent.stat().st_mode) == 0o700
    (folder.path / "logs").mkdir(parents=True)
    folder.remove()
    assert list(parent.iterdir()) == [other.path.parent]


def test_a_folder_for_temporary_files_that_is_too_long_is_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    deep = tmp_path / ("d" * 60)
    deep.mkdir()
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    folder = RayFolder()
    try:
        assert folder.path.parent.parent == Path("/tmp")
    finally:
        folder.remove()


def test_sockets_fit_in_the_longest_folder_that_is_taken(
    parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    longest = parent / ("x" * (LONGEST - len(f"{parent}//sweep-12345678/r/{A_SOCKET}")))
    longest.mkdir()
    monkeypatch.setenv("RAY_TMPDIR", str(longest))
    path = RayFolder().path / A_SOCKET
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))
    monkeypatch.setenv("RAY_TMPDIR", f"{longest}x")
    with pytest.raises(ResourceError, match=r"^RAY_TMPDIR=.*set RAY_TMPDIR to a shorter path"):
        RayFolder()


def test_a_folder_where_others_may_replace_files_is_refused(parent: Path) -> None:
    parent.chmod(0o777)
    with pytest.raises(ResourceError, match=r"no sticky bit.*RAY_TMPDIR"):
        RayFolder()
    parent.chmod(0o1777)
    RayFolder()


def test_what_a_killed_driver_left_is_removed_and_nothing_else(parent: Path) -> None:
    living = RayFolder()
    (parent / "sweep-notes").mkdir()  # not of ours: it has no lock
    killed = RayFolder()
    killed.path.mkdir()
    os.close(killed._lock)  # as the end of its process does
    new = RayFolder()
    left = {living.path.parent, parent / "sweep-notes", new.path.parent}
    assert set(parent.iterdir()) == left


def test_a_disk_without_locks_is_taken_and_nothing_on_it_removed(
    parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    folders = {RayFolder().path.parent, RayFolder().path.parent}
    assert set(parent.iterdir()) == folders


@pytest.mark.parametrize("place", ["nowhere", "file"])
def test_a_folder_that_cannot_be_made_names_the_variable(
    place: str, parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (parent / "file").touch()
    monkeypatch.setenv("RAY_TMPDIR", str(parent / place))
    with pytest.raises(ResourceError, match=f"in {parent / place}: .*set RAY_TMPDIR"):
        RayFolder()
