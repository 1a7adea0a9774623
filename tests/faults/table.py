"""Prints figures as the Markdown table of docs/reliability.md.

`python tests/faults/table.py FIGURES.jsonl`, the file that SWEEP_FAULTS_FIGURES named. Of figures
that were taken more than once, the last one counts.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

VARIANTS = ("executor", "driver")
"""What tells figures of one name, database and trainer apart."""

IDENTITY = ("name", "database", "trainer", *VARIANTS)

COLUMNS = (*IDENTITY, "done", "of")

HEADS = ("what was done", "database", "trainer", "passed", "measured")


def newest(lines: list[str]) -> list[dict[str, Any]]:
    """Each figure once, in the order of their names."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for line in lines:
        figure = json.loads(line)
        found[tuple(figure.get(key) for key in IDENTITY)] = figure
    return sorted(found.values(), key=lambda figure: str(figure["name"]))


def table(figures: list[dict[str, Any]]) -> str:
    """One row a figure."""
    return "\n".join([_row(HEADS), _row(["---"] * len(HEADS)), *map(_of_figure, figures)])


def _of_figure(figure: dict[str, Any]) -> str:
    variants = [str(figure[key]) for key in VARIANTS if key in figure]
    name = f"{figure['name']} ({', '.join(variants)})" if variants else figure["name"]
    measured = ", ".join(
        f"{key.replace('_', ' ')} {_shown(value)}"
        for key, value in figure.items()
        if key not in COLUMNS
    )
    score = f"{_shown(figure['done'])} of {_shown(figure['of'])}"
    return _row([name, figure["database"], figure["trainer"], score, measured])


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _row(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    print(table(newest(Path(sys.argv[1]).read_text().splitlines())))
