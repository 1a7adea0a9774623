"""Our runs beside the tables of the papers.

from results.comparison import compare
comparison = compare(queries.run_rows([sweep], config=True), published_table("zerosnet/table3"))
"""

from __future__ import annotations

from results.comparison.agreement import RankAgreement
from results.comparison.compare import ACCURACIES, compare
from results.comparison.result import ComparedRow, Comparison, Ours

__all__ = ["ACCURACIES", "ComparedRow", "Comparison", "Ours", "RankAgreement", "compare"]
