"""The result of a comparison: row by row, and as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from results.comparison.agreement import RankAgreement
from results.comparison.options import written
from results.comparison.summary import shown_metric, summary
from results.comparison.training_differences import Difference
from results.json_values import finite
from results.metrics import Metric
from results.published import Network, PublishedRow, PublishedTable

State = Literal["compared", "unfinished", "missing", "not comparable"]
STATES: tuple[State, ...] = ("compared", "unfinished", "missing", "not comparable")


@dataclass(frozen=True, kw_only=True)
class Ours:
    """The measurements of our runs of a row.

    `mean` and `std` (n - 1) over `runs` values; for what follows from the network alone the one
    value, `runs` being the runs that share it. Of these `imported` came with an archive, and
    `measured_elsewhere` others have the measurement from one. `root_moduli` and `zero_stable` of
    their scheme. `reported` says what is known of a metric that is not the run's but its trainer's
    own. `config` is that of one of them; values of measurements are of runs that differ in the seed
    alone.
    """

    mean: float
    std: float | None
    runs: int
    imported: int
    measured_elsewhere: int
    datasets: tuple[str, ...]
    root_moduli: tuple[float, ...] | None = None
    zero_stable: bool | None = None
    reported: Metric | None = None
    config: Mapping[str, Any] = field(default_factory=dict, repr=False, hash=False)


@dataclass(frozen=True, slots=True)
class Ratio:
    """How much more of a quantity one network has than another, such as seconds of an epoch.

    Attributes:
        model, over: the names of both models, or the labels of their rows where these are one; the
            ratio is the first's value by the second's.
        quantity: what is measured, such as "train_seconds[128]".
        published: from both printed numbers.
        here: from the means of our runs; None if they differ in more than the network.
        agrees: whether both are on the same side of 1; None if one of them is not known, or the
            paper prints two equal numbers.
        differing: in which settings our runs differ, other than network, scheme, seed and probes.
    """

    model: str
    over: str
    quantity: str
    published: float
    here: float | None
    agrees: bool | None
    differing: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"{self.model} over {self.over}, {self.quantity}: {self.published:.3f} in the paper"
        if self.here is None:
            return f"{text}, unknown here, as the runs differ in {', '.join(self.differing)}"
        text += f", {self.here:.3f} here"
        if self.agrees is None:
            return f"{text}; the paper's numbers are equal, so that there is no direction"
        return f"{text}; {'the same' if self.agrees else 'the other'} direction"


@dataclass(frozen=True, kw_only=True)
class ComparedRow:
    """A published row and our value for it.

    Attributes:
        state: "compared"; "unfinished" (runs exist, none of them done); "missing" (no runs);
            "not comparable" (runs measure something else, or differ in more than the seed).
        ours: None where no run has a value; a row that is not comparable may have one.
        difference: ours less the published mean, for compared rows.
        joint_uncertainty: half the width of Welch's 95 % interval of the difference; None where
            a standard deviation is missing.
        within: whether ours agrees with the paper's number (see `Comparison`); None: unknown.
        conditions: how our conditions differ from the paper's, where they are known.
        same_conditions: whether there is no such difference; None where the row's conditions are
            not known, or there are no runs.
        ratio: to the first row of its quantity, where both have a value of ours.
        note: why it is not compared, misprints, runs left out.
    """

    published: PublishedRow
    state: State
    ours: Ours | None = None
    difference: float | None = None
    joint_uncertainty: float | None = None
    within: bool | None = None
    conditions: tuple[Difference, ...] = ()
    same_conditions: bool | None = None
    ratio: Ratio | None = None
    note: str | None = None

    def flat(self) -> dict[str, Any]:
        """The row as a flat object of plain values, the same keys for every row.

        Means, deviations and differences are in our units, `..._as_printed` in the paper's `unit`.
        """
        row, ours, ratio = self.published, self.ours, self.ratio
        network = row.network or Network()
        return {
            "state": self.state,
            "label": row.label,
            "model": network.model,
            "scheme": network.scheme,
            "options": written(network.named_options) or None,
            "depth": row.depth,
            "dataset": row.dataset,
            "metric": row.metric,
            "unit": row.unit,
            "evaluation": row.evaluation,
            "quantity": row.quantity.name if row.quantity else None,
            "zero_stable": row.zero_stable,
            "root_moduli": list(row.root_moduli) if row.root_moduli else None,
            "published_as_printed": row.printed_in.printed(row.mean),
            "published_mean": row.mean,
            "published_std": row.std,
            "published_runs": row.runs,
            "our_as_printed": row.printed_in.printed(ours.mean) if ours else None,
            "our_mean": ours.mean if ours else None,
            "our_std": ours.std if ours else None,
            "our_runs": ours.runs if ours else 0,
            "our_imported": ours.imported if ours else 0,
            "our_measured_elsewhere": ours.measured_elsewhere if ours else 0,
            "our_dataset": ", ".join(ours.datasets) if ours else None,
            "our_root_moduli": list(ours.root_moduli) if ours and ours.root_moduli else None,
            "our_zero_stable": ours.zero_stable if ours else None,
            "difference": self.difference,
            "joint_uncertainty": self.joint_uncertainty,
            "within": self.within,
            "same_conditions": self.same_conditions,
            "ratio_to": ratio.over if ratio else None,
            "published_ratio": ratio.published if ratio else None,
            "our_ratio": ratio.here if ratio else None,
            "ratio_agrees": ratio.agrees if ratio else None,
            "quoted_from": row.quoted_from,
            "note": self.note,
        }


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A published table compared with the runs of a sweep.

    Whether a difference is `within` the joint uncertainty:

    - measured over several runs on both sides: |difference| is at most half the width of Welch's
      95 % interval (from both standard deviations and numbers of runs), plus half a unit of the
      last printed digit. Unknown without both deviations, over two runs or more;
    - parameters: the printed figure is our count rounded up, down or to nearest;
    - moduli of roots: all of ours, rounded to the printed digits, are the printed ones, and so
      is zero stability.

    Attributes:
        accuracy: which of our clean test accuracies is shown.
        conditions: one sentence for each condition that differs, over all compared rows.
        ranks: whether our order of the networks is theirs.
        notes: what was counted how, and what to know of the table.
        unmatched: ids of runs that belong to no row.
    """

    table: PublishedTable
    accuracy: str
    compared: tuple[ComparedRow, ...]
    ranks: tuple[RankAgreement, ...]
    conditions: tuple[str, ...]
    notes: tuple[str, ...]
    unmatched: tuple[str, ...]

    def count(self, state: State) -> int:
        """How many rows are in a state."""
        return sum(1 for row in self.compared if row.state == state)

    @property
    def ratios(self) -> tuple[Ratio, ...]:
        """Of two networks each, where a number itself is not comparable with the paper's."""
        return tuple(row.ratio for row in self.compared if row.ratio)

    def rows(self) -> list[dict[str, Any]]:
        """Flat rows at full precision, in the order of print: for JSON, CSV and DataFrames."""
        return [row.flat() for row in self.compared]

    def summary_rows(self) -> list[dict[str, Any]]:
        """The same for reading: rounded text, in columns as few as the table needs.

        `published` and `here` are mean ± std (number of runs), `difference` is followed by ± the
        joint uncertainty. Where the paper prints an error, so do these.
        """
        metrics = {shown_metric(row.published) for row in self.compared}
        several = len(metrics) > 1 or any(
            row.published.printed_in.is_error for row in self.compared
        )
        noted = any(row.note for row in self.compared)
        return [
            {"row": row.published.label}
            | ({"metric": shown_metric(row.published)} if several else {})
            | summary(row)
            | ({"note": row.note} if noted else {})
            for row in self.compared
        ]

    def sentences(self) -> list[str]:
        """The text below the rows: source, conditions, ranks, ratios, notes."""
        return [
            f"{self.table.title}: {self.table.caption}",
            *(f"conditions: {condition}" for condition in self.conditions),
            *(f"ranks: {rank}" for rank in self.ranks),
            *(f"ratios: {ratio}" for ratio in self.ratios),
            *self.notes,
        ]

    def to_json(self) -> dict[str, Any]:
        """The whole comparison as plain values, ready for JSON."""
        document: dict[str, Any] = finite(
            {
                "table": self.table.name,
                "title": self.table.title,
                "caption": self.table.caption,
                "citation": self.table.paper.citation,
                "accuracy": self.accuracy,
                "rows": self.rows(),
                "ranks": [asdict(rank) for rank in self.ranks],
                "ratios": [asdict(ratio) for ratio in self.ratios],
                "conditions": list(self.conditions),
                "notes": list(self.notes),
                "unmatched": list(self.unmatched),
            }
        )
        return document
