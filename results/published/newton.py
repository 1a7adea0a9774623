"""Eight tables of Newton-ResNet. Its Table 3 compares code, and has no numbers."""

from __future__ import annotations

from results.published.papers import NEWTON, NEWTON_CIFAR, NEWTON_IMAGENET, NEWTON_SPEECH
from results.published.records import Measure, PublishedTable, RawRow, Recipe, Subject
from results.published.units import (
    ERROR_PERCENT,
    FRACTION,
    IMAGES_PER_SECOND,
    MEGABYTES,
    MILLIONS,
    POINTS,
)

_RUNS = 5  # "each experiment is conducted 5 times" unless said otherwise (section 4)
_ACCURACY = Measure("test_accuracy", FRACTION, ("accuracy_mean",), std="accuracy_std")
_PARAMETERS = Measure("parameters", MILLIONS, ("parameters_millions",))
_TOP1 = Measure("test_accuracy", ERROR_PERCENT, ("top1_error",))
_TOP5 = Measure("top5_accuracy", ERROR_PERCENT, ("top5_error",))
_FRACTIONS = "accuracies are printed as fractions, here in percent"
_ERRORS = "errors are printed in percent; accuracy here is 100 less the error"
_RECIPES = {
    "cifar10": NEWTON_CIFAR,
    "cifar100": NEWTON_CIFAR,
    "imagenet": NEWTON_IMAGENET,
    "speech_commands": NEWTON_SPEECH,
}


def _line(raw: RawRow, runs: int, recipe: Recipe | None, lacking: str) -> Subject:
    label = raw["model"]
    if raw.get("blocks"):
        label += f", {raw['blocks']} blocks"
    if raw.get("activation") == "none":
        label += ", no activations"
    return Subject(
        label=label,
        dataset=raw["dataset"],
        runs=runs,
        recipe=recipe,
        unavailable=f"this version has {lacking}",
    )


def _classifier(raw: RawRow) -> Subject:
    dataset = raw["dataset"]
    lacking = f"no {raw['model']}"
    if dataset in ("imagenet", "speech_commands"):
        lacking = f"neither {raw['model']} nor the dataset {dataset}"
    # "this experiment is conducted only once" (section 4.4)
    runs = 1 if dataset == "imagenet" else _RUNS
    return _line(raw, runs, _RECIPES[dataset], lacking)


def _generator(raw: RawRow) -> Subject:
    # "conducted 10 times" (section 4.5)
    return _line(raw, 10, None, "no generative networks")


def _table(number: int, caption: str, measures: tuple[Measure, ...], *notes: str) -> PublishedTable:
    return PublishedTable(
        name=f"newton/table{number}",
        paper=NEWTON,
        number=f"Table {number}",
        caption=caption,
        file=f"newton_table{number}.csv",
        measures=measures,
        subject=_generator if number == 8 else _classifier,
        notes=notes,
    )


TABLES = (
    _table(
        1,
        "ResNets and Newton-ResNets of like accuracy, on CIFAR-10",
        (_ACCURACY, _PARAMETERS),
        _FRACTIONS,
    ),
    _table(
        2,
        "ResNet and Newton-ResNets without activation functions, on CIFAR-10",
        (_ACCURACY, _PARAMETERS),
        _FRACTIONS,
    ),
    _table(
        4,
        "ResNet and Newton-ResNet of like accuracy, on CIFAR-100",
        (_ACCURACY, _PARAMETERS),
        _FRACTIONS,
    ),
    _table(
        5,
        "ResNet and Newton-ResNets without activation functions, on CIFAR-100",
        (_ACCURACY, _PARAMETERS),
        _FRACTIONS,
    ),
    _table(
        6,
        "ResNets and a Newton-ResNet on ImageNet: error, speed of inference, size",
        (
            _TOP1,
            _TOP5,
            Measure("inference_speed", IMAGES_PER_SECOND, ("images_per_second",)),
            Measure("model_size", MEGABYTES, ("model_size_mb",)),
        ),
        _ERRORS,
        "speed is printed in thousands of images a second",
    ),
    _table(
        7,
        "ResNet and Newton-ResNet without activation functions, on ImageNet",
        (_TOP1, _TOP5),
        _ERRORS,
    ),
    _table(
        8,
        "Generating CIFAR-10 images: SNGAN, and SNGAN of Newton blocks",
        (
            Measure("inception_score", POINTS, ("inception_score_mean",), "inception_score_std"),
            Measure("fid", POINTS, ("fid_mean",), "fid_std"),
            Measure("generator_parameters", MILLIONS, ("generator_parameters_millions",)),
            Measure("discriminator_parameters", MILLIONS, ("discriminator_parameters_millions",)),
        ),
        "the second line is printed as 'Ours'",
        "the text calls the number after ± a variance; it is taken for a standard deviation",
    ),
    _table(
        9,
        "ResNet and Newton-ResNet on Speech Commands",
        (_ACCURACY, _PARAMETERS),
        _FRACTIONS,
    ),
)
