"""TF32 on a GPU that is not there: what is set while a run computes, and who is refused."""

from __future__ import annotations

import pytest
import torch

from trainers.errors import TrainerError
from trainers.evaluation.precision import autocast, computing_in

GPU = torch.device("cuda")


def allowed() -> tuple[bool, bool]:
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


@pytest.fixture(autouse=True)
def _ampere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: (8, 0))


@pytest.mark.parametrize(
    ("precision", "expected"),
    [("fp32", (False, True)), ("ieee_fp32", (False, False)), ("tf32", (True, True)),
     ("bf16", (False, True))],
)  # fmt: skip
def test_tf32_is_allowed_where_it_is_said(precision: str, expected: tuple[bool, bool]) -> None:
    assert allowed() == (False, True)  # torch's defaults
    with computing_in(GPU, precision):
        assert allowed() == expected
    with pytest.raises(KeyError), computing_in(GPU, precision):
        raise KeyError
    assert allowed() == (False, True)


def test_an_older_gpu_has_no_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: (7, 5))
    monkeypatch.setattr("torch.cuda.get_device_name", lambda device: "Tesla T4")
    with (
        pytest.raises(TrainerError, match="Ampere generation or later, and this is a Tesla T4"),
        computing_in(GPU, "tf32"),
    ):
        pytest.fail("computes")


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_cpu_computes_in_what_is_said(precision: str) -> None:
    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    cpu = torch.device("cpu")
    with computing_in(cpu, precision), autocast(cpu, precision):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtypes[precision]
