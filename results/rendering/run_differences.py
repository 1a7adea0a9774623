"""What tells two runs apart, as text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from results.analysis.run_differences import SECTIONS
from results.provenance import fact_text, short_digests
from results.rendering.aligned import aligned
from sweep_plugins.plain_text import readable, shortened

_LONGEST = 300
_WIDTH = 80


def differences_page(differences: Mapping[str, Any]) -> str:
    """Section by section; of each only what differs. Digests are cut to what tells them apart.

    Args:
        differences: as returned by `results.analysis.run_differences.run_differences`.
    """
    ids = [differences["run"], differences["other"]]
    return "\n\n".join(_section(name, ids, differences[name]) for name in SECTIONS) + "\n"


def _section(name: str, ids: list[str], rows: list[dict[str, Any]]) -> str:
    """Values side by side, and those that are too long for that one below the other."""
    if not rows:
        return f"{name}: the same"
    cells = [[readable(row["key"]), *_cells(row["run"], row["other"])] for row in rows]
    room = (_WIDTH - 2 - max(len(key) for key, *_ in cells)) // 2 - 2
    beside = [row for row in cells if max(map(len, row[1:])) <= max(room, len(ids[0]))]
    below = [row for row in cells if row not in beside]
    lines = [name, *(aligned([["", *ids], *beside]) if beside else ())]
    for key, *values in below:
        lines.append(f"  {key}")
        lines += [f"    {run_id}  {value}" for run_id, value in zip(ids, values, strict=True)]
    return "\n".join(lines)


def _cells(run: Any, other: Any) -> list[str]:
    whole = [_cell(run), _cell(other)]
    short = [short_digests(text) for text in whole]
    return whole if short[0] == short[1] else short


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        # To the last bit, in which two runs may differ.
        return repr(value)
    return shortened(readable(fact_text(value)), _LONGEST)
