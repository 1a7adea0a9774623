"""A Ray cluster on hosts of network_hosts, started by hand as docs/cluster.md says."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from network_hosts import Host, HostNetwork

HEAD = "head:6379"

SMALL = "--object-store-memory=100000000"
"""Next to nothing passes through Ray's object store."""


class RayHosts:
    """A head without CPUs, on the host `head`, and workers; with token authentication."""

    def __init__(self, network: HostNetwork, folder: Path, *head_options: str) -> None:
        self.network = network
        token = folder / "token"
        token.write_text("0123456789abcdef" * 4)
        self.env = {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": os.environ["PYTHONPATH"],  # for the fake trainers
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        self.head = network.add("head")
        self._start(self.head, "--head", "--port=6379", "--num-cpus=0", *head_options)

    def add_worker(self, name: str) -> Host:
        """A new host of the network, with two CPUs for runs."""
        host = self.network.add(name)
        self._start(host, f"--address={HEAD}", "--num-cpus=2")
        return host

    def _start(self, host: Host, *options: str) -> None:
        done = host.run(["ray", "start", SMALL, *options], self.env)
        assert done.returncode == 0, done.stderr

    def cpus_in_use(self) -> str:
        """As `ray status` counts them."""
        lines = self.head.run(["ray", "status", f"--address={HEAD}"], self.env).stdout.splitlines()
        return next((line.strip() for line in lines if line.endswith(" CPU")), "")
