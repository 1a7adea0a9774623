"""Setting torch up so that a run's bits depend on its config alone, and undoing that."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from typing import Any

from trainers.training.malloc import keep_freed_memory


def prepare_torch(threads: int) -> None:
    """Set this process up so that a run's bits depend on its config alone.

    Importing torch takes seconds, so it is not done here: whoever imports it later finds it set up.

    Args:
        threads: CPU threads of torch. Sums are split by thread, so runs that are to agree to the
            bit use the same number.
    """
    global _threads
    _threads = threads
    # Read by cuBLAS at its first use; without it some GPU matrix products vary from run to run.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    keep_freed_memory()
    if "torch" in sys.modules:
        _set_up(sys.modules["torch"])
    else:
        _set_up_once_imported()


_threads: int | None = None
_torch_before: tuple[int, int, bool, bool] | None = None


@lru_cache(maxsize=1)  # so that a worker whose runs do without torch registers it once
def _set_up_once_imported() -> None:
    from wrapt import register_post_import_hook

    register_post_import_hook(_set_up, "torch")


def _set_up(torch: Any) -> None:
    global _torch_before
    if _threads is None:
        return  # given back before it was imported
    deterministic = torch.utils.deterministic
    if _torch_before is None:
        _torch_before = (
            torch.get_num_threads(),
            torch.get_deterministic_debug_mode(),
            deterministic.fill_uninitialized_memory,
            torch.backends.cudnn.benchmark,
        )
    torch.set_num_threads(_threads)
    # As torch.use_deterministic_algorithms(True), which also imports the compiler: more than a
    # second at the start of each worker.
    torch.set_deterministic_debug_mode("error")
    # Filling new memory protects code that reads before it writes; this code does not.
    deterministic.fill_uninitialized_memory = False
    torch.backends.cudnn.benchmark = False


def give_torch_back() -> None:
    """Undo what `prepare_torch` did to torch, for a process that does other things as well."""
    global _threads, _torch_before
    _threads = None
    if _torch_before is not None:
        torch = sys.modules["torch"]
        threads, mode, fill, torch.backends.cudnn.benchmark = _torch_before
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(mode)
        torch.utils.deterministic.fill_uninitialized_memory = fill
        _torch_before = None
