"""Telling out-of-memory errors from all others."""

from __future__ import annotations

import errno
import re
import sys

_MESSAGE = re.compile(
    r"out of memory"  # devices, where the error has no class of its own
    r"|can't allocate memory|not enough memory"  # torch's allocator for the CPU
    r"|alloc(ation)?[_ ]failed"  # cuBLAS, cuDNN, cuSOLVER, cuSPARSE, cuFFT
    # What cuBLAS says if there is no memory for its own workspace.
    r"|CUBLAS_STATUS_NOT_INITIALIZED when calling .cublasCreate",
    re.IGNORECASE,
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the device or the machine was out of memory: a larger resource multiplier may help.

    An error that was raised from one of those counts too.
    """
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:  # one may be its own cause
        if _says_so(cause):
            return True
        seen.add(id(cause))
        cause = cause.__cause__
    return False


def _says_so(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    # An error of torch can only be here if torch is.
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and _MESSAGE.search(str(error)) is not None
