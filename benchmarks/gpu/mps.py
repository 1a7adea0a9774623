"""A private daemon of NVIDIA's Multi-Process Service, for as long as it is needed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONTROL = "nvidia-cuda-mps-control"


class MpsUnavailableError(Exception):
    """The service cannot be used on this machine."""


@contextmanager
def mps_daemon() -> Iterator[dict[str, str]]:
    """The environment variables by which processes started now find the daemon.

    Only they use it: its pipes are in a folder of its own. No setting of the GPU is changed.

    Raises:
        MpsUnavailableError: it is not installed, or does not start.
    """
    if shutil.which(CONTROL) is None:
        raise MpsUnavailableError(f"{CONTROL} is not installed")
    # Sockets lie there, whose paths are short.
    with tempfile.TemporaryDirectory(prefix="mps-", dir="/tmp", ignore_cleanup_errors=True) as top:
        variables = {
            "CUDA_MPS_PIPE_DIRECTORY": str(Path(top, "pipes")),
            "CUDA_MPS_LOG_DIRECTORY": str(Path(top, "log")),
        }
        for folder in variables.values():
            Path(folder).mkdir()
        environment = {**os.environ, **variables}
        try:
            _control(["-d"], "", environment)
        except (subprocess.SubprocessError, OSError) as error:
            raise MpsUnavailableError(f"{CONTROL} -d failed: {error}") from error
        try:
            yield variables
        finally:
            _control([], "quit\n", environment)


def _control(options: list[str], order: str, environment: dict[str, str]) -> None:
    # Its output would be held open by the daemon, and waited for.
    subprocess.run(
        [CONTROL, *options],
        input=order, text=True, env=environment, check=True, timeout=60,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
