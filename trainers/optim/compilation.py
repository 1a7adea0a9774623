"""A network's passes as compiled graphs (torch.compile), for specs that say `compile: true`.

Fusing what lies between the convolutions saves a quarter to a half of the time. It rounds
differently, so a compiled run is another run. Coefficients are inputs of a graph: all schemes of
as many steps, and all seeds, share one. Torch keeps graphs on disk for all workers of a machine.
"""

from __future__ import annotations

import copy
import fcntl
import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache

import torch
from torch import Tensor, nn

from trainers.config.run import RunConfig
from trainers.errors import TrainerError
from trainers.evaluation.batches import forward_batch
from trainers.evaluation.precision import autocast, weights_dtype
from trainers.optim.graph_folder import graph_folder, keep_headers_in

_LOOK_AGAIN_SECONDS = 0.2


class CompiledNetwork(nn.Module):
    """`network`, whose whole batches go through compiled graphs.

    A graph is made for one number of images. Other batches, such as the last of an epoch, go
    through the network as it is: graphs for them would take longer than they could save. So do
    images that need gradients themselves, as an attack's do: the graphs at hand give none.

    Args:
        training_batch, evaluation_batch: images in a whole batch, in either mode.
    """

    def __init__(self, network: nn.Module, *, training_batch: int, evaluation_batch: int) -> None:
        super().__init__()
        self.network = network
        self._whole = {True: training_batch, False: evaluation_batch}
        # fullgraph: a part that cannot be compiled is an error, not a silent slowdown.
        self._compiled = _compiler()(network, fullgraph=True, dynamic=False)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, classes)."""
        whole = images.shape[0] == self._whole[self.training] and not images.requires_grad
        if whole and self.training and (begin := getattr(self.network, "begin_batch", None)):
            begin(images.shape[0])
        logits: Tensor = self._compiled(images) if whole else self.network(images)
        return logits


def compiled(
    network: nn.Module,
    config: RunConfig,
    device: torch.device,
    *,
    to_train: bool = True,
    heartbeat: Callable[[], None] | None = None,
) -> CompiledNetwork:
    """The network with its graphs, compiled now by this process or another, or earlier.

    Args:
        network: what `config` describes, on `device`.
        to_train: whether it is going to be trained, or only evaluated.
        heartbeat: see TrainingJob; called while another process makes the same graph.

    Raises:
        TrainerError: the network cannot be compiled, or not on this machine.
    """
    evaluation_batch = forward_batch(device.type, config.dataset_facts.size**2)
    sizes = {"training_batch": config.training.batch_size, "evaluation_batch": evaluation_batch}
    keep_headers_in(graph_folder())
    with (
        _turn(_graph(config, device, to_train), heartbeat),
        _errors_said(),
    ):
        # A copy, since running statistics of normalisation are to stay as they are.
        rehearsed = CompiledNetwork(copy.deepcopy(network), **sizes)
        if to_train:
            # The graph of the backward pass is made at its first use.
            logits = _pass(rehearsed.train(), config, device, sizes["training_batch"])
            logits.sum().backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            _pass(rehearsed.eval(), config, device, evaluation_batch)
    return CompiledNetwork(network, **sizes)


def require_compiler(device: str) -> None:
    """Raises TrainerError if no network can be compiled on this machine, as far as can be seen.

    That is: graphs have no place, or there is no C++ compiler, where `device` takes one.
    """
    graph_folder()
    if not device.startswith("cuda"):
        with _errors_said():
            from torch._inductor.cpp_builder import get_cpp_compiler

            get_cpp_compiler()


def _pass(network: nn.Module, config: RunConfig, device: torch.device, count: int) -> Tensor:
    facts = config.dataset_facts
    shape = count, facts.channels, facts.size, facts.size
    blank = torch.zeros(shape, device=device, dtype=weights_dtype(config.precision))
    with autocast(device, config.precision):
        logits: Tensor = network(blank.contiguous(memory_format=torch.channels_last))
    return logits.to(weights_dtype(config.precision))


def _graph(config: RunConfig, device: torch.device, to_train: bool) -> str:
    """What distinguishes its graphs from other runs'. Too fine a distinction does no harm."""
    facts = config.dataset_facts
    network: dict[str, object] = {"model": config.model.model_dump(mode="json")}
    if config.scheme is not None:
        network |= {"steps": config.scheme.steps, "learned": config.scheme.learned}
    shape = [config.training.batch_size, facts.channels, facts.size, facts.classes]
    return json.dumps([torch.__version__, str(device), config.precision, to_train, shape, network])


@contextmanager
def _turn(graph: str, heartbeat: Callable[[], None] | None) -> Iterator[None]:
    """One process at a time compiles the same graph; later ones find it on disk."""
    path = graph_folder() / f"sweep-{hashlib.sha256(graph.encode()).hexdigest()[:16]}.lock"
    # Who can read a file can lock it.
    with open(path, "a+b", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        while not path.stat().st_size:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if heartbeat is not None:
                    heartbeat()
                time.sleep(_LOOK_AGAIN_SECONDS)
        yield
        if not path.stat().st_size:
            file.write(b"made")


@contextmanager
def _errors_said() -> Iterator[None]:
    _compiler()
    from torch._dynamo.exc import TorchDynamoException
    from torch._inductor.exc import CppCompileError, InvalidCxxCompiler

    try:
        yield
    except (CppCompileError, InvalidCxxCompiler, TorchDynamoException) as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), "no reason given")
        raise TrainerError(
            f"the network cannot be compiled on this machine: {reason.strip()}. It takes a C++"
            " compiler (g++) and Python's headers; or say compile: false in the spec"
        ) from error


@lru_cache(maxsize=1)
def _compiler() -> Callable[..., Callable[[Tensor], Tensor]]:
    """torch.compile, set up. Importing what it needs takes one to two seconds."""
    # It warns if there is no GPU.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    import torch._dynamo.config
    import torch._inductor.codecache  # which takes its folder when it is imported
    import torch._inductor.config

    # As prepare_torch does for the rest of torch.
    torch._inductor.config.deterministic = True
    # The other cores train other runs.
    torch._inductor.config.compile_threads = 1
    # A worker may meet more kinds of networks than torch expects of one function.
    torch._dynamo.config.recompile_limit = 1_000_000
    torch._dynamo.config.accumulated_recompile_limit = 1_000_000
    return torch.compile
