from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from results.records import CostSample
from sweeper.errors import RequestError
from sweeper.planning.devices import GPUS, USUAL_GPU
from sweeper.planning.gpu_models import choose_gpu, models_here


def sample(name: str | None, runs: int, device: str = "cuda") -> CostSample:
    known: dict[str, Any] = dict.fromkeys(CostSample.__dataclass_fields__)
    return CostSample(**known | {"device": device, "device_name": name, "runs": runs})


def test_the_gpu_that_is_asked_for_comes_first_then_what_is_there_then_what_has_trained() -> None:
    samples = [sample("Tesla T4", 3), sample("NVIDIA L4", 2), sample("x86_64", 9, "cpu")]
    found = choose_gpu("A100", ["NVIDIA H200"], samples)
    assert (found.device, found.certain) == (GPUS["A100"], True)
    found = choose_gpu(None, ["NVIDIA H200"], samples)
    assert (found.device, found.certain) == (GPUS["H200"], True)
    found = choose_gpu(None, [], samples)
    assert (found.device, found.certain) == (GPUS["T4"], False)
    found = choose_gpu(None)
    assert (found.device, found.certain) == (USUAL_GPU, False)
    with pytest.raises(RequestError, match="nothing is known of the device 'H300'"):
        choose_gpu("H300", ["NVIDIA H200"], samples)
    with pytest.raises(RequestError, match="did you mean 'RTX 2080 Ti'"):
        choose_gpu("2080ti")


def test_a_gpu_that_no_table_has_is_taken_for_the_usual_one_but_for_its_memory() -> None:
    found = choose_gpu(None, ["NVIDIA TITAN RTX"])
    assert found.device.name == "NVIDIA TITAN RTX"
    assert (found.device.fp32, found.device.memory) == (USUAL_GPU.fp32, None)


def test_no_run_is_too_large_for_gpus_of_which_one_is_unknown() -> None:
    found = choose_gpu(None, ["NVIDIA H200", "NVIDIA TITAN RTX", "Tesla T4"])
    assert found.largest.memory is None
    found = choose_gpu(None, ["NVIDIA H200", "Tesla T4"])
    assert (found.device, found.largest) == (GPUS["T4"], GPUS["H200"])


def test_models_are_read_from_the_driver(tmp_path: Path) -> None:
    for number, model in enumerate(["NVIDIA H200", "Tesla T4"]):
        (tmp_path / str(number)).mkdir()
        text = f"Model: \t\t {model}\nIRQ:   \t\t 41\n"
        (tmp_path / str(number) / "information").write_text(text)
    assert models_here(tmp_path) == ["NVIDIA H200", "Tesla T4"]
    assert models_here(tmp_path / "none") == []
