"""Images that worker processes decode: the same bits, no process left behind, damage named."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from image_files import fill, parts_of, read
from trainers.data.streaming.draws import Key
from trainers.data.streaming.reading import default_workers
from trainers.data.streaming.shared import load, store
from trainers.data.streaming.source import DamagedImageError, Streamed
from trainers.data.streaming.views import RandomView
from trainers.data.streaming.workers import IMAGES_A_TASK, Workers, slots_ahead
from trainers.errors import TrainerError, WorkerLostError
from trainers.stages import stage_of

VIEW = RandomView(8, area=(0.2, 1), shorter_side=(12, 20))

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="shared memory")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "bugs"
    fill(root)
    return root


def idle(count, parts, ahead=32):
    return Workers(parts, count, ahead, lambda: None)


@pytest.fixture(scope="module")
def expected(root):
    return read(parts_of(root, VIEW), WANTED, workers=0)


ORDER = np.random.default_rng(1).permutation(60).tolist()
WANTED = [
    (0, ORDER, Key(3, 1)),
    (1, range(30), None),
    (0, ORDER[::-1], Key(3, 2)),
    (0, [5, 5, 5], Key(3, 2)),
    (0, [], Key(3, 2)),
]


@pytest.mark.parametrize(("count", "ahead"), [(1, 1), (3, 32)])
def test_the_number_of_workers_changes_no_bit(root, expected, count, ahead):
    found = read(parts_of(root, VIEW), WANTED, workers=count, ahead=ahead)
    for images, others in zip(found, expected, strict=True):
        assert np.array_equal(images, others)
    by_index = dict(zip(ORDER, expected[0], strict=True))
    others = dict(zip(ORDER[::-1], expected[2], strict=True))
    assert sum(not np.array_equal(by_index[index], others[index]) for index in ORDER) > 55
    assert np.array_equal(expected[3][0], others[5])


def test_a_stream_that_is_given_up_leaves_nothing_in_the_next_one(root, expected):
    parts = parts_of(root, VIEW)
    reader = idle(1, parts)
    try:
        for _ in range(5):
            reader.stream(0, np.array(ORDER[::-1]), Key(9, 9)).take(np.empty((3, 3, 8, 8), "u1"))
        found = np.empty_like(expected[0])
        reader.stream(0, np.array(ORDER), Key(3, 1)).take(found)
        assert np.array_equal(found, expected[0])
    finally:
        reader.close()


def test_images_come_while_nobody_asks_for_them_and_no_more_than_fit(root, monkeypatch):
    parts = parts_of(root)
    reader = idle(1, parts, ahead=2 * IMAGES_A_TASK)
    try:
        stream = reader.stream(0, np.arange(60), None)
        deadline = time.monotonic() + 60
        while len(stream._running) and time.monotonic() < deadline:
            stream._receive()
        # Three of the tasks are not even handed out.
        assert (stream._next, len(stream._sent)) == (32, 2)
    finally:
        reader.close()


def test_every_task_is_a_heartbeat(root):
    beats = []
    parts = parts_of(root)
    read(parts, [(0, range(60), None)], workers=1, heartbeat=lambda: beats.append(1))
    assert len(beats) == -(-60 // IMAGES_A_TASK)
    del beats[:]
    read(parts, [(0, range(60), None)], workers=0, heartbeat=lambda: beats.append(1))
    assert len(beats) == 60


@pytest.mark.parametrize("count", [0, 1])
def test_a_damaged_image_is_named(root, tmp_path, count):
    fill(tmp_path / "bugs", 12, 3)
    path = tmp_path / "bugs/train/bee/4.png"
    path.write_bytes(path.read_bytes()[:50])
    said = r"bee/4.png is damaged \(.*\). Replace it.*`damaged: skip`"
    with pytest.raises(DamagedImageError, match=said) as met:
        read(parts_of(tmp_path / "bugs"), [(0, range(12), None)], workers=count)
    assert stage_of(met.value) == "dataset"
    parts = parts_of(tmp_path / "bugs")
    path.unlink()
    with pytest.raises(DamagedImageError, match=r"bee/4.png is damaged \(.*No such file"):
        read(parts, [(0, range(12), None)], workers=count)


def read_for_ever(reader):
    images = np.empty((60, 3, 8, 8), np.uint8)
    while True:
        reader.stream(0, np.arange(60), None).take(images)


def test_a_killed_worker_is_noticed_and_named(root):
    reader = idle(2, parts_of(root))
    try:
        victim = reader.pids[1]
        os.kill(victim, signal.SIGKILL)
        with pytest.raises(WorkerLostError) as met:
            read_for_ever(reader)
    finally:
        reader.close()
    assert f"worker process {victim} of 2" in str(met.value)
    assert "was ended by SIGKILL, as by a machine" in str(met.value)


def gone(pid):
    """Whether there is no such process, not even as a zombie of somebody else."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


