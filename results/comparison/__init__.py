"""Our runs compared with the tables of the papers.

from results.comparison import compare
comparison = compare(queries.run_rows([sweep], config=True), published_table("zerosnet/table3"))

A table of what a probe measures needs `probes=queries.probe_rows([sweep])` too.
"""

from __future__ import annotations

from results.comparison.compare import ACCURACIES, compare, compare_sweep, probes_needed

__all__ = ["ACCURACIES", "compare", "compare_sweep", "probes_needed"]
