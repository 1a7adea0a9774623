"""Names of metrics, and what they must not hide."""

from __future__ import annotations

from results.json_values import leaves
from sweep_plugins.metric_name import OF_CONFIG, why_no_metric
from trainers.config.run import RunConfig

CONFIG = RunConfig(
    trainer="mine:train",
    options={"net": {"depth": 2}},
    source="a" * 64,
    plugins={"model plain": "b" * 64},
    model={"name": "zerosnet", "depth": 8},
    dataset={"name": "digits"},
    seed=1,
).to_json()


def test_no_metric_hides_a_path_of_the_config() -> None:
    objects = {key for key, value in CONFIG.items() if isinstance(value, dict)}
    assert objects == set(OF_CONFIG)
    # Precision is what classifiers are measured by, and the seed is a name of every run.
    assert {path for path in leaves(CONFIG) if why_no_metric(path) is None} == {"precision", "seed"}


def test_names_that_only_look_like_a_path_are_fine() -> None:
    for name in ("train.loss", "options", "models.f1", "model/f1", "val.source", "sources"):
        assert why_no_metric(name) is None, name
