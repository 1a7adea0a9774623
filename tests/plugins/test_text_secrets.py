"""Secrets in text that is kept."""

from __future__ import annotations

import pytest

from sweep_plugins.text_secrets import hide_secrets, hide_secrets_of_command


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("rate = 2", "rate = 2"),
        ("MAX_TOKENS = 20", "MAX_TOKENS = 20"),
        ("if token == other:", "if token == other:"),
        ("password = 'a b'  # c", "password = ***"),
        ('os.environ["API_KEY"] = "a"', 'os.environ["API_KEY"] = ***'),
        ("aws_secret_access_key: abc", "aws_secret_access_key: ***"),
        ("use AKIAABCDEFGHIJKLMNOP now", "use *** now"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text, left):
    assert hide_secrets(text, {}) == left


def test_a_command_keeps_what_follows_a_secret():
    command = "sweep run a.yaml --set options.token=abc --db postgresql://me:pw@host/x --slots 2"
    assert hide_secrets_of_command(command, {"X_TOKEN": "slots-are-no-secret"}) == (
        "sweep run a.yaml --set options.token= *** --db postgresql://host/x --slots 2"
    )
