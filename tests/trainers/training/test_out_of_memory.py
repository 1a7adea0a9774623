"""A lack of memory is told from every other failure, by the errors that torch really raises."""

from __future__ import annotations

import errno
import subprocess
import sys
import textwrap
from collections.abc import Callable

import numpy as np
import pytest
import torch

from trainers.errors import StorageFullError
from trainers.training.out_of_memory import is_out_of_memory

ABSURD = 2**58
"""Bytes; more than any machine has."""


def raised_by_torch() -> BaseException:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(ABSURD, dtype=torch.uint8)
    return caught.value


def raised_by_numpy() -> BaseException:
    with pytest.raises(MemoryError) as caught:
        np.empty(ABSURD, dtype=np.uint8)
    return caught.value


def raised_by_python() -> BaseException:
    with pytest.raises(MemoryError) as caught:
        bytes(ABSURD)
    return caught.value


@pytest.mark.parametrize("error", [raised_by_torch(), raised_by_numpy(), raised_by_python()])
def test_a_failed_allocation_counts_as_out_of_memory(error: BaseException) -> None:
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        torch.cuda.OutOfMemoryError("HIP out of memory"),
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
        RuntimeError(
            "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"
        ),
        RuntimeError("cusolver error: CUSOLVER_STATUS_ALLOC_FAILED, when calling ..."),
    ],
    ids=str,
)
def test_device_memory_errors_count_as_out_of_memory(error: BaseException) -> None:
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasSgemm(...)`"),
        RuntimeError("CUDA error: device-side assert triggered"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)"),
        ValueError("out of memory"),
        KeyError("ALLOC_FAILED"),
        OSError(errno.ENOSPC, "No space left on device"),
        StorageFullError("/disk/checkpoint-1.pt cannot be written: No space left on device"),
        KeyboardInterrupt(),
    ],
    ids=str,
)
def test_other_failures_do_not_count_as_out_of_memory(error: BaseException) -> None:
    assert not is_out_of_memory(error)


def raised_by(act: Callable[[], None]) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011 (any)
        act()
    return caught.value


def test_an_error_caused_by_out_of_memory_counts_too() -> None:
    def explain() -> None:
        try:
            raise torch.OutOfMemoryError("CUDA out of memory")
        except torch.OutOfMemoryError as cause:
            raise RuntimeError("epoch 3 failed") from cause

    assert is_out_of_memory(raised_by(explain))


def test_an_error_while_handling_out_of_memory_does_not_count() -> None:
    def stumble() -> None:
        try:
            raise MemoryError
        except MemoryError:
            raise KeyError("typo")  # noqa: B904

    assert not is_out_of_memory(raised_by(stumble))


def test_is_out_of_memory_does_not_import_torch() -> None:
    code = """
        import sys
        from trainers.training.out_of_memory import is_out_of_memory
        assert is_out_of_memory(MemoryError())
        assert not is_out_of_memory(RuntimeError("other"))
        assert "torch" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, timeout=60)
