"""How one run trains: the papers' recipe, epoch by epoch, resumable at each.

SGD with momentum and step decay, unless the spec says otherwise (He et al. 2016; Lu et al. 2018;
Chen et al. 2022). An epoch needs nothing of the ones before it but weights and the state of the
optimizer.
"""

from __future__ import annotations

import math
import time
from contextlib import AbstractContextManager, closing, nullcontext
from functools import partial
from operator import itemgetter
from typing import Any

import torch
from torch import nn

from trainers.config.evaluations import EvaluationConfig
from trainers.config.job import (
    TOP5,
    ProbeValue,
    ResultWithMetrics,
    TestedEpoch,
    TrainingJob,
    TrainingResult,
)
from trainers.config.schedules.plateau import PlateauConfig
from trainers.data.labelled_images import LabelledImages
from trainers.evaluation.measure import Measurement
from trainers.evaluation.precision import computing_in
from trainers.models.coefficients import learned_coefficients
from trainers.optim.averaging import WeightAverage
from trainers.optim.optimizers import make_optimizer
from trainers.optim.step import Steps
from trainers.parallel.group import Group, joined
from trainers.parallel.replica import Replica, share_buffers
from trainers.probes.measuring import Probing
from trainers.probes.subject import Subject
from trainers.rng import seeded_generator
from trainers.training.batches import Batch
from trainers.training.building import build_network
from trainers.training.by_name import apart
from trainers.training.checkpoint import Checkpoints, save_weights, weights_sha256
from trainers.training.fitting import fits, weights_fit
from trainers.training.images import RunImages
from trainers.training.learned_schemes import block_schemes
from trainers.training.measuring import evaluation_result, finite, measure, passes_of
from trainers.training.together import (
    checkpoint_for_all,
    require_same_images,
    require_same_weights,
    stop_together,
)

STEPS_UNTIL_A_LOOK = 50
"""Steps on a GPU between checks that the loss is finite: each check synchronizes."""


def train(job: TrainingJob) -> TrainingResult:
    """Train one network from its newest checkpoint, or from the start, and evaluate it.

    Raises:
        TrainerError: the device cannot compute in the run's precision, or the processes that train
            together came to other weights.
        PeerLostError: another process of the run is gone.
        DatasetMissingError: the dataset is not on this machine.
        StorageError: a folder is full or cannot be reached.
        TrainingStopped: the job's on_epoch raised it, in this process or in another one.
    """
    device = torch.device(job.device)
    with (
        computing_in(device, job.config.precision),
        joined(job.member, device) as group,
        closing(images_of(job)) as images,
        closing(_Training(job, group, images)) as training,
    ):
        training.resume()
        training.run()
        return training.result()


def images_of(job: TrainingJob) -> RunImages:
    """All that the run needs; close them."""
    return RunImages(
        job.config,
        job.data_dir,
        torch.device(job.device),
        job.member,
        workers=job.workers,
        heartbeat=job.heartbeat or (lambda: None),
    )


