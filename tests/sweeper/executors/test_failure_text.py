"""What is stored of an exception."""

from __future__ import annotations

import pytest

from sweeper.executors.failure_text import described, traceback_of


def test_it_says_no_password_of_the_environment_nor_of_a_url(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "abcdef123456")
    said = "no login with abcdef123456 at https://me:secret@host/path"
    with pytest.raises(RuntimeError) as raised:
        raise RuntimeError(said)
    assert described(raised.value) == "RuntimeError: no login with *** at https://host/path"
    found = traceback_of(raised.value)
    assert found.endswith("RuntimeError: no login with *** at https://host/path\n")
    assert "raise RuntimeError(said)" in found
