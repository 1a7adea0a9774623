"""Which rows of a table have a ratio, and what it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from results.comparison.matching import varied_settings
from results.comparison.result import ComparedRow, Ratio

# What two networks differ in, and which other probes there are, is no other condition.
_OF_THE_NETWORK = ("model.", "scheme.", "probes")


def with_ratios(compared: Iterable[ComparedRow]) -> list[ComparedRow]:
    """The same rows; those of a probe's quantity with their ratio to the first row that has it.

    Rows of one quantity, depth and dataset belong together. There is no ratio without a value of
    ours on both sides.
    """
    first: dict[tuple[str, int | None, str | None], ComparedRow] = {}
    found = []
    for line in compared:
        row = line.published
        if row.quantity is not None:
            over = first.setdefault((row.quantity.name, row.depth, row.dataset), line)
            if over is not line:
                line = replace(line, ratio=_ratio(line, over))
        found.append(line)
    return found


def _ratio(line: ComparedRow, over: ComparedRow) -> Ratio | None:
    row, base = line.published, over.published
    if line.ours is None or over.ours is None or not base.mean or not over.ours.mean:
        return None
    assert row.quantity is not None
    paths = varied_settings([line.ours.config, over.ours.config])
    differing = tuple(path for path in paths if not path.startswith(_OF_THE_NETWORK))
    published = row.mean / base.mean
    here = None if differing else line.ours.mean / over.ours.mean
    names = [_model(line), _model(over)]
    if len(set(names)) == 1:
        names = [row.label, base.label]
    return Ratio(
        model=names[0],
        over=names[1],
        quantity=row.quantity.name,
        published=published,
        here=here,
        agrees=None if here is None or published == 1 else (here - 1) * (published - 1) > 0,
        differing=differing,
    )


def _model(line: ComparedRow) -> str:
    network = line.published.network
    return network.model if network and network.model else line.published.label
