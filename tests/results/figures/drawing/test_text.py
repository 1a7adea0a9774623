from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.figures.drawing.text import distinct, drawable, shorten, shortened, width, wrap

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


def test_long_texts_are_shortened_to_the_part_in_which_they_differ():
    same, end = "0.123456789012345, " * 8, ", 0.5" * 20
    texts = [f"{same}{number}{end}" for number in ("0.3", "0.30000000000000004", "0.25")]
    found = shortened([*texts, texts[0], "short"], 120)
    assert [text.split(",")[0] for text in found] == [
        "…0.3", "…0.30000000000000004", "…0.25", "…0.3", "short",
    ]  # fmt: skip
    assert all(width(text) <= 120 for text in found)


@given(st.lists(st.text("ab ", max_size=60)), st.floats(30, 60))
def test_shortened_texts_differ_as_their_originals_do(texts, limit):
    found = shortened(texts, limit)
    assert len(set(found)) == len(set(texts))
    assert all(width(short) <= limit for short in found)
