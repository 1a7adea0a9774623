"""What all networks have in common: a stem, blocks, and a classifier of the last state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Generator, Tensor, nn
from torch.nn import functional
from typing_extensions import override

from trainers.models.initialisation import initialise


class Network(nn.Module):
    """Images (N, channels, H, W), float -> logits (N, classes).

    A subclass makes `stem`, `blocks` and `classifier`. It overrides `for_blocks` where a block is
    given more than the state before it, and `first_state` and `pooled` where there is more to do.
    """

    stem: nn.Module
    blocks: nn.ModuleList
    classifier: nn.Module

    def first_state(self, images: Tensor) -> Tensor:
        """y_0, which leaves the stem."""
        state: Tensor = self.stem(images)
        return state

    def for_blocks(self, images: Tensor) -> Sequence[tuple[Any, ...]]:
        """What each block is given in this pass, after the state."""
        return [()] * len(self.blocks)

    def states(self, images: Tensor) -> Iterator[Tensor]:
        """The state that leaves the stem, then each block's: (N, C, H, W)."""
        state = self.first_state(images)
        yield state
        for block, given in zip(self.blocks, self.for_blocks(images), strict=True):
            state = block(state, *given)
            yield state

    def pooled(self, state: Tensor) -> Tensor:
        """What the classifier sees of the last state: (N, C, H, W) -> (N, C)."""
        return state.mean(dim=(2, 3))

    @override
    def forward(self, images: Tensor) -> Tensor:
        for state in self.states(images):  # noqa: B007 - the last one is used
            pass
        logits: Tensor = self.classifier(self.pooled(state))
        return logits


class StandardNetwork(Network):
    """A network with one linear layer for a classifier, whose weights are drawn last."""

    def __init__(
        self, options: Any, scheme: Any, *, channels: int, classes: int, generator: Generator
    ) -> None:
        super().__init__()
        features = self.make(options, scheme, channels, generator)
        self.classifier = nn.Linear(features, classes)
        self.initialise(generator)

    def make(self, options: Any, scheme: Any, channels: int, generator: Generator) -> int:
        """Makes all but the classifier; the channels that this sees.

        Coefficients that start from a range are drawn from `generator`.
        """
        raise NotImplementedError

    def initialise(self, generator: Generator) -> None:
        """Draws the weights."""
        initialise(self, generator)


class NormedNetwork(StandardNetwork):
    """BN-ReLU, `norm` and ReLU, come between the last state and the pooling."""

    norm: nn.Module

    @override
    def pooled(self, state: Tensor) -> Tensor:
        return functional.relu(self.norm(state)).mean(dim=(2, 3))


class MultistepStates(StandardNetwork):
    """A network whose blocks map the newest states, [y_n, y_{n-1}, ...], to [y_{n+1}, y_n, ...]."""

    steps: int

    @override
    def states(self, images: Tensor) -> Iterator[Tensor]:
        """y_0, and what each block adds to the history."""
        history = [self.first_state(images)]
        yield history[0]
        for block, given in zip(self.blocks, self.for_blocks(images), strict=True):
            history = block(history, *given)[: self.steps]
            yield history[0]
