"""How many runs a slot is given at once."""

from __future__ import annotations

from collections import deque

BUNDLE_SECONDS = 0.25
"""Runs that are shorter go to a slot several at once: to hand one over costs a few milliseconds.

Short enough that no slot is left behind by more than this at the end of a sweep, and that a
request to stop is answered at once.
"""

_LATEST = 16
"""Runs that the next bundle's size is computed from."""


class BundleSizer:
    """Sizes bundles of runs by the measured time of runs compared with the estimated."""

    def __init__(self) -> None:
        self._ratios: deque[float] = deque(maxlen=_LATEST)

    def note(self, estimated: float, seconds: float) -> None:
        """A run took `seconds` on its slot, and was estimated to take `estimated` seconds."""
        if estimated > 0:
            self._ratios.append(seconds / estimated)

    @property
    def bundle_seconds(self) -> float:
        """Estimated seconds of work that a slot may be given at once; 0 before the first run."""
        if not self._ratios:
            return 0.0
        # By the slowest of the latest, since a bundle that takes too long cannot be called back.
        return BUNDLE_SECONDS / max(*self._ratios, 1e-9)
