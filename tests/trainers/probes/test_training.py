"""A run with probes: the same weights, and the same values however it was interrupted."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from trainers.config.run import RunConfig
from trainers.errors import TrainerError, TrainingStopped
from trainers.probes.measuring import Probing
from trainers.probes.subject import Value
from trainers.run import run
from trainers.storage import open_folder
from trainers.training.building import build_network
from trainers.training.learned_schemes import block_schemes

Small = Callable[..., dict[str, Any]]

NO_DATA = Path("/nonexistent")  # the digits need no folder
PROBES = [
    {"probe": "principal_angles", "by_class": True, "images_per_class": 5, "every": 2},
    "condition_numbers",
    {"probe": "feature_norms", "images": 20},
    {"probe": "runtime", "batch_sizes": [16], "batches": 1},
]
LEARNED = {"scheme": {"lambda": 1, "trainable": True}}


def train(config: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    return run(config, data_dir=NO_DATA, **arguments)


def measured(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Without times, which alone may differ."""
    timed = ("seconds", "images_per_second")
    return [row for row in result["probes"] if not any(t in row["quantity"] for t in timed)]


def without_probes(result: dict[str, Any]) -> Any:
    epochs = [{**epoch, "seconds": None} for epoch in result["epochs"]]
    return result["weights_sha256"], epochs


@pytest.fixture(scope="module")
def watched(small: Small) -> dict[str, Any]:
    return train(small(probes=PROBES))


def test_probe_rows_are_unique_plain_and_ordered(small: Small, watched: dict[str, Any]) -> None:
    rows = watched["probes"]
    for row in rows:
        assert list(row) == ["probe", "quantity", "epoch", "layer", "value"]
        assert [type(row[key]) for key in ("probe", "quantity", "epoch", "layer")] == [
            str, str, int, str,
        ]  # fmt: skip
    assert len({tuple(list(row.values())[:4]) for row in rows}) == len(rows)
    assert [row["epoch"] for row in rows] == sorted(row["epoch"] for row in rows)
    epochs = {
        probe: sorted({row["epoch"] for row in rows if row["probe"] == probe})
        for probe in ("principal_angles", "condition_numbers", "feature_norms", "runtime")
    }
    assert epochs == {
        "principal_angles": [0, 2, 3],
        "condition_numbers": [0, 1, 2, 3],
        "feature_norms": [0, 1, 2, 3],
        "runtime": [3],
    }
    quantities = {row["quantity"] for row in rows if row["probe"] == "principal_angles"}
    assert len(quantities) == 2 + 10 + 45
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows


def test_probe_values_change_as_the_network_trains(watched: dict[str, Any]) -> None:
    norms = [
        row["value"]
        for row in watched["probes"]
        if (row["quantity"], row["layer"]) == ("norm", "block3")
    ]
    assert len(set(norms)) == 4


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"precision": "bf16"},
        {"model": {"name": "shake_shake", "depth": 8, "width": 4}},
        {"model": {"name": "zerosnet", "depth": 8, "width": 4, "survival": 0.5}},
        {"model": {"name": "fractalnet", "depth": 10, "columns": 2, "width": 4, "drop_path": 0.5}},
    ],
    ids=str,
)
def test_probes_change_no_bit_of_a_run(small: Small, change: dict[str, Any]) -> None:
    plain, probed = train(small(**change)), train(small(probes=PROBES, **change))
    assert without_probes(probed) == without_probes(plain)
    assert plain["probes"] == []
    assert plain["run_id"] != probed["run_id"]


@pytest.mark.parametrize("stops", [[1], [3], [1, 2]], ids=str)
def test_an_interrupted_run_has_the_probe_values_of_one_never_stopped(
    small: Small, watched: dict[str, Any], tmp_path: Path, stops: list[int]
) -> None:
    folders = []
    for attempt, epoch in enumerate(stops):

        def stop(metrics: Any, epoch: int = epoch) -> None:
            if metrics["epoch"] == epoch:
                raise TrainingStopped

        folder = open_folder(tmp_path / str(attempt))
        with pytest.raises(TrainingStopped):
            train(small(probes=PROBES), folder=folder, earlier=folders, on_epoch=stop)
        folders.append(folder)
    last = open_folder(tmp_path / "last")
    continued = train(small(probes=PROBES), folder=last, earlier=folders)
    assert continued["provenance"]["first_epoch"] == stops[-1] + 1
    assert measured(continued) == measured(watched)
    assert len(continued["probes"]) == len(watched["probes"])
    assert without_probes(continued) == without_probes(watched)


DIVERGING = {"training": {"epochs": 3, "batch_size": 64, "optimizer": {"lr": 1e30}}}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_diverged_network_has_null_probe_values(small: Small, precision: str) -> None:
    change = {**DIVERGING, **LEARNED, "model": {"name": "zerosnet", "depth": 14, "width": 4}}
    result = train(small(probes=[*PROBES, "learned_coefficients"], precision=precision, **change))
    assert result["diverged"]
    last = result["diverged_epoch"]
    assert last < 3
    rows = [row for row in result["probes"] if row["epoch"] == last]
    assert {row["epoch"] for row in result["probes"]} == set(range(last + 1))
    assert {row["probe"] for row in rows} == {
        "principal_angles", "condition_numbers", "feature_norms", "runtime", "learned_coefficients",
    }  # fmt: skip
    seconds = [row["value"] for row in rows if "seconds" in row["quantity"]]
    assert seconds == [None, None]
    assert all(row["value"] is None or math.isfinite(row["value"]) for row in rows)
    assert any(row["value"] is None for row in rows if row["probe"] == "principal_angles")


