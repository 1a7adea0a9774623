"""The ten tables of Chen, Jin and Shang (2022), ZeroSNet."""

from __future__ import annotations

from results.published import networks
from results.published.papers import CIFAR, CIFAR10, CIFAR100_LONG, ZEROSNET, zerosnet_imagenet
from results.published.records import Measure, ProbeQuantity, PublishedTable, RawRow, Subject
from results.published.units import MILLIONS, MODULUS, PERCENT, SECONDS

_RUNS = 3  # "mean ± standard deviations" of "three individual runs" (appendix, "CIFAR")
_ACCURACY = Measure("test_accuracy", PERCENT, ("test_accuracy_mean",), std="test_accuracy_std")

_RELEASED_CODE = (
    "the authors' released code differs from the paper: weight decay 5e-4 (paper: 1e-4), 159"
    " epochs on CIFAR-10 (160), and the best epoch's accuracy, where the paper says test accuracy"
)
_DATASETS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}
_BOTTLENECK_DEPTHS = (164, 326)
"""Of Table 7, as in He et al. (2016); both are 6n + 2 too, so that a spec has to say it."""

_RUNTIME = "{probe: runtime, batch_sizes: [128, 512, 4096]}"


def _zero_stable(raw: RawRow) -> bool:
    return {"Yes": True, "No": False}[raw["zero_stable"]]


def _moduli(text: str) -> tuple[float, ...]:
    return tuple(sorted((float(modulus) for modulus in text.split()), reverse=True))


def _alpha(raw: RawRow) -> tuple[str, str, str]:
    return raw["alpha0"], raw["alpha1"], raw["alpha2"]


def _table1(raw: RawRow) -> Subject:
    return Subject(
        label=f"{raw['model']}-{raw['depth']}, alpha {raw['alpha']}",
        depth=int(raw["depth"]),
        dataset=raw["dataset"],
        network=networks.preresnet(raw["alpha"]),
        runs=_RUNS,
        zero_stable=_zero_stable(raw),
        recipe=CIFAR10,
    )


def _table2(raw: RawRow) -> Subject:
    note = None
    if raw["k"] == "-0.5":
        note = "beta = 2k + 1 is 0 here, so that no multistep block uses its convolutions"
    return Subject(
        label=f"{raw['model']}-{raw['depth']}, k {raw['k']}",
        depth=int(raw["depth"]),
        dataset=raw["dataset"],
        network=networks.lm_resnet_shared(raw["k"]),
        runs=_RUNS,
        zero_stable=_zero_stable(raw),
        recipe=CIFAR10,
        note=note,
    )


def _third_order(raw: RawRow, label: str, evaluation: str | None = None) -> Subject:
    return Subject(
        label=label,
        depth=int(raw["depth"]),
        dataset=raw["dataset"],
        network=networks.third_order(_alpha(raw), raw["beta"]),
        evaluation=evaluation,
        runs=_RUNS,
        root_moduli=_moduli(raw["root_moduli"]),
        zero_stable=_zero_stable(raw),
        recipe=CIFAR10,
    )


def _table3(raw: RawRow) -> Subject:
    return _third_order(raw, f"{raw['depth']} layers, roots {raw['root_moduli']}")


def _table4(raw: RawRow) -> Subject:
    model, depth, dataset = raw["model"], int(raw["depth"]), raw["dataset"]
    network = {
        "ResNet": networks.preresnet(),
        "LM-ResNet": networks.lm_resnet_learned(restarts=raw["quoted_from"] != ""),
        "ZeroSNet-Opt": networks.zerosnet("-9/5"),
        "ZeroSNet-Tra": networks.zerosnet_trained(),
    }[model]
    quoted = bool(raw["quoted_from"])
    note = not_comparable = None
    # Lu et al. quote these in turn, at 20 to 56 layers from He et al. (2015): no pre-activation.
    requoted = model == "ResNet" and quoted
    if requoted:
        if raw["note"] == "pre-activation":
            source = "He et al. (2016)" if dataset == "cifar10" else "Huang et al. (2016)"
            note = f"Lu et al. quote it from {source}, whose recipe is not given"
        else:
            not_comparable = (
                "the number is of the original ResNet of He et al. (2015), with ReLU after the"
                " addition; preresnet is pre-activation"
            )
    if (model, depth, dataset) == ("LM-ResNet", 110, "cifar10"):
        note = "said to be from Lu et al., but in none of their tables"
    return Subject(
        label=f"{model}, {depth} layers, {_DATASETS[dataset]}",
        depth=depth,
        dataset=dataset,
        network=network,
        runs=None if quoted else _RUNS,
        recipe=None if requoted else CIFAR[dataset],
        quoted_from="Lu et al. (2018)" if quoted else None,
        note=note,
        not_comparable=not_comparable,
    )


