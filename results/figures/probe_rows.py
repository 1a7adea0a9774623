"""Values of probes for figures: all that is asked for, unless they are more than can be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from results.errors import ResultsError, listed

if TYPE_CHECKING:
    from results.queries.queries import Queries

MOST_VALUES = 1_000_000
"""Some 300 MB of memory; 100 runs over 160 epochs with 54 layers have fewer."""


def probe_values(
    queries: Queries,
    sweeps: Sequence[str],
    where: Sequence[str],
    quantities: Sequence[str] = (),
    layers: Sequence[str] = (),
) -> tuple[list[dict[str, Any]], str | None]:
    """What the probes of these runs measured, of these quantities and layers, or of all.

    Nothing, and the reason, if there are more than MOST_VALUES. Raises ResultsError for
    a quantity or a layer that none of them has.
    """
    count = queries.count_probes(sweeps, where=where)
    if count > MOST_VALUES:
        return [], (
            f"probes are left out: these runs have {count:,} values of them, and at most"
            f" {MOST_VALUES:,} are drawn; choose runs with --where"
        )
    rows = queries.probe_rows(sweeps, where=where)
    for key, wanted in (("quantity", quantities), ("layer", layers)):
        known = dict.fromkeys(row[key] for row in rows)
        for name in wanted:
            if name not in known:
                names = listed([*map(repr, known)])
                raise ResultsError(f"--{key} {name!r}: no probe measured it (known: {names})")
    chosen = [
        row
        for row in rows
        if (not quantities or row["quantity"] in quantities)
        and (not layers or row["layer"] in layers)
    ]
    return chosen, None
