"""Fetching files that change while they are fetched."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from sweeper.errors import RequestError, ResourceError
from sweeper.home import Home
from sweeper.run_files import running
from sweeper.run_files.fetching import Fetched, fetch
from sweeper.run_files.listing import KeptFiles
from sweeper.run_files.running import written_so_far
from trainers.storage.regular_file import open_regular

MB = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a running run writes into."""
    found = tmp_path / "files"
    found.mkdir()
    return found


def kept(folder: Path) -> KeptFiles:
    return KeptFiles("0" * 16, "running", None, written_so_far(folder), folder)


def fetched(found: KeptFiles, tmp_path: Path, said: list[str] | None = None) -> Fetched:
    tell = [].append if said is None else said.append
    return fetch(found, Home.at(tmp_path / "home"), tmp_path / "out", tell)


def whenever_read(monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]) -> list[Path]:
    """Calls `change` with the path each time that a file was opened; the files that were."""
    opened: list[Path] = []

    @contextmanager
    def watched(path: Path, *, follow: bool) -> Iterator[BinaryIO]:
        with open_regular(path, follow=follow) as file:
            opened.append(path)
            change(path)
            yield file

    monkeypatch.setattr(running, "open_regular", watched)
    return opened


def test_a_file_that_grows_all_the_time_is_written_as_it_was(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "log.csv"
    path.write_bytes(b"a,b\n" * 100)

    def grow(path: Path) -> None:
        with path.open("ab") as file:
            file.write(b"1,2\n" * 100)

    found = kept(folder)
    opened = whenever_read(monkeypatch, grow)
    assert fetched(found, tmp_path) == Fetched(written=1)
    # Once, and what it had then or when its size was asked for.
    assert opened == [path]
    content = (tmp_path / "out" / "log.csv").read_bytes()
    assert path.read_bytes().startswith(content)
    assert len(content) >= 400
    # It is another file by now, of which nobody may have wanted the earlier one overwritten.
    with pytest.raises(RequestError, match=r"something else in the place of log\.csv"):
        fetched(kept(folder), tmp_path)
    assert (tmp_path / "out" / "log.csv").read_bytes() == content


def test_a_large_file_is_never_whole_in_memory(folder: Path, tmp_path: Path) -> None:
    content = os.urandom(MB + 3) * 24
    (folder / "large").write_bytes(content)
    found = kept(folder)
    tracemalloc.start()
    try:
        for expected in (Fetched(written=1), Fetched(same=1)):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            assert fetched(found, tmp_path) == expected
            assert tracemalloc.get_traced_memory()[1] - before < 8 * MB
    finally:
        tracemalloc.stop()
    assert (tmp_path / "out" / "large").read_bytes() == content


def test_a_file_is_another_though_it_has_the_size_or_the_beginning(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "x").write_text("abc")
    for other in ("abd", "ab", "abcd", ""):
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out" / "x").write_text(other)
        with pytest.raises(RequestError, match="something else in the place of x"):
            fetched(kept(folder), tmp_path)
        assert (tmp_path / "out" / "x").read_text() == other


@pytest.mark.parametrize("became", ["nothing", "a link", "a folder"])
def test_what_is_no_file_any_more_is_said_and_the_others_are_written(
    folder: Path, tmp_path: Path, became: str
) -> None:
    for name in ("a", "b"):
        (folder / name).write_text(name)
    found = kept(folder)
    (folder / "a").unlink()
    if became == "a link":
        (folder / "a").symlink_to("/etc/passwd")
    elif became == "a folder":
        (folder / "a").mkdir()
    said: list[str] = []
    with pytest.raises(ResourceError, match=r"1 of 2 files could not be written .*written: 1"):
        fetched(found, tmp_path, said)
    assert len(said) == 1
    assert said[0].startswith("a cannot be read: ")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b"]