def _table5(raw: RawRow) -> Subject:
    depth = int(raw["depth"])
    return Subject(
        label=f"{raw['model']}-{depth}",
        depth=depth,
        dataset=raw["dataset"],
        recipe=zerosnet_imagenet(depth),
        unavailable=(
            "this version has neither ImageNet nor its recipe: random resized crops, warm-up and"
            " cosine decay"
        ),
    )


def _table6(raw: RawRow) -> Subject:
    noise, level = raw["noise"], raw["level"].replace(" ", "").strip("[]")
    evaluation = None if noise == "none" else f"{noise}[{level}]"
    label = f"roots {raw['root_moduli']}, {evaluation or 'noise-free'}"
    return _third_order(raw, label, evaluation)


def _table7(raw: RawRow) -> Subject:
    depth = int(raw["depth"])
    block = "bottleneck" if depth in _BOTTLENECK_DEPTHS else None
    return Subject(
        label=f"{raw['model']}{depth}, roots {raw['root_moduli']}",
        depth=depth,
        dataset=raw["dataset"],
        network=networks.zerosnet(raw["lambda"], block=block),
        runs=_RUNS,
        root_moduli=_moduli(raw["root_moduli"]),
        recipe=CIFAR100_LONG,
    )


def _table8(raw: RawRow) -> Subject:
    model, depth = raw["model"], int(raw["depth"])
    note = None
    if (model, depth) == ("LM-ResNet", 110):
        note = "misprint: the network has about 1.73 million, not 1.14"
    elif model == "PreResNet" and depth in (32, 56):
        note = (
            "not the count of a 10-class network rounded up; the whole PreResNet column is that"
            " of 100 classes"
        )
    return Subject(
        label=f"{model}, {depth} layers",
        depth=depth,
        dataset="cifar10",
        network={
            "LM-ResNet": networks.lm_resnet_learned(restarts=True),
            "PreResNet": networks.any_scheme("preresnet", "{alpha: 1}"),
            "ZeroSNet": networks.any_scheme("zerosnet", "{lambda: -9/5}"),
        }[model],
        note=note,
    )


def _table9(raw: RawRow) -> Subject:
    size = int(raw["batch_size"])
    part = {"training": "train", "test": "test"}[raw["phase"]]
    return Subject(
        label=f"{raw['model']}{raw['depth']}, {raw['phase']}, batch size {raw['batch_size']}",
        depth=int(raw["depth"]),
        dataset="cifar10",
        # Fixed coefficients of any value cost the same.
        network={
            "PreResNet": networks.any_scheme("preresnet", "{alpha: 1}"),
            "ZeroSNet": networks.any_scheme("zerosnet", "{lambda: -9/5}"),
        }[raw["model"]],
        quantity=ProbeQuantity(
            "runtime", f"{part}_seconds[{size}]", {"batch_sizes": size}, spec=_RUNTIME
        ),
        not_comparable="a runtime of the authors' server, not a property of the network",
    )


def _table10(raw: RawRow) -> Subject:
    moduli = tuple(raw[f"root_modulus_{number}"] for number in (1, 2, 3))
    return Subject(
        label=f"{', '.join(_alpha(raw))}; {raw['beta']}",
        network=networks.any_model(_alpha(raw), raw["beta"]),
        root_moduli=_moduli(" ".join(moduli)),
        zero_stable=_zero_stable(raw),
    )


