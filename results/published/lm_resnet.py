"""The four tables of Lu, Zhong, Li and Dong (2018), LM-ResNet."""

from __future__ import annotations

import re
from dataclasses import replace

from results.published import networks
from results.published.papers import (
    CIFAR,
    LM_IMAGENET,
    LM_RESNET,
    LM_RESNEXT,
    STOCHASTIC_DEPTH,
)
from results.published.records import Measure, PublishedTable, RawRow, Subject
from results.published.units import ERROR_PERCENT, MILLIONS

_ERROR = Measure("test_accuracy", ERROR_PERCENT, ("test_error",))
_RUNS_UNKNOWN = "each error is one number; the paper does not say over how many runs"
_BASIC_DEPTHS = (20, 32, 44, 56, 110)  # 6n + 2; deeper ones are of bottleneck blocks


def _source(model: str) -> str | None:
    """Whom a line's number is quoted from: "ResNet (He et al. (2016))" -> "He et al. (2016)"."""
    _, _, rest = model.partition("(")
    source = rest.removesuffix(")")
    return None if source in ("", "Ours", "Our Implement") else source


def _layers(printed: str) -> int:
    """Of "20", "110, pre-act" or "29(8×64d)"."""
    return int(re.split(r"\D", printed)[0])


def _cifar(raw: RawRow, dataset: str) -> Subject:
    """A line without stochastic depth. What is neither LM-ResNet nor ResNet has no network here."""
    model, layers = raw["model"], raw["layers"]
    name = model.split("(")[0].strip()
    depth = _layers(layers)
    source = _source(model)
    line = Subject(
        label=f"{model}, {layers}",
        depth=depth,
        dataset=dataset,
        recipe=None if source else CIFAR[dataset],
        quoted_from=source,
    )
    if name not in ("ResNet", "LM-ResNet"):
        recipe = None if source else LM_RESNEXT
        return replace(line, recipe=recipe, unavailable=f"this version has no {name}")
    if name == "LM-ResNet":
        network = networks.lm_resnet_learned(restarts=True)
    else:
        network = networks.preresnet()
    if "pre-act" not in layers:
        return replace(
            line,
            network=network,
            not_comparable=(
                "the original ResNet, with ReLU after the addition; preresnet is pre-activation"
            ),
        )
    if depth not in _BASIC_DEPTHS:
        return replace(line, unavailable="this version has no network of bottleneck blocks")
    note = f"quoted from {source}, whose recipe this paper does not give" if source else None
    return replace(line, network=network, note=note)


def _table1(raw: RawRow) -> Subject:
    return Subject(label=raw["network"])


def _table2(raw: RawRow) -> Subject:
    return _cifar(raw, raw["dataset"].lower())


def _table3(raw: RawRow) -> Subject:
    source = _source(raw["model"])
    return Subject(
        label=f"{raw['model']}, {raw['layers']}",
        depth=_layers(raw["layers"]),
        dataset="imagenet",
        recipe=None if source else LM_IMAGENET,
        quoted_from=source,
        unavailable="this version has neither ImageNet nor networks for its image size",
    )


def _table4(raw: RawRow) -> Subject:
    if raw["training"] == "Original":
        return _cifar(raw, "cifar10")
    source = _source(raw["model"])
    return Subject(
        label=f"{raw['model']}, {raw['layers']}, stochastic depth",
        depth=_layers(raw["layers"]),
        dataset="cifar10",
        recipe=None if source else STOCHASTIC_DEPTH,
        quoted_from=source,
        unavailable="this version does not train with stochastic depth",
    )


TABLES = (
    PublishedTable(
        name="lm_resnet/table1",
        paper=LM_RESNET,
        number="Table 1",
        caption="Networks, the differential equations behind them, and their numerical schemes",
        file="lm_resnet_table1.csv",
        measures=(),
        subject=_table1,
        notes=("the table has words only, and nothing to compare",),
    ),
    PublishedTable(
        name="lm_resnet/table2",
        paper=LM_RESNET,
        number="Table 2",
        caption="LM-ResNet and LM-ResNeXt beside other networks, on CIFAR-10 and CIFAR-100",
        file="lm_resnet_table2.csv",
        measures=(_ERROR, Measure("parameters", MILLIONS, ("parameters",))),
        subject=_table2,
        notes=(
            "test errors are printed; accuracy here is 100 less the error",
            _RUNS_UNKNOWN,
        ),
    ),
    PublishedTable(
        name="lm_resnet/table3",
        paper=LM_RESNET,
        number="Table 3",
        caption="ResNet and LM-ResNet on ImageNet, single crop",
        file="lm_resnet_table3.csv",
        measures=(
            Measure("test_accuracy", ERROR_PERCENT, ("top1_error",)),
            Measure("top5_accuracy", ERROR_PERCENT, ("top5_error",)),
        ),
        subject=_table3,
        notes=("errors are printed; accuracy here is 100 less the error", _RUNS_UNKNOWN),
    ),
    PublishedTable(
        name="lm_resnet/table4",
        paper=LM_RESNET,
        number="Table 4",
        caption="ResNet and LM-ResNet trained with stochastic depth, on CIFAR-10",
        file="lm_resnet_table4.csv",
        measures=(_ERROR,),
        subject=_table4,
        notes=(
            "test errors are printed; accuracy here is 100 less the error",
            _RUNS_UNKNOWN,
        ),
    ),
)
