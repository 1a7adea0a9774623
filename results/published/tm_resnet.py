"""The two results of TM-ResNet that a summary of the paper gives."""

from __future__ import annotations

from results.published.papers import TM_RESNET
from results.published.records import Measure, PublishedTable, RawRow, Subject
from results.published.units import PERCENT, THOUSANDS


def _line(raw: RawRow) -> Subject:
    model, depth = raw["model"], int(raw["depth"])
    return Subject(
        label=f"{model}-{depth}",
        depth=depth,
        dataset=raw["dataset"],
        unavailable=(
            f"this version has no {model}-{depth} of 11 million parameters: its networks have"
            " 6n + 2 layers in three stages"
        ),
    )


TABLES = (
    PublishedTable(
        name="tm_resnet/results",
        paper=TM_RESNET,
        number=None,
        caption="TM-ResNet-22 and PreActResNet-18, on CIFAR-10",
        file="tm_resnet.csv",
        measures=(
            Measure("test_accuracy", PERCENT, ("test_accuracy",)),
            Measure("parameters", THOUSANDS, ("parameters_thousands",)),
        ),
        subject=_line,
        notes=(
            "read in a summary of the paper, which names neither the table, nor the recipe, nor"
            " the number of runs",
        ),
    ),
)
