"""How the C library hands out memory to training."""

from __future__ import annotations

import ctypes
import sys
from functools import lru_cache

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_MOST_BYTES = 2**31 - 1


@lru_cache(maxsize=1)
def keep_freed_memory() -> None:
    """Keep freed memory in this process, for its next tensors.

    A training step allocates and frees the same hundred tensors of some megabytes. glibc would
    give each back to the kernel and fetch it again, page by page and cleared
    (docs/performance.md has what that costs). Does nothing where the C library is another one.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        mallopt(_M_TRIM_THRESHOLD, _MOST_BYTES)
