"""The multistep residual networks of either body, for images of about 32 or 224 pixels a side."""

from __future__ import annotations

from typing import Any

from torch import Generator
from typing_extensions import override

from trainers.methods.scheme_config import SchemeConfig
from trainers.models.multistep.network import MultistepNetwork
from trainers.models.multistep.options import MultistepOptions, steps_of
from trainers.models.network import MultistepStates
from trainers.models.wide.layers import imagenet_stem
from trainers.models.wide.network import WideMultistepNetwork


class ImageNetMultistepNetwork(WideMultistepNetwork):
    """Images (N, channels, H, W), float -> logits (N, classes), for any H and W.

    ZeroSNet's and PreResNet's layers are those of ZeroSNet's released code for ImageNet, and
    LM-ResNet's are chosen by analogy, since nothing is released of it.
    """

    @override
    def make(self, options: Any, scheme: SchemeConfig, channels: int, generator: Generator) -> int:
        self.stem = imagenet_stem(channels, options.width)
        return self.make_blocks(
            steps_of(options, scheme),
            scheme,
            generator,
            old_states=options.old_states or "raw",  # None where there are none
            final_norm=options.final_norm,
        )


def multistep_network(
    options: MultistepOptions, scheme: SchemeConfig, **image: Any
) -> MultistepStates:
    """The network of these options; called as `Architecture.builder` says."""
    network = MultistepNetwork if options.body is None else ImageNetMultistepNetwork
    return network(options, scheme, **image)
