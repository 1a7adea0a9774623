"""A run's config and its identity."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sweep_plugins import UnknownNameError
from trainers.config.optimizers import OPTIMIZERS
from trainers.config.run import RunConfig
from trainers.config.schedules import SCHEDULES
from trainers.config.schedules.step_decay import StepDecayConfig
from trainers.config.trainer_run import RECIPE_VERSION
from trainers.config.training import TrainingConfig
from trainers.models.counting import write_counts

Small = Callable[..., dict[str, Any]]


def run_id(data: dict[str, Any]) -> str:
    return RunConfig.model_validate(data).run_id


# A change of these means that every stored result is orphaned: raise RECIPE_VERSION, or undo it.
PINNED = [
    (
        {
            "model": {"name": "zerosnet", "depth": 32},
            "scheme": {"lambda": "-9/5"},
            "dataset": "cifar10",
            "seed": 0,
        },
        "e05184b7f39104bc",
    ),
    (
        {
            "model": {"name": "lm_resnet", "depth": 20},
            "dataset": {"name": "digits", "subset": 1000},
            "training": {"epochs": 6, "batch_size": 64},
            "precision": "bf16",
            "seed": 7,
        },
        "c3d292db6567ebfd",
    ),
]


@pytest.mark.parametrize(("data", "expected"), PINNED)
def test_run_ids_are_pinned(data: dict[str, Any], expected: str) -> None:
    assert run_id(data) == expected


def test_the_canonical_form_is_complete_and_free_of_nulls() -> None:
    assert RunConfig.model_validate(PINNED[0][0]).to_json() == {
        "recipe_version": RECIPE_VERSION,
        "trainer": "trainers.train:train",
        "model": {
            "name": "zerosnet",
            "depth": 32,
            "width": 16,
            "stage_change": "project",
            "start_blocks": 2,
        },
        "scheme": {"alpha": [1 / 3, 5 / 9, 1 / 9], "beta": 16 / 9},
        "dataset": {"name": "cifar10", "crop_padding": 4, "horizontal_flip": True},
        "training": {
            "epochs": 160,
            "batch_size": 128,
            "optimizer": {
                "name": "sgd",
                "lr": 0.1,
                "momentum": 0.9,
                "weight_decay": 1e-4,
                "nesterov": False,
            },
            "lr_schedule": {"name": "step", "milestones": [80, 120], "gamma": 0.1},
        },
        "precision": "fp32",
        "seed": 0,
    }


def reverse_keys(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: reverse_keys(data[key]) for key in reversed(data)}
    return data


def test_run_id_does_not_depend_on_key_order() -> None:
    full = RunConfig.model_validate(PINNED[1][0]).to_json()
    assert list(reverse_keys(full)) != list(full)
    assert run_id(reverse_keys(full)) == run_id(full) == run_id(PINNED[1][0])


@pytest.mark.parametrize(
    "spelling",
    [
        {"scheme": {"lambda": "-9/5"}},
        {"scheme": {"lambda": -1.8}},
        {"scheme": {"alpha": ["1/3", "5/9", "1/9"], "beta": "16/9"}},
        {"scheme": {"alpha": [1 / 3, 5 / 9, 1 / 9], "beta": 16 / 9}},
        {"scheme": {"lambda": "-9/5", "trainable": False}},
        {"scheme": None},
        {"model": {"name": "zerosnet", "depth": 8, "width": 4, "start_blocks": 2}},
        {"model": {"name": "zerosnet", "depth": 8, "width": 4, "stage_change": "project"}},
        {"dataset": {"name": "digits", "subset": 160, "crop_padding": 1}},
        {"training": {"epochs": 3, "batch_size": 64, "optimizer": {"lr": "1/10"}}},
        {"training": {"epochs": 3, "batch_size": 64, "lr_schedule": {"milestones": [1, 2]}}},
        {"training": {"epochs": 3, "batch_size": 64, "lr_schedule": {"milestones": ["1/2", 0.75]}}},
        {"training": {"epochs": 3, "batch_size": 64, "test_every": 1}},
        {"training": {"epochs": 3, "batch_size": 64, "optimizer": "sgd"}},
        {"training": {"epochs": 3, "batch_size": 64, "lr_schedule": "step"}},
        {"training": {"epochs": 3, "batch_size": 64, "lr_schedule": {"by": "epoch"}}},
        {"training": {"epochs": 3, "batch_size": 64, "lr_schedule": {"by": "step"}}},
        {"training": {"epochs": 3, "batch_size": 64, "lr_schedule": {"rate_at": "end"}}},
        {
            "training": {
                "epochs": 3,
                "batch_size": 64,
                "optimizer": {"lr": 0.4},
                "lr_batch": 256,
            }
        },
        {
            "training": {
                "epochs": 3,
                "batch_size": 64,
                "lr_schedule": {"warmup_epochs": 0, "warmup_start": 1},
            }
        },
        {
            "training": {
                "epochs": 3,
                "batch_size": 64,
                "accumulation": 1,
                "label_smoothing": 0,
                "mixup": 0,
                "ema_decay": 0,
                "clip_norm": None,
            }
        },
        {"training": {"epochs": 3, "batch_size": 64, "optimizer": {"dampening": 0}}},
        {
            "training": {
                "epochs": 3,
                "batch_size": 64,
                "optimizer": {"decay_norms_and_biases": True},
            }
        },
        {"precision": "fp32"},
        {"recipe_version": RECIPE_VERSION, "trainer": "trainers.train:train"},
    ],
    ids=str,
)
def test_equivalent_spellings_have_one_run_id(small: Small, spelling: dict[str, Any]) -> None:
    assert run_id(small(**spelling)) == run_id(small())


def test_a_full_subset_has_the_run_id_of_no_subset(small: Small) -> None:
    by_number = small(dataset={"name": "digits", "subset": 1297})
    assert run_id(by_number) == run_id(small(dataset="digits"))
    assert run_id(by_number) == run_id(small(dataset={"name": "digits", "subset": None}))


def test_every_field_that_affects_results_changes_the_run_id(small: Small) -> None:
    def model(**options: Any) -> dict[str, Any]:
        return {"model": {"name": "zerosnet", "depth": 14, "width": 4, **options}}

    def training(**options: Any) -> dict[str, Any]:
        return {"training": {"epochs": 4, "batch_size": 64, **options}}

    variants: list[dict[str, Any]] = [
        {},
        {"seed": 1},
        *({"precision": precision} for precision in ("ieee_fp32", "tf32", "bf16", "fp16")),
        {"trainer": "elsewhere:train"},
        {"scheme": {"lambda": 2}},
        {"scheme": {"alpha": [1 / 3, 5 / 9, 1 / 9], "beta": 1}},
        {"scheme": {"lambda": "-9/5", "trainable": True}},
        {"scheme": {"lambda": [-2, -1], "trainable": True}},
        {"scheme": {"alpha": ["1/3", "5/9", "1/9"], "beta": "16/9", "trainable": True}},
        model(),
        model(depth=20),
        model(width=8),
        model(start_blocks=3),
        model(stage_change="restart", depth=26),
        model(depth=26),
        {"dataset": "digits"},
        {"dataset": {"name": "digits", "subset": 161}},
        {"dataset": {"name": "mnist", "subset": 160}},
        {"dataset": {"name": "digits", "subset": 160, "crop_padding": 0}},
        {"dataset": {"name": "digits", "subset": 160, "horizontal_flip": True}},
        training(),
        training(epochs=5, lr_schedule={"milestones": [2, 3]}),
        training(batch_size=32),
        training(test_every=2),
        training(test_every=9),
        training(optimizer={"lr": 0.05}),
        training(optimizer={"momentum": 0.8}),
        training(optimizer={"weight_decay": 5e-4}),
        training(optimizer={"nesterov": True}),
        training(optimizer={"dampening": 0.5}),
        training(optimizer={"decay_norms_and_biases": False}),
        *(training(optimizer=name) for name in OPTIMIZERS if name != "sgd"),
        training(optimizer={"name": "adamw", "betas": [0.9, 0.99]}),
        training(lr_schedule={"gamma": 0.2}),
        training(lr_schedule={"milestones": [1, 3]}),
        training(lr_schedule={"milestones": [2]}),
        *(training(lr_schedule=name) for name in SCHEDULES if name != "step"),
        training(lr_schedule={"name": "cosine", "by": "step"}),
        training(lr_schedule={"name": "cosine", "rate_at": "end"}),
        training(lr_schedule={"warmup_epochs": 1}),
        training(lr_schedule={"warmup_epochs": 1, "rate_at": "end"}),
        training(lr_schedule={"warmup_epochs": 1, "warmup_start": 0.2}),
        training(lr_schedule={"warmup_epochs": 1, "by": "step"}),
        training(lr_schedule={"warmup_steps": 2, "by": "step"}),
        training(accumulation=2),
        training(clip_norm=1),
        training(clip_value=1),
        training(label_smoothing=0.1),
        training(mixup=0.2),
        training(ema_decay=0.99),
    ]
    identities = [run_id(small(**variant)) for variant in variants]
    assert len(set(identities)) == len(variants)
    assert all(len(i) == 16 and int(i, 16) >= 0 for i in identities)


numbers = st.one_of(
    st.floats(-4, 4, allow_nan=False),
    st.fractions(-4, 4, max_denominator=30).map(str).filter(lambda text: "/" in text),
    st.integers(-4, 4),
)
not_zero = st.fractions(min_value=Fraction(1, 5), max_value=9, max_denominator=20).map(float)
scheme_forms = st.one_of(
    st.builds(
        lambda alpha, beta, trainable: {"alpha": alpha, "beta": beta, "trainable": trainable},
        st.lists(numbers, min_size=1, max_size=5),
        numbers,
        st.booleans(),
    ),
    st.builds(lambda k: {"k": k}, numbers),
    st.builds(
        lambda k: {"k": sorted(k), "trainable": True}, st.lists(not_zero, min_size=2, max_size=2)
    ),
    st.builds(
        lambda value, trainable: {"lambda": value, "trainable": trainable}, not_zero, st.booleans()
    ),
)
fractions_of_epochs = st.lists(
    st.sampled_from(["1/3", 0.5, "2/3", "3/4", 0.9]), max_size=3, unique=True
).map(lambda chosen: sorted(chosen, key=lambda f: float(Fraction(str(f)))))


other_recipes = st.fixed_dictionaries(
    {},
    optional={
        "optimizer": st.sampled_from(sorted(OPTIMIZERS)).map(
            lambda name: {"name": name, "lr": "1/3"}
        ),
        "lr_schedule": st.fixed_dictionaries(
            {"name": st.sampled_from(["cosine", "linear", "polynomial", "plateau", "one_cycle"])},
            optional={
                "by": st.sampled_from(["epoch", "step"]),
                "rate_at": st.sampled_from(["begin", "end"]),
                "warmup_epochs": st.just(0),
                "warmup_start": st.just("1/3"),
            },
        ),
        "accumulation": st.integers(1, 4),
        "label_smoothing": st.sampled_from([0, "1/10"]),
        "mixup": st.sampled_from([0, "1/3"]),
        "ema_decay": st.sampled_from([0, 0.999]),
        "clip_norm": st.sampled_from([None, 1]),
        "lr_batch": st.integers(1, 999),
    },
)


@st.composite
def run_configs(draw: st.DrawFn) -> dict[str, Any]:
    stage_change = draw(st.sampled_from(["project", "restart"]))
    model: dict[str, Any] = {
        "name": draw(st.sampled_from(["zerosnet", "preresnet", "lm_resnet"])),
        "depth": 6 * draw(st.integers(5, 9)) + 2,
        "width": draw(st.integers(1, 32)),
        "stage_change": stage_change,
    }
    if draw(st.booleans()):
        model["start_blocks"] = 4
    dataset = draw(st.sampled_from(["digits", "mnist", "cifar10", "cifar100", "fashion_mnist"]))
    return {
        "model": model,
        "scheme": draw(scheme_forms),
        "dataset": {"name": dataset, "subset": draw(st.none() | st.integers(2, 1297))},
        "training": {
            "epochs": draw(st.sampled_from([1, 2, 3, 7, 160, 300])),
            "test_every": draw(st.none() | st.integers(1, 500)),
            "batch_size": draw(st.integers(2, 512)),
            "optimizer": {
                "lr": draw(st.floats(1e-6, 10)),
                "momentum": draw(st.floats(0, 0.99)),
                "weight_decay": draw(st.floats(0, 0.1)),
            },
            "lr_schedule": {"milestones": draw(fractions_of_epochs)},
            **draw(other_recipes),
        },
        "precision": draw(st.sampled_from(["fp64", "fp32", "ieee_fp32", "tf32", "bf16", "fp16"])),
        "seed": draw(st.integers(0, 2**53 - 1)),
    }


@settings(max_examples=80, deadline=None)
@given(run_configs())
def test_the_canonical_config_round_trips_with_its_run_id(data: dict[str, Any]) -> None:
    config = RunConfig.model_validate(data)
    again = RunConfig.model_validate(config.to_json())
    through_text = RunConfig.model_validate(json.loads(json.dumps(config.to_json())))
    assert again.run_id == config.run_id == through_text.run_id
    assert again.to_json() == config.to_json()
    assert again.scheme == config.scheme


@pytest.mark.parametrize(
    ("epochs", "written", "resolved"),
    [
        (160, ["1/2", "3/4"], (80, 120)),
        (300, [0.5, 0.75], (150, 225)),
        (120, [40, 60, 80, 100], (40, 60, 80, 100)),
        (3, ["1/3", "2/3"], (1, 2)),
        (1, [0.5, 0.75], (1, 1)),  # neither has an effect, and run ids have both
        (2, [0.5, 0.75], (1,)),
        (4, [0.1, 0.2, 0.5, 0.6, 0.99], (1, 2, 3)),
        (9, [2, "1/4", "5/9", 5, 5, 9, 9, 30], (2, 5, 9, 9, 30)),
        (100, [0.29], (29,)),  # in floats, 0.29 * 100 is below 29
        (5, [], ()),
    ],
)
def test_milestones_are_resolved_to_epochs(
    epochs: int, written: list[Any], resolved: tuple[int, ...]
) -> None:
    training = TrainingConfig.model_validate(
        {"epochs": epochs, "lr_schedule": {"milestones": written}}
    )
    assert isinstance(training.lr_schedule, StepDecayConfig)
    assert training.lr_schedule.milestones == resolved


def epochs_that_are_tested(training: TrainingConfig) -> list[int]:
    return [epoch for epoch in range(1, training.epochs + 1) if training.is_tested(epoch)]


every = st.none() | st.integers(1, 60)


@given(st.integers(1, 50), every, every)
def test_test_every_says_which_epochs_are_tested(
    epochs: int, one: int | None, other: int | None
) -> None:
    first = TrainingConfig(epochs=epochs, test_every=one)
    assert epochs_that_are_tested(first) == sorted({*range(one or 1, epochs + 1, one or 1), epochs})
    assert first.tests == len(epochs_that_are_tested(first))
    second = TrainingConfig(epochs=epochs, test_every=other)
    # The same tests are the same recipe, however they were asked for.
    assert (first == second) == (epochs_that_are_tested(first) == epochs_that_are_tested(second))


def test_the_learning_rate_schedule_is_that_of_the_papers() -> None:
    training = TrainingConfig()
    rates = [training.learning_rate(epoch) for epoch in range(1, 161)]
    assert rates[:80] == [0.1] * 80
    assert rates[80:120] == pytest.approx([0.01] * 40)
    assert rates[120:] == pytest.approx([0.001] * 40)


@pytest.mark.parametrize("epochs", [2, 3, 4, 5])
def test_the_learning_rate_falls_by_gamma_at_most_from_one_epoch_to_the_next(epochs: int) -> None:
    training = TrainingConfig(epochs=epochs)
    rates = [training.learning_rate(epoch) for epoch in range(1, epochs + 1)]
    assert rates[0] == 0.1
    assert all(after >= before * 0.0999 for before, after in pairwise(rates))


def test_the_first_epoch_always_has_the_full_learning_rate() -> None:
    for epochs in (1, 2, 3):
        assert TrainingConfig.model_validate({"epochs": epochs}).learning_rate(1) == 0.1


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"seeds": 1}, "\nseeds\n"),
        ({"seed": -1}, "\nseed\n"),
        ({"seed": 2**53}, "\nseed\n"),
        ({"seed": True}, "\nseed\n"),
        ({"seed": 1.0}, "\nseed\n"),
        ({"precision": "fp61"}, "'fp32', 'ieee_fp32', 'tf32', 'bf16' or 'fp16'"),
        ({"recipe_version": 0}, "recipe_version 0 is not"),
        ({"trainer": "no colon"}, "\ntrainer\n"),
        ({"model": "zerosnet"}, "is not a model"),
        ({"model": 7}, "7 is not a model"),
        ({"model": {"depth": 8}}, "is not a model"),
        ({"model": {"name": "zerosnet", "depth": 9}}, "nearest are 8 and 14"),
        ({"model": {"name": "zerosnet", "depth": 2}}, "nearest are 8 and 14"),
        ({"model": {"name": "zerosnet", "depth": 8, "widht": 4}}, "widht\n"),
        (
            {"model": {"name": "zerosnet", "depth": 8, "start_blocks": 1}},
            "start_blocks 1 is too few",
        ),
        ({"model": {"name": "zerosnet", "depth": 8, "start_blocks": 3}}, "choose depth 14 or more"),
        ({"scheme": {"alpha": [0.1] * 5, "beta": 1}}, "choose depth 14 or more"),
        ({"model": {"name": "lm_resnet", "depth": 8}}, "choose depth 14 or more"),
        ({"scheme": {"lambda": 0}}, "lambda must not be 0"),
        ({"scheme": {"lamda": 1}}, "do not make a scheme"),
        ({"dataset": {"name": "digits", "subset": 1298}}, "exceeds digits's 1297"),
        ({"dataset": {"name": "digits", "subset": 0}}, "dataset.subset\n"),
        ({"dataset": {"name": "digits", "crop_padding": -1}}, "dataset.crop_padding\n"),
        ({"dataset": {"subset": 5}}, "is not a dataset"),
        ({"dataset": {"name": "digits", "flip": True}}, "dataset.flip\n"),
        ({"training": {"epochs": 0}}, "training.epochs\n"),
        ({"training": {"epochs": True}}, "training.epochs\n"),
        ({"training": {"batch_size": 1}}, "training.batch_size\n"),
        ({"training": {"optimizer": {"name": "adams"}}}, "unknown optimizer 'adams'; .*'adam'"),
        ({"training": {"optimizer": {"lr": 0}}}, "training.optimizer.lr\n"),
        ({"training": {"optimizer": {"lr": float("inf")}}}, "training.optimizer.lr\n"),
        (
            {"training": {"optimizer": {"momentum": 0, "nesterov": True}}},
            "nesterov needs a momentum",
        ),
        ({"training": {"lr_schedule": {"milestones": [1.5]}}}, "milestone 1.5 is neither"),
        ({"training": {"lr_schedule": {"milestones": [0]}}}, "milestone 0 is neither"),
        ({"training": {"lr_schedule": {"milestones": [80, 40]}}}, r"\[80, 40\] .* do not ascend"),
        ({"training": {"lr_schedule": {"milestones": [0.75, 0.5]}}}, "do not ascend"),
    ],
    ids=str,
)
def test_run_config_errors_name_what_is_wrong(
    small: Small, change: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        RunConfig.model_validate(small(**change))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"model": {"name": "zerosnte", "depth": 8}}, "unknown model 'zerosnte'.*'zerosnet'"),
        ({"dataset": "digit"}, "unknown dataset 'digit'.*'digits'"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(
    small: Small, change: dict[str, Any], complaint: str
) -> None:
    with pytest.raises((UnknownNameError, ValidationError), match=complaint):
        RunConfig.model_validate(small(**change))


def test_a_run_config_is_frozen(small: Small) -> None:
    config = RunConfig.model_validate(small())
    with pytest.raises(ValidationError, match="frozen"):
        config.seed = 1


def test_default_schemes_are_those_of_the_papers(small: Small) -> None:
    def default(name: str, depth: int) -> str:
        config = small(model={"name": name, "depth": depth})
        return str(RunConfig.model_validate(config).scheme)

    assert default("preresnet", 8) == "1; 1"
    assert default("lm_resnet", 14) == "k_n from U[-0.1, 0]"
    assert default("zerosnet", 8) == "1/3, 5/9, 1/9; 16/9"
    assert default("tm_resnet", 14) == "1.5, -1, 0.5; 1"


def test_multiply_adds_of_a_plain_resnet_match_a_hand_count(small: Small) -> None:
    # Depth 8, width 16, on 3x32x32, layer by layer; size 32, 16, 8 in the three stages.
    config = small(model={"name": "preresnet", "depth": 8, "width": 16}, dataset="cifar10")
    expected = 9 * 3 * 16 * 32**2 + 2 * 9 * 16 * 16 * 32**2
    expected += (9 * 16 * 32 + 9 * 32 * 32 + 16 * 32) * 16**2
    expected += (9 * 32 * 64 + 9 * 64 * 64 + 32 * 64) * 8**2
    assert RunConfig.model_validate(config).multiply_adds_per_image == expected


def test_train_images_is_the_size_of_the_subset(small: Small) -> None:
    assert RunConfig.model_validate(small()).train_images == 160
    assert RunConfig.model_validate(small(dataset="digits")).train_images == 1297


def test_planning_a_counted_network_imports_no_heavy_library(tmp_path: Path) -> None:
    given = {"model": {"name": "zerosnet", "depth": 32}, "dataset": "cifar10", "seed": 0}
    assert RunConfig.model_validate(given).parameters == 471_834
    write_counts(tmp_path / "networks.json")
    program = """
