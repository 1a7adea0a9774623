from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from trainers import streams
from trainers.streams import UnreadAnswerError, UnwrittenAnswerError, guard_streams, working


@contextmanager
def as_descriptor(number, replacement):
    """The replacement stands under this number while the block runs; afterwards it is closed."""
    saved, before = os.dup(number), (sys.stdout, sys.stderr)
    os.dup2(replacement, number)
    os.close(replacement)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        os.dup2(saved, number)
        os.close(saved)


def unread_pipe():
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def full_disk():
    return os.open("/dev/full", os.O_WRONLY)


@pytest.mark.parametrize("lost", [unread_pipe, full_disk])
def test_what_is_told_ends_nothing(lost):
    with as_descriptor(2, lost()):
        guard_streams()
        for _ in range(3):
            print("told", file=sys.stderr, flush=True)
        sys.stderr.buffer.write(b"told" * 100_000)
        sys.stderr.flush()


@pytest.mark.parametrize(
    ("lost", "error", "words"),
    [
        (unread_pipe, UnreadAnswerError, "^$"),
        (full_disk, UnwrittenAnswerError, "could not be written to stdout: No space left"),
    ],
)
def test_a_lost_answer_is_an_error_once(lost, error, words):
    with as_descriptor(1, lost()):
        guard_streams()
        sys.stdout.write("answer")
        with pytest.raises(error, match=words):
            sys.stdout.flush()
        sys.stdout.flush()  # as Python does at its end


@pytest.mark.parametrize("lost", [unread_pipe, full_disk])
def test_a_trainer_may_print_where_nobody_reads(lost):
    with as_descriptor(1, lost()):
        guard_streams()
        with working():
            print("from a trainer", flush=True)
            print("and more, which stays in the buffer")
        print("answer")
        with pytest.raises((UnreadAnswerError, UnwrittenAnswerError)):
            sys.stdout.flush()


def test_a_reader_that_does_not_read_is_not_waited_for_long(monkeypatch):
    monkeypatch.setattr(streams, "STALLED_SECONDS", 0.05)
    reader, writer = os.pipe()
    with as_descriptor(2, writer):
        guard_streams(working=True)
        begun = time.monotonic()
        for _ in range(1000):
            print("line " * 100, file=sys.stderr)
        assert time.monotonic() - begun < 5
        # What is said after it has read again is there.
        while len(os.read(reader, 65536)) == 65536:
            pass
        print("the last line", file=sys.stderr)
        assert os.read(reader, 65536).endswith(b"the last line\n")
    os.close(reader)


def test_an_answer_waits_for_its_reader_though_the_pipe_would_not():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    received = []

    def read_late():
        time.sleep(0.05)
        with open(reader, "rb") as pipe:
            received.append(pipe.read())

    late = threading.Thread(target=read_late)
    with as_descriptor(1, writer):
        guard_streams()
        late.start()
        sys.stdout.write("x" * 300_000)
        sys.stdout.flush()
    late.join()
    assert received == [b"x" * 300_000]


def test_what_was_closed_is_the_null_device_and_not_the_next_file(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys\n"
        "from trainers.streams import exit_code\n"
        "def program():\n"
        "    file = os.open('database', os.O_RDWR | os.O_CREAT)\n"
        "    os.write(file, str(file).encode())\n"
        "    print('told', file=sys.stderr)\n"
        "    assert sys.stdin.read() == ''\n"
        "    if 'answer' in sys.argv: print('answer')\n"
        "    return 5\n"
        "sys.exit(exit_code(program))\n"
    )
    for argument, code in (("", 5), ("answer", 3)):
        run = f"exec {sys.executable} {script} {argument} <&- >&- 2>&-"
        assert subprocess.run(run, shell=True, cwd=tmp_path).returncode == code
        assert int((tmp_path / "database").read_text()) > 2


def test_a_program_whose_answer_nobody_reads_ends_of_sigpipe(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from trainers.streams import exit_code\nexit_code(lambda: print('answer'))\n"
    )
    with subprocess.Popen(
        [sys.executable, script], stdout=unread_pipe(), stderr=subprocess.PIPE
    ) as program:
        assert program.communicate()[1] == b""
    assert program.returncode == -signal.SIGPIPE


def test_text_that_the_encoding_lacks_is_shown_by_number(tmp_path):
    path = tmp_path / "log"
    with as_descriptor(1, os.open(path, os.O_WRONLY | os.O_CREAT)):
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        guard_streams()
        print("\udcff and ±")
        sys.stdout.flush()
    assert path.read_text() == "\\udcff and ±\n"
