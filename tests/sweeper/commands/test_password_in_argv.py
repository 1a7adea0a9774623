from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.commands.password_in_argv import without_database_url

SWEEP = str(Path(sys.executable).parent / "sweep")
URL = "postgresql://me:hunter2@127.0.0.1:1/lab"


@pytest.mark.parametrize(
    ("arguments", "url", "rest"),
    [
        (["status", "--db", URL], URL, ["status"]),
        (["status", f"--db={URL}", "s"], URL, ["status", "s"]),
        (["status", "--db", "sqlite:///a.db", "--db", URL], URL, ["status"]),
        (["status", "--db", "sqlite:///a.db"], None, ["status", "--db", "sqlite:///a.db"]),
        (["status"], None, ["status"]),
        (["status", "--db"], None, ["status", "--db"]),
        (["show", "--", "--db", URL], None, ["show", "--", "--db", URL]),
        (["status", "--db", "no:p@ss url"], "no:p@ss url", ["status"]),
    ],
)
def test_only_a_url_that_may_hold_a_password_is_taken_out(arguments, url, rest):
    assert without_database_url(arguments) == (url, rest)


@given(
    st.lists(st.sampled_from(["run", "a.yaml", "--set", "seed=1", "--format", "json"])), st.data()
)
def test_nothing_else_changes(words, data):
    place = data.draw(st.integers(0, len(words)))
    given_words = [*words[:place], "--db", URL, *words[place:]]
    assert without_database_url(given_words) == (URL, words)


def test_the_process_list_does_not_show_a_password(tmp_path):
    pipe = tmp_path / "pipe"
    subprocess.run(["mkfifo", pipe], check=True)
    # The program waits at the pipe until somebody writes its spec.
    process = subprocess.Popen(
        [SWEEP, "plan", pipe, "--db", URL, "--home", tmp_path],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            seen = Path(f"/proc/{process.pid}/cmdline").read_text().split("\0")
            if "plan" in seen and "--db" not in seen:
                break
            time.sleep(0.02)
        assert "--db" not in seen
        assert "hunter2" not in " ".join(seen)
        assert "--home" in seen
        pipe.write_text("name: s\nmodel: zerosnet\ndataset: digits\ndepth: 20\n")
        said = process.communicate(timeout=60)[1]
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 3
    assert "postgresql://me@127.0.0.1:1/lab" in said
    assert "hunter2" not in said
    assert "Traceback" not in said
