"""What Python's faulthandler writes last of a process that crashes, without what tells nobody."""

from __future__ import annotations

from collections.abc import Sequence

_BEGIN = "Fatal Python error:"
_MODULES = "Extension modules:"
_OF_THREAD = ("Current thread 0x", "Stack (most recent call first)")
_FRAME = "  File "


def last_lines_of(lines: Sequence[str], count: int) -> list[str]:
    """The last `count` of the lines of a log; of a crash the error, and where it was raised.

    Of a traceback of faulthandler, whose most recent call is first, they are the first ones.
    """
    kept = [line for line in lines if not line.startswith(_MODULES)]
    while kept and not kept[-1].strip():
        kept.pop()
    crashed = [at for at, line in enumerate(kept) if line.startswith(_BEGIN)]
    if not crashed or len(kept) - crashed[-1] <= count:
        return kept[-count:]
    error, *after = kept[crashed[-1] :]
    thread = next((at for at, line in enumerate(after) if line.startswith(_OF_THREAD)), None)
    if thread is None:
        return kept[-count:]
    frames = []
    for line in after[thread + 1 :]:
        if not line.startswith(_FRAME):
            break
        frames.append(line)
    return [error, *frames][:count]
