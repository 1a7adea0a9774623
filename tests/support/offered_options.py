"""Which options a program offers, by its own account."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path


@cache
def offered_options(*command: str) -> set[str]:
    """The long options in the help of `sweep run`, `ray start`, ..."""
    program, *rest = command
    done = subprocess.run(
        [Path(sys.executable).parent / program, *rest, "--help"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return set(re.findall(r"--[a-z][a-z-]*", done.stdout))


def options_in(words: list[str]) -> set[str]:
    """The long options that a command line uses."""
    return {word.split("=")[0] for word in words if word.startswith("--")}
