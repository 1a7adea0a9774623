"""Which runs belong to a published row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from results.comparison.options import same_variant
from results.comparison.training_differences import Difference, differences
from results.json_values import leaves
from results.published import PublishedRow
from results.records import RunRow

#: Metrics that follow from the network alone, and are known before it trains.
UNTRAINED_METRICS = ("parameters", "max_root_modulus")


def fits(run: RunRow, row: PublishedRow) -> bool:
    """Whether the run has the row's model, depth, scheme and variant; not whether its dataset.

    Fixed coefficients match to the last digit; a family's parameter and its coefficients written
    out as fractions are one scheme. Learned ones match by what is learned. Of the model's options
    those of the row's `variant` count, and no others (`Network`).
    """
    wanted = row.network
    if wanted is None:
        return False
    if wanted.model is not None and wanted.model != run["model"]:
        return False
    if row.depth is not None and row.depth != run["depth"]:
        return False
    if not same_variant(run["config"], wanted):
        return False
    if wanted.learned is not None or run["trainable"]:
        learned: str | None = (run["config"].get("scheme") or {}).get("learned")
        return learned == wanted.learned
    if wanted.alpha is None:
        return True
    # A plugin's network may have no coefficients.
    if run["alpha"] is None or run["beta"] is None or wanted.beta is None:
        return False
    scheme = run["config"].get("scheme") or {}
    # The text of a fraction is close to the float that is computed with, and another number.
    if any(isinstance(a, str) for a in (*scheme.get("alpha", ()), scheme.get("beta"))):
        return False
    return bool(run["beta"] == wanted.beta and tuple(run["alpha"]) == wanted.alpha)


def chosen_group(
    groups: Sequence[list[RunRow]], row: PublishedRow
) -> tuple[list[RunRow], tuple[Difference, ...]] | None:
    """The runs that stand for the row, and how their conditions differ from the paper's.

    A single group is taken whatever its conditions. Of several, the one under the paper's
    conditions is, if there is exactly one; None if that leaves it open.
    """
    judged = [(group, differences(group[0]["config"], row)) for group in groups]
    if len(judged) > 1:
        judged = [(group, found) for group, found in judged if not found]
    return judged[0] if len(judged) == 1 else None


def varied_settings(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The config paths in which these differ, but for the seed."""
    flat = [leaves(config) for config in configs]
    paths = dict.fromkeys(path for config in flat for path in config if path != "seed")
    return [path for path in paths if len({repr(config.get(path)) for config in flat}) > 1]