def test_closing_leaves_no_process(root):
    reader = idle(1, parts_of(root))
    reader.stream(0, np.arange(60), None)
    reader.close()
    for pid in reader.pids:
        assert not Path(f"/proc/{pid}").exists()


def test_a_stream_may_be_closed_after_its_processes(root):
    """As where an error ends training in the middle of an epoch, and keeps its batches alive."""
    reader = idle(1, parts_of(root))
    stream = reader.stream(0, np.arange(60), None)
    reader.close()
    stream.close()


def test_a_process_may_have_more_files_open_than_select_takes(root):
    least, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < 2_000:
        pytest.skip("this process may not open so many")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(least, 2_000), most))
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(1_100)]
    try:
        (images,) = read(parts_of(root), [(0, range(3), None)], workers=1)
        assert len(images) == 3
    finally:
        for descriptor in opened:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (least, most))


def test_workers_end_with_their_parent(root):
    code = (
        "import os, sys, time, numpy as np\n"
        "from image_files import parts_of\n"
        "from pathlib import Path\n"
        "from trainers.data.streaming.workers import Workers\n"
        f"reader = Workers(parts_of(Path({str(root)!r})), 2, 32, lambda: None)\n"
        "reader.stream(0, np.arange(60), None).take(np.empty((20, 3, 8, 8), np.uint8))\n"
        "print(*reader.pids, flush=True)\n"
        "time.sleep(600)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert len(pids) == 2
    deadline = time.monotonic() + 60
    while not all(map(gone, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_worker_works_on_while_who_trains_is_asked_to_stop(root):
    reader = idle(1, parts_of(root))
    try:
        images = np.empty((60, 3, 8, 8), np.uint8)
        reader.stream(0, np.arange(60), None).take(images)
        os.kill(reader.pids[0], signal.SIGINT)
        os.kill(reader.pids[0], signal.SIGTERM)
        time.sleep(0.1)
        reader.stream(0, np.arange(60), None).take(images)
    finally:
        reader.close()


class Broken:
    """A source with a bug."""

    labels = np.zeros(4, dtype=np.int64)
    formats = ()

    def name(self, index):
        return "a broken image"

    def read(self, index):
        raise ZeroDivisionError(index)

    def close(self):
        pass


def test_a_bug_in_a_worker_comes_with_its_traceback(root):
    parts = [Streamed.all_of(Broken(), VIEW)]
    with pytest.raises(TrainerError, match=r"(?s)failed as it decoded images.*ZeroDivisionError"):
        read(parts, [(0, [1, 2], Key(0, 0))], workers=1)


def test_what_processes_share_is_what_was_stored():
    arrays = [np.arange(5), np.zeros((0, 3)), np.ones((3, 70), dtype=np.uint8)[:, ::2]]
    descriptor = store({"arrays": arrays, "text": "é"})
    found = load(descriptor)
    os.close(descriptor)
    assert found["text"] == "é"
    for array, other in zip(arrays, found["arrays"], strict=True):
        assert np.array_equal(array, other)
    assert not found["arrays"][0].flags.writeable


def test_a_worker_imports_no_torch():
    code = "import sys, trainers.data.streaming.worker; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=environment()).returncode == 0


def environment():
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def test_the_ring_has_room_for_what_is_read_ahead_and_two_tasks_a_worker():
    assert slots_ahead(100, 1) == 112
    assert slots_ahead(1, 3) == 96


@pytest.mark.parametrize(
    ("threads", "device", "count"), [(1, "cpu", 0), (4, "cpu", 3), (1, "cuda", 1), (4, "cuda", 3)]
)
def test_by_default_one_thread_is_left_for_who_trains(threads, device, count):
    assert default_workers(threads, device) == count
