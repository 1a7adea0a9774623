"""The small print: what was averaged over how much, and what is not shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from results.analysis import unfinished
from results.analysis.imported import note_about
from results.figures.data import Selection
from results.figures.drawing.text import drawable
from results.figures.replicates import ReplicateGroup
from results.metrics import counted
from results.queries.row_columns import Column


def averaged_over(groups: Sequence[ReplicateGroup], metric: Column, *, bars: bool = True) -> str:
    """Such as "mean ± std over 3 seeds", counting the runs that have a value.

    Without error bars (`bars`) there is nothing that shows a standard deviation.
    """
    counts = {len(group.values(metric)) for group in groups} - {0}
    if counts == {1}:
        return "one seed each"
    return f"mean ± std over {seeds(counts)}" if bars else f"mean over {seeds(counts)}"


def seeds(counts: set[int]) -> str:
    """Such as "3 seeds" or "2 to 3 seeds"."""
    if not counts:
        return "no seeds"
    low, high = min(counts), max(counts)
    if low == high:
        return counted(low, "seed")
    return f"{low} to {high} seeds"


def not_shown(groups: Sequence[ReplicateGroup], selection: Selection) -> list[str]:
    """Diverged and imported runs of these groups, and runs without a number or not done."""
    notes = []
    name = selection.metric.name
    reported = (m for group in groups for run in group.runs for m in run["metrics"])
    if not_finite := sum(m["name"] == name and m["value"] is None for m in reported):
        notes.append(drawable(f"{name} is not finite in {counted(not_finite, 'run')}"))
    diverged = sum(group.diverged for group in groups)
    if diverged:
        notes.append(f"{diverged} of {sum(len(group.runs) for group in groups)} runs diverged")
    if imported := note_about(run for group in groups for run in group.runs):
        notes.append(imported)
    if selection.so_far:
        notes.append("none of these runs is done: what they reported so far")
    elif selection.not_done:
        notes.append(unfinished.left_out(Counter(run["state"] for run in selection.not_done)))
    return notes


def left_out(count: int, what: str) -> str:
    """Such as "networks with other schemes left out (2)"; empty for none."""
    return f"{what} left out ({count})" if count else ""
