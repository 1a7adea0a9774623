"""How an error says which of several processes it is of, and how that is read again."""

from __future__ import annotations

import re

_SAID = re.compile(r"(?:^|: )rank (0|[1-9]\d{0,5}) of \d+: ")


def of_rank(rank: int, processes: int, error: str) -> str:
    """The error of one of so many processes."""
    return f"rank {rank} of {processes}: {error}"


def rank_of(error: str | None) -> int:
    """Of which process an error is; 0 if it does not say."""
    found = _SAID.search(error or "")
    return int(found[1]) if found else 0
