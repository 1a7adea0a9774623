from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep_plugins.plain_text import one_line, readable, shortened, visible, visible_json

HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def hides(text: str) -> set[str]:
    return {c for c in text if unicodedata.category(c) in HIDDEN} - {"\n", "\t"}


def without_secret(text: str) -> str:
    return text.replace("SECRET", "***")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x07", r"\x1b[2J\x07"),
        ("\x9b31m", r"\x9b31m"),  # an escape sequence by itself in 8-bit terminals
        ("cat\u202egnp.exe", r"cat\u202egnp.exe"),
        ("a\u200bb\ufeff\u2066c", r"a\u200bb\ufeff\u2066c"),
        ("over\rwritten\r\n", "over\\rwritten\n"),
        ("two\u2028lines\u2029", r"two\u2028lines\u2029"),
        ("\U000e0041", r"\U000e0041"),
        ("\udc80", r"\udc80"),
        ("é 漢 🙂 ±", "é 漢 🙂 ±"),
    ],
)
def test_what_a_terminal_obeys_or_nobody_sees_is_shown_as_such(text, shown):
    assert visible(text) == shown


def test_every_character_of_these_kinds_is_shown():
    # All but the ideographs and the private ones, which are most.
    everything = "".join(
        map(chr, [*range(0x3400), *range(0xD7F0, 0x12000), *range(0xE0000, 0xE0200)])
    )
    assert hides(visible(everything)) == set()
    assert hides(visible_json(json.dumps(everything, ensure_ascii=False))) == set()


@given(st.text() | st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp", "L"])))
def test_visible_json_has_the_same_values(text):
    written = json.dumps({text: [text]}, ensure_ascii=False, indent=1)
    assert json.loads(visible_json(written)) == {text: [text]}
    assert not hides(visible_json(written))
    assert "\n" not in readable(text)


def test_a_long_text_keeps_its_ends():
    text = "a" * 500 + "b" * 1_000_000 + "c" * 500
    cut = shortened(text, 300)
    assert cut == "a" * 100 + " [... 1,000,800 characters ...] " + "c" * 100
    assert shortened(text[:300], 300) == text[:300]
    secret = shortened("a" * 95 + "SECRET" + "b" * 400 + "SECRET" + "c" * 96, 300, without_secret)
    assert secret.startswith("a" * 95 + "***bb [...")
    assert "SECRET"[3:] not in secret
    assert one_line(" a\n\tb  c ") == "a b c"
