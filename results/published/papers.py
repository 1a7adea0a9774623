"""The papers that the tables are from, and how each trained its networks."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from results.published.records import Paper, Recipe

ZEROSNET = Paper(
    short="ZeroSNet",
    title="Zero Stability Well Predicts Performance of Convolutional Neural Networks",
    authors=("Liangming Chen", "Long Jin", "Mingsheng Shang"),
    year=2022,
    venue="AAAI 2022",
)
LM_RESNET = Paper(
    short="LM-ResNet",
    title=(
        "Beyond Finite Layer Neural Networks: Bridging Deep Architectures and Numerical"
        " Differential Equations"
    ),
    authors=("Yiping Lu", "Aoxiao Zhong", "Quanzheng Li", "Bin Dong"),
    year=2018,
    venue="ICML 2018",
)
NEWTON = Paper(
    short="Newton-ResNet",
    title="Newton Residual Learning",
    authors=(),  # anonymous in the version at hand
    year=None,
    venue="anonymous, under double-blind review",
)
TM_RESNET = Paper(
    short="TM-ResNet",
    title="Enhancing Convolutional Neural Networks with Higher-Order Numerical Difference Methods",
    authors=(),  # not in the summary at hand
    year=2024,
    venue=None,
    arxiv="2409.04977",
)

# ZeroSNet (appendix, "CIFAR") takes its hyperparameters from LM-ResNet (section 2.2).
CIFAR10 = Recipe(
    epochs=160,
    batch_size=128,
    lr=0.1,
    momentum=0.9,
    weight_decay=1e-4,
    milestones=(Fraction(1, 2), Fraction(3, 4)),
    gamma=0.1,
    crop_padding=4,
    horizontal_flip=True,
    precision="fp32",
)
CIFAR100 = replace(CIFAR10, epochs=300)
CIFAR100_LONG = replace(CIFAR10, epochs=500)  # ZeroSNet, Table 7 alone
CIFAR = {"cifar10": CIFAR10, "cifar100": CIFAR100}

LM_RESNEXT = replace(CIFAR100, weight_decay=5e-4)
LM_IMAGENET = Recipe(batch_size=256, momentum=0.9, weight_decay=1e-4)
STOCHASTIC_DEPTH = replace(
    CIFAR10,
    epochs=500,
    remark=(
        "blocks are dropped with a probability that grows linearly with depth; the rest as in"
        " Huang et al. (2016)"
    ),
)

NEWTON_CIFAR = Recipe(
    epochs=120,
    batch_size=128,
    lr=0.1,
    milestones=(Fraction(1, 3), Fraction(1, 2), Fraction(2, 3), Fraction(5, 6)),
    gamma=0.1,
    precision="fp32",  # all but ImageNet (section 4.4)
)
NEWTON_IMAGENET = Recipe(
    epochs=90,
    batch_size=1024,
    lr=0.4,
    momentum=0.9,
    weight_decay=1e-4,
    milestones=(Fraction(1, 3), Fraction(2, 3), Fraction(8, 9)),
    gamma=0.1,
    precision="fp16",
    remark="the learning rate rises linearly in the first five epochs",
)
NEWTON_SPEECH = Recipe(
    epochs=70,
    lr=0.01,
    remark="the learning rate falls when validation accuracy has not improved for two epochs",
)


def zerosnet_imagenet(depth: int) -> Recipe:
    """ZeroSNet's recipe for ImageNet; rate and batch size depend on the depth."""
    lr, batch_size = {18: (0.2, 128), 34: (0.1, 64), 50: (0.05, 32)}[depth]
    return Recipe(
        epochs=150,
        batch_size=batch_size,
        lr=lr,
        momentum=0.9,
        weight_decay=4e-5,
        precision="mixed",
        remark="cosine decay after five epochs of warm-up, on eight GPUs",
    )
