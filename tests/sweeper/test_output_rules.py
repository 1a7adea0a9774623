"""Nothing is written but by what makes control characters visible."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]

WRITERS = {
    "sweeper/commands/output.py",  # all that commands say
    "sweeper/commands/watching.py",  # in place, each line made visible
    "sweeper/scheduling/progress.py",
    "sweeper/logs/capture.py",  # which gives them to runs
    "sweeper/process_end.py",  # which flushes them
    "trainers/process_state.py",  # flushes those of a fork, which it ends
    "trainers/command.py",  # python -m trainers
    "trainers/streams.py",  # the streams themselves
}


def writes(path: Path) -> Iterator[int]:
    """Lines that print, or that take a stream of the process."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id == "print":
                yield node.lineno
        elif isinstance(node, ast.Attribute) and node.attr in ("stdout", "stderr"):
            if isinstance(node.value, ast.Name) and node.value.id == "sys":
                yield node.lineno
        elif isinstance(node, ast.Attribute) and node.attr == "echo":
            yield node.lineno


def test_only_a_few_modules_write_to_the_terminal() -> None:
    found = set()
    for package in ("results", "sweep_plugins", "sweeper", "trainers"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if list(writes(path)):
                found.add(str(path.relative_to(ROOT)))
    assert found == WRITERS
