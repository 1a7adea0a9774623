"""What a process writes while a run is in it, through the real process that keeps logs."""

from __future__ import annotations

import ctypes
import io
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import psutil
import pytest

from sweeper.logs.capture import RunLogs
from sweeper.logs.reading import LogReader, without_time
from trainers.storage import open_folder
from waiting import wait_until


@pytest.fixture
def logs(monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "opensesame")
    started = RunLogs(secrets=["from-the-driver"])
    yield started
    started.close()


def folder_of(tmp_path, attempt=1):
    return str(tmp_path / "run" / str(attempt))


def lines_in(folder):
    return [without_time(line) for line in LogReader(open_folder(folder)).new_lines()]


@contextmanager
def own_descriptors(tmp_path):
    """Descriptors 1 and 2 lead to a file, as those of a process would, and not to pytest's."""
    path = tmp_path / "screen"
    saved = os.dup(1), os.dup(2)
    sys.stdout.flush(), sys.stderr.flush()
    with path.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        yield path
    finally:
        for number, before in enumerate(saved, start=1):
            os.dup2(before, number)
            os.close(before)


def test_everything_that_is_written_is_in_the_log_and_nowhere_else(logs, tmp_path):
    folder = folder_of(tmp_path)
    library = ctypes.CDLL(None)
    with own_descriptors(tmp_path) as screen:
        os.write(1, b"before\n")
        with logs.of(folder, 0o077):
            print("print")
            print("error", file=sys.stderr)
            os.write(1, b"raw\n")
            library.puts(b"from C")
            subprocess.run(["sh", "-c", "echo child; echo child error >&2"], check=True)
            print("opensesame from-the-driver \x1b[1mbold\x1b[0m")
            library.printf(b"C without an end")
        os.write(1, b"after\n")
        library.puts(b"C after")
        logs.close()
    assert screen.read_text() == "before\nafter\nC after\n"
    assert lines_in(folder) == [
        "print", "error", "raw", "from C", "child", "child error", "*** *** bold",
        "C without an end",
    ]  # fmt: skip


def test_each_run_has_its_own_and_a_silent_one_none(logs, tmp_path):
    for attempt in range(1, 30):
        with logs.of(folder_of(tmp_path, attempt), 0o077):
            if attempt % 2:
                print("attempt", attempt)
    logs.close()
    assert sorted(map(int, os.listdir(tmp_path / "run"))) == [*range(1, 30, 2)]
    for attempt in range(1, 30, 2):
        assert lines_in(folder_of(tmp_path, attempt)) == [f"attempt {attempt}"]


def test_streams_are_given_back_and_descriptors_are_not_used_up(logs, tmp_path):
    before = sys.stdout, sys.stderr, os.fstat(1), os.fstat(2), len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with suppress(RuntimeError), logs.of(folder_of(tmp_path), 0o077):
            sys.stdout = io.StringIO()
            print("to the trainer's own stream")
            raise RuntimeError
    after = sys.stdout, sys.stderr, os.fstat(1), os.fstat(2), len(os.listdir("/proc/self/fd"))
    assert after == before


def test_prints_are_kept_where_stdout_is_no_descriptor_as_in_a_notebook(logs, tmp_path):
    cell = io.StringIO()
    before, sys.stdout = sys.stdout, cell
    try:
        with logs.of(folder_of(tmp_path), 0o077):
            print("in the run")
        assert sys.stdout is cell
    finally:
        sys.stdout = before
    logs.close()
    assert cell.getvalue() == ""
    assert lines_in(folder_of(tmp_path)) == ["in the run"]


def test_a_process_that_stays_writes_into_its_own_run_and_keeps_nothing_waiting(logs, tmp_path):
    first, second = folder_of(tmp_path, 1), folder_of(tmp_path, 2)
    with logs.of(first, 0o077):
        script = f"while [ ! -e {tmp_path}/go ]; do sleep 0.01; done; echo late"
        child = subprocess.Popen(["sh", "-c", script])
        fork = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
        fork.start()
    started = time.monotonic()
    with logs.of(second, 0o077):
        print("second")
        (tmp_path / "go").touch()
        child.wait()
    logs.close()
    assert time.monotonic() - started < 20
    fork.kill()
    fork.join()
    wait_until(lambda: lines_in(first) == ["late"])
    assert lines_in(second) == ["second"]


def worker(folder, run):
    """A process with a log, which does `run` in it."""
    logs = RunLogs()
    with logs.of(folder, 0o077):
        run()


def start(folder, run):
    process = multiprocessing.get_context("fork").Process(target=worker, args=(folder, run))
    process.start()
    return process


def writes_and_dies():
    print("the last words", "of Python")
    ctypes.CDLL(None).printf(b"and of C\n")
    sys.stdout.write("without an end")
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_log_survives_its_worker(tmp_path):
    process = start(folder_of(tmp_path), writes_and_dies)
    process.join(30)
    assert process.exitcode == -signal.SIGKILL
    expected = ["the last words of Python", "and of C", "without an end"]
    wait_until(lambda: lines_in(folder_of(tmp_path)) == expected)


def waits_for_all_of_its_children():
    if os.fork() == 0:
        os._exit(0)
    while True:
        try:
            os.wait()
        except ChildProcessError:
            break
    print("no child is left")
    assert psutil.Process().children(recursive=True) == []


def test_the_process_that_keeps_logs_is_not_a_child_of_the_one_that_trains(tmp_path):
    process = start(folder_of(tmp_path), waits_for_all_of_its_children)
    process.join(30)
    assert process.exitcode == 0
    wait_until(lambda: lines_in(folder_of(tmp_path)) == ["no child is left"])


@pytest.fixture
def writers(tmp_path, monkeypatch):
    """The ids of the processes that keep logs for this test now."""
    monkeypatch.setenv("LOGS_OF_TEST", str(tmp_path))

    def running():
        found = set()
        for process in psutil.process_iter(["cmdline", "environ"]):
            command, environment = process.info["cmdline"] or (), process.info["environ"] or {}
            is_writer = any(part.endswith("sweeper/logs/__main__.py") for part in command)
            if is_writer and environment.get("LOGS_OF_TEST") == str(tmp_path):
                found.add(process.pid)
        return found

    return running


def test_a_process_that_somebody_ends_is_replaced(tmp_path, writers):
    logs = RunLogs()
    (started,) = writers()
    os.kill(started, signal.SIGKILL)
    wait_until(lambda: started not in writers())
    with logs.of(folder_of(tmp_path), 0o077):
        print("kept")
    logs.close()
    assert lines_in(folder_of(tmp_path)) == ["kept"]


def test_the_process_ends_with_its_worker_and_not_by_its_signals(tmp_path, writers):
    logs = RunLogs()
    (started,) = writers()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(started, number)
    assert os.getsid(started) != os.getsid(0)
    with logs.of(folder_of(tmp_path), 0o077):
        print("kept")
    logs.close()
    assert lines_in(folder_of(tmp_path)) == ["kept"]
    wait_until(lambda: started not in writers())


def test_runs_go_on_where_no_log_can_be_kept(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    logs = RunLogs(tell=told.append)
    with logs.of(folder_of(tmp_path), 0o077):
        print("seen by nobody")
    logs.close()
    assert len(told) == 1
    assert told[0].startswith("what runs write is not kept")
