"""The names that a trainer may give to what it reports, and how much that may be."""

from __future__ import annotations

import re

_SHAPE = re.compile(r"[A-Za-z][A-Za-z0-9_.:/@+\-\[\]]{0,99}")

_SHAPE_SAID = (
    "a metric's name begins with a letter and has at most 100 letters, digits and _ . : / @ + - [ ]"
)

OF_CONFIG = ("dataset", "model", "options", "plugins", "scheme", "training")
"""The objects in a run's config: a path that begins with one of them names what is in it."""

_KEYS_OF_CONFIG = frozenset(("recipe_version", "source", "trainer"))
"""What every run of a trainer of one's own has beside them."""

NAMES_OF_EVERY_RUN = frozenset(
    (
        "alpha", "attempts", "beta", "consistent", "created_at", "dataset", "depth", "epochs",
        "error", "finished_at", "imported", "max_root_modulus", "model", "order", "root_moduli",
        "run_id", "scheme", "seed", "state", "sweep", "tag", "trainable", "zero_stable",
    )
)  # fmt: skip
"""What a run has whoever trains it, which no metric can be called."""


def why_no_metric(name: object) -> str | None:
    """Why nothing that a trainer reports can have this name; None if it can.

    Whether it is one of NAMES_OF_EVERY_RUN is another question.
    """
    if not (isinstance(name, str) and _SHAPE.fullmatch(name)):
        return _SHAPE_SAID
    first, dot, rest = name.partition(".")
    if name in _KEYS_OF_CONFIG or (dot and first in OF_CONFIG):
        other = f"{first}/{rest}" if rest else f"{name}_"
        return f"it would hide {name} of the config, where it is asked for: call it {other}, say"
    return None


MOST_DECIMALS = 12
"""That a metric may ask to be shown with."""

MOST_METRICS = 10_000
"""Names of metrics that one run reports."""

MOST_METRIC_VALUES = 1_000_000
"""Values of metrics at its epochs or steps."""

LARGEST_EPOCH = 2**63 - 2
"""The one after it, from which a run goes on, is a number of every database too."""

LARGEST_NUMBER = 1e75
"""On either side of 0. Float32 ends at 3.4e38; statistics take fourth powers of deviations, and a
million of these have a sum that is a number still."""
