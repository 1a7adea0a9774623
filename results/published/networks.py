"""The networks of the papers as runs of this project.

Coefficients are given as text, since papers print fractions; a row keeps that text, so that what
a spec would need can be quoted exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from results.published.records import Network

# How states cross a stage change is settled by the released code: ZeroSNet's projects each of them,
# Lu et al.'s restarts the recurrence. For the LM-ResNets in ZeroSNet's tables nothing is said.
_PROJECTED = {"width": 16, "stage_change": "project"}
_RESTARTED = {"width": 16, "stage_change": "restart"}
_ZEROSNET = {**_PROJECTED, "start_blocks": 2}


def preresnet(alpha: str = "1") -> Network:
    """y_{n+1} = alpha y_n + f(y_n) (ZeroSNet eq. 7)."""
    return Network(
        "preresnet",
        f"{{alpha: {alpha}}}",
        alpha=(float(Fraction(alpha)),),
        beta=1.0,
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
        options={"width": 16},
    )


def lm_resnet_learned(*, restarts: bool) -> Network:
    """LM-ResNet as Lu et al. have it: each block learns its k_n, from U[-0.1, 0].

    `restarts` where the network is known to start again in each stage, as theirs.
    """
    return Network(
        "lm_resnet",
        "{k: [-0.1, 0], trainable: true}",
        learned="k",
        start=(-0.1, 0.0),
        options=_RESTARTED if restarts else {"width": 16},
    )


def third_order(alpha: Sequence[str], beta: str) -> Network:
    """ZeroSNet's network with any three-step scheme."""
    return Network(
        "zerosnet",
        f"{{alpha: [{', '.join(alpha)}], beta: {beta}}}",
        alpha=tuple(float(Fraction(a)) for a in alpha),
        beta=float(Fraction(beta)),
        options=_ZEROSNET,
    )


def zerosnet(lambda_: str) -> Network:
    """ZeroSNet eq. 10: 3(1+l)/(4l), -1/l, (1+l)/(4l); (3l-1)/(2l)."""
    value = Fraction(lambda_)
    side = (1 + value) / (4 * value)
    return Network(
        "zerosnet",
        f"{{lambda: {lambda_}}}",
        alpha=(float(3 * side), float(-1 / value), float(side)),
        beta=float((3 * value - 1) / (2 * value)),
        options=_ZEROSNET,
    )


def zerosnet_trained() -> Network:
    """ZeroSNet-Tra: each block learns its lambda_n, from 1."""
    return Network(
        "zerosnet",
        "{lambda: 1, trainable: true}",
        learned="lambda",
        start=(1.0, 1.0),
        options=_ZEROSNET,
    )


def any_scheme(model: str, example: str) -> Network:
    """A model with whatever fixed coefficients, for what does not depend on them."""
    return Network(model, example, options=_PROJECTED)


def any_model(alpha: Sequence[str], beta: str) -> Network:
    """A scheme in whatever model, for what depends on the coefficients alone."""
    return Network(
        None,
        f"{{alpha: [{', '.join(alpha)}], beta: {beta}}}",
        alpha=tuple(float(Fraction(a)) for a in alpha),
        beta=float(Fraction(beta)),
    )
