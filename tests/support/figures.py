"""What a test of faults measures: one line each, which becomes a row of docs/reliability.md."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any, Protocol

Times = Callable[[int, int], int]
"""How often to do something: `times(quick, full)`."""


class Figure(Protocol):
    """Notes what was measured: how often something was `done`, of how often it was tried."""

    def __call__(
        self, name: str, *, database: str, trainer: str, done: int, of: int, **measures: Any
    ) -> None: ...


def note(name: str, *, database: str, trainer: str, done: int, of: int, **measures: Any) -> None:
    """Prints it, and appends it to the file that SWEEP_FAULTS_FIGURES names, if it names one."""
    counted = {"name": name, "database": database, "trainer": trainer, "done": done, "of": of}
    line = json.dumps(counted | measures)
    print(line)
    if path := os.environ.get("SWEEP_FAULTS_FIGURES"):
        with open(path, "a") as file:
            file.write(line + "\n")
