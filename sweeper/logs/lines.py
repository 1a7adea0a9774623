"""From the bytes that a run wrote to lines that anybody may read."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Iterable, Iterator

from sweep_plugins.plain_text import visible
from sweep_plugins.url_secrets import without_secrets

LONGEST_LINE = 16 * 1024
"""Bytes; a longer line is broken between words."""

REDRAWN_SECONDS = 10.0
"""How often a line is kept that is written over, as that of a progress bar is."""

STAMP = "%Y-%m-%dT%H:%M:%SZ "
"""Before each line: when its first byte was read, UTC."""

_MOST_OF_A_WORD = 1_000

_BLANKS = (b" ", b"\t", b"\r", b"\n")
_BLANK = re.compile(rb"[ \t\r\n]")
_LONG = re.compile(rf"([^\n]{{{LONGEST_LINE}}})(?=[^\n])")
_OVERWRITTEN = re.compile(r"[^\n]*\r(?=[^\r\n])")
# Colours and moves of the cursor (ECMA-48, control sequences).
_CONTROLS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


class Lines:
    """Bytes in, stamped lines of printable text out; holds at most `most` bytes and a line.

    Attributes:
        waiting: bytes that were fed and not taken.
    """

    def __init__(self, secrets: Iterable[str], most: int) -> None:
        ordered = sorted(secrets, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, ordered))) if ordered else None
        self._most = most
        self._chunks: deque[tuple[int, bytes]] = deque()
        self.waiting = 0
        self._left_out = 0
        self._begun = b""  # a line whose end has not come
        self._begun_at = 0
        self._redrawn_at = 0
        self._in_left_out_word = False

    def feed(self, data: bytes, at: float) -> None:
        """Bytes that came at a time; beyond `most`, the oldest ones that wait are left out."""
        self._chunks.append((int(at), data))
        self.waiting += len(data)
        while self.waiting > self._most:
            _, oldest = self._chunks.popleft()
            self.waiting -= len(oldest)
            self._left_out += len(oldest)

    def take(self, *, last: bool = False) -> bytes:
        """What has become whole lines; of the last bytes there are, all."""
        text = "".join(self._taken())
        if last and self._begun:
            text += self._stamped(self._begun, self._begun_at)
            self._begun = b""
        return text.encode()

    def _taken(self) -> Iterator[str]:
        if self._left_out:
            yield from self._gap()
        chunks, self._chunks, self.waiting = self._chunks, deque(), 0
        # All of a second have one stamp, and are cleaned at once.
        while chunks:
            at, data = chunks.popleft()
            together = [data]
            while chunks and chunks[0][0] == at:
                together.append(chunks.popleft()[1])
            yield from self._of_second(b"".join(together), at)

    def _gap(self) -> Iterator[str]:
        # Neither end of it may be half a password.
        whole = max(map(self._begun.rfind, _BLANKS))
        lost = self._left_out + len(self._begun) - max(whole, 0)
        if whole > 0:
            yield self._stamped(self._begun[:whole], self._begun_at)
        yield left_out(lost, int(time.time()))
        self._begun, self._left_out, self._in_left_out_word = b"", 0, True

    def _of_second(self, data: bytes, at: int) -> Iterator[str]:
        if self._in_left_out_word:
            blank = _BLANK.search(data)
            if blank is None:
                return
            data = data[blank.start() :].removeprefix(b"\n")
            self._in_left_out_word = False
        if self._begun:
            first, newline, data = data.partition(b"\n")
            self._begun += first
            if newline:
                yield self._stamped(self._begun, self._begun_at)
                self._begun = b""
        end = data.rfind(b"\n") + 1
        if end:
            yield self._stamped(data[: end - 1], at)
        if data[end:]:
            self._begun, self._begun_at = data[end:], at
        yield from self._broken(at)

    def _broken(self, at: int) -> Iterator[str]:
        """As much of a line as need not wait for its end."""
        drawn = self._begun.rfind(b"\r")
        if drawn > 0 and at - self._redrawn_at >= REDRAWN_SECONDS:
            self._redrawn_at = at
            yield self._stamped(self._begun[:drawn], at)
            self._begun, self._begun_at = self._begun[drawn + 1 :], at
        while len(self._begun) > LONGEST_LINE:
            whole = max(self._begun.rfind(blank, 0, LONGEST_LINE) for blank in _BLANKS)
            if whole > 0:
                yield self._stamped(self._begun[:whole], self._begun_at)
                self._begun = self._begun[whole + 1 :]
                continue
            # A word without an end is no text, and must not be cut where a password is.
            begin = self._clean(self._begun[:LONGEST_LINE])[:_MOST_OF_A_WORD]
            yield _with_stamp(f"{begin} [... the rest of an endless word is left out ...]", at)
            self._begun, rest, self._in_left_out_word = b"", self._begun, True
            yield from self._of_second(rest, at)

    def _stamped(self, data: bytes, at: int) -> str:
        return _with_stamp(self._clean(data), at)

    def _clean(self, data: bytes) -> str:
        text = data.decode("utf-8", "backslashreplace")
        if "\r" in text:
            text = _OVERWRITTEN.sub("", text.replace("\r\n", "\n")).replace("\r", "")
        if "\x1b" in text:
            text = _CONTROLS.sub("", text)
        text = without_secrets(text)
        if self._secrets is not None:
            text = self._secrets.sub("***", text)
        text = visible(text)
        # Where nothing is left of a password, a line may be cut anywhere.
        return _LONG.sub(r"\1\n", text) if len(text) > LONGEST_LINE else text


def left_out(count: int, at: int) -> str:
    """The line in the place of `count` bytes."""
    return _with_stamp(f"[... {count:,} bytes left out ...]", at)


def _with_stamp(text: str, at: int) -> str:
    stamp = time.strftime(STAMP, time.gmtime(at))
    return stamp + text.replace("\n", "\n" + stamp) + "\n"
