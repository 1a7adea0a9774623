"""Model options: those by which a run belongs to a published row, and how a spec writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from results.published import Network


def same_variant(config: Mapping[str, Any], network: Network) -> bool:
    """Whether the run's model has every option of the network's `variant`.

    One that is None there has to be absent: canonical configs leave out what is None.
    """
    model = config.get("model", {})
    return all(
        model.get(option) == (list(value) if isinstance(value, tuple) else value)
        for option, value in network.variant.items()
    )


def written(options: Mapping[str, Any]) -> str:
    """As a spec has them: "blocks: [2, 2, 1, 1], activation: none"."""
    return ", ".join(f"{name}: {_value(value)}" for name, value in options.items())


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return str(value)
