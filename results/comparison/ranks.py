"""Our order of the networks compared with the paper's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product

from results.comparison.agreement import RankAgreement
from results.comparison.matching import UNTRAINED_METRICS
from results.comparison.result import ComparedRow
from results.run_columns import COLUMN


def rank_agreements(compared: Iterable[ComparedRow]) -> list[RankAgreement]:
    """Over the compared rows of each metric, evaluation and dataset: at all depths, then at each.

    What follows from the network alone has no ranks; nor has a single row.
    """
    groups: dict[tuple[str, str | None, str | None], list[ComparedRow]] = {}
    for line in compared:
        row = line.published
        if line.state == "compared" and row.metric not in UNTRAINED_METRICS:
            groups.setdefault((row.metric, row.evaluation, row.dataset), []).append(line)
    found = []
    for lines in groups.values():
        depths = list(dict.fromkeys(line.published.depth for line in lines))
        if len(depths) > 1:
            found.append(_agreement(lines, None))
        for depth in depths:
            same = [line for line in lines if line.published.depth == depth]
            found.append(_agreement(same, depth))
    return [agreement for agreement in found if agreement.n > 1]


def _agreement(lines: Sequence[ComparedRow], depth: int | None) -> RankAgreement:
    from results.analysis.rank_correlation import kendall_tau

    row = lines[0].published
    theirs = [line.published.mean for line in lines]
    ours = [line.ours.mean for line in lines if line.ours]
    tau = kendall_tau(ours, theirs)
    agreement = RankAgreement(
        metric=row.metric,
        evaluation=row.evaluation,
        dataset=row.dataset,
        depth=depth,
        n=len(lines),
        tau=tau.tau if tau else None,
        p_value=tau.p if tau else None,
    )
    known = COLUMN.get(row.metric) or (lines[0].ours and lines[0].ours.reported)
    sign = -1 if known and known.better == "lower" else 1
    stable = [i for i, line in enumerate(lines) if line.published.zero_stable is True]
    unstable = [i for i, line in enumerate(lines) if line.published.zero_stable is False]
    if not stable or not unstable:
        return agreement
    leads = [
        (sign * (theirs[i] - theirs[j]), sign * (ours[i] - ours[j]))
        for i, j in product(stable, unstable)
    ]
    return replace(
        agreement,
        pairs=len(leads),
        stable_better_published=sum(published > 0 for published, _ in leads),
        stable_better_here=sum(here > 0 for _, here in leads),
        split_agrees=all((published > 0) == (here > 0) for published, here in leads),
    )
