"""What a plan says that its usual columns do not."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sweeper.planning.varied_settings import varying_settings
from trainers.config.run import RunConfig


def config(model: dict[str, Any] | str = "preresnet", **more: Any) -> RunConfig:
    model = {"name": model} if isinstance(model, str) else model
    model = {"depth": 14, **model}
    return RunConfig.model_validate({"model": model, "dataset": "digits", "seed": 0, **more})


def test_varying_settings_omit_what_every_plan_shows():
    runs = [
        config(),
        config({"name": "preresnet", "depth": 20}),
        config("zerosnet", scheme={"lambda": 10}, seed=1),
        config(dataset="mnist", seed=2),
    ]
    assert all("dataset.name" not in settings for settings in varying_settings(runs))
    assert varying_settings(runs[:3]) == [{}, {}, {}]


def test_model_options_vary_only_among_runs_of_the_model():
    runs = [
        config({"name": "preresnet", "survival": 0.5}),
        config(),
        config({"name": "lm_resnet", "survival": 0.5}),
    ]
    assert varying_settings(runs) == [{"model.survival": 0.5}, {}, {}]


def test_varying_recipe_settings_are_named_by_path():
    runs = [
        config(training={"epochs": 4, "optimizer": {"lr": lr}}, precision=precision)
        for lr, precision in ((0.1, "fp32"), (0.05, "fp32"), (0.05, "bf16"))
    ]
    assert varying_settings(runs) == [
        {"precision": "fp32", "training.optimizer.lr": 0.1},
        {"precision": "fp32", "training.optimizer.lr": 0.05},
        {"precision": "bf16", "training.optimizer.lr": 0.05},
    ]
    compiled = varying_settings([config(compile=True), config()])
    assert compiled == [{"compile": True}, {}]


choices = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2),
        "precision": st.sampled_from(["fp32", "bf16"]),
        "compile": st.booleans(),
        "model": st.sampled_from(
            [
                {"name": name, "width": width}
                for name in ("preresnet", "lm_resnet")
                for width in (4, 8)
            ]
        ),
    }
)


@given(st.lists(choices, max_size=6))
def test_varying_settings_distinguish_runs_of_one_model_and_seed(chosen):
    runs = [config(**choice) for choice in chosen]
    told = [
        (run.model.name, run.seed, tuple(settings.items()))
        for run, settings in zip(runs, varying_settings(runs), strict=True)
    ]
    assert len(set(told)) == len({run.run_id for run in runs})


def test_varying_settings_of_no_runs_are_empty():
    assert varying_settings([]) == []
