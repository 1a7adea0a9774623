"""What a run of image classification is given, and what it gives back.

The contract between the built-in trainer and its caller; `trainers.own` is that of all others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NotRequired, TypedDict

from trainers.config.evaluations import EvaluationConfig
from trainers.config.run import RunConfig
from trainers.storage import Folder


class EpochMetrics(TypedDict):
    """One finished epoch. Accuracies in percent; losses are mean cross-entropy; null: not finite.

    Training figures are running means over the epoch's augmented batches, as the network changed;
    test figures are of the network at the epoch's end. `seconds` is training alone.
    """

    epoch: int
    learning_rate: float
    train_loss: float | None
    train_accuracy: float | None
    test_loss: float | None
    test_accuracy: float | None
    seconds: float


TOP5: Final = "test_top5_accuracy"
"""The name under which it is reported, as somebody's own trainer reports its metrics."""


class TestedEpoch(EpochMetrics, total=False):
    """One finished epoch with what is reported by name, if the network was tested after it."""

    test_top5_accuracy: float | None


class EvaluationResult(TypedDict):
    """One evaluation of the trained network; null accuracy: the network had diverged."""

    evaluation_id: str
    name: str
    kind: str
    level: float | None
    config: dict[str, Any]
    accuracy: float | None
    loss: float | None


class ProbeValue(TypedDict):
    """One number that a probe measured while the network trained.

    `probe`, `quantity`, `epoch` and `layer` are unique together within a run. `epoch` 0 is before
    training, `layer` is "" for the whole network, and a value that is not finite is null. Units are
    in docs/probes.md.
    """

    probe: str
    quantity: str
    epoch: int
    layer: str
    value: float | None


class BlockScheme(TypedDict):
    """The scheme that one block has learned; null where its coefficients are not finite.

    `block` counts all blocks from 1. `alpha` has the newest state's weight first. Moduli of roots,
    largest first, stability, consistency and order are as `trainers.methods.multistep` defines
    them.
    """

    block: int
    alpha: list[float | None]
    beta: float | None
    root_moduli: list[float | None] | None
    max_root_modulus: float | None
    zero_stable: bool | None
    consistent: bool | None
    order: int | None


class TrainingResult(TypedDict):
    """What the built-in trainer returns, and others may. Accuracies in percent, times in seconds.

    test_accuracy, train_accuracy, test_loss, train_loss and generalization_gap (training minus
    test accuracy) are the last epoch's. A network that diverged has null there. `blocks` is null
    for a network that learns no scheme. `evaluations` are among those of the job.
    """

    parameters: int
    test_accuracy: float | None
    best_test_accuracy: float | None
    best_epoch: int | None
    train_accuracy: float | None
    generalization_gap: float | None
    test_loss: float | None
    train_loss: float | None
    diverged: bool
    diverged_epoch: int | None
    train_seconds: float
    images_per_second: float | None
    weights_sha256: str | None
    learned_coefficients: list[list[float | None]] | None
    epochs: list[EpochMetrics]
    evaluations: list[EvaluationResult]
    probes: NotRequired[list[ProbeValue]]
    blocks: NotRequired[list[BlockScheme] | None]
    first_epoch: NotRequired[int]


class ResultWithMetrics(TrainingResult, total=False):
    """With what is reported by name: at the end, at epochs, and what is known of each name.

    `images_left_out` are sentences about images of the dataset that could not be decoded.
    """

    metrics: dict[str, float | None]
    epoch_metrics: list[dict[str, Any]]
    metric_definitions: dict[str, dict[str, Any]]
    images_left_out: list[str]


@dataclass(frozen=True)
class Member:
    """A process's place among those that train one network together.

    Attributes:
        rank: from 0; the process of rank 0 writes what the run stores.
        processes: how many there are.
        address: "host:port", where rank 0 listens for the others.
    """

    rank: int
    processes: int
    address: str


@dataclass(frozen=True)
class TrainingJob:
    """One run to train.

    Attributes:
        config: what to train.
        evaluations: what to measure of the trained network.
        data_dir: where datasets lie, or are downloaded to.
        device: a torch device, such as "cpu" or "cuda".
        folder: where this attempt writes checkpoints and weights; None to write nothing.
        earlier: folders of earlier attempts, the newest first; training goes on from the newest
            checkpoint there.
        on_epoch: called with each finished epoch's metrics, after its checkpoint is stored. It may
            raise TrainingStopped, which the trainer lets through.
        heartbeat: called while the run makes progress, at least once a training step, evaluation
            batch and layer or batch of a probe; cheap. A trainer that does not call it for long
            may be taken for hung, and its process be ended.
        member: which of several processes this is; None for the only one.
        workers: processes that decode images which do not fit into memory; 0 to decode them in the
            one that trains.
    """

    config: RunConfig
    evaluations: tuple[EvaluationConfig, ...]
    data_dir: Path
    device: str = "cpu"
    folder: Folder | None = None
    earlier: tuple[Folder, ...] = field(default=())
    on_epoch: Callable[[EpochMetrics], None] | None = None
    heartbeat: Callable[[], None] | None = None
    member: Member | None = None
    workers: int = 0
