"""Training runs that step on a device: as `trainers.training.train` steps, and without waiting for
it.

On a GPU all work of a `Run` is on a stream of its own, from the first weight on. The streams'
buffers that cuBLAS works in are kept by stream, and autograd adds gradients up on the stream that
it first saw, so warm-up, capture and replays must share one, and two graphs that are to be
replayed at once must not.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional

from gpu.foreach_sgd import ForeachSGD
from gpu.fused import fuse, with_coefficient_tensors
from gpu.images import BATCH_SIZE, BatchSource, TrainingSet, batches, fused_batches
from trainers.config.optimizers import SgdConfig
from trainers.config.run import RunConfig
from trainers.data.augment import normalize
from trainers.optim.optimizers import make_optimizer
from trainers.optim.step import Steps
from trainers.training.building import build_network
from trainers.training.checkpoint import weights_sha256
from trainers.training.train import STEPS_UNTIL_A_LOOK

WARM_UP_STEPS = 3
STREAMS = 32
"""How many streams torch has; it gives the same ones out again after that."""


class EagerRun:
    """One run as `trainers.training.train` steps it: a batch's crops at a time, rare looks at the
    loss.
    """

    def __init__(self, config: RunConfig, data: TrainingSet) -> None:
        self._config = config
        self._device = data.padded.device
        self.network = build_network(config, str(self._device)).train()
        optimizer = make_optimizer(self.network, config.training.optimizer)
        self._training = Steps(self.network, optimizer, config)
        self._learning_rate = config.training.learning_rate(1)
        self._batches = batches(data, config, batches_a_gather=1)
        self._loss = torch.zeros((), device=self._device)
        self._correct = torch.zeros((), dtype=torch.int64, device=self._device)
        self._steps = 0

    def step(self) -> int:
        """Train one batch; how many images it had."""
        pixels, labels = next(self._batches)
        self._loss, right = self._training.learn(pixels, labels)
        self._training.step(self._learning_rate)
        self._correct += right
        self._steps += 1
        if self._steps % STEPS_UNTIL_A_LOOK == 0:
            float(self._loss)  # waits for the device, as the trainer's look does
        return len(labels)

    @property
    def loss(self) -> float:
        """The last batch's; waits for the device."""
        return float(self._loss)

    @property
    def correct(self) -> int:
        """How many images were right so far; waits for the device."""
        return int(self._correct)

    def digest(self) -> str:
        """SHA-256 of all weights and statistics."""
        return weights_sha256(self.network.state_dict())


