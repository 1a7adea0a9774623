"""The expected cost of a run, from the times of finished runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from statistics import median

from results.records import CostSample
from trainers.config.run import RunConfig
from trainers.config.trainer_run import TrainerRun
from trainers.errors import TrainerError

UNCALIBRATED_RATE = 1.3e10
"""Forward multiply-adds a second, training, of one CPU core of a 2024 server (fp32, depth 32,
batch 128, 28x28 images: 250 images a second of 53 million each). Only used until a run has
finished."""

EVALUATION_SHARE = 0.3
"""Cost of a test image relative to a training image: the forward pass without the backward one."""


_SLOWEST = 1e-6
"""Images a second. What is slower was never measured, and its time would be endless."""

Kind = tuple[object, ...]
"""What runs have in common whose times are averaged together."""


class CostModel:
    """Seconds a run takes on one slot, by multiply-adds over the rate of the most similar runs.

    Similar means, in this order of preference: the same model, depth, dataset, precision and
    compile; the same but for the model and depth; any finished run; none, and then
    UNCALIBRATED_RATE.

    Args:
        timed: finished runs of each kind, and their images a second.
    """

    def __init__(self, timed: Mapping[Kind, Sequence[tuple[RunConfig, float]]]) -> None:
        self._timed = timed
        self._rates: dict[Kind, float] = {}

    @classmethod
    def from_samples(cls, samples: Sequence[CostSample], *, device: str | None = None) -> CostModel:
        """Args:
        device: "cpu" or "cuda", to learn from runs on such a device only; None for all.
        """
        timed: dict[Kind, list[tuple[RunConfig, float]]] = {}
        for sample in samples:
            elsewhere = device is not None and not (sample.device or device).startswith(device)
            speed = sample.images_per_second or 0.0
            if elsewhere or speed < _SLOWEST:
                continue
            try:
                config = RunConfig.model_validate(sample.config)
            except ValueError:
                continue  # of another version, or of a plug-in that is not installed now
            for kind in _kinds(config):
                timed.setdefault(kind, []).append((config, speed))
        return cls(timed)

    @property
    def calibrated(self) -> bool:
        """Whether it is based on finished runs, not a guess."""
        return bool(self._timed)

    def seconds(self, config: TrainerRun, passes: int) -> float | None:
        """Training, the tests on the way, and `passes` over the test images to evaluate.

        None for a trainer whose work cannot be counted in images.
        """
        if not isinstance(config, RunConfig):
            return None
        kind = next((kind for kind in _kinds(config) if kind in self._timed), None)
        rate = UNCALIBRATED_RATE if kind is None else self._rate(kind)
        epochs = config.training.epochs
        tested = config.dataset_facts.test_images * (config.training.tests + passes)
        images = config.train_images * epochs + EVALUATION_SHARE * tested
        return images * config.multiply_adds_per_image / rate

    def _rate(self, kind: Kind) -> float:
        """Multiply-adds a second; found when asked for, since it takes the runs' counts."""
        if kind not in self._rates:
            rates = []
            for config, images_per_second in self._timed[kind]:
                # A plug-in's network may be none that can be built now.
                with suppress(TrainerError):
                    rates.append(images_per_second * config.multiply_adds_per_image)
            # Zero: of networks without any convolution or matrix product but the classifier.
            self._rates[kind] = (median(rates) if rates else 0) or UNCALIBRATED_RATE
        return self._rates[kind]


def _kinds(config: RunConfig) -> tuple[Kind, ...]:
    setting = (config.dataset.label, config.precision, config.compile)
    return ((config.model.name, config.model.depth, *setting), setting, ())
