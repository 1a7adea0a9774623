"""Several processes of this machine that train one network together, as tests start them."""

from __future__ import annotations

import multiprocessing
import pickle
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from trainers.config.job import Member
from trainers.errors import PeerLostError
from trainers.parallel.rendezvous import listen
from trainers.torch_setup import prepare_torch

_FORKS = multiprocessing.get_context("forkserver")
# Importing torch takes seconds, and what it needs for several processes too: it is done once.
_FORKS.set_forkserver_preload(["__main__", "trainers.training.train", "torch._dynamo", __name__])

Part = Callable[..., Any]
"""Called with the Member and what else there is; of a module of this folder, to be found there."""


@contextmanager
def meetings(count: int) -> Iterator[list[str]]:
    """So many addresses where processes can meet, one after the other."""
    kept = [listen("127.0.0.1") for _ in range(count)]
    yield [address for address, _ in kept]


def outcomes(processes: int, part: Part, *arguments: Any) -> list[Any]:
    """What `part(member, *arguments)` returned or raised in each process, in order of rank.

    None for a process that ended without either.
    """
    address, kept = listen("127.0.0.1")
    started = []
    for rank in range(processes):
        here, there = _FORKS.Pipe(duplex=False)
        # As bytes: tensors would else be in memory that ends with the process that made them.
        said = pickle.dumps((part, Member(rank, processes, address), arguments))
        process = _FORKS.Process(target=_take_part, args=(there, said))
        process.start()
        there.close()
        started.append((process, here))
    found = []
    for process, here in started:
        try:
            found.append(pickle.loads(here.recv_bytes()))
        except EOFError:
            found.append(None)
        process.join()
    del kept
    return found


def together(processes: int, part: Part, *arguments: Any) -> list[Any]:
    """What `part(member, *arguments)` returned in each process; raises what was the cause."""
    found = outcomes(processes, part, *arguments)
    errors = [outcome for outcome in found if isinstance(outcome, Exception)]
    if errors:
        raise min(errors, key=lambda error: isinstance(error, PeerLostError))
    return found


def _take_part(pipe: Connection, said: bytes) -> None:
    prepare_torch(1)
    part, member, arguments = pickle.loads(said)
    try:
        outcome = part(member, *arguments)
    except Exception as error:
        error.add_note(f"in rank {member.rank}:\n{traceback.format_exc()}")
        outcome = error
    pipe.send_bytes(pickle.dumps(outcome))
