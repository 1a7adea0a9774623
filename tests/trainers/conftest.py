"""Small configs on the digits of scikit-learn, which every machine has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """As a worker trains by default; and threads that await each other are slow on busy cores."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def small() -> Callable[..., dict[str, Any]]:
    """A config, as JSON, that trains in a tenth of a second; keywords replace whole keys."""

    def config(**changes: Any) -> dict[str, Any]:
        return {
            "model": {"name": "zerosnet", "depth": 8, "width": 4},
            "dataset": {"name": "digits", "subset": 160},
            "training": {"epochs": 3, "batch_size": 64},
            "seed": 0,
            **changes,
        }

    return config
