"""What is said on stdout and stderr: telling about the work never ends it.

What goes to stderr tells about the work. If it can be written no more, because the disk behind it
is full, its reader has gone or the terminal is closed, the work goes on without it. So do prints of
a trainer. What a command writes to stdout is its answer: one that is lost is an error.
"""

from __future__ import annotations

import errno
import io
import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from typing_extensions import override

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STALLED_SECONDS = 1.0
"""How long work waits for a reader that is there and does not read, as of a stopped terminal."""

LOG_STALLED_SECONDS = 60.0
"""The same of the log of a run, which is read as fast as a busy machine can."""

_CHUNK_BYTES = select.PIPE_BUF
"""What a pipe takes whole once it takes anything."""


class UnreadAnswerError(Exception):
    """Nobody reads the pipe any more that stdout is."""


class UnwrittenAnswerError(Exception):
    """An answer could not be written to stdout; the message says why."""


class _Descriptor(io.FileIO):
    """An open file descriptor, which stays open.

    Attributes:
        telling: whether what cannot be written is left out, and no error.
        working: whether a reader that does not read is waited for `patience` at most.
        patience: in seconds.
    """

    def __init__(self, number: int, *, telling: bool, working: bool) -> None:
        super().__init__(number, "w", closefd=False)
        self.telling = telling
        self.working = working
        self.patience = STALLED_SECONDS
        self._stalled = False

    @override
    def write(self, data: ReadableBuffer) -> int:
        view = memoryview(data).cast("B")
        if self.telling and self.working:
            if not self._is_read(0.0 if self._stalled else self.patience):
                self._stalled = True
                return len(view)
            self._stalled = False
            view = view[:_CHUNK_BYTES]
        try:
            while (written := super().write(view)) is None:
                # Another process, which shares the descriptor, wants no call to wait.
                self._is_read(STALLED_SECONDS)
        except OSError as error:
            if self.telling:
                return len(view)
            self.telling = True  # for what is left in the buffer
            if error.errno == errno.EPIPE:
                raise UnreadAnswerError from None
            raise UnwrittenAnswerError(
                f"the answer could not be written to stdout: {error.strerror}"
            ) from None
        return written

    def _is_read(self, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self, select.POLLOUT)
        return bool(poll.poll(1000 * seconds))


def guard_streams(*, working: bool = False) -> None:
    """Make stdin, stdout and stderr ones on which nothing that is told ends the work.

    Those that were closed when the process started are opened on the null device. Else the next
    file that is opened, such as the database, would have their number, and be told everything.

    Args:
        working: whether this process does nothing but work, so that stdout has no answers.
    """
    # For stdout one that cannot be written, since an answer there would be lost.
    for number, mode in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        _open_if_closed(number, mode)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = _text(_Descriptor(1, telling=working, working=working), sys.stdout)
    sys.stderr = _text(_Descriptor(2, telling=True, working=working), sys.stderr)


def _open_if_closed(number: int, mode: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        os.open(os.devnull, mode)  # takes the lowest number that is free


def telling() -> TextIO:
    """Where this process tells about the work, also while its descriptor 2 is a run's."""
    return sys.stderr if _own is None else _own


_own: TextIO | None = None


@contextmanager
def writing_to_log() -> Iterator[None]:
    """What is printed in the block goes to descriptors 1 and 2, line by line.

    Whatever stands in their place before, such as a notebook's streams, does so afterwards.
    """
    before = sys.stdin, sys.stdout, sys.stderr
    # Streams of its own, since whoever writes in the block may close them.
    sys.stdout, sys.stderr = (_stream_of_log(n, each) for n, each in enumerate(before[1:], start=1))
    streams = (sys.stdout, sys.stderr, *before[1:])
    raws = [raw for stream in streams if (raw := _raw(stream)) is not None]
    for raw in raws:
        raw.patience = LOG_STALLED_SECONDS
    try:
        yield
    finally:
        for raw in raws:
            raw.patience = STALLED_SECONDS
        _open_if_closed(0, os.O_RDONLY)
        sys.stdin, sys.stdout, sys.stderr = before
        if getattr(sys.stdin, "closed", False):
            sys.stdin = open(0, closefd=False)  # noqa: SIM115


def _stream_of_log(number: int, before: Any) -> TextIO:
    """A stream that keeps no line, as the one that was on this descriptor before."""
    found = _of_log.get(number)
    if found is None or found.closed:
        raw = _Descriptor(number, telling=True, working=True)
        found = _of_log[number] = _text(raw, before if _is_on(number, before) else None)
        found.reconfigure(line_buffering=True)
    return found


_of_log: dict[int, io.TextIOWrapper] = {}


def _raw(stream: Any) -> _Descriptor | None:
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw if isinstance(raw, _Descriptor) else None


def _is_on(number: int, stream: Any) -> bool:
    try:
        # One that only stands for another, such as rich's, has its number.
        return type(stream) is io.TextIOWrapper and stream.fileno() == number
    except (OSError, ValueError):
        return False


def _text(raw: _Descriptor, before: TextIO | None) -> io.TextIOWrapper:
    errors = getattr(before, "errors", None) or "strict"
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=getattr(before, "encoding", None),
        # What the encoding lacks is shown by its number.
        errors="backslashreplace" if errors == "strict" else errors,
        line_buffering=raw.fileno() != 1 or raw.isatty(),
        write_through=getattr(before, "write_through", False),
    )


@contextmanager
def working() -> Iterator[None]:
    """Nothing that is written to stdout or stderr inside the block ends it, or keeps it waiting.

    stderr stays so: who did not read while the work went on is not waited for at its end.
    `telling` is a stream of its own in the block.
    """
    global _own
    before = []
    for stream in (sys.stdout, sys.stderr):
        if (raw := _raw(stream)) is not None:
            before.append((stream, raw, raw.telling, raw.working))
            raw.telling = raw.working = True
    was_own, duplicate = _own, None
    if _is_on(2, sys.stderr):
        duplicate = os.dup(2)
        _own = _text(_Descriptor(duplicate, telling=True, working=True), sys.stderr)
    else:
        _own = sys.stderr
    try:
        yield
    finally:
        _own = was_own
        if duplicate is not None:
            os.close(duplicate)
        for stream, raw, was_telling, was_working in before:
            stream.flush()
            raw.telling = was_telling
            raw.working = was_working or stream is sys.stderr


def tell_at_once(text: str) -> None:
    """Write to stderr from a signal handler, where print is not safe."""
    stream = telling()
    if (raw := _raw(stream)) is not None:
        raw.write(text.encode())
        return
    try:
        # Such as a notebook's: its user does not see what descriptor 2 is told, which may be a log.
        stream.write(text)
        stream.flush()
    except (OSError, ValueError, RuntimeError):  # the signal came amid another write
        os.write(2, text.encode())


def exit_code(program: Callable[[], Any]) -> Any:
    """Run a program whose answer is what it writes to stdout; what it returns, or exits with.

    3 if the answer could not be written. If nobody reads it, this process ends as others do then.
    """
    guard_streams()
    try:
        try:
            code = program()
        except SystemExit as end:
            code = end.code
        sys.stdout.flush()
    except UnreadAnswerError:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGPIPE])
        signal.raise_signal(signal.SIGPIPE)
        raise
    except UnwrittenAnswerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    return code
