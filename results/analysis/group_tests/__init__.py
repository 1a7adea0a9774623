"""Whether two groups of runs do differently. Importing this loads numpy and scipy."""

from results.analysis.group_tests.compare import GroupTest, compare_groups

__all__ = ["GroupTest", "compare_groups"]
