"""What is refused among the arguments of a command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sweeper.cli import app

SWEEP = str(Path(sys.executable).parent / "sweep")
URL = "postgresql://me:hunter2@127.0.0.1:1/lab"

WITH_PASSWORD = [
    ["status", "--db", URL],
    ["status", f"--db={URL}", "s"],
    ["status", "--db", "sqlite:///a.db", "--db", URL],
    ["run", "a.yaml", "--db", "postgresql://me@127.0.0.1:1/lab?password=hunter2"],
    ["db", "upgrade", "--db", "postgres://me@127.0.0.1:1/lab?sslpassword=hunter2"],
]


@pytest.mark.parametrize("arguments", WITH_PASSWORD, ids=" ".join)
def test_a_password_in_the_arguments_is_refused(arguments, tmp_path):
    done = subprocess.run(
        [SWEEP, *arguments],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "SWEEP_DB"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    for way_out in ("SWEEP_DB", "~/.pgpass", "PGPASSWORD"):
        assert way_out in done.stderr
    assert "hunter2" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "variable", "code", "said"),
    [
        # The environment is for the same user only.
        (["status"], URL, 3, "postgresql://me@127.0.0.1:1/lab"),
        (["status", "--db", "postgresql://me@127.0.0.1:1/lab"], URL, 3, "me@127.0.0.1:1/lab"),
        (["status", "--db", "sqlite:///a@b:c.db"], URL, 3, "a@b:c.db"),
        (["status", "--db", "sqlite:///me:hunter2@host/a.db"], URL, 2, "looks like a password"),
        (["status", "--db", "sqlite:///a.db%3Ftoken=hunter2"], URL, 2, "looks like a password"),
        (["show", "--", "--db"], URL, 3, "me@127.0.0.1:1/lab"),
        (["status", "--db", "me:hunter2@ url"], URL, 2, "not a database URL"),
    ],
    ids=["variable", "no password", "SQLite", "a password", "a token", "after --", "no URL"],
)
def test_database_urls_are_never_shown_with_their_password(
    arguments, variable, code, said, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, arguments, env={"SWEEP_DB": variable})
    assert done.exit_code == code, done.output
    assert said in done.output
    assert "hunter2" not in done.output