@pytest.mark.slow
def test_time_spent_in_probes_is_not_counted_for_the_epoch(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(self: Any, epoch: int, *, last: bool) -> list[Any]:
        time.sleep(0.6)
        return []

    monkeypatch.setattr(Probing, "measure", slow)
    result = train(small(probes=["feature_norms"], training={"epochs": 1, "batch_size": 64}))
    started, finished = (result["provenance"][key] for key in ("started_at", "finished_at"))
    assert finished - started - result["train_seconds"] > 1.2


def test_probes_call_the_heartbeat(small: Small) -> None:
    def beats(probes: Any) -> int:
        count = 0

        def heartbeat() -> None:
            nonlocal count
            count += 1

        train(small(probes=probes, training={"epochs": 1, "batch_size": 64}), heartbeat=heartbeat)
        return count

    plain = beats(None)
    # Twice (epochs 0 and 1): a batch of images, or 12 convolutions; and once for the set-up.
    assert beats([{"probe": "feature_norms", "images": 20}]) == plain + 2 + 1
    assert beats(["condition_numbers"]) >= plain + 2 * 12 + 1
    assert beats([{"probe": "runtime", "batches": 3}]) == plain + 2 * 4 + 1
    assert beats([{"probe": "principal_angles"}]) >= plain + 2 * (1 + 4)


def test_a_probe_reporting_a_value_twice_is_refused(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "trainers.probes.feature_norms.meter",
        lambda config, subject: lambda epoch: [Value("norm", "stem", 1.0)] * 2,
    )
    with pytest.raises(TrainerError, match="feature_norms measured a quantity of one layer twice"):
        train(small(probes=["feature_norms"]))


def test_blocks_have_the_roots_of_their_learned_coefficients(small: Small) -> None:
    model = {"name": "zerosnet", "depth": 20, "width": 4}
    result = train(small(model=model, probes=["learned_coefficients"], **LEARNED))
    blocks = result["blocks"]
    assert [block["block"] for block in blocks] == [3, 4, 5, 6, 7, 8, 9]  # after two start blocks
    assert [[*b["alpha"], b["beta"]] for b in blocks] == result["learned_coefficients"]
    last = {
        (row["layer"], row["quantity"]): row["value"]
        for row in result["probes"]
        if row["epoch"] == 3
    }
    for block in blocks:
        layer = f"block{block['block']}"
        assert last[layer, "beta"] == block["beta"]
        assert [last[layer, f"alpha_{i}"] for i in range(3)] == block["alpha"]
        # lambda near 1 is inside Theorem 2's region, and eq. 10 is consistent by construction.
        assert (block["max_root_modulus"], block["zero_stable"]) == (1.0, True)
        assert (block["consistent"], block["order"]) == (True, 2)
        roots = sorted(abs(torch.tensor(block["root_moduli"])).tolist(), reverse=True)
        assert block["root_moduli"] == pytest.approx(roots)
        companion = torch.diag(torch.ones(2), -1).double()
        companion[0] = torch.tensor(block["alpha"])
        expected = torch.linalg.eigvals(companion).abs().sort(descending=True).values
        assert block["root_moduli"] == pytest.approx(expected.tolist(), abs=1e-5)


def learning(scheme: dict[str, Any], name: str = "zerosnet") -> Any:
    model = {"name": name, "depth": 14, "width": 4}
    config = RunConfig.model_validate(
        {"model": model, "scheme": scheme, "dataset": "digits", "seed": 0}
    )
    return build_network(config, "cpu")


def test_a_learned_k_keeps_its_root_at_1_despite_float32_rounding() -> None:
    network = learning({"k": [-0.1, 0], "trainable": True}, "lm_resnet")
    for block in block_schemes(network) or ():
        assert block["root_moduli"] == pytest.approx([1, abs(block["alpha"][1])])
        assert block["max_root_modulus"] == 1.0
        assert block["zero_stable"] is True


def test_freely_learned_coefficients_are_analysed_unchanged() -> None:
    network = learning({"alpha": [1, 0.5], "beta": 1, "trainable": True})
    blocks = block_schemes(network) or []
    assert {block["zero_stable"] for block in blocks} == {False}
    assert blocks[0]["max_root_modulus"] == pytest.approx((1 + 3**0.5) / 2)
    assert {(block["consistent"], block["order"]) for block in blocks} == {(False, -1)}


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_non_finite_coefficients_have_no_roots(bad: float) -> None:
    network = learning({"alpha": [1, 0.5], "beta": 1, "trainable": True})
    with torch.no_grad():
        network.blocks[1].coefficients.values[1] = bad
    (found,) = [block for block in block_schemes(network) or () if block["block"] == 2]
    assert found == {
        "block": 2, "alpha": [1.0, None], "beta": 1.0, "root_moduli": None,
        "max_root_modulus": None, "zero_stable": None, "consistent": None, "order": None,
    }  # fmt: skip


def test_coefficients_near_the_float32_maximum_have_roots() -> None:
    network = learning({"alpha": [1, 0.5], "beta": 1, "trainable": True})
    with torch.no_grad():
        network.blocks[1].coefficients.values.fill_(3e38)
    found = (block_schemes(network) or [])[0]
    assert found["max_root_modulus"] == pytest.approx(3e38, rel=1e-3)
    assert found["zero_stable"] is False


def test_a_network_without_learned_scheme_has_no_blocks(
    small: Small, watched: dict[str, Any]
) -> None:
    assert watched["blocks"] is None
    newton = {"name": "newton_resnet", "blocks": [1, 1], "width": 4}
    assert train(small(model=newton))["blocks"] is None
    assert block_schemes(torch.nn.Linear(1, 1)) is None
