"""Compiled graphs: the same bits wherever they come from, and one graph for many runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from trainers.config.run import RunConfig
from trainers.errors import TrainerError, TrainingStopped
from trainers.optim.compilation import CompiledNetwork, _turn, compiled
from trainers.run import evaluate_stored, prepare, run
from trainers.storage import open_folder
from trainers.training.building import build_network
from trainers.training.checkpoint import load_weights

Small = Callable[..., dict[str, Any]]

NO_DATA = Path("/nonexistent")  # the digits need no folder
NOISE = [{"noise": "gaussian", "std": 0.3}]

pytestmark = [
    pytest.mark.compile,
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler"),
    # torch's compiler warns of its own deprecated parts.
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module", autouse=True)
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty folder for graphs, so that the first one is made here."""
    folder = tmp_path_factory.mktemp("graphs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", str(folder))
        yield folder


def train(config: dict[str, Any], **more: Any) -> dict[str, Any]:
    return run({**config, "compile": True}, NOISE, data_dir=NO_DATA, **more)


def numbers(result: dict[str, Any]) -> tuple[Any, ...]:
    losses = [(epoch["train_loss"], epoch["test_loss"]) for epoch in result["epochs"]]
    return result["weights_sha256"], losses, result["evaluations"]


@pytest.fixture(scope="module")
def trained(small: Small, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """A compiled run and its folder."""
    from torch._dynamo.utils import counters

    counters.clear()  # other tests of this process may have made graphs
    root = tmp_path_factory.mktemp("trained")
    return train(small(), folder=open_folder(root)), root


def test_probes_on_a_compiled_network_change_no_bit(
    small: Small, trained: tuple[dict[str, Any], Path]
) -> None:
    probes = ["principal_angles", "condition_numbers", "feature_norms", "runtime"]
    probed = train(small(probes=probes))
    assert numbers(probed) == numbers(trained[0])
    assert {row["probe"] for row in probed["probes"]} == set(probes)
    assert None not in [row["value"] for row in probed["probes"] if row["probe"] == "runtime"]


def graphs_made() -> int:
    from torch._dynamo.utils import counters

    return int(counters["stats"]["unique_graphs"])


def test_runs_of_other_seeds_and_schemes_reuse_compiled_graphs(
    small: Small, trained: tuple[dict[str, Any], Path]
) -> None:
    made = graphs_made()
    assert made == 2  # to train, to evaluate
    results = [
        train(small(seed=seed, scheme=scheme))
        for seed, scheme in enumerate(
            [{"lambda": 10}, {"lambda": -0.5}, {"alpha": [1, 1, 1], "beta": 2}]
        )
    ]
    assert graphs_made() == made
    hashes = {result["weights_sha256"] for result in [*results, trained[0]]}
    assert len(hashes) == 4


def test_an_interrupted_compiled_run_is_bit_identical(
    small: Small, trained: tuple[dict[str, Any], Path], tmp_path: Path
) -> None:
    def stop(metrics: Any) -> None:
        raise TrainingStopped

    first, second = (open_folder(tmp_path).child(name) for name in "12")
    with pytest.raises(TrainingStopped):
        train(small(), folder=first, on_epoch=stop)
    assert numbers(train(small(), folder=second, earlier=[first])) == numbers(trained[0])


def test_a_compiled_run_of_another_recipe_reuses_the_graphs_and_goes_on_to_the_same_bits(
    small: Small, trained: tuple[dict[str, Any], Path], tmp_path: Path
) -> None:
    recipe = {
        "epochs": 2,
        "batch_size": 64,
        "optimizer": {"name": "adamw", "decay_norms_and_biases": False},
        "lr_schedule": {"name": "plateau", "warmup_epochs": 1, "by": "step"},
        "accumulation": 2,
        "clip_norm": 1,
        "label_smoothing": 0.1,
        "mixup": 0.4,
        "ema_decay": 0.9,
    }
    config = small(training=recipe)
    made = graphs_made()
    whole = train(config)
    assert graphs_made() == made  # averaged weights go through those of the others
    plain = run(config, NOISE, data_dir=NO_DATA)
    assert whole["epochs"][0]["train_loss"] == pytest.approx(
        plain["epochs"][0]["train_loss"], rel=1e-2
    )

    def stop(metrics: Any) -> None:
        raise TrainingStopped

    first, second = (open_folder(tmp_path).child(name) for name in "12")
    with pytest.raises(TrainingStopped):
        train(config, folder=first, on_epoch=stop)
    assert numbers(train(config, folder=second, earlier=[first])) == numbers(whole)


def test_another_process_reuses_cached_graphs_bit_identically(
    small: Small, trained: tuple[dict[str, Any], Path], tmp_path: Path
) -> None:
    made = _in_a_process(small(), tmp_path)
    assert made.returncode == 0, made.stderr
    assert numbers(json.loads(made.stdout)) == numbers(trained[0])


def _in_a_process(
    config: dict[str, Any], tmp_path: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    (tmp_path / "config.json").write_text(json.dumps({**config, "compile": True}))
    (tmp_path / "noise.json").write_text(json.dumps(NOISE))
    return subprocess.run(
        [sys.executable, "-m", "trainers", "config.json", "--evaluations", "noise.json"],
        cwd=tmp_path, env={**os.environ, **variables}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_compiled_runs_stored_weights_evaluate_the_same(
    small: Small, trained: tuple[dict[str, Any], Path]
) -> None:
    result, root = trained
    again = evaluate_stored(
        {**small(), "compile": True}, NOISE, data_dir=NO_DATA, folders=[open_folder(root)]
    )
    assert again == result["evaluations"]


def test_a_compiled_network_computes_what_the_network_computes(
    small: Small, trained: tuple[dict[str, Any], Path]
) -> None:
    config = RunConfig.model_validate({**small(), "compile": True})
    network = build_network(config, "cpu")
    network.load_state_dict(load_weights([open_folder(trained[1])], config.run_id).weights)
    passes = compiled(network, config, torch.device("cpu"))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    generator = torch.Generator().manual_seed(0)
    for mode, whole in ((True, 64), (False, 125)):
        passes.train(mode)
        for count in (whole, whole - 1):
            images = torch.randn(count, 1, 8, 8, generator=generator)
            images = images.contiguous(memory_format=torch.channels_last)
            # As the trainer calls them: these graphs are there already.
            with torch.set_grad_enabled(mode):
                network.load_state_dict(before)
                found = passes(images)
                network.load_state_dict(before)
                torch.testing.assert_close(found, network(images), rtol=1e-4, atol=1e-4)


def test_everything_that_is_kept_for_the_next_run_is_in_the_folder_for_graphs(
    trained: tuple[dict[str, Any], Path], graphs: Path
) -> None:
    assert list(graphs.glob("precompiled_headers/*.gch"))
    assert all(lock.stat().st_mode & 0o077 == 0 for lock in graphs.glob("sweep-*.lock"))
    assert list(graphs.glob("sweep-*.lock"))


def test_compiling_does_not_change_the_network(small: Small) -> None:
    config = RunConfig.model_validate({**small(seed=5), "compile": True})
    network, untouched = (build_network(config, "cpu") for _ in range(2))
    compiled(network, config, torch.device("cpu"))
    for name, value in network.state_dict().items():
        assert torch.equal(value, untouched.state_dict()[name]), name
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_compiled_run_has_another_id_and_nearly_equal_results(
    small: Small, trained: tuple[dict[str, Any], Path]
) -> None:
    plain = run(small(), NOISE, data_dir=NO_DATA)
    result = trained[0]
    assert result["run_id"] != plain["run_id"]
    assert result["weights_sha256"] != plain["weights_sha256"]
    assert result["epochs"][0]["train_loss"] == pytest.approx(
        plain["epochs"][0]["train_loss"], rel=1e-3
    )


def test_compiling_without_a_c_compiler_says_what_is_missing(small: Small, tmp_path: Path) -> None:
    said = _in_a_process(
        small(), tmp_path, CXX="/nonexistent/g++", TORCHINDUCTOR_CACHE_DIR=str(tmp_path / "new")
    )
    assert said.returncode == 2
    assert "Traceback" not in said.stderr
    assert "the network cannot be compiled on this machine" in said.stderr
    assert "compile: false" in said.stderr


def test_a_missing_compiler_is_found_before_any_run() -> None:
    import torch._inductor.config

    with (
        torch._inductor.config.patch({"cpp.cxx": ("/nonexistent/g++",)}),
        pytest.raises(TrainerError, match="cannot be compiled on this machine: No working C"),
    ):
        prepare((), compiles=True)
    prepare((), compiles=True)


def test_a_network_with_graph_breaks_is_an_error(small: Small) -> None:
    class Branches(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.classifier = torch.nn.Linear(64, 10)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            flat = images.flatten(1)
            logits: torch.Tensor = self.classifier(flat if flat.sum().item() > 0 else -flat)
            return logits

    config = RunConfig.model_validate({**small(), "compile": True})
    with pytest.raises(TrainerError, match="cannot be compiled"):
        compiled(Branches(), config, torch.device("cpu"))


def test_only_one_process_at_a_time_compiles() -> None:
    order: list[str] = []
    waited = threading.Event()
    entered = threading.Event()

    def second() -> None:
        with _turn("the same", waited.set):
            order.append("second")

    with _turn("the same", None):
        thread = threading.Thread(target=second)
        thread.start()
        assert waited.wait(30)
        with _turn("another", entered.set):
            order.append("another")
        order.append("first")
    thread.join()
    assert order == ["another", "first", "second"]
    assert not entered.is_set()
    # Once it is made, no process waits for another.
    with _turn("the same", entered.set), _turn("the same", entered.set):
        assert not entered.is_set()


def test_a_failed_compilation_lets_the_next_process_try() -> None:
    with pytest.raises(RuntimeError, match="failed"), _turn("fails", None):
        raise RuntimeError("failed")
    with _turn("fails", lambda: pytest.fail("waits for no process")):
        pass


def test_a_compiled_network_sets_the_mode_of_its_network(small: Small) -> None:
    config = RunConfig.model_validate(small())
    network = build_network(config, "cpu")
    passes = CompiledNetwork(network, training_batch=64, evaluation_batch=125)
    for mode in (False, True):
        passes.train(mode)
        assert all(module.training is mode for module in network.modules())
