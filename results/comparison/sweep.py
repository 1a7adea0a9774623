"""A published table beside the runs of a sweep, with all that the comparison needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from results.comparison import Comparison
    from results.published import PublishedTable
    from results.queries.queries import Queries


def compare_sweep(
    queries: Queries,
    sweep: str,
    table: PublishedTable,
    where: Sequence[str],
    accuracy: str = "test_accuracy",
) -> Comparison:
    """The comparison with the sweep's runs that pass the filters.

    Values of probes are read for tables that print such, and no others. What is read agrees within
    `queries.one_view()`. Raises as `Queries.run_rows`.
    """
    from results.comparison import compare, probes_needed

    needed = probes_needed(table)
    rows = queries.run_rows([sweep], where=where, config=True, learned_coefficients=True)
    probes = queries.probe_rows([sweep], where=where, probes=needed) if needed else []
    return compare(rows, table, accuracy=accuracy, probes=probes)
