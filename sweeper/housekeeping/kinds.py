"""What a file in the folder of a run's attempt is, and when nobody needs it any more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from sweeper.logs.files import is_of_log
from trainers.own.files import STORED
from trainers.own.scratch import SCRATCH
from trainers.result_file import RESULT_FILE
from trainers.training.checkpoint import WEIGHTS_FILE

Reason = Literal["checkpoints of a done run", "an attempt that lost", "of a run in no sweep"]

DONE: Final[Reason] = "checkpoints of a done run"
LOST: Final[Reason] = "an attempt that lost"
IN_NO_SWEEP: Final[Reason] = "of a run in no sweep"


OTHER: Final = "other"


@dataclass(frozen=True)
class Kind:
    """Files of one kind.

    Attributes:
        name: of a column of `sweep du`.
        holds: whether a file is one, by its path in the attempt's folder.
        goes: for what reasons it is garbage.
    """

    name: str
    holds: Callable[[str], bool]
    goes: frozenset[Reason]


def _begins(start: str) -> Callable[[str], bool]:
    """Files of such a name; one that was left half written counts as what it was to be."""
    return lambda path: path.removeprefix(".").startswith(start)


def _is_of_files(path: str) -> bool:
    return path.startswith(f"{SCRATCH}/") or _begins(STORED)(path)


KINDS: Final = (
    Kind("checkpoints", _begins("checkpoint-"), frozenset({DONE, LOST, IN_NO_SWEEP})),
    Kind("weights", _begins(WEIGHTS_FILE), frozenset({LOST, IN_NO_SWEEP})),
    Kind("results", _begins(RESULT_FILE), frozenset({LOST})),
    Kind("files", _is_of_files, frozenset({LOST})),
    Kind("logs", is_of_log, frozenset()),
    Kind(OTHER, lambda path: True, frozenset({LOST})),
)
"""The first that holds a file is its kind."""


def kind_of(path: str) -> Kind:
    """Of a file, by its path in the folder of its attempt."""
    return next(kind for kind in KINDS if kind.holds(path))
