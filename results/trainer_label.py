"""What a run of somebody's own trainer is called, where no network is known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from results.json_values import leaves
from sweep_plugins.plain_text import shortened

_LONGEST = 100


def trainer_label(config: Mapping[str, Any]) -> str:
    """The trainer with its options, such as "fit:train alpha 0.1, epochs 3"."""
    options = leaves(config.get("options") or {})
    said = ", ".join(f"{path} {_shown(value)}" for path, value in options.items())
    return f"{config.get('trainer')} {shortened(said, _LONGEST)}".rstrip()


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
