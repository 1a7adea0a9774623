"""What a command says where its filters keep no run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sweeper.commands.output import say

if TYPE_CHECKING:
    from results.queries.queries import Queries


def say_unmatched(queries: Queries, sweeps: Sequence[str], where: Sequence[str]) -> None:
    """Which filters no run passes, and what runs have instead."""
    if where:
        from results.analysis.unmatched import unmatched

        for sentence in unmatched(queries, sweeps, where):
            say(sentence)
