"""From lines to files and back, in folders of every kind."""

from __future__ import annotations

import errno
import os
import re
from itertools import count

import pytest

from file_server import SCHEME
from sweeper.logs import places
from sweeper.logs.files import HEAD_BYTES, TAIL_FILE_BYTES, file_numbers, is_of_log, ranks
from sweeper.logs.places import LocalPlace, Uploads, place_at
from sweeper.logs.reading import LogReader, last_lines, without_time
from sweeper.logs.ring import Ring
from trainers.storage import open_folder

_numbers = count()
STAMP = b"2026-01-02T03:04:05Z "


@pytest.fixture(params=["path", "file://", "memory://", f"{SCHEME}://"])
def folder(request, tmp_path):
    if request.param == "memory://":
        return open_folder(f"memory://log-{next(_numbers)}/run/1")
    return open_folder(f"{'' if request.param == 'path' else request.param}{tmp_path}/run/1")


def lines(first, last):
    return b"".join(STAMP + b"line %06d\n" % number for number in range(first, last))


@pytest.fixture
def uploads(monkeypatch):
    monkeypatch.setattr(places, "UPLOAD_SECONDS", 0.02)
    return Uploads()


def test_a_short_log_is_one_file(folder, uploads):
    ring = Ring(place_at(folder.location, 0o077, uploads))
    assert folder.names() == []
    ring.write(lines(0, 3))
    ring.write(lines(3, 5))
    ring.close()
    uploads.wait(5)
    assert folder.names() == ["log-0.txt"]
    assert folder.read("log-0.txt") == lines(0, 5)
    assert LogReader(folder).new_lines() == lines(0, 5).decode().splitlines()
    assert last_lines(folder, 2) == ["line 000003", "line 000004"]


def test_each_process_has_a_log_of_its_own(folder, uploads):
    for rank, attempt in ((1, "an earlier execution"), (0, "of rank 0"), (1, "of rank 1")):
        ring = Ring(place_at(folder.location, 0o077, uploads, rank))
        ring.write(STAMP + attempt.encode() + b"\n")
        ring.close()
        uploads.wait(5)
    assert sorted(folder.names()) == ["log-0.txt", "log-rank1-0.txt"]
    assert all(map(is_of_log, folder.names()))
    assert ranks(folder.names()) == [0, 1]
    assert last_lines(folder, 5) == ["of rank 0"]
    assert last_lines(folder, 5, rank=1) == ["of rank 1"]
    assert last_lines(folder, 5, rank=2) == []


def test_of_a_long_log_the_beginning_and_the_end_are_kept(folder, uploads):
    ring = Ring(place_at(folder.location, 0o077, uploads))
    for first in range(0, 100_000, 1_000):
        ring.write(lines(first, first + 1_000))
    ring.close()
    uploads.wait(5)
    names = folder.names()
    assert all(map(is_of_log, names))
    assert len(names) == 3
    size = sum(len(folder.read(name)) for name in names)
    assert size <= HEAD_BYTES + 2 * TAIL_FILE_BYTES
    shown = LogReader(folder).new_lines()
    (gap,) = [i for i, line in enumerate(shown) if "left out" in line]
    told = int(re.search(r"([\d,]+) bytes left out", shown[gap])[1].replace(",", ""))
    numbers = [int(line[-6:]) for line in shown if "left out" not in line]
    assert numbers == [*range(gap), *range(numbers[gap], 100_000)]
    missing = (numbers[gap] - gap) * len(lines(0, 1))
    assert told == pytest.approx(missing, abs=200)


def test_a_reader_goes_on_where_it_was(tmp_path):
    ring = Ring(LocalPlace(os.fsencode(tmp_path / "1"), 0o077))
    reader = LogReader(open_folder(str(tmp_path / "1")))
    assert reader.new_lines() == []
    assert not reader.wrote
    seen = []
    for first in range(0, 60_000, 3_000):
        ring.write(lines(first, first + 3_000))
        seen += map(without_time, reader.new_lines())
    assert seen == [f"line {number:06}" for number in range(60_000)]
    assert len(os.listdir(tmp_path / "1")) == 3


def test_half_a_line_is_waited_for(tmp_path):
    (tmp_path / "log-0.txt").write_bytes(STAMP + b"one\n" + STAMP + b"tw")
    reader = LogReader(open_folder(str(tmp_path)))
    assert list(map(without_time, reader.new_lines())) == ["one"]
    with (tmp_path / "log-0.txt").open("ab") as file:
        file.write(b"o\n")
    assert list(map(without_time, reader.new_lines())) == ["two"]


def test_the_log_of_an_earlier_execution_of_the_attempt_is_replaced(folder, uploads):
    for number in (0, 3, 4):
        folder.write(f"log-{number}.txt", b"old\n")
    folder.write("result.json", b"{}")
    ring = Ring(place_at(folder.location, 0o077, uploads))
    ring.write(lines(0, 1))
    ring.close()
    uploads.wait(5)
    assert folder.names() == ["log-0.txt", "result.json"]
    assert folder.read("log-0.txt") == lines(0, 1)


@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o600), (0o027, 0o640)])
def test_files_have_the_rights_that_were_asked_for(tmp_path, umask, mode):
    before = os.umask(0o022)
    try:
        place = LocalPlace(os.fsencode(tmp_path / "1"), umask)
        place.append(0, b"text\n")
        assert (tmp_path / "1" / "log-0.txt").stat().st_mode & 0o777 == mode
        assert (tmp_path / "1").stat().st_mode & 0o777 == mode | (0o100 | (mode & 0o040) >> 2)
    finally:
        os.umask(before)


def test_what_a_full_disk_does_not_take_is_counted(tmp_path, monkeypatch):
    ring = Ring(LocalPlace(os.fsencode(tmp_path / "1"), 0o077))
    ring.write(lines(0, 1))

    def full(file, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", full)
        ring.write(lines(1, 3))
    ring.write(lines(3, 4))
    shown = [without_time(line) for line in LogReader(open_folder(str(tmp_path / "1"))).new_lines()]
    assert shown == ["line 000000", "[... 66 bytes left out ...]", "line 000003"]


def test_a_log_is_no_link_to_another_file(tmp_path):
    other = tmp_path / "other"
    other.write_text("untouched")
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "log-0.txt").symlink_to(other)
    ring = Ring(LocalPlace(os.fsencode(tmp_path / "1"), 0o077))
    ring.write(lines(0, 1))
    assert other.read_text() == "untouched"


def test_an_upload_that_fails_is_done_later(uploads, monkeypatch):
    folder = open_folder(f"memory://log-{next(_numbers)}/run/1")
    real, failures = places.RemotePlace.upload, count()

    def upload(place):
        if next(failures) < 3:
            raise RuntimeError("the storage is away")
        real(place)

    monkeypatch.setattr(places.RemotePlace, "upload", upload)
    place = place_at(folder.location, 0o077, uploads)
    place.append(0, b"text\n")
    place.close()
    uploads.wait(5)
    assert folder.read("log-0.txt") == b"text\n"


def test_other_names_are_no_logs():
    assert file_numbers(["log-1.txt", "log-0.txt", "log-01.txt", "log-.txt", "log-x.txt"]) == [0, 1]
    assert not is_of_log("checkpoint-1.pt")
