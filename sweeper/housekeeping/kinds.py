"""What a file in the folder of a run's attempt is."""

from __future__ import annotations

from typing import Final, Literal

from sweeper.logs.files import is_of_log
from trainers.run import RESULT_FILE
from trainers.training.checkpoint import WEIGHTS_FILE

Kind = Literal["checkpoints", "weights", "results", "logs", "other"]

KINDS: Final[tuple[Kind, ...]] = ("checkpoints", "weights", "results", "logs", "other")


def kind_of(name: str) -> Kind:
    """By its name; one that was left half written counts as what it was to be."""
    plain = name.removeprefix(".")
    if plain.startswith("checkpoint-"):
        return "checkpoints"
    if plain.startswith(WEIGHTS_FILE):
        return "weights"
    if plain.startswith(RESULT_FILE):
        return "results"
    return "logs" if is_of_log(name) else "other"
