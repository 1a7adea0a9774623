"""Of every architecture in MODELS a network that trains in a moment: its options, and counts."""

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

COUNTS: dict[str, tuple[int, int, int, int]] = {
    "preresnet": (5_094, 49_408, 6_696, 980_492),
    "lm_resnet": (11_281, 104_704, 12_883, 2_000_300),
    "zerosnet": (5_382, 50_944, 6_984, 1_010_476),
    "tm_resnet": (11_542, 106_240, 13_144, 2_030_284),
    "preact_resnet": (44_374, 137_472, 47_416, 2_819_500),
    "tm_resnet_wide": (43_830, 177_408, 46_872, 3_490_572),
    "ho_resnet": (23_574, 215_296, 25_176, 4_039_916),
    "dynamical_resnet": (44_438, 137_472, 47_480, 2_819_500),
    "polynet": (5_094, 67_840, 6_696, 1_294_124),
    "fractalnet": (52_938, 96_768, 56_052, 1_807_848),
    "revnet": (3_006, 27_648, 4_608, 583_380),
    "resnet": (1_382, 35_072, 2_264, 690_188),
    "newton_resnet": (1_568, 39_168, 2_450, 762_028),
    "resnext": (14_038, 137_472, 19_960, 2_583_788),
    "lm_resnext": (28_251, 258_304, 34_173, 4_823_948),
    "shake_shake": (10_930, 161_792, 12_748, 3_187_184),
}
"""Parameters and multiply-adds, by the formulas of their layers, with their default schemes: for
images of 1 x 8 x 8 and 10 classes, then for images of 3 x 33 x 33 and 100 classes."""
