"""Each probe against its definition, on networks small enough to compute it another way."""

from __future__ import annotations

import math
import pkgutil
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from small_models import SMALL_MODELS
from trainers.config.probes import PROBES, parse_probe
from trainers.config.run import RunConfig
from trainers.data.labelled_images import HeldImages
from trainers.probes.condition_numbers import layer_names
from trainers.probes.principal_angles import angles, median_angles, sample_by_class, stage_ends
from trainers.probes.subject import Subject, Value
from trainers.rng import seeded_generator
from trainers.training.building import build_network


def subject(
    model: dict[str, Any],
    *,
    images: int = 12,
    classes: int = 3,
    diverged: bool = False,
    **more: Any,
) -> Subject:
    config = RunConfig.model_validate({"model": model, "dataset": "digits", "seed": 0, **more})
    network = build_network(config, "cpu")
    draw = torch.Generator().manual_seed(1)

    def copy() -> nn.Module:
        copied = build_network(config, "cpu")
        copied.load_state_dict(network.state_dict())
        return copied

    def pixels(size: int) -> Tensor:
        return torch.randint(0, 256, (images, 1, size, size), dtype=torch.uint8, generator=draw)

    labels = torch.arange(images) % classes
    padded = pixels(8 + 2 * config.dataset.crop_padding)
    return Subject(
        config=config,
        device=torch.device("cpu"),
        network=network,
        copy=copy,
        train_count=images,
        train_images=lambda count: (padded, labels),
        test=HeldImages(pixels(8), labels),
        heartbeat=lambda: None,
        diverged=lambda: diverged,
    )


def measured(probe: Any, of: Subject, epoch: int = 1) -> dict[tuple[str, str], float]:
    config = parse_probe(probe)
    values: list[Value] = list(pkgutil.resolve_name(PROBES[config.probe].meter)(config, of)(epoch))
    found = {(value.quantity, value.layer): value.value for value in values}
    assert len(found) == len(values)
    return found


PRERESNET = {"name": "preresnet", "depth": 14, "width": 4}


def test_median_angles_match_their_definition() -> None:
    features = torch.randn(9, 20, generator=torch.Generator().manual_seed(2))
    labels = np.array([0, 0, 1, 1, 1, 2, 2, 2, 2])
    found = median_angles(angles(features, lambda: None), labels, by_class=True)

    def angle(i: int, j: int) -> float:
        u, v = features[i].double().numpy(), features[j].double().numpy()
        return math.degrees(math.acos(float(u @ v) / float(np.sqrt((u @ u) * (v @ v)))))

    pairs = [(i, j) for i in range(9) for j in range(i)]
    expected = {
        "within": [angle(i, j) for i, j in pairs if labels[i] == labels[j]],
        "between": [angle(i, j) for i, j in pairs if labels[i] != labels[j]],
        **{
            f"within[{c}]": [angle(i, j) for i, j in pairs if labels[i] == labels[j] == c]
            for c in (0, 1, 2)
        },
        **{
            f"between[{c},{d}]": [angle(i, j) for i, j in pairs if {labels[i], labels[j]} == {c, d}]
            for c, d in ((0, 1), (0, 2), (1, 2))
        },
    }
    assert found == pytest.approx({name: np.median(values) for name, values in expected.items()})
    assert list(found)[:2] == ["within", "between"]


def test_angles_of_known_vectors_are_exact() -> None:
    features = torch.tensor([[1.0, 0], [0, 2], [-3, 0], [1, 1], [1e30, 1e30]])
    degrees = angles(features, lambda: None)
    assert degrees[0, 1:4] == pytest.approx([90, 180, 45])
    assert degrees[3, 4] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("bad", [0.0, float("nan"), float("inf")])
def test_a_zero_or_nan_vector_has_no_angle(bad: float) -> None:
    features = torch.tensor([[1.0, 0.5], [0.5, 1], [bad, bad], [1, 2]])
    degrees = angles(features, lambda: None)
    assert np.isnan(degrees[2]).all()
    assert not np.isnan(degrees[np.ix_([0, 1, 3], [0, 1, 3])]).any()
    found = median_angles(degrees, np.array([0, 0, 1, 1]), by_class=True)
    assert math.isnan(found["within"])
    assert math.isnan(found["within[1]"])
    assert found["within[0]"] == pytest.approx(math.degrees(math.acos(0.8)))


def test_stages_end_before_each_change_of_size_and_at_the_end() -> None:
    assert stage_ends([(8, 8), (8, 8), (4, 4), (4, 4), (2, 2)]) == [1, 3, 4]
    assert stage_ends([(8, 8)]) == [0]


