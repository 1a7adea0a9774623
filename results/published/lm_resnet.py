"""The four tables of Lu, Zhong, Li and Dong (2018), LM-ResNet."""

from __future__ import annotations

import re

from results.published import networks
from results.published.papers import (
    CIFAR,
    LM_IMAGENET,
    LM_RESNET,
    LM_RESNEXT,
    STOCHASTIC_DEPTH,
)
from results.published.records import Measure, Network, PublishedTable, RawRow, Subject
from results.published.units import ERROR_PERCENT, MILLIONS

_ERROR = Measure("test_accuracy", ERROR_PERCENT, ("test_error",))
_RUNS_UNKNOWN = "each error is one number; the paper does not say over how many runs"
_BOTTLENECK_DEPTHS = (164, 1001)  # Lu et al., "Implementation Details"; He et al. (2016)
_POST_ACTIVATION = "the original ResNet, with ReLU after the addition; preresnet is pre-activation"

#: p_L, as survival of the last block, by depth; and of Huang et al.'s own networks.
_SURVIVAL = {56: 0.8, 110: 0.5}
_SURVIVAL_OF_HUANG = 0.5

_SIZES = {
    # What is known where our count is not the printed one rounded, by network and layers.
    ("ResNet", 164): "printed as 2.55 million parameters; 1.7 million in He et al. (2016) and here",
    ("ResNet", 1001): (
        "printed as 18.88 million parameters; 10.2 million in He et al. (2016), 10.4 here"
    ),
    ("LM-ResNet", 164): (
        "printed as 2.55 million parameters, as ResNet-164, which has 1.7 million in He et al."
        " (2016); no whole width gives 2.55, nor does the text's bottleneck of 64 channels"
    ),
    ("FractalNet", 20): (
        "printed as 38.6 million parameters; our network has the blocks and widths of its paper,"
        " and 33.8 million"
    ),
    ("ResNeXt", 29): "the printed size is that for 10 classes, as in Xie et al. (2017)",
}


def _source(model: str) -> str | None:
    """Whom a line's number is quoted from: "ResNet (He et al. (2016))" -> "He et al. (2016)"."""
    _, _, rest = model.partition("(")
    source = rest.removesuffix(")")
    return None if source in ("", "Ours", "Our Implement") else source


def _name(model: str) -> str:
    """Of "ResNet (He et al. (2016))" or "DenseNet-BC (Huang et al., 2016a)"."""
    return model.split("(")[0].strip()


def _numbers(printed: str) -> list[int]:
    """Layers, and what follows: of "20", "110, pre-act" or "29(8×64d)"."""
    return [int(number) for number in re.findall(r"\d+", printed)]


def _network(name: str, layers: str, survival: float | None = None) -> Network | None:
    """The network of a line; None if there is none here."""
    depth, *paths = _numbers(layers)
    block = "bottleneck" if depth in _BOTTLENECK_DEPTHS else None
    if name == "ResNet":
        return networks.preresnet(block=block, survival=survival)
    if name == "LM-ResNet":
        return networks.lm_resnet_learned(restarts=True, block=block, survival=survival)
    if name == "ResNeXt":
        return networks.resnext(paths[0], preactivation="pre-act" in layers)
    if name == "LM-ResNeXt":
        return networks.lm_resnext(paths[0])
    if (name, depth) == ("FractalNet", 20):
        return networks.fractalnet()
    return None


def _lacking(name: str, depth: int) -> str:
    if name == "FractalNet":
        return (
            f"this version has no FractalNet of {depth} layers and 22.9 million parameters: with"
            " the widths of the other one it has 76 million, and the text gives no others"
        )
    return f"this version has no {name}"


def _cifar(raw: RawRow, dataset: str) -> Subject:
    """A line without stochastic depth."""
    model, layers = raw["model"], raw["layers"]
    name, depth, source = _name(model), _numbers(layers)[0], _source(model)
    network = _network(name, layers)
    recipe = LM_RESNEXT if "ResNeXt" in name else CIFAR[dataset]
    quoted = f"quoted from {source}, whose recipe this paper does not give" if source else None
    size = _SIZES.get((name, depth)) if "parameters" in raw else None
    not_comparable = None
    if name == "ResNet" and "pre-act" not in layers:
        quoted, not_comparable = None, _POST_ACTIVATION
    return Subject(
        label=f"{model}, {layers}",
        depth=depth,
        dataset=dataset,
        network=network,
        recipe=None if source else recipe,
        quoted_from=source,
        note="; ".join(part for part in (quoted, size) if network and part) or None,
        unavailable=None if network else _lacking(name, depth),
        not_comparable=not_comparable,
    )


def _table1(raw: RawRow) -> Subject:
    return Subject(label=raw["network"])


def _table2(raw: RawRow) -> Subject:
    return _cifar(raw, raw["dataset"].lower())


def _table3(raw: RawRow) -> Subject:
    source = _source(raw["model"])
    return Subject(
        label=f"{raw['model']}, {raw['layers']}",
        depth=_numbers(raw["layers"])[0],
        dataset="imagenet",
        recipe=None if source else LM_IMAGENET,
        quoted_from=source,
        unavailable="this version has neither ImageNet nor the scale augmentation of its recipe",
    )


def _table4(raw: RawRow) -> Subject:
    if raw["training"] == "Original":
        return _cifar(raw, "cifar10")
    model, layers = raw["model"], raw["layers"]
    name, depth, source = _name(model), _numbers(layers)[0], _source(model)
    survival = _SURVIVAL_OF_HUANG if source else _SURVIVAL[depth]
    note = not_comparable = None
    if source:
        not_comparable = _POST_ACTIVATION
        note = "p_L is 0.5 throughout in Huang et al. (2016)"
    elif name == "ResNet":
        note = "p_L is printed for the LM-ResNets alone; taken as that of 56 layers, 0.8"
    return Subject(
        label=f"{model}, {layers}, stochastic depth",
        depth=depth,
        dataset="cifar10",
        network=_network(name, layers, survival),
        recipe=None if source else STOCHASTIC_DEPTH,
        quoted_from=source,
        note=note,
        not_comparable=not_comparable,
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
            "the paper calls p_L a probability of dropping, and takes all hyperparameters from"
            " Huang et al. (2016), where it is that of survival, as here",
        ),
    ),
)
