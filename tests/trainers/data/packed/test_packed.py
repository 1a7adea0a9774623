"""Packed copies: the pixels of the files, whole or not at all, and never unnoticed damage."""

import hashlib
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from imagenet_archives import TRAIN, WORDS, write_all
from trainers.data.decoding import decoded, reduced
from trainers.data.imagenet.reading import ImageNet
from trainers.data.packed.decoding import Packing
from trainers.data.packed.images import parts
from trainers.data.packed.layout import image_digest, read_pack
from trainers.data.packed.writing import write_pack
from trainers.errors import DatasetMissingError, StorageError

SIDE = 32
READER = ImageNet(tuple(sorted(WORDS)), (12, 6))


@pytest.fixture
def data(tmp_path):
    write_all(tmp_path / "imagenet")
    return tmp_path


def packing(data, **changes):
    train, test = READER(data)
    return Packing("imagenet", train, test, SIDE, **changes)


def test_its_pixels_are_those_of_the_files_reduced(data):
    seen = []
    what = packing(data)
    packed = write_pack(what, data / "p.pack", processes=2, progress=seen.append)
    write_pack(what, data / "by_one_process.pack", processes=1)
    assert (data / "p.pack").read_bytes() == (data / "by_one_process.pack").read_bytes()
    assert packed.size == (data / "p.pack").stat().st_size
    assert packed.damaged == ()
    assert seen[-1] == 18
    pack = read_pack(data / "p.pack")
    assert pack.description.classes == READER.classes
    assert pack.description.words == WORDS
    for ours, files in zip(parts(pack), (what.train, what.test), strict=True):
        assert ours.labels.tolist() == files.labels.tolist()
        assert len(ours) == len(files)
        for i in range(len(files)):
            expected = np.asarray(reduced(decoded(files.read(i), files.formats), SIDE))
            assert np.array_equal(ours.read(i), expected)
            assert min(ours.read(i).shape[:2]) <= SIDE
            assert os.fsdecode(files.paths[i]) in ours.name(i)


def test_it_says_which_files_it_is_of(data):
    what = packing(data)
    write_pack(what, data / "p.pack")
    said = read_pack(data / "p.pack").description
    files = [
        (path.decode(), hashlib.sha256(part.read(i)).hexdigest())
        for part in (what.train, what.test)
        for i, path in enumerate(part.paths)
    ]
    lines = "".join(f"{digest}  {path}\n" for path, digest in sorted(files))
    assert said.content == hashlib.sha256(lines.encode()).hexdigest()
    paths = np.array([path for path, _ in files], dtype=np.bytes_)
    labels = np.concatenate([what.train.labels, what.test.labels])
    assert said.images == image_digest(paths, labels)


def test_images_can_be_read_by_a_copy_in_another_process(data):
    write_pack(packing(data), data / "p.pack")
    train, _ = parts(read_pack(data / "p.pack"))
    train.read(0)
    copy = pickle.loads(pickle.dumps(train))
    assert all(np.array_equal(copy.read(i), train.read(i)) for i in range(len(train)))


def test_a_copy_that_is_cut_anywhere_is_refused(data):
    write_pack(packing(data), data / "p.pack")
    whole = (data / "p.pack").read_bytes()
    begin = read_pack(data / "p.pack").description.table_begins
    for length in (0, 5, 13, 100, begin, begin + 50, len(whole) - 60, len(whole) - 1):
        (data / "p.pack").write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"not whole|no packed copy"):
            read_pack(data / "p.pack")


def test_every_bit_that_is_flipped_is_noticed(data):
    write_pack(packing(data), data / "p.pack")
    whole = (data / "p.pack").read_bytes()
    for place in range(0, len(whole), 131):
        damaged = bytearray(whole)
        damaged[place] ^= 16
        (data / "p.pack").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"damaged|no packed copy|not whole"):
            read_all(data / "p.pack")


class TestDamagedImages:
    @pytest.fixture(autouse=True)
    def _one_is_damaged(self, data):
        train, _ = READER(data)
        content = bytearray((data / "imagenet" / TRAIN).read_bytes())
        begin = int(train.members.offsets[4])
        content[begin : begin + 20] = b"x" * 20
        (data / "imagenet" / TRAIN).write_bytes(content)

    def test_one_ends_the_packing_and_is_named(self, data):
        with pytest.raises(DatasetMissingError, match=r"n01443537_0\.JPEG in .*goldfish"):
            write_pack(packing(data), data / "p.pack")
        assert [path.name for path in data.iterdir()] == ["imagenet"]

    def test_one_is_left_out_where_the_spec_says_so(self, data):
        packed = write_pack(packing(data, skip_damaged=True), data / "p.pack")
        assert len(packed.damaged) == 1
        assert "n01443537_0.JPEG" in packed.damaged[0]
        train, _ = parts(read_pack(data / "p.pack"))
        assert train.labels.tolist() == [0] * 4 + [1] * 3 + [2] * 5
        with pytest.raises(ValueError, match="was damaged when it was packed"):
            train.read(4)
        assert train.read(5).shape[2] == 3


class TestOneThatIsKilled:
    SCRIPT = """
import os, sys, time
from pathlib import Path
from trainers.data.imagenet.reading import ImageNet
from trainers.data.packed.decoding import Packing
from trainers.data.packed.writing import write_pack

def wait(done):
    print(os.getpid(), flush=True)
    time.sleep(600)

if __name__ == "__main__":
    data = Path(sys.argv[1])
    train, test = ImageNet(tuple(sys.argv[2:]), None)(data)
    packing = Packing("imagenet", train, test, 32)
    write_pack(packing, data / "p.pack", processes=2, progress=wait)
"""

    def begin(self, data):
        (data / "packs.py").write_text(self.SCRIPT)
        command = [sys.executable, str(data / "packs.py"), str(data), *sorted(WORDS)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert process.stdout.readline().strip() == str(process.pid)
        return process

    def test_it_leaves_no_process_and_the_next_removes_its_file(self, data):
        process = self.begin(data)
        pids = children(process.pid)
        assert pids
        (left,) = data.glob(".p.pack.*.tmp")
        with pytest.raises(StorageError, match="is being written by another process"):
            write_pack(packing(data), data / "p.pack")
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert left.exists()
        while any(map(alive, pids)):
            time.sleep(0.05)
        write_pack(packing(data), data / "p.pack")
        assert not left.exists()
        assert len(parts(read_pack(data / "p.pack"))[0]) == 12


def read_all(path):
    for part in parts(read_pack(path)):
        for i in range(len(part)):
            part.read(i)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_full_disk_is_said_and_nothing_is_left(data, monkeypatch):
    def full(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        write_pack(packing(data), data / "p.pack")
    assert [path.name for path in data.iterdir()] == ["imagenet"]
