from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.figures.drawing.text import distinct, drawable, shorten, width, wrap

LIMITS = st.floats(20, 200)


@given(st.text())
@pytest.mark.slow
def test_drawable_text_is_one_line_without_missing_glyphs(text):
    shown = drawable(text)
    assert "\n" not in shown
    assert drawable(shown) == shown
    width(shown)  # a missing glyph would warn, and warnings are errors here


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("zerosnet", "zerosnet"),
        ("two\nlines\tand tabs", "two lines and tabs"),
        ("模型", "\\u6a21\\u578b"),
        ("\ud800", "\\ud800"),
        ("bell\x07", "bell\\x07"),
        ("λ ± α₀ ₙ −", "λ ± α₀ ₙ −"),
        (32, "32"),
        (None, "None"),
    ],
)
def test_characters_missing_in_the_font_are_escaped(text, expected):
    assert drawable(text) == expected


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P"])), LIMITS)
def test_a_shortened_text_fits_and_keeps_both_ends(text, limit):
    short = shorten(text, limit)
    assert width(short) <= limit
    if short != text:
        head, _, tail = short.rpartition("…")
        assert text.startswith(head)
        assert text.endswith(tail)
        assert width(text) > limit


@given(st.lists(st.text(st.characters(codec="ascii", categories=["L"]), min_size=1)), LIMITS)
@pytest.mark.slow
def test_wrapped_lines_fit_and_keep_every_word_that_fits(words, limit):
    lines = wrap(" ".join(words), limit)
    assert all(width(line) <= limit for line in lines)
    found = " ".join(lines).split()
    assert len(found) == len(words)
    assert all(one == two for one, two in zip(words, found, strict=True) if width(one) <= limit)


@given(st.lists(st.sampled_from(["a", "b", "c"])))
def test_equal_labels_are_numbered(texts):
    found = distinct(texts)
    assert len(set(found)) == len(found)
    assert [one.split(" #")[0] for one in found] == texts
