"""Eight tables of Newton-ResNet. Its Table 3 compares code, and has no numbers."""

from __future__ import annotations

from results.published import networks
from results.published.papers import NEWTON, NEWTON_CIFAR, NEWTON_IMAGENET, NEWTON_SPEECH
from results.published.records import Measure, Network, PublishedTable, RawRow, Subject
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
_UNAVAILABLE = {
    "imagenet": "this version has neither ImageNet nor a ResNet50 of this form",
    "speech_commands": "this version has no dataset speech_commands",
}
_RECIPES = {"imagenet": NEWTON_IMAGENET, "speech_commands": NEWTON_SPEECH}


def _network(raw: RawRow) -> Network:
    blocks = [int(number) for number in raw["blocks"].split()]
    activation = raw.get("activation", "relu")
    if raw["model"].startswith("Newton"):
        return networks.newton_resnet(blocks, activation)
    return networks.resnet(blocks, activation)


def _label(raw: RawRow) -> str:
    label = raw["model"]
    if raw.get("blocks"):
        label += f", {raw['blocks']} blocks"
    if raw.get("activation") == "none":
        label += ", no activations"
    return label


def _classifier(raw: RawRow) -> Subject:
    return Subject(
        label=_label(raw),
        dataset=raw["dataset"],
        network=_network(raw),
        runs=_RUNS,
        recipe=NEWTON_CIFAR,
    )


def _other_dataset(raw: RawRow) -> Subject:
    dataset = raw["dataset"]
    note = None
    if dataset == "speech_commands" and raw["model"] == "Newton-ResNet":
        note = (
            "no whole number of 1x1 convolutions in each block gives the printed 13.2 million: it"
            " lies between those for none (12.7) and for one (13.5)"
        )
    return Subject(
        label=_label(raw),
        dataset=dataset,
        # "this experiment is conducted only once" (section 4.4)
        runs=1 if dataset == "imagenet" else _RUNS,
        recipe=_RECIPES[dataset],
        note=note,
        unavailable=_UNAVAILABLE[dataset],
    )


def _generator(raw: RawRow) -> Subject:
    return Subject(
        label=_label(raw),
        dataset=raw["dataset"],
        runs=10,  # "conducted 10 times" (section 4.5)
        unavailable="this version has no generative networks",
    )


_SUBJECTS = {6: _other_dataset, 7: _other_dataset, 8: _generator, 9: _other_dataset}


def _table(number: int, caption: str, measures: tuple[Measure, ...], *notes: str) -> PublishedTable:
    return PublishedTable(
        name=f"newton/table{number}",
        paper=NEWTON,
        number=f"Table {number}",
        caption=caption,
        file=f"newton_table{number}.csv",
        measures=measures,
        subject=_SUBJECTS.get(number, _classifier),
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
