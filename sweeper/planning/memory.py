"""The memory that a run needs of its device.

Activations are what `trainers.models.training_pass` counts; docs/estimates.md has the rest in
words, and the figures that it was compared with.
"""

from __future__ import annotations

from dataclasses import dataclass

from sweeper.planning.step_time import bits_of
from trainers.config.run import RunConfig
from trainers.evaluation.batches import forward_batch

_CONTEXT = 512 * 2**20
"""Of CUDA and its libraries, in each process; what they use on their own is in it."""

_RESULTS_AT_ONCE = 3
"""The largest results of operations that are there at a time, beside what is kept."""


@dataclass(frozen=True)
class Memory:
    """Bytes of one process, at the time when it needs most.

    Attributes:
        weights: with buffers, and what a precision of 16 bits copies of them.
        gradients: of the weights.
        optimizer: what it keeps, and an average of the weights.
        activations: kept of a batch for its backward pass.
        work: results that are not kept, and images of the dataset.
        context: of the libraries.
    """

    weights: int
    gradients: int
    optimizer: int
    activations: int
    work: int
    context: int = _CONTEXT

    @property
    def total(self) -> int:
        """All of it."""
        return self.least + self.work + self.context

    @property
    def least(self) -> int:
        """What is there at once however well the rest is done."""
        return self.weights + self.gradients + self.optimizer + self.activations


def memory_of(config: RunConfig, device: str) -> Memory | None:
    """None for a network whose activations cannot be counted.

    Args:
        device: "cuda" or "cpu".

    Raises TrainerError if the network cannot be built.
    """
    counts, recipe = config.counts, config.training
    if counts.training is None:
        return None
    bits = bits_of(config)
    number = max(4, bits // 8)
    of_weights = number * counts.parameters
    copies = of_weights // 2 if bits == 16 else 0
    activations = counts.training.saved * bits // 32 * recipe.batch_size
    largest = counts.training.largest * bits // 32 * _RESULTS_AT_ONCE
    facts = config.dataset_facts
    evaluating = largest * min(forward_batch(device, facts.size**2), facts.test_images)
    work = max(largest * recipe.batch_size, evaluating - activations)
    averages = 0 if recipe.ema_decay is None else 1
    return Memory(
        weights=of_weights + copies,
        gradients=of_weights,
        optimizer=int(of_weights * (_kept(config) + averages)),
        activations=activations,
        work=work + _images(config),
    )


def _images(config: RunConfig) -> int:
    """Bytes of what a run keeps of its dataset, padded for its crops; of one that streams, none."""
    if config.dataset.streams:
        return 0
    facts = config.dataset_facts
    padded = facts.size + 2 * facts.crop_padding
    train = config.train_images * facts.channels * padded**2
    test = facts.test_images * facts.channels * facts.size**2
    return train + test


def _kept(config: RunConfig) -> float:
    """Numbers that the optimizer keeps for each weight."""
    optimizer = config.training.optimizer
    options = optimizer.model_dump()
    kept = KEPT_BY_OPTIMIZERS[optimizer.name]
    for option, more in (("momentum", 1), ("amsgrad", 1), ("centered", 1)):
        kept += more if options.get(option) else 0
    return kept


KEPT_BY_OPTIMIZERS = {
    "sgd": 0, "adam": 2, "adamw": 2, "adamax": 2, "nadam": 2, "radam": 2, "adagrad": 1,
    "adadelta": 2, "adafactor": 0, "rmsprop": 1, "rprop": 2, "asgd": 1,
}  # fmt: skip
"""Numbers for each weight, without those that momentum, amsgrad and centered add."""