def test_angles_are_measured_of_the_states_at_the_ends_of_stages() -> None:
    of = subject(PRERESNET)
    found = measured({"probe": "principal_angles", "images_per_class": 3}, of)
    assert {layer for _, layer in found} == {"stage1", "stage2", "stage3"}
    chosen = sample_by_class(of, 3)
    assert torch.bincount(of.test.labels[chosen]).tolist() == [3, 3, 3]
    with torch.no_grad():
        of.network.eval()
        states = list(of.states_of(of.normalized(of.test.at(chosen))))
    labels = of.test.labels[chosen].numpy()
    for stage, state in enumerate(states[2::2], start=1):
        expected = median_angles(angles(state.flatten(1), lambda: None), labels, by_class=False)
        for quantity, value in expected.items():
            assert found[quantity, f"stage{stage}"] == pytest.approx(value)


def test_probe_samples_are_equal_for_every_seed() -> None:
    one, other = subject(PRERESNET), subject(PRERESNET)
    assert torch.equal(sample_by_class(one, 2), sample_by_class(other, 2))
    assert sample_by_class(one, 2).tolist() != list(range(6))
    assert sample_by_class(one, 100).tolist() == list(range(12))


def test_feature_norms_are_means_over_images_of_stem_and_blocks() -> None:
    of = subject(PRERESNET)
    found = measured("feature_norms", of)
    with torch.no_grad():
        of.network.eval()
        states = list(of.states_of(of.normalized(of.test.at(torch.arange(len(of.test))))))
    layers = ["stem", *(f"block{number}" for number in range(1, 7))]
    expected = [float(state.flatten(1).norm(dim=1).mean()) for state in states]
    assert list(found) == [("norm", layer) for layer in layers]
    assert list(found.values()) == pytest.approx(expected, rel=1e-5)


def test_feature_norms_grow_as_the_root_of_a_scheme_without_f() -> None:
    # beta = 0 leaves y_{n+1} = 3/2 y_n in each stage.
    of = subject(PRERESNET, scheme={"alpha": [1.5], "beta": 0})
    norms = list(measured("feature_norms", of).values())
    assert norms[1] / norms[0] == pytest.approx(1.5, rel=1e-5)
    assert norms[2] / norms[1] == pytest.approx(1.5, rel=1e-5)


def test_blocks_have_the_kappas_of_their_convolutions() -> None:
    of = subject(PRERESNET)
    found = measured("condition_numbers", of)
    blocks = {layer for quantity, layer in found if quantity == "kappa_R"}
    assert blocks == {"block1", "block2", "block4", "block6"}  # not where the stage changes
    for block in blocks:
        top = math.prod(found["largest_singular_value", f"{block}.conv{i}"] for i in (1, 2))
        low = math.prod(found["smallest_singular_value", f"{block}.conv{i}"] for i in (1, 2))
        assert found["kappa_R", block] == (top + 1) / (low + 1)
        assert found["kappa_B", block] == top / low
        assert found["kappa_R", block] < found["kappa_B", block]  # section 3.2
    for (quantity, layer), value in found.items():
        if quantity == "condition_number":
            top = found["largest_singular_value", layer]
            low = found["smallest_singular_value", layer]
            assert value == (top / low if low else math.inf)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_convolution_that_is_not_finite_has_no_condition_number(bad: float) -> None:
    of = subject({"name": "preresnet", "depth": 8, "width": 4})
    with torch.no_grad():
        next(m for m in of.network.modules() if isinstance(m, nn.Conv2d)).weight[0, 0, 0, 0] = bad
    values = measured("condition_numbers", of)
    assert [layer for (_, layer), value in values.items() if math.isnan(value)] == ["stem"] * 3


def test_convolutions_are_measured_at_the_size_that_enters_them() -> None:
    of = subject({"name": "preresnet", "depth": 8, "width": 2})
    with torch.no_grad():
        for module in of.network.modules():
            if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
                # A sum of two neighbours: |1 + exp(i w)|, 0 only if half a turn is a frequency.
                module.weight.zero_()
                for channel in range(min(module.weight.shape[:2])):
                    module.weight[channel, channel, 1, :2] = 1
    found = measured("condition_numbers", of)
    # On 8 pixels frequencies are multiples of 1/8 turns, on 4 of 1/4: half a turn is among both.
    assert found["smallest_singular_value", "block1.conv1"] == pytest.approx(0, abs=1e-12)
    assert found["largest_singular_value", "block3.conv2"] == pytest.approx(2)