TABLES = (
    PublishedTable(
        name="zerosnet/table1",
        paper=ZEROSNET,
        number="Table 1",
        caption="PreResNet-32 with five weights alpha of the state, on CIFAR-10",
        file="zerosnet_table1.csv",
        measures=(_ACCURACY,),
        subject=_table1,
        notes=(_RELEASED_CODE,),
    ),
    PublishedTable(
        name="zerosnet/table2",
        paper=ZEROSNET,
        number="Table 2",
        caption="LM-ResNet-44 with four fixed values of k shared by all blocks, on CIFAR-10",
        file="zerosnet_table2.csv",
        measures=(_ACCURACY,),
        subject=_table2,
        notes=(
            _RELEASED_CODE,
            "beta = 2k + 1 is kept as printed (eq. 8); a consistent scheme would need 1 + k",
            "the paper does not say how these networks cross a stage change",
        ),
    ),
    PublishedTable(
        name="zerosnet/table3",
        paper=ZEROSNET,
        number="Table 3",
        caption="Ten third-order schemes at three depths, on CIFAR-10",
        file="zerosnet_table3.csv",
        measures=(_ACCURACY,),
        subject=_table3,
        notes=(
            _RELEASED_CODE,
            "the table names schemes by the moduli of their roots; coefficients are Table 10's",
        ),
    ),
    PublishedTable(
        name="zerosnet/table4",
        paper=ZEROSNET,
        number="Table 4",
        caption="ResNet, LM-ResNet and two ZeroSNets at five depths, on CIFAR-10 and CIFAR-100",
        file="zerosnet_table4.csv",
        measures=(_ACCURACY,),
        subject=_table4,
        notes=(
            _RELEASED_CODE,
            "twelve numbers are quoted from Lu et al. (2018), without a standard deviation",
        ),
    ),
    PublishedTable(
        name="zerosnet/table5",
        paper=ZEROSNET,
        number="Table 5",
        caption="PreResNet and ZeroSNet-Opt at three depths on ImageNet, single crop",
        file="zerosnet_table5.csv",
        measures=(
            Measure("test_accuracy", PERCENT, ("top1_accuracy",)),
            Measure("top5_accuracy", PERCENT, ("top5_accuracy",)),
        ),
        subject=_table5,
    ),
    PublishedTable(
        name="zerosnet/table6",
        paper=ZEROSNET,
        number="Table 6",
        caption="The networks of Table 3 with 56 layers, under six noises on the test images",
        file="zerosnet_table6.csv",
        measures=(_ACCURACY,),
        subject=_table6,
        notes=(
            _RELEASED_CODE,
            "the released code measures noise on the best epoch's weights; here it is the last's",
        ),
    ),
    PublishedTable(
        name="zerosnet/table7",
        paper=ZEROSNET,
        number="Table 7",
        caption="Generalization gap of three ZeroSNets at five depths, on CIFAR-100",
        file="zerosnet_table7.csv",
        measures=(
            Measure("train_accuracy", PERCENT, ("train_accuracy",)),
            Measure("test_accuracy", PERCENT, ("test_accuracy",)),
            Measure("generalization_gap", PERCENT, ("gap",)),
        ),
        subject=_table7,
        notes=(
            _RELEASED_CODE,
            "the paper does not say on which images it measures training accuracy; here it is the"
            " last epoch's, on the augmented images, while training",
            "which networks have bottleneck blocks (Figure 3) is not said; taken to be those of 164"
            " and 326 layers, as in He et al. (2016)",
            "no standard deviation is printed",
        ),
    ),
    PublishedTable(
        name="zerosnet/table8",
        paper=ZEROSNET,
        number="Table 8",
        caption="Parameters of LM-ResNet, PreResNet and ZeroSNet at five depths",
        file="zerosnet_table8.csv",
        measures=(Measure("parameters", MILLIONS, ("parameters_millions",)),),
        subject=_table8,
        notes=(
            "the paper names no dataset: ZeroSNet's figures are those of 10 classes, rounded up to"
            " 0.01 million",
        ),
    ),
    PublishedTable(
        name="zerosnet/table9",
        paper=ZEROSNET,
        number="Table 9",
        caption="Runtime of training and testing PreResNet20 and ZeroSNet20, on CIFAR-10",
        file="zerosnet_table9.csv",
        measures=(Measure("runtime", SECONDS, ("seconds",)),),
        subject=_table9,
        notes=(
            "the paper does not say over how many epochs it measures; ours is the time of one epoch"
            " of training, and of one pass over the test images",
        ),
    ),
    PublishedTable(
        name="zerosnet/table10",
        paper=ZEROSNET,
        number="Table 10",
        caption="Coefficients of ten third-order schemes and the moduli of their roots",
        file="zerosnet_table10.csv",
        measures=(
            Measure(
                "max_root_modulus",
                MODULUS,
                ("root_modulus_1", "root_modulus_2", "root_modulus_3"),
            ),
        ),
        subject=_table10,
        notes=("moduli are printed in no order; the last row's fractions are printed as decimals",),
    ),
)
