"""Packed copies: the pixels of the files, whole or not at all, and never unnoticed damage."""

import fcntl
import os
import pickle
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagenet_archives import CLASSES, TRAIN, WORDS, write_all, write_train
from trainers.data.decoding import reduced
from trainers.data.image_folder import ImageFolder
from trainers.data.imagenet.images import ArchivedImages
from trainers.data.imagenet.reading import ImageNet
from trainers.data.packed.images import PackedImages, check_pixels, parts
from trainers.data.packed.layout import read_pack
from trainers.data.packed.writing import write_pack
from trainers.data.streaming.draws import Key
from trainers.data.streaming.source import read_view
from trainers.data.streaming.views import CentreView, RandomView
from trainers.errors import DatasetMissingError, StorageError

SIDE = 32
VIEWS = RandomView(24, area=(0.08, 1), reduce=SIDE), CentreView(24, 28, reduce=SIDE)
READER = ImageNet(*VIEWS, CLASSES, (12, 6), reduce=SIDE)


@pytest.fixture
def data(tmp_path):
    write_all(tmp_path / "imagenet")
    return tmp_path


def packing(data):
    return READER.packing(data, lambda: None)


def test_its_pixels_are_those_of_the_files_reduced(data):
    seen = []
    what = packing(data)
    size = write_pack(what, data / "p.pack", processes=2, progress=seen.append)
    write_pack(what, data / "by_one_process.pack", processes=1)
    assert (data / "p.pack").read_bytes() == (data / "by_one_process.pack").read_bytes()
    assert size == (data / "p.pack").stat().st_size
    assert seen[-1] == 18
    pack = read_pack(data / "p.pack")
    assert pack.description.classes == READER.classes
    assert pack.description.words == WORDS
    for ours, part in zip(parts(pack), (what.train, what.test), strict=True):
        assert ours.labels.tolist() == part.labels.tolist()
        for i in range(len(part)):
            whole = part.files.decoded(i, part.files.encoded(i))
            assert np.array_equal(ours.read(i), np.asarray(reduced(whole, SIDE)))
            assert min(ours.read(i).shape[:2]) <= SIDE
            assert part.files.path(i) in ours.name(i)
    check_pixels(pack, lambda done: None)


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


def test_a_damaged_image_ends_the_packing_and_is_named(data):
    train, _ = READER.files(data)
    assert isinstance(train, ArchivedImages)
    content = bytearray((data / "imagenet" / TRAIN).read_bytes())
    begin = int(train.offsets[4])
    content[begin : begin + 20] = b"x" * 20
    (data / "imagenet" / TRAIN).write_bytes(content)
    with pytest.raises(DatasetMissingError, match=r"n01443537_0\.JPEG in .*goldfish"):
        write_pack(packing(data), data / "p.pack")
    assert [path.name for path in data.iterdir()] == ["imagenet"]


def test_a_network_sees_the_same_of_files_and_of_the_copy(data):
    from_files = READER(data)
    write_pack(packing(data), READER.pack_path(data))
    from_copy = READER(data)
    for files, copy in zip(from_files, from_copy, strict=True):
        assert isinstance(copy.source, PackedImages)
        assert copy.labels.tolist() == files.labels.tolist()
        for i in range(len(files)):
            seen = [read_view(part.source, part.view, i, Key(3, 5)) for part in (files, copy)]
            assert np.array_equal(*seen)


def test_the_copy_will_do_without_the_files(data):
    write_pack(packing(data), READER.pack_path(data))
    (data / "imagenet").rename(data / "elsewhere")
    train, test = READER(data)
    assert (len(train), len(test)) == (12, 6)
    with pytest.raises(DatasetMissingError, match="13 and 6 are expected"):
        replace(READER, images=(13, 6))(data)