@pytest.mark.parametrize(
    ("model", "blocks"),
    [
        ({"name": "polynet", "depth": 8, "width": 4}, []),
        ({"name": "polynet", "depth": 14, "width": 4, "block": "2-way"}, []),
        ({"name": "revnet", "depth": 14, "widths": [4, 8, 16]}, []),
        ({"name": "newton_resnet", "blocks": [2, 2], "width": 4}, []),
        ({"name": "resnet", "blocks": [2, 2], "width": 4}, ["block1", "block2", "block4"]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_kappa_is_measured_only_for_blocks_of_two_convolutions(
    model: Any, blocks: list[str]
) -> None:
    found = measured("condition_numbers", subject(model))
    assert sorted(layer for quantity, layer in found if quantity == "kappa_R") == blocks


def test_probe_layers_are_named_by_module_with_blocks_from_1() -> None:
    assert layer_names(["stem", "blocks.0.function.conv1", "blocks.11.projections.0"]) == {
        "stem": "stem",
        "blocks.0.function.conv1": "block1.conv1",
        "blocks.11.projections.0": "block12.projections.0",
    }
    assert layer_names(["blocks.0.conv", "blocks.0.function.conv"]) == {
        "blocks.0.conv": "block1.conv",
        "blocks.0.function.conv": "block1.function.conv",
    }


def test_learned_coefficients_probe_reports_each_block() -> None:
    model = {"name": "zerosnet", "depth": 14, "width": 4}
    of = subject(model, scheme={"lambda": 1, "trainable": True})
    found = measured("learned_coefficients", of)
    assert found == {
        (quantity, f"block{block}"): pytest.approx(value)
        for block in (3, 4, 5, 6)  # after two start blocks
        for quantity, value in {"alpha_0": 1.5, "alpha_1": -1, "alpha_2": 0.5, "beta": 1}.items()
    }


def test_learned_coefficients_probe_reports_newton_resnets_alpha() -> None:
    of = subject({"name": "newton_resnet", "blocks": [1, 1], "width": 4, "initial_alpha": 0.5})
    found = measured("learned_coefficients", of)
    assert found == {("alpha", "block1"): 0.5, ("alpha", "block2"): 0.5}


def test_the_runtime_probe_times_an_epoch_and_a_test() -> None:
    of = subject(PRERESNET, images=20)
    found = measured({"probe": "runtime", "batch_sizes": [64, 8], "batches": 2}, of)
    names = [
        f"{part}_{what}[{size}]"
        for size in (8, 64)
        for part in ("train", "test")
        for what in ("seconds", "images_per_second")
    ]
    assert list(found) == [(name, "") for name in ("model_megabytes", *names)]
    tensors = of.network.state_dict().values()
    assert found["model_megabytes", ""] == sum(t.nbytes for t in tensors) / 1e6
    for size in (8, 64):
        for part in ("train", "test"):
            seconds = found[f"{part}_seconds[{size}]", ""]
            rate = found[f"{part}_images_per_second[{size}]", ""]
            assert seconds * rate == pytest.approx(20)


def test_the_runtime_probe_of_a_diverged_network_is_null() -> None:
    found = measured("runtime", subject(PRERESNET, diverged=True))
    assert math.isfinite(found.pop(("model_megabytes", "")))
    assert len(found) == 4
    assert all(math.isnan(value) for value in found.values())


def snapshot(of: Subject) -> tuple[Any, ...]:
    weights = {name: tensor.clone() for name, tensor in of.network.state_dict().items()}
    modes = [module.training for module in of.network.modules()]
    hooks = [len(module._forward_pre_hooks) for module in of.network.modules()]
    return weights, modes, hooks, torch.get_rng_state()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", SMALL_MODELS)
def test_probes_measure_every_model_without_changing_it(name: str, precision: str) -> None:
    of = subject({"name": name, **SMALL_MODELS[name]}, precision=precision)
    of.network.train()
    if begin := getattr(of.network, "begin_epoch", None):
        begin(lambda purpose: seeded_generator(0, purpose, 1))
    of.network.blocks[0].eval()
    before = snapshot(of)
    probes: list[Any] = ["principal_angles", "condition_numbers", "feature_norms"]
    probes.append({"probe": "runtime", "batch_sizes": [4], "batches": 1})
    found = {
        probe if isinstance(probe, str) else "runtime": measured(probe, of) for probe in probes
    }
    after = snapshot(of)
    assert before[0].keys() == after[0].keys()
    assert all(torch.equal(before[0][key], after[0][key]) for key in before[0])
    assert before[1:3] == after[1:3]
    assert torch.equal(before[3], after[3])
    blocks = len(of.network.blocks)
    assert len(found["feature_norms"]) == blocks + 1
    assert all(0 <= angle <= 180 for angle in found["principal_angles"].values())
    for probe in ("feature_norms", "runtime"):
        assert all(0 < value < math.inf for value in found[probe].values())
    convolutions = [module for module in of.network.modules() if isinstance(module, nn.Conv2d)]
    measured_layers = {
        layer for quantity, layer in found["condition_numbers"] if "kappa" not in quantity
    }
    assert len(measured_layers) == len(convolutions)
    for (quantity, _), value in found["condition_numbers"].items():
        assert value >= (0 if "smallest" in quantity else 1 if "largest" not in quantity else 0)
