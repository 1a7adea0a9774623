"""Whether two means agree, and whether two orders do."""

from __future__ import annotations

import math
from dataclasses import dataclass

from results.analysis.statistics import CONFIDENCE


def joint_uncertainty(
    std_a: float | None, runs_a: int | None, std_b: float | None, runs_b: int | None
) -> float | None:
    """Half the width of Welch's 95 % interval for the difference of two means.

    From standard deviations (n - 1) and numbers of runs; both samples may have their own
    variance. None unless both deviations are known, over two runs or more.
    """
    if std_a is None or std_b is None or runs_a is None or runs_b is None:
        return None
    if runs_a < 2 or runs_b < 2:
        return None
    a, b = std_a**2 / runs_a, std_b**2 / runs_b
    if a + b == 0:
        return 0.0
    from scipy import stats

    # Welch-Satterthwaite; as fractions of a + b, whose squares do not underflow.
    fraction = a / (a + b)
    freedom = 1 / (fraction**2 / (runs_a - 1) + (1 - fraction) ** 2 / (runs_b - 1))
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * math.sqrt(a + b)


@dataclass(frozen=True, slots=True)
class RankAgreement:
    """Whether our order of the networks is the paper's.

    Over the compared rows of one metric, evaluation and dataset, at one depth or (None) at all.

    Attributes:
        n: how many rows.
        tau, p_value: Kendall's tau-b and its p for the hypothesis of no association; None where
            one side has all values equal.
        pairs: pairs of a row printed as zero stable with one printed as not; None if the table
            does not say.
        stable_better_published, stable_better_here: in how many of them the stable one is better.
        split_agrees: whether each of these pairs is in the same order here as in the paper.
    """

    metric: str
    evaluation: str | None
    dataset: str | None
    depth: int | None
    n: int
    tau: float | None
    p_value: float | None
    pairs: int | None = None
    stable_better_published: int | None = None
    stable_better_here: int | None = None
    split_agrees: bool | None = None

    def __str__(self) -> str:
        what = self.evaluation or self.metric
        where = "all depths" if self.depth is None else f"depth {self.depth}"
        place = ", ".join(part for part in (what, self.dataset, where) if part)
        if self.tau is None:
            text = f"{place}: no order to compare, all values of one side are equal (n = {self.n})"
        else:
            text = f"{place}: Kendall's tau {self.tau:.2f} (n = {self.n}, p = {self.p_value:.2g})"
        if self.pairs:
            text += (
                f"; the zero-stable one is better in {self.stable_better_here} of {self.pairs}"
                f" pairs here, in {self.stable_better_published} in the paper"
            )
        return text