import sys
from pathlib import Path
import trainers.models.counting
trainers.models.counting.read_counts(Path(sys.argv[1]))
import trainers.config.run, trainers.methods.multistep
import trainers.data.datasets, trainers.config.evaluations
config = trainers.config.run.RunConfig.model_validate(
    {"model": {"name": "zerosnet", "depth": 32}, "dataset": "cifar10", "seed": 0}
)
config.run_id, config.parameters, config.scheme.fixed.root_moduli
trainers.config.evaluations.parse_evaluation({"noise": "gaussian", "std": 0.02}).evaluation_id
print(*sorted({"torch", "torchvision", "sklearn", "ray", "sqlalchemy"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "networks.json")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == ""


@given(data=run_configs(), seed=st.integers(0, 2**53 - 1))
def test_run_id_is_the_hash_of_the_canonical_json(data: dict[str, Any], seed: int) -> None:
    config = RunConfig.model_validate(data)
    again = config.with_seed(seed)
    assert again == RunConfig.model_validate({**config.to_json(), "seed": seed})
    for one in (config, again):
        digest = hashlib.sha256(rfc8785.dumps(one.to_json())).hexdigest()
        assert one.run_id == digest[:16]
    assert RunConfig.model_validate(again.to_json()).run_id == again.run_id


@pytest.mark.parametrize("seed", [-1, 2**53, True, 1.0, "1"])
def test_with_seed_refuses_invalid_seeds(small: Small, seed: Any) -> None:
    with pytest.raises(ValueError, match="seed"):
        RunConfig.model_validate(small()).with_seed(seed)


def test_compile_changes_the_run_id(small: Small) -> None:
    plain = RunConfig.model_validate(small())
    assert run_id({**small(), "compile": False}) == plain.run_id
    assert run_id({**small(), "compile": None}) == plain.run_id
    assert "compile" not in plain.to_json()
    compiled = RunConfig.model_validate({**small(), "compile": True})
    assert compiled.run_id != plain.run_id
    assert compiled.to_json()["compile"] is True
    assert RunConfig.model_validate(compiled.to_json()).run_id == compiled.run_id
    assert compiled.with_seed(5).run_id == run_id({**small(seed=5), "compile": True})


@pytest.mark.parametrize("given", ["yes", 1, 0, "", ["auto"], {}])
def test_compile_is_true_false_or_auto(small: Small, given: Any) -> None:
    with pytest.raises(ValidationError, match="none of true, false and auto"):
        RunConfig.model_validate({**small(), "compile": given})


def test_auto_compiles_runs_longer_than_compilation(small: Small) -> None:
    def decided(epochs: int, **more: Any) -> bool | None:
        config = {"model": {"name": "zerosnet", "depth": 20}, "dataset": "fashion_mnist"}
        config |= {"training": {"epochs": epochs}, "seed": 0, **more}
        return RunConfig.model_validate({**config, "compile": "auto"}).compile  # type: ignore[return-value]

    few = {"name": "fashion_mnist", "subset": 2000}
    assert decided(1, dataset=few) is None
    assert decided(100, dataset=few) is True
    assert decided(1) is True
    # As it decides, so the run is called.
    short = RunConfig.model_validate({**small(), "compile": "auto"})
    assert short.run_id == run_id(small())


def test_auto_refuses_a_network_that_cannot_be_counted(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise ValueError("no such layer")

    monkeypatch.setattr("trainers.models.counting._known", {})
    monkeypatch.setattr("trainers.models.building.measure", fails)
    with pytest.raises(ValidationError, match=r"'zerosnet' cannot be built .*: no such layer"):
        RunConfig.model_validate({**small(), "compile": "auto"})


def test_the_code_of_plugins_changes_the_run_id_where_there_is_any(small: Small) -> None:
    plain = RunConfig.model_validate(small())
    assert run_id({**small(), "plugins": {}}) == plain.run_id
    assert "plugins" not in plain.to_json()
    code = {"model mine": "a" * 64, "probe mine": "b" * 64}
    by_plugins = plain.with_code(code)
    assert by_plugins.to_json()["plugins"] == by_plugins.code == code
    assert by_plugins.run_id != plain.run_id
    assert RunConfig.model_validate(by_plugins.to_json()).run_id == by_plugins.run_id
    # In whatever order they are found.
    assert plain.with_code(dict(reversed(code.items()))).run_id == by_plugins.run_id
    assert by_plugins.with_seed(5).run_id == run_id({**small(seed=5), "plugins": code})
    assert by_plugins.with_code({}) == plain
    trained = plain.with_code({**code, f"trainer {plain.trainer}": "c" * 64})
    assert (trained.source, trained.plugins) == ("c" * 64, code)
    for wrong in ({"model mine": "a"}, {"model mine": None}, ["a" * 64]):
        with pytest.raises(ValueError, match="plugins"):
            RunConfig.model_validate({**small(), "plugins": wrong})
