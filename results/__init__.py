"""The results database: what happened. Knows neither torch nor ray.

import results
lab = results.open("sqlite:///.sweep/sweep.db")
lab.runs("quickstart", where="zero_stable=true")      # a pandas DataFrame
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from results.frames import Results

__all__ = ["open"]


def open(url: str) -> Results:  # noqa: A001 - results.open(url) is what one would try first
    """Opens a results database for reading: `sqlite:///path` or `postgresql://user@host/name`.

    Raises NoDatabaseError if there is none, DatabaseError if it cannot be opened or is no sweep
    database of this version.
    """
    from results.frames import Results

    return Results.open(url)
