"""Reading all images of a folder once, to know what it holds."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from image_files import CLASSES, fill
from trainers.data import image_folder_check
from trainers.data.image_folder_check import checked
from trainers.data.image_folder_listing import Listing, listed


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Listing, Listing]:
    monkeypatch.setattr(image_folder_check, "_IMAGES_A_TURN", 1)
    fill(tmp_path / "bugs")
    return listed(tmp_path / "bugs", CLASSES)


def test_it_tells_that_it_is_at_work_also_where_all_is_known(
    parts: tuple[Listing, Listing],
) -> None:
    found, again = (beats(parts) for _ in range(2))
    assert found == 2 * again == 2 * 90


def beats(parts: tuple[Listing, Listing]) -> int:
    heard: list[None] = []
    checked(parts[0].root, parts, lambda: heard.append(None))
    return len(heard)


def test_what_killed_processes_have_left_is_removed_and_what_is_written_now_is_not(
    parts: tuple[Listing, Listing],
) -> None:
    folder = parts[0].root.parent
    left, of_an_older_state, written, foreign = (
        folder / name
        for name in (
            f".bugs-checked-{'0' * 16}.npz.12ab.tmp",
            f".bugs-checked-{'1' * 16}.npz.34cd.tmp",
            f".bugs-checked-{'2' * 16}.npz.56ef.tmp",
            ".notes.tmp",
        )
    )
    for path in (left, of_an_older_state, written, foreign):
        path.write_bytes(b"half of one")
    pipe = folder / f".bugs-checked-{'3' * 16}.npz.78ab.tmp"
    os.mkfifo(pipe)
    with written.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        beats(parts)
    there = {path.name for path in folder.glob(".*")}
    (kept,) = (name for name in there if name.endswith(".npz"))
    assert there == {kept, written.name, foreign.name, pipe.name}


def test_where_there_are_no_locks_arrays_are_kept_and_nothing_is_removed(
    parts: tuple[Listing, Listing], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    left = parts[0].root.parent / f".bugs-checked-{'0' * 16}.npz.12ab.tmp"
    left.touch()
    assert beats(parts) == 2 * beats(parts)
    assert left.exists()
