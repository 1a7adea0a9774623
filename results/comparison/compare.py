"""`compare`: a published table and the runs of a sweep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from results.analysis.imported import note_about
from results.comparison.matching import UNTRAINED_METRICS, fits
from results.comparison.options import written
from results.comparison.ranks import rank_agreements
from results.comparison.ratios import with_ratios
from results.comparison.result import STATES, ComparedRow, Comparison
from results.comparison.rows import compare_row
from results.comparison.training_differences import Difference
from results.errors import UnknownColumnError
from results.metrics import counted
from results.published import PublishedRow, PublishedTable
from results.queries.further_numbers import OF_RUN
from results.records import RunRow
from results.trainer_label import trainer_label

if TYPE_CHECKING:
    from results.queries.queries import Queries

#: What may stand for a network's clean test accuracy: the last epoch's, or the best one's.
ACCURACIES = ("test_accuracy", "best_test_accuracy")

_LISTED = 5


def compare(
    rows: Sequence[RunRow],
    table: PublishedTable,
    *,
    accuracy: str = "test_accuracy",
    probes: Iterable[Mapping[str, Any]] = (),
) -> Comparison:
    """Each row of `table` with the runs that reproduce it.

    `rows` come from `Queries.run_rows(..., config=True)`, asked for the losses of the table if it
    has any. A run belongs to a published row by
    model, depth, scheme and the options that tell the row's network from others of these
    (`results.comparison.matching.fits`). If there are runs on any of the table's datasets, it
    belongs by dataset too; otherwise runs on whatever dataset are held against the table, and the
    dataset is named among the conditions that differ.

    `accuracy` is which of our clean test accuracies is shown, of ACCURACIES. The papers say test
    accuracy; ZeroSNet's released code reports the best epoch's. Accuracies under noise, top-5
    and training accuracy and the generalization gap are the last epoch's in any case.

    `probes` come from `Queries.probe_rows`; a table that prints what a probe measures needs those
    of `probes_needed(table)`, and others nothing. Of a quantity measured at several epochs the last
    one's counts.

    Raises UnknownColumnError for another `accuracy`.
    """
    if accuracy not in ACCURACIES:
        raise UnknownColumnError(accuracy, ACCURACIES, purpose="accuracy")
    by_dataset = not {row.dataset for row in table.rows}.isdisjoint(run["dataset"] for run in rows)
    measured = _last_values(probes)
    compared: list[ComparedRow] = []
    unmatched = {run["run_id"]: run for run in rows}
    for row in table.rows:
        fitting = [run for run in rows if _belongs(run, row, by_dataset)]
        key = (row.quantity.probe, row.quantity.name) if row.quantity else None
        compared.append(compare_row(row, fitting, accuracy, measured.get(key, {})))
        for run in fitting:
            unmatched.pop(run["run_id"], None)
    compared = with_ratios(compared)
    return Comparison(
        table=table,
        accuracy=accuracy,
        compared=tuple(compared),
        ranks=tuple(rank_agreements(compared)),
        conditions=tuple(_conditions(compared)),
        notes=(*_notes(table, compared, accuracy, list(unmatched.values())), *_imported(rows)),
        unmatched=tuple(unmatched),
    )


def _imported(rows: Sequence[RunRow]) -> list[str]:
    note = note_about(rows)
    return [f"Among the runs: {note}."] if note else []


def compare_sweep(
    queries: Queries,
    sweep: str,
    table: PublishedTable,
    where: Sequence[str],
    accuracy: str = "test_accuracy",
) -> Comparison:
    """The table compared with the runs of the sweep that pass the filters.

    Values of probes are read for tables that print such, and no others. What is read agrees within
    `queries.one_view()`. Raises as `Queries.run_rows`, and as `compare`.
    """
    needed = probes_needed(table)
    losses = [name for name in OF_RUN if any(row.metric == name for row in table.rows)]
    rows = queries.run_rows(
        [sweep], where=where, config=True, learned_coefficients=True, metrics=losses
    )
    probes = queries.probe_rows([sweep], where=where, probes=needed) if needed else []
    return compare(rows, table, accuracy=accuracy, probes=probes)


def probes_needed(table: PublishedTable) -> tuple[str, ...]:
    """The probes whose values `compare` needs for this table; most tables need none."""
    return tuple(dict.fromkeys(row.quantity.probe for row in table.rows if row.quantity))


def _last_values(
    probes: Iterable[Mapping[str, Any]],
) -> dict[tuple[str, str] | None, dict[str, float | None]]:
    """Values of whole networks, by probe and quantity, then by run id."""
    found: dict[tuple[str, str] | None, dict[str, float | None]] = {}
    for row in sorted(probes, key=lambda row: row["epoch"]):
        if row["layer"] == "":
            found.setdefault((row["probe"], row["quantity"]), {})[row["run_id"]] = row["value"]
    return found


def _belongs(run: RunRow, row: PublishedRow, by_dataset: bool) -> bool:
    if by_dataset and row.dataset is not None and run["dataset"] != row.dataset:
        return False
    return fits(run, row)


def _conditions(compared: Sequence[ComparedRow]) -> list[str]:
    lines = [line for line in compared if line.state == "compared" or _in_a_ratio(line)]
    trained = [
        line
        for line in lines
        if line.state == "compared" and line.published.metric not in UNTRAINED_METRICS
    ]
    differing = Counter(difference for line in lines for difference in line.conditions)
    for line in trained:
        here, paper = line.ours.runs if line.ours else 0, line.published.runs
        if paper is not None and here != paper:
            differing[Difference("seeds", str(here), str(paper))] += 1
    names = list(dict.fromkeys(difference.condition for difference in differing))
    sentences = {
        str(difference): differing[difference]
        for difference in sorted(differing, key=lambda d: names.index(d.condition))
    }
    unknown = sum(1 for line in trained if line.published.recipe is None)
    if unknown:
        sentences["how the paper's networks were trained is not known"] = unknown
    return [
        sentence if count == len(lines) else f"{sentence} ({count} of {len(lines)} rows)"
        for sentence, count in sentences.items()
    ]


def _in_a_ratio(line: ComparedRow) -> bool:
    return line.published.quantity is not None and line.ours is not None


def _notes(
    table: PublishedTable,
    compared: Sequence[ComparedRow],
    accuracy: str,
    unmatched: Sequence[RunRow],
) -> list[str]:
    lines = [line for line in compared if line.state == "compared"]
    timed = [line for line in compared if _in_a_ratio(line)]
    trained = [line for line in lines if line.published.metric not in UNTRAINED_METRICS]
    which = {"test_accuracy": "last", "best_test_accuracy": "best"}[accuracy]
    notes = {
        _counts(compared): bool(compared),
        "conditions differ from the paper's, so that a difference in the numbers is no failure"
        " to reproduce them, and agreement no success": any(
            line.same_conditions is False for line in [*lines, *timed]
        ),
        f"our clean test accuracies are the {which} epoch's": any(
            line.published.metric == "test_accuracy" for line in lines
        ),
        "within: the difference is inside Welch's 95 % interval from both standard deviations"
        " and numbers of runs, taking printed deviations as n - 1": any(
            line.joint_uncertainty is not None for line in lines
        ),
        "within is unknown where either side has no standard deviation": any(
            line.within is None for line in trained
        ),
        "a ratio tells of the networks only if their runs were measured on the same machine,"
        " with nothing else on it": any(line.ratio is not None for line in timed),
    }
    of_runs = [_unmatched(unmatched, table)] if unmatched else []
    return [*(note for note, applies in notes.items() if applies), *of_runs, *table.notes]


def _counts(compared: Sequence[ComparedRow]) -> str:
    counts = Counter(line.state for line in compared)
    parts = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    return f"{counted(len(compared), 'published row')}: {parts}"


def _unmatched(runs: Sequence[RunRow], table: PublishedTable) -> str:
    telling = {option: None for row in table.rows if row.network for option in row.network.variant}
    networks = dict.fromkeys(_network_of(run, telling) for run in runs)
    shown = "; ".join(list(networks)[:_LISTED])
    if len(networks) > _LISTED:
        shown += f"; and {len(networks) - _LISTED} more networks"
    subject = "1 run belongs" if len(runs) == 1 else f"{len(runs)} runs belong"
    return f"{subject} to no row of the table: {shown}"


def _network_of(run: RunRow, telling: Iterable[str]) -> str:
    """A run's network, with those of its options that tell the table's networks apart."""
    if run["model"] is None:
        return trainer_label(run["config"])
    model = run["config"].get("model", {})
    options = written({name: model[name] for name in telling if name in model})
    scheme = None if run["scheme"] == "none" else run["scheme"]
    kind = ", ".join(part for part in (scheme, options) if part)
    network = f"{run['model']} ({kind})" if kind else run["model"]
    return f"{network}, depth {run['depth']}, on {run['dataset']}"
