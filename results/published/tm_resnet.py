"""The two results of TM-ResNet that a summary of the paper gives."""

from __future__ import annotations

from results.published import networks
from results.published.papers import TM_RESNET
from results.published.records import Measure, PublishedTable, RawRow, Subject
from results.published.units import PERCENT, THOUSANDS


def _line(raw: RawRow) -> Subject:
    model, depth = raw["model"], int(raw["depth"])
    network = {
        "TM-ResNet": networks.tm_resnet_wide,
        "PreActResNet": networks.preact_resnet,
    }[model]()
    return Subject(label=f"{model}-{depth}", depth=depth, dataset=raw["dataset"], network=network)


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
            "how the blocks are divided among the stages is not said; ours are those that have the"
            " printed parameters",
        ),
    ),
)
