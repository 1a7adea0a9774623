"""A process that keeps what it frees takes no page twice."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
import torch
from trainers.training.malloc import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        # Larger than the 32 MiB that glibc keeps by itself at most.
        torch.ones(9 * 2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
print(faults())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
@pytest.mark.slow
@pytest.mark.long
def test_freed_memory_is_reused() -> None:
    taken = {
        how: int(
            subprocess.run(
                [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True
            ).stdout
        )
        for how in ("kept", "given back")
    }
    assert taken["kept"] * 5 < taken["given back"]
