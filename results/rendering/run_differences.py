"""What tells two runs apart, as text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from results.analysis.run_differences import SECTIONS
from results.provenance import fact_text
from results.rendering.aligned import aligned
from sweep_plugins.plain_text import readable, shortened

_LONGEST = 60


def differences_page(differences: Mapping[str, Any]) -> str:
    """Section by section; of each only what differs.

    Args:
        differences: as returned by `results.analysis.run_differences.run_differences`.
    """
    ids = [differences["run"], differences["other"]]
    return "\n\n".join(_section(name, ids, differences[name]) for name in SECTIONS) + "\n"


def _section(name: str, ids: list[str], rows: list[dict[str, Any]]) -> str:
    if not rows:
        return f"{name}: the same"
    cells = [[readable(row["key"]), _cell(row["run"]), _cell(row["other"])] for row in rows]
    return "\n".join([name, *aligned([["", *ids], *cells])])


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        # To the last bit, in which two runs may differ.
        return repr(value)
    return shortened(readable(fact_text(value)), _LONGEST)
