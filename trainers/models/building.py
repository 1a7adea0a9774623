"""Networks, built from their options; and what there is to count of one."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from trainers.models.counting import TrainingCounts


def build(builder: str | Callable[..., nn.Module], *given: Any, **image: Any) -> nn.Module:
    """The builder's network of the arguments that `Architecture.build` has."""
    make = pkgutil.resolve_name(builder) if isinstance(builder, str) else builder
    # Layers draw default weights when they are made, before ours replace them.
    with torch.random.fork_rng(devices=[]):
        network: nn.Module = make(*given, **image)
    return network


def measure(
    builder: str | Callable[..., nn.Module],
    options: Any,
    scheme: Any,
    *,
    channels: int,
    classes: int,
    size: int,
) -> tuple[int, int, TrainingCounts | None]:
    """Trainable parameters, and multiply-adds of one image's forward pass in evaluation mode.

    Also what that pass does in training, as far as it can be counted.

    Multiply-adds are without the classifier's. The network is built on torch's meta device, which
    has shapes and no numbers; one that fails there, since it needs numbers while it is built or
    evaluated, or operators that `MultiplyAdds` does not know, is built on the CPU, and counted by
    torch itself.

    Args:
        size: pixels a side of an image.
    """
    # Imports a GPU compiler, which a worker has no use for: half a second.
    from torch.utils.flop_counter import FlopCounterMode

    from trainers.models.multiply_adds import MultiplyAdds

    def built() -> tuple[nn.Module, torch.Tensor]:
        image = {"channels": channels, "classes": classes}
        network = build(builder, options, scheme, **image, generator=torch.Generator("cpu"))
        return network.eval(), torch.zeros(1, channels, size, size)

    try:
        with torch.device("meta"), torch.no_grad():
            network, image = built()
            with MultiplyAdds(apart=getattr(network, "classifier", None)) as counter:
                network(image)
        multiply_adds = counter.total
    except Exception:
        with torch.device("cpu"), torch.no_grad():
            network, image = built()
            with FlopCounterMode(display=False) as by_torch:
                network(image)
        found = {name: sum(counts.values()) for name, counts in by_torch.get_flop_counts().items()}
        apart = found.get(f"{type(network).__name__}.classifier", 0)
        multiply_adds = (found.get("Global", 0) - apart) // 2
    parameters = sum(p.numel() for p in network.parameters() if p.requires_grad)
    return parameters, multiply_adds, _training_counts(built)


def _training_counts(
    built: Callable[[], tuple[nn.Module, torch.Tensor]],
) -> TrainingCounts | None:
    """None for a network that takes no such pass, on the meta device or the CPU.

    What draws at random has not begun an epoch, so that nothing is dropped.
    """
    from trainers.models.counting import TrainingCounts
    from trainers.models.training_pass import IMAGES, TrainingPass

    for device in ("meta", "cpu"):
        try:
            with torch.device(device):
                network, image = built()
                images = image.new_zeros(IMAGES, *image.shape[1:])
            # Outside of that device: what it draws has numbers.
            with torch.random.fork_rng(devices=[]), TrainingPass(network.train()) as counter:
                network(images)
        except Exception:
            continue
        return TrainingCounts(
            counter.saved // IMAGES,
            counter.moved // IMAGES,
            counter.moved_by_products // IMAGES,
            counter.largest // IMAGES,
            counter.operations,
        )
    return None
