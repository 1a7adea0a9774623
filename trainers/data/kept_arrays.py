"""Arrays that took long to find, kept in a file beside what they were found in."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainers.storage.regular_file import open_regular


def load_arrays(cache: Path) -> dict[str, NDArray[Any]] | None:
    """What `keep_arrays` has kept; None if it is not there, or damaged in any way.

    Each array has a checksum, which is looked at.
    """
    try:
        with open_regular(cache) as file, np.load(file, allow_pickle=False) as stored:
            return dict(stored)
    except Exception:  # whatever reading made of what is there
        return None


def keep_arrays(cache: Path, **arrays: Any) -> None:
    """Keeps arrays, where there is a place that can be written."""
    temporary = cache.with_name(f"{cache.name}.{secrets.token_hex(8)}.tmp")
    with suppress(OSError):  # of a place that cannot be written, or is full
        try:
            with temporary.open("xb") as file:
                np.savez(file, allow_pickle=False, **arrays)
            os.replace(temporary, cache)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
