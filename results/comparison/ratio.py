"""The ratio of two networks in what depends on the machine too, ours beside the paper's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ratio:
    """How much more of a quantity one network has than another, such as seconds of an epoch.

    Attributes:
        model, over: the names of both models; the ratio is the first's value by the second's.
        quantity: what is measured, such as "train_seconds[128]".
        published: from both printed numbers.
        here: from the means of our runs; None if they differ in more than the network.
        agrees: whether both are on the same side of 1; None if one of them is not known, or the
            paper prints two equal numbers.
        differing: in which settings our runs differ, besides network, scheme, seed and probes.
    """

    model: str
    over: str
    quantity: str
    published: float
    here: float | None
    agrees: bool | None
    differing: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"{self.model} over {self.over}, {self.quantity}: {self.published:.3f} in the paper"
        if self.here is None:
            return f"{text}, unknown here, as the runs differ in {', '.join(self.differing)}"
        text += f", {self.here:.3f} here"
        if self.agrees is None:
            return f"{text}; the paper's numbers are equal, so that there is no direction"
        return f"{text}; {'the same' if self.agrees else 'the other'} direction"
