"""How the conditions of our runs differ from those of a published row, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import floor
from typing import Any, NamedTuple

from results.json_values import leaves
from results.published import PublishedRow
from sweep_plugins.schemes.exact_text import exact_text

Config = Mapping[str, Any]


class Difference(NamedTuple):
    """One condition that is not the paper's, both sides as they are said."""

    condition: str
    here: str
    paper: str

    def __str__(self) -> str:
        return f"{self.condition}: {self.here} here, {self.paper} in the paper"


_RECIPE = (
    # What it is called, where the config has it, and the field of the paper's recipe.
    ("epochs", "training.epochs", "epochs"),
    ("batch size", "training.batch_size", "batch_size"),
    ("optimizer", "training.optimizer.name", "optimizer"),
    ("learning rate", "training.optimizer.lr", "lr"),
    ("momentum", "training.optimizer.momentum", "momentum"),
    ("weight decay", "training.optimizer.weight_decay", "weight_decay"),
    ("learning rate decays by", "training.lr_schedule.gamma", "gamma"),
    ("crop padding", "dataset.crop_padding", "crop_padding"),
    ("horizontal flips", "dataset.horizontal_flip", "horizontal_flip"),
    ("precision", "precision", "precision"),
)


_IN_NO_PAPER = (
    ("batches a step", "training.accumulation"),
    ("processes", "training.data_parallel"),
    ("gradients clipped by norm", "training.clip_norm"),
    ("gradients clipped by value", "training.clip_value"),
    ("label smoothing", "training.label_smoothing"),
    ("mixup", "training.mixup"),
    ("averaging of weights", "training.ema_decay"),
)
"""What no recipe of a paper has."""


def differences(config: Config, row: PublishedRow) -> tuple[Difference, ...]:
    """The conditions of a run that are known not to be the row's.

    What the paper leaves open, and what the config lacks, is no difference. The milestones of the
    learning rate are compared as fractions of all epochs.
    """
    return (*network_differences(config, row), *_recipe_differences(config, row))


def network_differences(config: Config, row: PublishedRow) -> tuple[Difference, ...]:
    """Those that affect the network itself: the dataset, for its image size and classes, and
    the model's options.
    """
    ours = leaves(config)
    found = [_difference("dataset", ours.get("dataset.name"), row.dataset)]
    if row.network is not None:
        found += [
            _difference(option.replace("_", " "), ours.get(f"model.{option}"), value)
            for option, value in row.network.options.items()
        ]
    return tuple(difference for difference in found if difference)


def _recipe_differences(config: Config, row: PublishedRow) -> tuple[Difference, ...]:
    found: list[Difference | None] = []
    ours = leaves(config)
    subset = ours.get("dataset.subset")
    if subset is not None:
        found.append(Difference("training images", f"a subset of {subset:,}", "all"))
    if row.network is not None and row.network.start is not None:
        start = ours.get("scheme.start")
        found.append(_difference(f"start of {row.network.learned}_n", start, row.network.start))
    if row.recipe is not None:
        found += [
            _difference(name, ours.get(path), getattr(row.recipe, field))
            for name, path, field in _RECIPE
        ]
        found += [_difference(name, ours.get(path), "none") for name, path in _IN_NO_PAPER]
        if row.recipe.milestones is not None:
            found.append(_difference("schedule", ours.get("training.lr_schedule.name"), "step"))
        found.append(_milestones(ours, row.recipe.milestones))
    return tuple(difference for difference in found if difference)


def _milestones(ours: Config, fractions: tuple[Fraction, ...] | None) -> Difference | None:
    epochs = ours.get("training.epochs")
    milestones = ours.get("training.lr_schedule.milestones")
    if fractions is None or milestones is None or epochs is None:
        return None
    # As a spec's fractions become epochs: rounded down, but not to 0, and none of them twice. After
    # the last epoch none has an effect.
    expected = dict.fromkeys(max(1, floor(fraction * epochs)) for fraction in fractions)
    decays = [milestone for milestone in milestones if milestone < epochs]
    if decays == [milestone for milestone in expected if milestone < epochs]:
        return None
    here = ", ".join(map(_said, milestones))
    paper = ", ".join(map(str, fractions))
    return Difference("learning rate decays after", f"{here} epochs", f"{paper} of all epochs")


def _difference(name: str, here: Any, paper: Any) -> Difference | None:
    if here is None or paper is None or _equal(here, paper):
        return None
    return Difference(name, _said(here), _said(paper))


def _equal(here: Any, paper: Any) -> bool:
    if isinstance(here, Sequence) and not isinstance(here, str):
        return list(here) == list(paper)
    return bool(here == paper)


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return exact_text(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_said, value))}]"
    return str(value)
