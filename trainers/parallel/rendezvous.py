"""Where the processes of a run meet: a store that the one of rank 0 opens on a free port.

Nothing is configured: the system chooses the port, and each process talks to the others over the
network interface by which it reaches the store.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psutil
from torch._C._distributed_c10d import TCPStore
from torch.distributed import DistError

from trainers.errors import PeerLostError

JOINING = timedelta(minutes=10)
"""How long processes wait for each other at the start."""

_INTERFACE_VARIABLES = {"GLOO_SOCKET_IFNAME": "", "NCCL_SOCKET_IFNAME": "="}
"""With what stands before a name: to NCCL, eth1 without it is eth10 as well."""


def listen(host: str) -> tuple[str, object]:
    """Open a store for the processes of one attempt of a run, in the one of rank 0.

    Args:
        host: the address of this machine by which the others reach it.

    Returns:
        What `Member.address` is to be, "host:port", and the store itself, which is there for as
        long as it is kept.

    Raises:
        OSError: no port can be had.
    """
    try:
        store = TCPStore(host, 0, is_master=True, wait_for_workers=False)
    except DistError as error:
        raise OSError(f"no port can be opened at {host} for processes to meet: {error}") from error
    return f"{host}:{store.port}", store


def connect(address: str) -> TCPStore:
    """The store of an address. Raises PeerLostError if there is none."""
    host, _, port = address.rpartition(":")
    try:
        return TCPStore(host, int(port), is_master=False, timeout=JOINING)
    except (DistError, RuntimeError) as error:
        raise PeerLostError(f"rank 0 cannot be reached at {address}: {error}") from error


def await_all(store: TCPStore, rank: int, processes: int) -> None:
    """Say that the process of this rank has come, and wait until all have.

    Raises PeerLostError if one has not in JOINING: what connects them would wait for it as long as
    a process may wait for another.
    """
    come = [f"rank {number} has come" for number in range(processes)]
    try:
        store.set(come[rank], "")
        store.wait(come, JOINING)
    except DistError as error:
        raise PeerLostError(
            f"not all of the {processes} processes of this run have met: {error}"
        ) from error


@contextmanager
def over_the_interface_to(address: str) -> Iterator[None]:
    """Gloo and NCCL take the network interface that leads to this address.

    Left to themselves they look up the machine's name, which on many machines is that of the
    loopback. What the environment says already holds.
    """
    name = _interface_to(address)
    given = [variable for variable in _INTERFACE_VARIABLES if variable not in os.environ]
    try:
        if name is not None:
            os.environ.update(
                {variable: _INTERFACE_VARIABLES[variable] + name for variable in given}
            )
        yield
    finally:
        for variable in given:
            os.environ.pop(variable, None)


def _interface_to(address: str) -> str | None:
    host, _, port = address.rpartition(":")
    try:
        family, kind, protocol, _, found = socket.getaddrinfo(
            host, int(port), type=socket.SOCK_DGRAM
        )[0]
        # Nothing is sent: connecting a datagram socket only chooses a way.
        with socket.socket(family, kind, protocol) as probe:
            probe.connect(found)
            own = probe.getsockname()[0]
    except OSError:
        return None
    for name, addresses in psutil.net_if_addrs().items():
        if any(entry.address == own for entry in addresses):
            return str(name)
    return None