def test_folders_may_have_names_that_are_no_utf_8(data):
    for part, colour in ((b"train", 9), (b"test", 99)):
        for name in (b"caf\xe9", b"tea"):
            folder = os.path.join(os.fsencode(data), b"drinks", part, name)
            os.makedirs(folder)
            with open(os.path.join(folder, b"\xff.png"), "wb") as file:
                Image.new("RGB", (9, 9), (colour, 0, 0)).save(file, "PNG")
    reader = ImageFolder("drinks", *VIEWS, classes=2, reduce=SIDE)
    write_pack(reader.packing(data, lambda: None), reader.pack_path(data))
    train, test = reader(data)
    assert train.source.pack.description.classes == ("caf\\xe9", "tea")
    assert [np.asarray(test.source.read(i))[0, 0].tolist() for i in (0, 1)] == [[99, 0, 0]] * 2


def test_a_copy_of_other_images_is_refused(data):
    write_pack(packing(data), READER.pack_path(data))
    write_train(data / "imagenet", {"n01440764": 5, "n01443537": 3, "n01484850": 4})
    with pytest.raises(DatasetMissingError, match="of other images than those that are here now"):
        READER(data)


def test_a_copy_under_the_name_of_another_is_refused(data):
    other = replace(READER, reduce=40)
    write_pack(packing(data), other.pack_path(data))
    with pytest.raises(DatasetMissingError, match="it is of imagenet, reduced to 32 pixels"):
        other(data)


def test_a_damaged_copy_says_so_and_is_not_passed_over(data):
    write_pack(packing(data), READER.pack_path(data))
    os.truncate(READER.pack_path(data), 1000)
    with pytest.raises(DatasetMissingError, match="cannot be used: it is not whole"):
        READER(data)


@pytest.mark.parametrize("locked", [True, False])
def test_one_of_two_that_begin_at_once_makes_the_copy(data, monkeypatch, locked):
    """The other comes between the first one's file and its lock, or just before it is done."""
    images = packing(data)  # which keeps what it found, under a lock as well
    flock = fcntl.flock
    met = []

    def meet(file, how):
        if how == fcntl.LOCK_EX and not met:
            met.append(None)
            if locked:
                flock(file, how)
            with suppress(StorageError):
                met[0] = write_pack(images, data / "p.pack")
        return flock(file, how)

    monkeypatch.setattr(fcntl, "flock", meet)
    if locked:
        write_pack(images, data / "p.pack")
        assert met == [None]
    else:
        with pytest.raises(StorageError, match="is being written by another process"):
            write_pack(images, data / "p.pack")
        assert met[0] > 0
    assert len(parts(read_pack(data / "p.pack"))[0]) == 12
    assert not list(data.glob(".p.pack.*.tmp"))


def test_one_that_is_done_while_it_is_looked_at_is_no_obstacle(data, monkeypatch):
    monkeypatch.setattr(Path, "glob", lambda *_: iter([data / ".p.pack.0.tmp"]))
    write_pack(packing(data), data / "p.pack")
    assert (data / "p.pack").exists()


def test_what_was_left_of_a_copy_is_found_whatever_its_name(data):
    left = data / ".p[1].pack.0123.tmp"
    left.write_bytes(b"half of one")
    write_pack(packing(data), data / "p[1].pack")
    assert not left.exists()


class TestOneThatIsKilled:
    SCRIPT = """
import os, sys, time
from pathlib import Path
from trainers.config.dataset import parse_dataset
from trainers.data.packed.writing import write_pack

def wait(done):
    print(os.getpid(), flush=True)
    time.sleep(600)

if __name__ == "__main__":
    data, *classes = sys.argv[1:]
    config = parse_dataset({"name": "imagenet", "reduce": 32, "size": 24, "classes": classes})
    packing = config.facts.read.packing(Path(data), lambda: None)
    write_pack(packing, Path(data, "p.pack"), processes=2, progress=wait)
"""

    def begin(self, data):
        (data / "packs.py").write_text(self.SCRIPT)
        command = [sys.executable, str(data / "packs.py"), str(data), *CLASSES]
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