class Run:
    """One run, or K fused ones, whose steps queue work on the device and never wait for it.

    Args:
        build: makes the network, (N, C, H, W) -> (N, classes), or (K, N, classes) of fused runs.
        source: starts its batches.
        config: recipe and precision; of the first of fused runs.
        device: where it trains.
        runs: K.
        numbers_on_device: the learning rate is a tensor on the device and not a Python number.
        graph: capture a step as a CUDA graph, and replay that.
        memory_format: of the images, and of the network's weights.
    """

    def __init__(
        self,
        build: Callable[[], nn.Module],
        source: BatchSource,
        config: RunConfig,
        device: torch.device,
        *,
        runs: int = 1,
        numbers_on_device: bool,
        graph: bool,
        memory_format: torch.memory_format = torch.channels_last,
    ) -> None:
        self._source = source
        self._device = device
        self._format = memory_format
        self._bf16 = config.precision == "bf16"
        facts = config.dataset_facts
        self._mean, self._std = facts.mean * runs, facts.std * runs
        self.images_a_step = runs * BATCH_SIZE
        self.stream = _new_stream(device)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._replays = graph
        # What the stream is going to read was made on another.
        synchronize(device)
        with self._on_stream():
            self.network = build().to(memory_format=memory_format).train()
            recipe = config.training.optimizer
            assert isinstance(recipe, SgdConfig)
            self._optimizer = ForeachSGD(
                self.network.parameters(),
                momentum=recipe.momentum,
                weight_decay=recipe.weight_decay,
                nesterov=recipe.nesterov,
            )
            rate = config.training.learning_rate(1)
            self._learning_rate: float | Tensor = rate
            if numbers_on_device:
                self._learning_rate = torch.tensor(rate, device=device)
            self._losses = torch.zeros(() if runs == 1 else (runs,), device=device)
            self._correct = torch.zeros_like(self._losses, dtype=torch.int64)
            state = self.network.state_dict()
            self._first_state = {name: value.clone() for name, value in state.items()}
            self._batches = source()
        if graph:
            self._capture()

    def step(self) -> int:
        """Queue one step; how many images it trains."""
        with self._on_stream():
            pixels, labels = next(self._batches)
            if self._graph is None:
                self._train(pixels, labels)
            else:
                self._pixels.copy_(pixels)
                self._labels.copy_(labels)
                if self._replays:
                    self._graph.replay()
                else:
                    self._train(self._pixels, self._labels)
                    self._optimizer.zero_grad()
        return self.images_a_step

    @contextmanager
    def without_graph(self) -> Iterator[None]:
        """Steps launch their kernels one by one, on the same buffers."""
        before, self._replays = self._replays, False
        try:
            yield
        finally:
            self._replays = before

    def restart(self) -> None:
        """Back to the first weights and the first epoch, in place."""
        with self._on_stream(), torch.no_grad():
            self.network.load_state_dict(self._first_state)
            self._optimizer.restart()
            self._losses.zero_()
            self._correct.zero_()
            self._batches = self._source()

    def digest(self) -> str:
        """SHA-256 of all weights and statistics, once all steps are done."""
        synchronize(self._device)
        return weights_sha256(self.network.state_dict())

    def is_finite(self) -> bool:
        """Whether all losses so far were."""
        synchronize(self._device)
        return bool(self._losses.isfinite().all())

    def sums(self) -> tuple[list[float], list[int]]:
        """Sums since the start: each run's losses of batches, and right answers."""
        synchronize(self._device)
        return self._losses.view(-1).tolist(), self._correct.view(-1).tolist()

    def close(self) -> None:
        """Give the graph and its memory back."""
        synchronize(self._device)
        self._batches = iter(())
        if self._graph is not None:
            self._graph.reset()
            self._graph = None

    def _train(self, pixels: Tensor, labels: Tensor) -> None:
        """One step, without a word to the host."""
        images = normalize(pixels, self._mean, self._std)
        images = images.contiguous(memory_format=self._format)
        # No weight is used twice in a pass; and a cached conversion must not outlive a capture.
        with torch.autocast(
            self._device.type, torch.bfloat16, enabled=self._bf16, cache_enabled=False
        ):
            logits = self.network(images)
        logits = logits.float()
        if logits.dim() == 2:
            losses = total = functional.cross_entropy(logits, labels)
        else:
            each = functional.cross_entropy(
                logits.flatten(0, 1), labels.flatten(), reduction="none"
            )
            losses = each.view(labels.shape).mean(1)
            # No run's weights touch another's loss, so each has the gradient of its own.
            total = losses.sum()
        self._optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step(self._learning_rate)
        self._losses.add_(losses.detach())
        self._correct.add_((logits.detach().argmax(-1) == labels).sum(-1))

    def _capture(self) -> None:
        assert self.stream is not None
        with self._on_stream():
            pixels, labels = next(self._batches)
            self._pixels, self._labels = pixels.clone(), labels.contiguous().clone()
            for _ in range(WARM_UP_STEPS):
                self._train(self._pixels, self._labels)
            # Gradients that are there would be added to; new ones come from the graph's pool.
            self._optimizer.zero_grad()
        self.stream.synchronize()
        # A graph that is collected while another is captured would spoil that.
        gc.collect()
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, stream=self.stream):
            self._train(self._pixels, self._labels)
        # The graph keeps its pool; what is done without it must not add to its gradients.
        self._optimizer.zero_grad()
        self.restart()

    def _on_stream(self) -> AbstractContextManager[object]:
        return nullcontext() if self.stream is None else torch.cuda.stream(self.stream)


def _new_stream(device: torch.device) -> torch.cuda.Stream | None:
    if device.type != "cuda":
        return None
    return torch.cuda.Stream()  # type: ignore[no-untyped-call]


def single_run(
    config: RunConfig, data: TrainingSet, *, numbers_on_device: bool = False, graph: bool = False
) -> Run:
    """One run. With `numbers_on_device`, its scheme's coefficients are tensors there, too."""
    device = data.padded.device

    def build() -> nn.Module:
        network = build_network(config, str(device))
        return with_coefficient_tensors(network) if numbers_on_device else network

    return Run(
        build,
        lambda: batches(data, config),
        config,
        device,
        numbers_on_device=numbers_on_device,
        graph=graph,
    )


def fused_run(
    configs: Sequence[RunConfig],
    data: TrainingSet,
    *,
    graph: bool = False,
    memory_format: torch.memory_format = torch.channels_last,
) -> Run:
    """K runs as one network; they share the recipe of the first."""
    device, runs = data.padded.device, list(configs)
    return Run(
        lambda: fuse([build_network(config, str(device)) for config in runs]),
        lambda: fused_batches(data, runs),
        runs[0],
        device,
        runs=len(runs),
        numbers_on_device=True,
        graph=graph,
        memory_format=memory_format,
    )


def digest_after(run: Run, steps: int) -> str:
    """Of a run that restarts and takes `steps` steps."""
    run.restart()
    for _ in range(steps):
        run.step()
    return run.digest()


def synchronize(device: torch.device) -> None:
    """Wait for all streams of the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
