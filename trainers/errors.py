"""What can go wrong inside `trainers`, as a caller sees it.

TrainerError
├── UnknownNameError       a name that no table has (also a ValueError, so that pydantic
│                          places it where it stands in the config)
├── DatasetMissingError    the files of a dataset are nowhere to be found
└── CheckpointError        stored weights are missing or damaged
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TrainerError(Exception):
    """Base of all errors that `trainers` raises on purpose."""


class UnknownNameError(TrainerError, ValueError):
    """A name that no table has; the message lists the valid names, the nearest first."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        super().__init__(f"unknown {kind} {name!r}{hint} (known: {', '.join(names)})")
        self.name = name
        self.known = names


class DatasetMissingError(TrainerError):
    """The files of a dataset are not on this machine and cannot be fetched."""


class CheckpointError(TrainerError):
    """Stored weights are missing, damaged, or belong to another run."""
