"""How the conditions of our runs differ from those of a published row, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import floor, prod
from typing import Any, NamedTuple

from results.json_values import leaves
from results.published import PublishedRow
from results.published.records import Recipe
from sweep_plugins.schemes.exact_numbers import exact
from sweep_plugins.schemes.exact_text import exact_text

Config = Mapping[str, Any]


class Difference(NamedTuple):
    """One condition that is not the paper's, both sides as they are said."""

    condition: str
    here: str
    paper: str

    def __str__(self) -> str:
        return f"{self.condition}: {self.here} here, {self.paper} in the paper"


class _Setting(NamedTuple):
    """A part of a recipe.

    Attributes:
        condition: what it is called.
        path: where the config has it.
        field: of the paper's recipe.
        absent: what a config does that lacks it; None if such a config says nothing.
    """

    condition: str
    path: str
    field: str
    absent: Any = None

    def of(self, config: Config, ours: Config) -> Any:
        """What the config says or does; None if it has no such part. `ours` are its leaves."""
        part, _, _ = self.path.partition(".")
        return ours.get(self.path, self.absent if part in config else None)


_RECIPE = (
    _Setting("epochs", "training.epochs", "epochs"),
    _Setting("processes", "training.data_parallel", "processes", 1),
    _Setting("batch size", "training.batch_size", "batch_size"),
    _Setting("optimizer", "training.optimizer.name", "optimizer"),
    _Setting("momentum", "training.optimizer.momentum", "momentum"),
    _Setting("Nesterov's momentum", "training.optimizer.nesterov", "nesterov"),
    _Setting("weight decay", "training.optimizer.weight_decay", "weight_decay"),
    _Setting(
        "decay of norms and biases",
        "training.optimizer.decay_norms_and_biases",
        "decay_norms_and_biases",
        True,
    ),
    _Setting("schedule", "training.lr_schedule.name", "schedule"),
    _Setting("rates change by", "training.lr_schedule.by", "by", "epoch"),
    _Setting("rates taken at", "training.lr_schedule.rate_at", "rate_at", "begin"),
    _Setting("warm-up epochs", "training.lr_schedule.warmup_epochs", "warmup_epochs", 0),
    _Setting("warm-up from", "training.lr_schedule.warmup_start", "warmup_start"),
    _Setting("learning rate decays by", "training.lr_schedule.gamma", "gamma"),
    _Setting("crop padding", "dataset.crop_padding", "crop_padding"),
    _Setting("size of images", "dataset.size", "size"),
    _Setting("test images resized to", "dataset.resize", "resize"),
    _Setting("area of crops", "dataset.crop.area", "crop_area", "all"),
    _Setting("aspect of crops", "dataset.crop.aspect", "crop_aspect", "as it is"),
    _Setting("shorter side", "dataset.shorter_side", "shorter_side", "as it is"),
    _Setting("horizontal flips", "dataset.horizontal_flip", "horizontal_flip"),
    _Setting("precision", "precision", "precision"),
)

_IN_NO_PAPER = (
    ("normalisation over all processes", "training.sync_batch_norm"),
    ("batches a step", "training.accumulation"),
    ("gradients clipped by norm", "training.clip_norm"),
    ("gradients clipped by value", "training.clip_value"),
    ("label smoothing", "training.label_smoothing"),
    ("mixup", "training.mixup"),
    ("averaging of weights", "training.ema_decay"),
    ("steps of warm-up", "training.lr_schedule.warmup_steps"),
    ("images reduced to", "dataset.reduce"),
)
"""What no recipe of a paper has."""


def differences(config: Config, row: PublishedRow) -> tuple[Difference, ...]:
    """The conditions of a run that are known not to be the row's.

    What the paper leaves open is no difference. The milestones of the learning rate are compared as
    fractions of all epochs, and the rate itself by the images of a step where the paper's is in
    proportion to them.
    """
    return (*network_differences(config, row), *_recipe_differences(config, row))


def network_differences(config: Config, row: PublishedRow) -> tuple[Difference, ...]:
    """Those that affect the network itself: the dataset, for its image size and classes, and
    the model's options.
    """
    ours = leaves(config)
    found = [_difference("dataset", ours.get("dataset.name"), row.dataset)]
    # A number of classes, as an image_folder may have, leaves none out.
    if found == [None] and isinstance(classes := ours.get("dataset.classes"), list):
        found.append(Difference("classes", f"{len(classes):,}", "all"))
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
            _difference(part.condition, part.of(config, ours), wanted)
            for part in _RECIPE
            if (wanted := getattr(row.recipe, part.field)) is not None
        ]
        found += [_images_a_step(ours, row.recipe), _rate(ours, row.recipe)]
        found += [_difference(name, ours.get(path), "none") for name, path in _IN_NO_PAPER]
        found.append(_milestones(ours, row.recipe.milestones))
    return tuple(difference for difference in found if difference)


def _step(ours: Config) -> int | None:
    """Images of a step, of all processes together."""
    batch = ours.get("training.batch_size")
    parts = (ours.get(f"training.{part}", 1) for part in ("accumulation", "data_parallel"))
    return None if batch is None else batch * prod(parts)


def _images_a_step(ours: Config, recipe: Recipe) -> Difference | None:
    return _difference("images a step", _step(ours), recipe.images_a_step)


def _rate(ours: Config, recipe: Recipe) -> Difference | None:
    here, step = ours.get("training.optimizer.lr"), _step(ours)
    if recipe.lr is None or recipe.lr_batch is None or step is None:
        return _difference("learning rate", here, recipe.lr)
    if here is None or here == float(exact(recipe.lr) * step / recipe.lr_batch):
        return None
    paper = f"{_said(recipe.lr)} for {recipe.lr_batch} images a step"
    return Difference("learning rate", f"{_said(here)} for {step}", paper)


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
