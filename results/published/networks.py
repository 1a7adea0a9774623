"""The networks of the papers as runs of this project.

Coefficients are given as text, since papers print fractions; a row keeps that text, so that what
a spec would need can be quoted exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from results.published.records import Network

# How states cross a stage change is settled by the released code: ZeroSNet's projects each of them,
# Lu et al.'s restarts the recurrence. For the LM-ResNets in ZeroSNet's tables nothing is said.
_PROJECTED = {"width": 16, "stage_change": "project"}
_RESTARTED = {"width": 16, "stage_change": "restart"}
_ZEROSNET = {**_PROJECTED, "start_blocks": 2}
_WIDE = {"width": 64, "stem": "3x3", "final_norm": False}


def _blocks(block: str | None = None, survival: float | None = None) -> dict[str, Any]:
    # Always told apart, also where a paper has no reason to name them: 164 layers are both 6n + 2
    # and 9n + 2, and stochastic depth changes nothing else that a row says.
    return {"block": block, "survival": survival}


def preresnet(
    alpha: str = "1", *, block: str | None = None, survival: float | None = None
) -> Network:
    """y_{n+1} = alpha y_n + f(y_n) (ZeroSNet eq. 7).

    `block` "bottleneck" or None for basic ones; `survival` of stochastic depth, None without it.
    """
    return Network(
        "preresnet",
        f"{{alpha: {alpha}}}",
        alpha=(float(Fraction(alpha)),),
        beta=1.0,
        variant=_blocks(block, survival),
        options=_PROJECTED,
    )


def lm_resnet_shared(k: str) -> Network:
    """LM-ResNet with one fixed k: 1-k, k; 2k+1 (ZeroSNet eq. 8, beta as printed)."""
    value = Fraction(k)
    return Network(
        "lm_resnet",
        f"{{k: {k}}}",
        alpha=(float(1 - value), float(value)),
        beta=float(2 * value + 1),
        variant=_blocks(),
        options={"width": 16},
    )


def lm_resnet_learned(
    *, restarts: bool, block: str | None = None, survival: float | None = None
) -> Network:
    """LM-ResNet as Lu et al. have it: each block learns its k_n, from U[-0.1, 0].

    `restarts` where the network is known to start again in each stage, as theirs; `block` and
    `survival` as for `preresnet`.
    """
    return Network(
        "lm_resnet",
        "{k: [-0.1, 0], trainable: true}",
        learned="k",
        start=(-0.1, 0.0),
        variant=_blocks(block, survival),
        options=_RESTARTED if restarts else {"width": 16},
    )


def third_order(alpha: Sequence[str], beta: str) -> Network:
    """ZeroSNet's network with any three-step scheme."""
    return Network(
        "zerosnet",
        f"{{alpha: [{', '.join(alpha)}], beta: {beta}}}",
        alpha=tuple(float(Fraction(a)) for a in alpha),
        beta=float(Fraction(beta)),
        variant=_blocks(),
        options=_ZEROSNET,
    )


def zerosnet(lambda_: str, *, block: str | None = None) -> Network:
    """ZeroSNet eq. 10: 3(1+l)/(4l), -1/l, (1+l)/(4l); (3l-1)/(2l). `block` as for `preresnet`."""
    value = Fraction(lambda_)
    side = (1 + value) / (4 * value)
    return Network(
        "zerosnet",
        f"{{lambda: {lambda_}}}",
        alpha=(float(3 * side), float(-1 / value), float(side)),
        beta=float((3 * value - 1) / (2 * value)),
        variant=_blocks(block),
        options=_ZEROSNET,
    )


def zerosnet_trained() -> Network:
    """ZeroSNet-Tra: each block learns its lambda_n, from 1."""
    return Network(
        "zerosnet",
        "{lambda: 1, trainable: true}",
        learned="lambda",
        start=(1.0, 1.0),
        variant=_blocks(),
        options=_ZEROSNET,
    )


def any_scheme(model: str, example: str) -> Network:
    """A model with whatever fixed coefficients, for what does not depend on them."""
    return Network(model, example, variant=_blocks(), options=_PROJECTED)


def any_model(alpha: Sequence[str], beta: str) -> Network:
    """A scheme in whatever model, for what depends on the coefficients alone."""
    return Network(
        None,
        f"{{alpha: [{', '.join(alpha)}], beta: {beta}}}",
        alpha=tuple(float(Fraction(a)) for a in alpha),
        beta=float(Fraction(beta)),
    )


def preact_resnet() -> Network:
    """The TM-ResNet paper's baseline: PreActResNet of 64 to 512 channels."""
    return Network("preact_resnet", "{alpha: 1}", alpha=(1.0,), beta=1.0, options=_WIDE)


def tm_resnet_wide() -> Network:
    """TM-ResNet: 3/2, -1, 1/2; 1 (ZeroSNet's lambda = 1) after a boot block of three blocks."""
    return Network(
        "tm_resnet_wide",
        "{lambda: 1}",
        alpha=(1.5, -1.0, 0.5),
        beta=1.0,
        options={**_WIDE, "start_blocks": 3},
    )


def _paths(cardinality: int, preactivation: bool) -> dict[str, Any]:
    return {"cardinality": cardinality, "base_width": 64, "preactivation": preactivation}


def resnext(cardinality: int, *, preactivation: bool) -> Network:
    """ResNeXt of so many paths of 64 channels (Xie et al. 2017), as printed "8x64d"."""
    return Network(
        "resnext",
        "{alpha: 1}",
        alpha=(1.0,),
        beta=1.0,
        variant=_paths(cardinality, preactivation),
        options={"width": 64, "stage_change": "project"},
    )


def lm_resnext(cardinality: int) -> Network:
    """LM-ResNeXt (Lu et al. 2018), pre-activation; its printed sizes are those of `project`."""
    return Network(
        "lm_resnext",
        "{k: [-0.1, 0], trainable: true}",
        learned="k",
        start=(-0.1, 0.0),
        variant=_paths(cardinality, preactivation=True),
        options={"width": 64, "stage_change": "project"},
    )


def fractalnet() -> Network:
    """FractalNet of five blocks, trained without drop-path (Larsson et al. 2017)."""
    return Network("fractalnet", variant={"blocks": 5, "drop_path": None}, options={"width": 64})


def resnet(blocks: Sequence[int], activation: str) -> Network:
    """Newton-ResNet's baseline: a ResNet of basic blocks, such as 2, 2, 2, 2 for ResNet18.

    `activation` "relu", or "none" for a network without any.
    """
    return Network(
        "resnet", variant={"blocks": tuple(blocks), "activation": activation}, options={"width": 64}
    )


def newton_resnet(blocks: Sequence[int], activation: str) -> Network:
    """Newton-ResNet; how many 1x1 convolutions N_1 and N_2 are follows from the printed counts."""
    return Network(
        "newton_resnet",
        variant={"blocks": tuple(blocks), "activation": activation},
        options={"width": 64, "x_proj": 1 if activation == "relu" else 0, "lin_proj": 1},
    )
