"""The process that keeps logs, as a thread here."""

from __future__ import annotations

import json
import os
import socket
import threading

import pytest

from sweeper.logs.reading import LogReader, without_time
from sweeper.logs.writer import Writer
from trainers.storage import open_folder
from waiting import wait_until


class Worker:
    """The other end of a writer's socket."""

    def __init__(self):
        self.socket, theirs = socket.socketpair()
        self.thread = threading.Thread(target=Writer(theirs).serve, daemon=True)
        self.thread.start()
        self.send({"secrets": ["opensesame"], "path": []})

    def send(self, message, *descriptors):
        data = json.dumps(message).encode() + b"\n"
        socket.send_fds(self.socket, [data], descriptors)

    def start(self, folder):
        reader, pipe = os.pipe()
        self.send({"folder": str(folder), "umask": 0o077, "rank": 0}, reader)
        os.close(reader)
        return pipe

    def is_over(self):
        return not self.thread.is_alive()


@pytest.fixture
def worker():
    made = Worker()
    yield made
    made.socket.close()
    wait_until(made.is_over)


def lines_in(folder):
    return [without_time(line) for line in LogReader(open_folder(str(folder))).new_lines()]


def test_lines_are_written_soon_and_the_rest_at_the_end_of_the_pipe(worker, tmp_path):
    pipe = worker.start(tmp_path / "1")
    os.write(pipe, b"one opensesame\ntwo")
    wait_until(lambda: lines_in(tmp_path / "1") == ["one ***"])
    os.write(pipe, b"\nthree")
    wait_until(lambda: lines_in(tmp_path / "1") == ["one ***", "two"])
    os.close(pipe)
    wait_until(lambda: lines_in(tmp_path / "1") == ["one ***", "two", "three"])


def test_many_runs_at_once_are_kept_apart(worker, tmp_path):
    pipes = [worker.start(tmp_path / str(number)) for number in range(200)]
    for number, pipe in enumerate(pipes):
        if number % 3:
            os.write(pipe, b"run %d\n" % number)
    for pipe in pipes:
        os.close(pipe)
    worker.socket.shutdown(socket.SHUT_WR)
    assert worker.socket.recv(1) == b""
    for number in range(200):
        assert lines_in(tmp_path / str(number)) == ([f"run {number}"] if number % 3 else [])
    assert len(os.listdir(tmp_path)) == 133


def test_who_waits_for_the_end_does_not_wait_for_a_pipe_that_stays_open(worker, tmp_path):
    pipe = worker.start(tmp_path / "1")
    os.write(pipe, b"before\n")
    worker.socket.shutdown(socket.SHUT_WR)
    assert worker.socket.recv(1) == b""
    assert lines_in(tmp_path / "1") == ["before"]
    os.write(pipe, b"after\n")
    wait_until(lambda: lines_in(tmp_path / "1") == ["before", "after"])
    assert not worker.is_over()
    os.close(pipe)
    wait_until(worker.is_over)


def test_a_flood_is_read_as_fast_as_it_comes(worker, tmp_path):
    pipe = worker.start(tmp_path / "1")
    line = b"x" * 99 + b"\n"
    for _ in range(300):
        os.write(pipe, line * 600)
    os.write(pipe, b"the end\n")
    os.close(pipe)
    wait_until(lambda: (lines_in(tmp_path / "1") or [""])[-1] == "the end")
    assert any("left out" in each for each in lines_in(tmp_path / "1"))
    assert len(os.listdir(tmp_path / "1")) <= 3


def test_a_folder_that_cannot_be_written_keeps_no_run_waiting(worker, tmp_path):
    (tmp_path / "file").write_text("in the place of a folder")
    pipe = worker.start(tmp_path / "file" / "1")
    for _ in range(20):
        os.write(pipe, b"lost\n" * 10_000)
    os.close(pipe)
    other = worker.start(tmp_path / "2")
    os.write(other, b"kept\n")
    os.close(other)
    wait_until(lambda: lines_in(tmp_path / "2") == ["kept"])
