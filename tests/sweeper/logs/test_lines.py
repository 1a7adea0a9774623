from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep_plugins.plain_text import visible
from sweeper.logs.lines import LONGEST_LINE, REDRAWN_SECONDS, Lines

MOST = 1 << 20


def said(*pieces: bytes, secrets: tuple[str, ...] = (), most: int = MOST) -> list[str]:
    """The lines that are made of pieces, each of which is taken before the next is fed."""
    lines = Lines(secrets, most)
    out = b""
    for piece in pieces:
        lines.feed(piece, 0)
        out += lines.take()
    return without_stamps(out + lines.take(last=True))


def without_stamps(out: bytes) -> list[str]:
    found = out.decode().split("\n")
    assert found.pop() == ""
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ", line) for line in found), found
    return [line[21:] for line in found]


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"one\ntwo\n", ["one", "two"]),
        (b"no end", ["no end"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"\r 1%\r 50%\r100%\ndone\n", ["100%", "done"]),
        (b"\x1b[31mred\x1b[0m\x1b[K \x1b[2Jgone\n", ["red gone"]),
        (b"title \x1b]0;mine\x07 \xff\x00\n", ["title \\x1b]0;mine\\x07 \\xff\\x00"]),
        ("ünï 漢 \u202e\n".encode(), ["ünï 漢 \\u202e"]),
        (b"at s3://key:secret@bucket/x?sig=secret\n", ["at s3://bucket/x?sig=***"]),
        (b"it is opensesame, not opensesam\n", ["it is ***, not opensesam"]),
    ],
)
def test_lines_are_such_as_anybody_may_read(written, lines):
    assert said(written, secrets=("opensesame",)) == lines
    assert said(*(bytes([byte]) for byte in written), secrets=("opensesame",)) == lines


def test_a_line_has_the_time_at_which_it_began():
    lines = Lines((), MOST)
    lines.feed(b"begun, ", 0.9)
    assert lines.take() == b""
    lines.feed(b"ended\nnext", 86_400.5)
    assert lines.take() == b"1970-01-01T00:00:00Z begun, ended\n"
    lines.feed(b"\n", 86_405)
    assert lines.take(last=True) == b"1970-01-02T00:00:00Z next\n"


def test_a_progress_bar_is_kept_now_and_then():
    lines = Lines((), MOST)
    out = b""
    for second in range(1000, 1100):
        lines.feed(b"\r%d s" % second, second)
        out += lines.take()
    shown = without_stamps(out + lines.take(last=True))
    assert len(shown) == pytest.approx(100 / REDRAWN_SECONDS, abs=2)
    assert shown[-1] == "1099 s"


@pytest.mark.parametrize("start", range(LONGEST_LINE - 40, LONGEST_LINE + 20, 3))
def test_a_secret_is_not_cut_in_two_where_a_long_line_is(start):
    secrets = ("opensesame",)
    words = (b"word " * LONGEST_LINE)[:start]
    shown = said(words + b" s3://key:opensesame@bucket ", b"more", secrets=secrets)
    assert "sesame" not in "".join(shown)
    assert "opens" not in "".join(shown)
    for line in said(b"w" * start + b"s3://key:opensesame@bucket more\n", secrets=secrets):
        assert "opens" not in line
        assert "sesame" not in line


def test_long_lines_are_broken_and_endless_words_left_out():
    assert {len(line) for line in said(b"x" * 3 * LONGEST_LINE + b"\n")} == {LONGEST_LINE}
    (first, second) = said(*[b"x" * LONGEST_LINE] * 5, b" next\n")
    assert first.endswith("x [... the rest of an endless word is left out ...]")
    assert len(first) < 2_000
    assert second.strip() == "next"


def test_what_is_not_taken_in_time_is_left_out_and_counted():
    lines = Lines(("opensesame",), 1000)
    lines.feed(b"first\nit opens", 0)
    first = lines.take()
    lines.feed(b"esame " + b"y" * 900, 0)
    lines.feed(b"z" * 900 + b"opensesame\nlast\n", 0)
    shown = without_stamps(first + lines.take(last=True))
    assert shown[:2] == ["first", "it"]
    assert re.fullmatch(r"\[\.\.\. \d+ bytes left out \.\.\.\]", shown[2])
    assert shown[3:] == ["last"] or shown[3:] == ["", "last"]


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=60), max_size=12))
def test_how_the_bytes_arrive_changes_nothing(pieces):
    whole = b"".join(pieces)
    if b"\r" not in whole:
        assert said(*pieces) == said(whole)
    for line in said(*pieces):
        assert visible(line) == line
