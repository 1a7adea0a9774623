"""What was meant by a key that a spec cannot have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from results.json_values import leaves
from results.queries.config_options import CONFIG_OPTIONS
from sweep_plugins import nearest, path_to
from sweeper.spec.axis_edits import axes_in
from sweeper.spec.points import CONFIG_KEYS
from trainers.config.trainers import BUILT_IN_TRAINER

_ALIKE = 0.75
"""How like a key of specs another one has to be, where it may be an option of a trainer too."""


_OF_NETWORKS = list(
    dict.fromkeys(
        path.rsplit(".", up)[0] for path in CONFIG_OPTIONS for up in range(path.count(".") + 1)
    )
)
"""The options that a run of a network may have, and the mappings that they are in."""


def suggestion(name: str, allowed: Iterable[str], data: dict[str, Any]) -> str | None:
    """The key, or the dotted path, that is meant by `name` at the top of a spec or as an axis.

    Args:
        allowed: the keys that may stand there, or that a path may start with.
        data: all that the spec says: what it sets somewhere is meant before anything else.
    """
    own = data.get("trainer") not in (None, BUILT_IN_TRAINER)
    of_network = not own or "model" in data
    paths = [*leaves({key: data[key] for key in CONFIG_KEYS if key in data}), *axes_in(data)]
    found = path_to(name, paths) or (path_to(name, _OF_NETWORKS) if of_network else None)
    if found is not None:
        return found
    first, *inside = name.split(".")
    key = nearest(first, allowed) if of_network else nearest(first, allowed, alike=_ALIKE)
    if key is not None:
        return ".".join([key, *inside])
    return f"options.{name}" if own and all(name.split(".")) else None
