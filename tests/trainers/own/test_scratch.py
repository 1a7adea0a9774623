"""Folders for files of runs among temporary files: what a killed process left of them goes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trainers.own import scratch
from trainers.own.files import RunFiles
from trainers.own.scratch import remove_those_of_killed_processes, scratch_folder
from trainers.storage import open_folder

MAKES_ONE = """\
import os, signal, sys, tempfile
from trainers.own.scratch import scratch_folder
folder = scratch_folder(None)
folder.mkdir()
(folder / "file").touch()
print(folder, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_that_of_a_killed_process_goes_and_that_of_a_living_one_stays(temporary: Path) -> None:
    files = RunFiles(open_folder("memory://scratch"))
    mine = files.scratch
    (mine / "file").touch()
    process = subprocess.Popen(
        [sys.executable, "-c", MAKES_ONE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process:
        theirs = Path(process.stdout.readline().strip())
        assert theirs.parent == temporary
        remove_those_of_killed_processes()
        assert (theirs / "file").exists()
        process.kill()
        process.wait()
        remove_those_of_killed_processes()
        assert not theirs.exists()
    assert (mine / "file").exists()


def test_a_number_that_another_process_has_now_means_nobody(temporary: Path) -> None:
    name = scratch_folder(None).name
    _, _, here, pid, start, token = name.split("-")
    assert int(pid) == os.getpid()
    before = temporary / f"sweep-files-{here}-{pid}-{int(start) - 1}-{token}"
    before.mkdir()
    remove_those_of_killed_processes()
    assert not before.exists()


def test_where_no_start_is_known_a_process_of_the_number_counts(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "_start_of", lambda pid: None)
    folder = scratch_folder(None)
    folder.mkdir()
    remove_those_of_killed_processes()
    assert folder.exists()


def test_nothing_goes_that_is_anybody_elses(temporary: Path) -> None:
    """Another container's, another user's, of another name, or where a link leads."""
    gone = "4194304"  # more than any process has
    _, _, here, _, _, token = scratch_folder(None).name.split("-")
    elsewhere = temporary / f"sweep-files-{'0' * 16}-{gone}-1-{token}"
    another = temporary / f"sweep-files-{here}-{gone}-notes"
    of_link = temporary / "notes"
    for folder in (elsewhere, another, of_link):
        folder.mkdir()
    (of_link / "file").touch()
    link = temporary / f"sweep-files-{here}-{gone}-1-{token}"
    link.symlink_to(of_link)
    kept = [elsewhere, another, of_link / "file"]
    if os.geteuid() == 0:
        kept.append(temporary / f"sweep-files-{here}-{gone}-2-{token}")
        kept[-1].mkdir()
        os.chown(kept[-1], 12345, 12345)
    remove_those_of_killed_processes()
    assert all(path.exists() for path in kept)
    assert not os.path.lexists(link)