class _Training:
    """The state of one run while it trains."""

    def __init__(self, job: TrainingJob, group: Group, images: RunImages) -> None:
        self.job = job
        self.group = group
        self.config = job.config
        self.device = torch.device(job.device)
        self.images = images
        self.network = build_network(job.config, job.device)
        self.passes = passes_of(self.network, job, self.device)
        self.measured, self.measured_passes = self.network, self.passes
        self.average: WeightAverage | None = None
        if (decay := job.config.training.ema_decay) is not None:
            self.measured = build_network(job.config, job.device)
            self.average = WeightAverage(self.network, self.measured, decay)
            self.measured_passes = passes_of(self.measured, job, self.device, to_train=False)
        self.optimizer = make_optimizer(self.network, job.config.training.optimizer)
        self.replica: Replica | None = None
        if group.processes > 1:
            synchronised = job.config.training.sync_batch_norm is True
            self.replica = Replica(self.network, group, synchronised=synchronised)
        learned = self.passes if self.replica is None else self.replica.passes
        self.stepping = Steps(learned, self.optimizer, job.config, group.processes)
        self.steps = job.config.training.steps(self.images.count)
        self.epochs: list[TestedEpoch] = []
        self.validations: list[float] = []
        self.probed: list[ProbeValue] = []
        probed = job.config.probes is not None and group.rank == 0
        self.probing = Probing(self._subject()) if probed else None
        self.first_epoch = 1
        self.diverged_epoch: int | None = None
        self.folder = job.folder if group.rank == 0 else None
        self.checkpoints = (
            None
            if self.folder is None
            else Checkpoints(job.config.run_id, self.folder, job.earlier)
        )

    def close(self) -> None:
        """Gives back what other processes have taken."""
        if self.replica is not None:
            self.replica.close()

    def _subject(self) -> Subject:
        """What probes measure: the network itself, whose graphs would keep its states inside."""

        def copy() -> nn.Module:
            network = build_network(self.config, self.job.device)
            network.load_state_dict(self.network.state_dict())
            return network

        return Subject(
            config=self.config,
            device=self.device,
            network=self.network,
            copy=copy,
            train_count=self.images.count,
            train_images=self.images.training.padded_images,
            test=self.images.test,
            heartbeat=self.job.heartbeat or (lambda: None),
            diverged=lambda: self.diverged_epoch is not None,
        )

    def resume(self) -> None:
        require_same_images(self.group, self.images)
        newest = checkpoint_for_all(
            self.group,
            lambda: self.checkpoints.newest(self._fits) if self.checkpoints else None,
        )
        if newest is not None:
            epoch, state = newest
            self.network.load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.stepping.load_state_dict(state.get("scale", {}))
            if self.average is not None:
                self.measured.load_state_dict(state["average"])
            self.epochs = state["epochs"]
            self.validations = state.get("validations", [])
            # A checkpoint of an older version has none, nor has its run.
            self.probed = state.get("probes", [])
            self.diverged_epoch = state["diverged_epoch"]
            self.first_epoch = epoch + 1
        require_same_weights(self.group, self.network, f"before epoch {self.first_epoch}")

    def _fits(self, epoch: int, state: dict[str, Any]) -> bool:
        averaged = self.average is None or weights_fit(self.measured, state.get("average"))
        scaled = self.stepping.takes(state.get("scale", {}))
        return averaged and scaled and fits(epoch, state, self.config, self.network, self.optimizer)

    def run(self) -> None:
        if self.first_epoch == 1:
            self._probe(0)
        for epoch in range(self.first_epoch, self.config.training.epochs + 1):
            if self.diverged_epoch is not None:
                break
            metrics = self._epoch(epoch)
            self.epochs.append(metrics)
            self._probe(epoch)
            require_same_weights(self.group, self.network, f"after epoch {epoch}")
            if self.checkpoints is not None:
                self.checkpoints.save(epoch, self._state())
            stop_together(self.group, partial(self._report, metrics))

    def _report(self, metrics: TestedEpoch) -> None:
        if self.job.on_epoch is not None:
            self.job.on_epoch(metrics)

    def _probe(self, epoch: int) -> None:
        if self.probing is not None:
            last = epoch == self.config.training.epochs or self.diverged_epoch is not None
            self.probed += self.probing.measure(epoch, last=last)

    def _state(self) -> dict[str, Any]:
        average = {} if self.average is None else {"average": self.measured.state_dict()}
        return {
            **average,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scale": self.stepping.state_dict(),
            "epochs": self.epochs,
            "validations": self.validations,
            "probes": self.probed,
            "diverged_epoch": self.diverged_epoch,
        }

    def _epoch(self, epoch: int) -> TestedEpoch:
        started = time.perf_counter()
        loss, accuracy, learning_rate = self._train_on_all_images(epoch)
        seconds = time.perf_counter() - started
        metrics: TestedEpoch = {
            "epoch": epoch,
            "learning_rate": learning_rate,
            "train_loss": loss,
            "train_accuracy": accuracy,
            "test_loss": None,
            "test_accuracy": None,
            "seconds": seconds,
        }
        if self.diverged_epoch is None and not self._can_go_on():
            self.diverged_epoch = epoch
        if self.diverged_epoch is None:
            self._validate()
        if self.diverged_epoch is None and self.config.training.is_tested(epoch):
            tested = self._measure(None)
            if math.isfinite(tested.loss) or epoch < self.config.training.epochs:
                metrics["test_accuracy"] = tested.accuracy
                metrics["test_loss"] = finite(tested.loss)
                if tested.top5_accuracy is not None:
                    metrics[TOP5] = tested.top5_accuracy
            else:
                # An unstable network may recover during training, but not after it.
                self.diverged_epoch = epoch
        return metrics

    def _can_go_on(self) -> bool:
        """Whether weights still change, and are finite: no loss follows an epoch's last step."""
        return not self.stepping.overflows and all(
            bool(weight.isfinite().all()) for weight in self.network.parameters()
        )

    def _train_on_all_images(self, epoch: int) -> tuple[float | None, float | None, float]:
        """Mean loss, accuracy (percent), and the learning rate of the last step.

        Stops at a loss that is not finite.
        """
        self.passes.train()
        if self.replica is not None:
            self.replica.begin_epoch()
        if begin_epoch := getattr(self.network, "begin_epoch", None):
            begin_epoch(lambda purpose: seeded_generator(self.config.seed, purpose, epoch))
        total_loss = torch.zeros((), dtype=torch.float64, device=self.device)
        # Of mixed images, each label counts by its share.
        correct = torch.zeros((), dtype=torch.float64, device=self.device)
        step, learning_rate = 0, self._learning_rate(epoch, 0)
        look_every = 1 if self.device.type == "cpu" else STEPS_UNTIL_A_LOOK
        for number, batch in enumerate(self.images.batches(epoch), start=1):
            if self.job.heartbeat is not None:
                self.job.heartbeat()
            with self._part(batch):
                loss, right = self.stepping.learn(
                    batch.pixels, batch.labels, share=batch.share, mix=batch.mix
                )
            total_loss += loss.double() * len(batch.labels)
            correct += right
            # Once the sum is not finite it never is again.
            looks = number % look_every == 0
            diverged = looks and self.group.any(not math.isfinite(float(total_loss)))
            if batch.ends_step:
                learning_rate = self._learning_rate(epoch, step)
                if not diverged:
                    self.stepping.step(learning_rate)
                if self.average is not None:
                    self.average.update((epoch - 1) * self.steps + step)
                step += 1
            if diverged:
                break
        total_loss, correct = self.group.sum(total_loss), self.group.sum(correct)
        share_buffers((self.network, self.measured), self.group)
        if not math.isfinite(float(total_loss)):
            self.diverged_epoch = epoch
            return None, None, learning_rate
        count = self.images.count
        return float(total_loss) / count, 100 * float(correct) / count, learning_rate

    def _part(self, batch: Batch) -> AbstractContextManager[None]:
        """In which this process's part of a forward and backward pass of all is made."""
        if self.replica is None:
            return nullcontext()
        return self.replica.part(
            len(batch.labels),
            whole=batch.whole,
            before=batch.before,
            ends_step=batch.ends_step,
        )

    def _learning_rate(self, epoch: int, step: int) -> float:
        return self.config.training.learning_rate(epoch, step, self.steps, self.validations)

    def _validate(self) -> None:
        """Notes what a plateau is found in."""
        schedule = self.config.training.lr_schedule
        if self.images.validation is not None and isinstance(schedule, PlateauConfig):
            found = self._measured_on(self.images.validation, None)
            self.validations.append(found.loss if schedule.metric == "loss" else found.accuracy)

    def _measure(self, evaluation: EvaluationConfig | None) -> Measurement:
        return self._measured_on(self.images.test, evaluation)

    def _measured_on(
        self, images: LabelledImages, evaluation: EvaluationConfig | None
    ) -> Measurement:
        return measure(self.measured_passes, self.job, evaluation, images, self.group)

    def result(self) -> ResultWithMetrics:
        """The run's facts; stores the final weights."""
        weights = self.measured.state_dict()
        diverged = self.diverged_epoch is not None
        if self.folder is not None:
            save_weights(self.folder, self.config.run_id, weights, diverged=diverged)
        evaluations = [
            evaluation_result(evaluation, None if diverged else self._measure(evaluation))
            for evaluation in self.job.evaluations
        ]
        last = self.epochs[-1]
        tested = [
            (metrics["test_accuracy"], metrics["epoch"])
            for metrics in self.epochs
            if metrics["test_accuracy"] is not None
            # Where a network diverged it named no class: the accuracy is none that it had.
            and not (diverged and metrics["test_loss"] is None)
        ]
        # The first of equals.
        best, best_epoch = max(tested, key=itemgetter(0), default=(None, None))
        train_accuracy, test_accuracy = last["train_accuracy"], last["test_accuracy"]
        gap = None
        if train_accuracy is not None and test_accuracy is not None:
            gap = train_accuracy - test_accuracy
        epochs, by_name = apart(self.epochs, top5=self.config.dataset_facts.has_top5)
        whole = [metrics for metrics in epochs if metrics["train_loss"] is not None]
        whole_seconds = sum(metrics["seconds"] for metrics in whole)
        return {
            "parameters": sum(p.numel() for p in self.network.parameters() if p.requires_grad),
            "test_accuracy": test_accuracy,
            "best_test_accuracy": best,
            "best_epoch": best_epoch,
            "train_accuracy": train_accuracy,
            "generalization_gap": gap,
            "test_loss": last["test_loss"],
            "train_loss": last["train_loss"],
            "diverged": diverged,
            "diverged_epoch": self.diverged_epoch,
            "train_seconds": sum(metrics["seconds"] for metrics in self.epochs),
            "images_per_second": self.images.count * len(whole) / whole_seconds if whole else None,
            "weights_sha256": weights_sha256(weights),
            "learned_coefficients": _finite_rows(learned_coefficients(self.measured)),
            "epochs": epochs,
            "evaluations": evaluations,
            "probes": self.probed,
            "blocks": block_schemes(self.measured),
            "first_epoch": self.first_epoch,
            **by_name,
            "images_left_out": self.images.left_out,
        }


def _finite_rows(rows: list[list[float]] | None) -> list[list[float | None]] | None:
    return None if rows is None else [[finite(value) for value in row] for row in rows]
