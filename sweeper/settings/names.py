"""The settings that options, variables and `sweep.toml` can give, and what holds without them."""

from __future__ import annotations

from typing import Any

DEFAULTS: dict[str, Any] = {
    "home": ".sweep",
    "db": None,
    "storage": None,
    "executor": "ray",
    "ray_address": None,
    "ray_dashboard": False,
    "slots": None,
    "grace": 25.0,
    "device": None,
}
"""By the name that they have as arguments and in `sweep.toml`; as options, `--ray-address`. The
grace, in seconds, is a little less than the 30 s that Kubernetes and Slurm leave a process."""

VARIABLES = {"home": "SWEEP_HOME", "db": "SWEEP_DB", "storage": "SWEEP_STORAGE"}
"""Of the environment."""

PATHS = ("home", "storage")
"""What is a path, or may be one."""

OF_RAY = ("ray_address", "ray_dashboard")
"""What only `executor: ray` takes."""


def option_of(name: str) -> str:
    """Such as `--ray-address`."""
    return f"--{name.replace('_', '-')}"
