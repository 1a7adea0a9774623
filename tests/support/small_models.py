"""Of every architecture in MODELS, options of a network that trains in a moment."""

from __future__ import annotations

from typing import Any

SMALL_MODELS: dict[str, dict[str, Any]] = {
    "preresnet": {"depth": 8, "width": 4},
    "lm_resnet": {"depth": 14, "width": 4},
    "zerosnet": {"depth": 8, "width": 4},
    "tm_resnet": {"depth": 14, "width": 4},
    "preact_resnet": {"depth": 18, "width": 4},
    "tm_resnet_wide": {"depth": 22, "width": 4},
    "ho_resnet": {"depth": 26, "width": 4},
    "dynamical_resnet": {"depth": 18, "width": 4, "stem": "3x3"},
    "polynet": {"depth": 8, "width": 4},
    "fractalnet": {"depth": 10, "columns": 2, "width": 4, "drop_path": 0.15},
    "revnet": {"depth": 14, "widths": [4, 8, 16]},
    "resnet": {"blocks": [1, 1], "width": 4},
    "newton_resnet": {"blocks": [1, 1], "width": 4},
    "resnext": {"depth": 11, "cardinality": 2, "base_width": 4, "width": 4},
    "lm_resnext": {"depth": 20, "cardinality": 2, "base_width": 4, "width": 4},
    "shake_shake": {"depth": 8, "width": 4},
}
