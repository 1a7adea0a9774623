"""The networks that a spec can name."""

from __future__ import annotations

from dataclasses import replace

from sweep_plugins import Registry
from trainers.models.architecture import Architecture, ModelOptions
from trainers.models.dynamical_resnet.options import DYNAMICAL_RESNET
from trainers.models.fractalnet.options import FRACTALNET
from trainers.models.ho_resnet.options import HO_RESNET
from trainers.models.multistep.options import PRERESNET, RestartingOptions, TaylorOptions
from trainers.models.newton_resnet.options import NEWTON_RESNET
from trainers.models.polynet.options import POLYNET
from trainers.models.resnet.options import RESNET
from trainers.models.resnext.options import RESNEXT, LMResNeXtOptions
from trainers.models.revnet.options import REVNET
from trainers.models.shake_shake.options import SHAKE_SHAKE
from trainers.models.wide.options import PREACT_RESNET, WideTaylorOptions

MODELS: Registry[Architecture] = Registry(
    "model",
    "sweep.models",
    {
        # He et al. (2016), with ZeroSNet's alpha in front of the state (eq. 7).
        "preresnet": PRERESNET,
        # Lu et al. (2018), eq. 1.
        "lm_resnet": replace(
            PRERESNET, options=RestartingOptions, default_scheme={"k": [-0.1, 0], "trainable": True}
        ),
        # Chen et al. (2022), eq. 10; Theorem 3's coefficients unless a spec says otherwise.
        "zerosnet": replace(PRERESNET, default_scheme={"lambda": "-9/5"}),
        # The Taylor multistep method, ZeroSNet's lambda = 1, after three start blocks.
        "tm_resnet": replace(PRERESNET, options=TaylorOptions, default_scheme={"lambda": 1}),
        # The TM-ResNet paper's baseline, He et al. (2016b): 64 to 512 channels.
        "preact_resnet": PREACT_RESNET,
        # TM-ResNet-22 of the TM-ResNet paper, in the same widths.
        "tm_resnet_wide": replace(
            PREACT_RESNET, options=WideTaylorOptions, default_scheme={"lambda": 1}
        ),
        # Luo et al. (2021): blocks are Runge-Kutta steps.
        "ho_resnet": HO_RESNET,
        # The base network and ResNet, with and without BN, as a discrete dynamical system.
        "dynamical_resnet": DYNAMICAL_RESNET,
        # Zhang et al. (2017): a truncated backward Euler step (Lu et al. 2018, Table 1).
        "polynet": POLYNET,
        # Larsson et al. (2017): Runge-Kutta steps (Lu et al. 2018, Table 1).
        "fractalnet": FRACTALNET,
        # Gomez et al. (2017): Euler steps of a system of two streams (Lu et al. 2018, Table 1).
        "revnet": REVNET,
        # He et al. (2016) with the stem for 32x32, which Newton-ResNet is compared with.
        "resnet": RESNET,
        # Newton Residual Learning, eq. 3 and Algorithm 1.
        "newton_resnet": NEWTON_RESNET,
        # Xie et al. (2017).
        "resnext": RESNEXT,
        # Lu et al. (2018), eq. 1 on ResNeXt's body.
        "lm_resnext": replace(
            RESNEXT, options=LMResNeXtOptions, default_scheme={"k": [-0.1, 0], "trainable": True}
        ),
        # Gastaldi (2017).
        "shake_shake": SHAKE_SHAKE,
    },
    instance_of=Architecture,
)

__all__ = ["MODELS", "Architecture", "ModelOptions"]
