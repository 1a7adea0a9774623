"""Runs in processes of their own that share a device, and start each piece of work together."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.multiprocessing

from gpu.images import PRECISIONS, Model, TrainingSet, config_of, noise_images
from gpu.runs import Run, digest_after, single_run, synchronize
from gpu.timing import Interval, images_per_second_together, measure
from trainers.config.run import Precision
from trainers.torch_setup import prepare_torch

_TOGETHER_SECONDS = 120.0
_ANSWER_SECONDS = 300.0
_STOP_SECONDS = 30.0


class ProcessFailedError(Exception):
    """A process of a pack has failed; the message is its traceback."""


@dataclass(frozen=True)
class Order:
    """What a process is asked for.

    Attributes:
        precision: of the run to step.
        together: how many processes wait for each other before they start.
        steps: a digest after this many steps from the start; None to measure.
        seconds: to measure for.
    """

    precision: Precision
    together: int
    steps: int | None = None
    seconds: float = 0.0


class ProcessPack:
    """Processes with a run of each precision; on a GPU these are graphs.

    Args:
        sizes: how many processes may be asked to work together; the last is the most there are.
        model: the network.
        images: in the training set.
        device: what they share.
        environment: variables that only they get.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        model: Model,
        images: int,
        device: str,
        environment: dict[str, str] | None = None,
    ) -> None:
        self._context = torch.multiprocessing.get_context("spawn")
        # A barrier cannot be sent later, nor change how many it waits for.
        self._barriers = {size: self._context.Barrier(size) for size in {1, *sizes}}
        self._work = (model, images, device)
        self._environment = environment or {}
        self._processes: list[Any] = []
        self._connections: list[Any] = []

    def grow(self, count: int) -> None:
        """Start processes until there are `count`, and wait until they can work.

        Raises:
            ProcessFailedError: one cannot.
        """
        first = len(self._processes)
        for seed in range(first, count):
            ours, theirs = self._context.Pipe()
            process = self._context.Process(
                target=_work, args=(theirs, self._barriers, seed, *self._work), daemon=True
            )
            with _environment(self._environment):
                process.start()
            theirs.close()
            self._processes.append(process)
            self._connections.append(ours)
        for connection in self._connections[first:]:
            _answer(connection)

    def images_per_second(self, precision: Precision, count: int, seconds: float) -> float:
        """Of the first `count` processes together, which start as one."""
        order = Order(precision, count, seconds=seconds)
        return images_per_second_together(self._all(order, count))

    def digests(self, precision: Precision, count: int, steps: int) -> list[str]:
        """Of the first `count` runs, from the start, side by side."""
        return self._all(Order(precision, count, steps=steps), count)

    def digests_alone(self, precision: Precision, count: int, steps: int) -> list[str]:
        """As `digests`, one process after the other."""
        found = []
        for connection in self._connections[:count]:
            connection.send(Order(precision, 1, steps=steps))
            found.append(_answer(connection))
        return found

    def close(self) -> None:
        """End the processes."""
        for connection in self._connections:
            try:
                connection.send(None)
            except OSError:  # it has ended by itself
                continue
        until = time.monotonic() + _STOP_SECONDS
        for process, connection in zip(self._processes, self._connections, strict=True):
            process.join(max(0.0, until - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
            connection.close()
        self._processes, self._connections = [], []

    def _all(self, order: Order, count: int) -> list[Any]:
        for connection in self._connections[:count]:
            connection.send(order)
        return [_answer(connection) for connection in self._connections[:count]]


def _answer(connection: Any) -> Any:
    if not connection.poll(_ANSWER_SECONDS):
        raise ProcessFailedError(f"a process has been silent for {_ANSWER_SECONDS:g} s")
    try:
        failure, value = connection.recv()
    except (EOFError, ConnectionError) as error:
        raise ProcessFailedError("a process has ended without a word") from error
    if failure is not None:
        raise ProcessFailedError(failure)
    return value


def _work(
    connection: Any, barriers: dict[int, Any], seed: int, model: Model, images: int, device: str
) -> None:
    """What a process does: says that it is ready, then one answer to each order, until None."""
    try:
        prepare_torch(1)
        place = torch.device(device)
        config = config_of(model, "fp32", seed)
        data = TrainingSet.on(place, noise_images(images, config), config)
        graph = place.type == "cuda"
        runs = {
            precision: single_run(
                config_of(model, precision, seed), data, numbers_on_device=graph, graph=graph
            )
            for precision in PRECISIONS
        }
        connection.send((None, None))
        while (order := connection.recv()) is not None:
            run = runs[order.precision]
            connection.send((None, _obey(order, run, barriers[order.together], place)))
    except EOFError:
        return  # the parent process is gone
    except BaseException:
        connection.send((traceback.format_exc(), None))
        raise


def _obey(order: Order, run: Run, barrier: Any, device: torch.device) -> Interval | str:
    if order.steps is not None:
        barrier.wait(_TOGETHER_SECONDS)
        return digest_after(run, order.steps)
    return measure(
        run.step,
        order.seconds,
        lambda: synchronize(device),
        begin=lambda: barrier.wait(_TOGETHER_SECONDS),
    )


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
