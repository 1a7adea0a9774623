"""What runs of somebody's own trainer are called."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from results.trainer_label import TrainerLabels

_values = st.none() | st.integers(0, 2) | st.sampled_from(["", "a", "b"]) | st.just([64, 10])
_options = st.dictionaries(st.sampled_from(["lr", "width", "depth"]), _values, max_size=3)
_trainers = st.sampled_from(["fit:train", "fit:other"])


def config(trainer: str = "fit:train", **options: Any) -> dict[str, Any]:
    return {"trainer": trainer, "options": options, "seed": 0, "source": "0" * 64}


def test_what_varies_comes_first() -> None:
    runs = [config(batch=32, lr=lr, model={"width": 8}) for lr in (0.1, 0.01)]
    labels = TrainerLabels([*runs, config(batch=32, lr=0.1, model={"width": 16})])
    label = labels.label(runs[1], 7)
    assert label.short == "lr 0.01, model.width 8, seed 7"
    assert str(label) == "lr 0.01, model.width 8, seed 7 (fit:train, batch 32)"
    assert str(TrainerLabels(runs).label(runs[0], 0)) == (
        "lr 0.1, seed 0 (fit:train, batch 32, model.width 8)"
    )


def test_where_nothing_varies_the_seed_comes_first() -> None:
    labels = TrainerLabels([config(lr=0.1)])
    assert str(labels.label(config(lr=0.1), 3)) == "seed 3 (fit:train, lr 0.1)"
    assert str(TrainerLabels([]).label(config(), 3)) == "fit:train, seed 3"


@given(st.lists(st.tuples(_trainers, _options), min_size=1, max_size=6), st.integers(1, 6))
@settings(max_examples=50)
def test_only_runs_of_the_same_settings_look_alike(runs: list[Any], compared: int) -> None:
    """Also where some of them are none of those that were compared."""
    configs = [config(trainer, **options) for trainer, options in runs]
    labels = TrainerLabels(configs[:compared])
    for one in configs:
        for other in configs:
            same = labels.label(one, 0).short == labels.label(other, 0).short
            assert same == (one == other)
