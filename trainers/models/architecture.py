"""What a model is to a spec: its options, the schemes it takes, and what builds its network."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from trainers.methods.fractions import Whole

if TYPE_CHECKING:
    import torch

    from trainers.methods.scheme_config import SchemeConfig


class ModelOptions(BaseModel):
    """Options of one network. Subclasses add theirs; `name` is the key in MODELS."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    depth: Whole


def _as_given(options: Any, _scheme: Any) -> Any:
    return options


def written_out(key: str, value_of: Callable[[Any], Any]) -> Callable[[Any, Any], ModelOptions]:
    """For `Architecture.complete` where an option has a default that follows from the others.

    Written out, so that asking for the default by its value is the same run.
    """
    return lambda options, _: options.model_copy(update={key: value_of(options)})


@dataclass(frozen=True, eq=False)
class Architecture:
    """One entry of MODELS.

    Attributes:
        options: the class that validates the options a spec gives.
        builder: called with (options, scheme, channels=, classes=, generator=), it returns the
            network: a function, or the network's own class. A name, "module:function", is imported
            when a network is built, so that planning needs no torch.
        default_scheme: what a spec without a scheme means, as the spec would write it; None if
            the network is no linear multistep method: then it takes no scheme, and is given None
            where the others get theirs.
        complete: fills in what depends on the scheme, and checks that both go together
            (ConfigError, with the key of the option, if not).
        learns_coefficients: whether its blocks learn coefficients of their own, without a scheme
            that says so.
        sources: of a plug-in, the files and folders that decide its results, relative to its own
            file, which is one of them; empty for what `sweep_plugins.source.code_of` finds.

    A network is a torch.nn.Module from images (N, channels, H, W) to logits (N, classes), most
    simply a subclass of `trainers.models.network.Network`. It has `blocks`, an nn.ModuleList in
    forward order, and `states(images)`, which yields the state that leaves the stem and each block.
    A block that learns coefficients which are no scheme's has `learned_values()`, a dict of them by
    name. A network that draws at random while it trains has `begin_epoch(draw)`, called before each
    epoch: `draw(purpose)` is a fresh generator on the CPU, keyed by the run's seed, the purpose and
    the epoch. What such a network draws for each batch it draws in its pass. A compiled graph
    cannot: so it also has `begin_batch(images)`, which draws for the next pass of `images` images,
    and is called before each that trains through a graph. Where several processes train it, all
    draw alike; one that draws for each image also has `begin_part(whole, before)`, called before
    each pass: of `whole` images of all processes together, of which `before` are in the batches of
    lower ranks.

    What it has of parameters and multiply-adds may depend on its options, on how many states its
    scheme combines and which coefficients are learned, and on no coefficient's value: networks are
    counted once for each of these (see `trainers.models.counting`).
    """

    options: type[ModelOptions]
    builder: str | Callable[..., torch.nn.Module]
    default_scheme: Any = None
    complete: Callable[[Any, Any], ModelOptions] = _as_given
    learns_coefficients: bool = False
    sources: tuple[str, ...] = ()

    def build(
        self,
        options: ModelOptions,
        scheme: SchemeConfig | None,
        *,
        channels: int,
        classes: int,
        generator: torch.Generator,
    ) -> torch.nn.Module:
        """The network with its initial weights drawn from `generator`, and from nothing else."""
        build = pkgutil.resolve_name("trainers.models.building:build")
        network: torch.nn.Module = build(
            self.builder, options, scheme, channels=channels, classes=classes, generator=generator
        )
        return network
