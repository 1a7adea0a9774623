"""`sweep` as a user types it, in a process of its own or in this one."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

from typer.testing import CliRunner, Result

from sweeper.cli import app

PROGRAM = str(Path(sys.executable).with_name("sweep"))


def sweep(*arguments: str, folder: Path | None = None, **environment: str) -> Result:
    """In this process; an error that is no message for the user is raised.

    Args:
        folder: the current folder.
        environment: variables in addition to those of this process.
    """
    with chdir(folder or Path.cwd()):
        said = CliRunner().invoke(app, arguments, env=environment)
    if said.exception is not None and not isinstance(said.exception, SystemExit):
        raise said.exception
    return said


def finished_home(folder: Path, spec: str) -> Path:
    """The home, in `folder`, of a sweep that has been run to its end."""
    (folder / "s.yaml").write_text(spec)
    home = folder / "home"
    done = sweep("run", str(folder / "s.yaml"), "--executor", "inline", "--home", str(home))
    assert done.exit_code == 0, done.stderr
    return home


def sweep_process(
    *arguments: str, folder: Path | None = None, seconds: float = 240, **environment: str
) -> subprocess.CompletedProcess[str]:
    """In a process of its own: what only one shows, such as what its imports do."""
    return subprocess.run(
        [PROGRAM, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=seconds,
        env={**os.environ, **environment},
    )
