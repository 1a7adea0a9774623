"""One published row compared with the runs that match it."""

from __future__ import annotations

from collections import ChainMap, Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from results.analysis.imported import marks_of
from results.analysis.replicates import by_network
from results.analysis.statistics import summarize
from results.comparison.agreement import joint_uncertainty
from results.comparison.matching import UNTRAINED_METRICS, chosen_group, varied_settings
from results.comparison.options import written
from results.comparison.result import ComparedRow, Ours, State
from results.comparison.training_differences import Difference, network_differences
from results.metrics import counted, metric_of_trainer
from results.published import PublishedRow
from results.records import RunRow

#: What a probe measured, by run id; None: not finite. A run that is left out was not measured.
Probed = Mapping[str, float | None]


def compare_row(
    row: PublishedRow, runs: Sequence[RunRow], accuracy: str, probed: Probed
) -> ComparedRow:
    """The row compared with `runs`, all of which match it.

    `accuracy` is what stands for test_accuracy, `probed` has the values of the row's quantity.
    """
    if row.unavailable is not None:
        return _without_value("missing", row, row.unavailable)
    if not runs and row.not_comparable is not None:
        return ComparedRow(published=row, state="not comparable", note=row.not_comparable)
    if not runs:
        return _without_value("missing", row, _to_add(row))
    if row.metric in UNTRAINED_METRICS:
        return _untrained(row, runs)
    if row.quantity is None and row.evaluation is None and _lack(runs, row.metric):
        return _without_value("not comparable", row, f"runs have no {row.metric}")
    suitable = [run for run in runs if _measurable(run, row, probed)]
    if row.quantity is not None and not suitable:
        lack = f"the runs lack {row.quantity.name}: add the probe {row.quantity.spec}"
        return _without_value("not comparable", row, lack)
    groups = by_network(suitable)
    chosen = chosen_group(groups, row)
    if chosen is None:
        varied = ", ".join(varied_settings([group[0]["config"] for group in groups]))
        reason = f"its runs differ in {varied}, not only in the seed: select those to compare"
        return _without_value("not comparable", row, reason)
    group, conditions = chosen
    values = _values(row, group, accuracy, probed)
    return _trained(row, group, conditions, values, left_out=len(runs) - len(group))


def _without_value(state: State, row: PublishedRow, *remarks: str | None) -> ComparedRow:
    """A row without runs to compare, and why; a row that is not comparable is not missing."""
    known = (None if state == "missing" else row.not_comparable, row.note)
    return ComparedRow(published=row, state=state, note=_joined([*known, *remarks]))


def _lack(runs: Sequence[RunRow], metric: str) -> bool:
    """Whether the trained runs have no such number; a run that is not done may get one."""
    trained = [run for run in runs if run["state"] == "done" and not run["diverged"]]
    return bool(trained) and not any(metric in _numbers(run) for run in trained)


def _measurable(run: RunRow, row: PublishedRow, probed: Probed) -> bool:
    """Whether a probe measured the row's quantity, or will; true of a row without one."""
    if row.quantity is None or run["run_id"] in probed:
        return True
    return run["state"] != "done" and row.quantity.asked_by(run["config"])


def _to_add(row: PublishedRow) -> str:
    """As a spec would write the run: model with the options that the row names, scheme, depth."""
    network = row.network
    assert network is not None
    model = network.model or "any model"
    if network.named_options:
        model = f"{{name: {model}, {written(network.named_options)}}}"
    parts = [
        f"{model} {network.scheme}" if network.scheme else model,
        None if row.depth is None else f"depth {row.depth}",
        row.dataset,
        row.evaluation,
    ]
    return f"no such run; to add: {', '.join(part for part in parts if part)}"


def _joined(parts: Iterable[str | None]) -> str | None:
    return "; ".join(part for part in parts if part) or None


def _untrained(row: PublishedRow, runs: Sequence[RunRow]) -> ComparedRow:
    """Parameters, or moduli of roots: known of every run, whatever its state."""
    values = list(dict.fromkeys(run[row.metric] for run in runs))
    if row.metric == "parameters" and len(values) > 1:
        several = " and ".join(f"{value:,}" for value in values)
        return _without_value("not comparable", row, f"its runs have {several} parameters")
    ours = replace(_ours(row, runs, values[:1]), mean=values[0])  # a count stays whole
    difference = ours.mean - row.mean
    if row.metric == "parameters":
        conditions = network_differences(runs[0]["config"], row)
        within = abs(difference) < row.resolution
        remark = _rounding(row, ours.mean) if within and not row.not_comparable else None
    else:
        conditions = ()
        within = _moduli_agree(row, ours) and ours.zero_stable == row.zero_stable
        remark = None
    return ComparedRow(
        published=row,
        state="not comparable" if row.not_comparable else "compared",
        ours=ours,
        difference=None if row.not_comparable else difference,
        within=None if row.not_comparable else within,
        conditions=conditions,
        same_conditions=not conditions,
        note=_joined([row.not_comparable, row.note, remark, _stability_remark(row, ours)]),
    )


def _rounding(row: PublishedRow, count: float) -> str | None:
    printed, exact = round(row.mean / row.resolution), count / row.resolution
    if printed == round(exact):
        return None
    return f"printed is our count rounded {'up' if printed > exact else 'down'}"


def _moduli_agree(row: PublishedRow, ours: Ours) -> bool:
    if row.root_moduli is None or ours.root_moduli is None:
        return False
    # Rounded half either way: the third digit of a printed 0.125 is unknown.
    reach = row.resolution / 2 + 1e-9
    return len(row.root_moduli) == len(ours.root_moduli) and all(
        abs(a - b) <= reach for a, b in zip(ours.root_moduli, row.root_moduli, strict=True)
    )


def _trained(
    row: PublishedRow,
    runs: Sequence[RunRow],
    conditions: tuple[Difference, ...],
    found: _Values,
    left_out: int,
) -> ComparedRow:
    if row.evaluation is not None and not any(_evaluations(run, row) for run in runs):
        lack = f"the runs lack the evaluation {row.evaluation}: add it"
        return _without_value("missing", row, lack)
    values, measured, waiting, without = found
    other = f"{counted(left_out, 'run')} under other settings left out" if left_out else None
    if not values and waiting:
        return _without_value("unfinished", row, _counts(waiting), other)
    if not values:
        none = f"all {without['diverged']} runs diverged, and have no {row.metric}"
        if without["diverged"] == 1:
            none = f"its run diverged, and has no {row.metric}"
        if without["not finite"]:
            none = f"no run has a finite {row.metric}: {_counts(without)}"
        return _without_value("not comparable", row, none, other)
    ours = _ours(row, measured, values)
    left = waiting + without
    partial = f"{len(values)} of {len(runs)} runs: {_counts(left)}" if left.total() else None
    note = _joined([row.not_comparable, row.note, partial, other, _stability_remark(row, ours)])
    compared = ComparedRow(
        published=row,
        state="compared" if row.not_comparable is None else "not comparable",
        ours=ours,
        conditions=conditions,
        same_conditions=False if conditions else None if row.recipe is None else True,
        note=note,
    )
    if row.not_comparable is not None:
        return compared
    difference = ours.mean - row.mean
    margin = joint_uncertainty(row.std, row.runs, ours.std, ours.runs)
    # The printed mean itself is only known to half a unit of its last digit.
    within = None if margin is None else abs(difference) <= margin + row.resolution / 2 + 1e-9
    return replace(compared, difference=difference, joint_uncertainty=margin, within=within)


class _Values(NamedTuple):
    """What was measured, of which runs, why others are still to be waited for, and why done ones
    have no value.
    """

    values: list[float]
    runs: list[RunRow]
    waiting: Counter[str]
    without: Counter[str]


def _values(row: PublishedRow, runs: Sequence[RunRow], accuracy: str, probed: Probed) -> _Values:
    values: list[float] = []
    measured: list[RunRow] = []
    waiting: Counter[str] = Counter()
    without: Counter[str] = Counter()
    key = accuracy if row.metric == "test_accuracy" else row.metric
    for run in runs:
        if run["state"] != "done":
            waiting[run["state"]] += 1
            continue
        if row.quantity is not None:
            value = probed[run["run_id"]]
        elif row.evaluation is None:
            value = _numbers(run).get(key)
        else:
            value = next((e["accuracy"] for e in _evaluations(run, row)), None)
        if value is not None:
            values.append(value)
            measured.append(run)
        elif run["diverged"]:
            without["diverged"] += 1
        elif row.quantity is not None or (key not in run and key in _numbers(run)):
            without["not finite"] += 1
        else:
            waiting["not measured yet"] += 1
    return _Values(values, measured, waiting, without)


def _numbers(run: RunRow) -> Mapping[str, Any]:
    """What is known of the run by name: what its trainer reported, its losses, its own keys."""
    reported = {metric["name"]: metric["value"] for metric in run.get("metrics", ())}
    return ChainMap(run, run.get("numbers", {}), reported)


def _evaluations(run: RunRow, row: PublishedRow) -> list[Mapping[str, float | None]]:
    return [e for e in run["evaluations"] if e["name"] == row.evaluation]


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{number} {what}" for what, number in counts.items() if number)


def _ours(row: PublishedRow, runs: Sequence[RunRow], values: Sequence[float]) -> Ours:
    summary = summarize(values)
    assert summary.mean is not None
    moduli = runs[0]["root_moduli"]
    said = [m for run in runs for m in run.get("metrics", ()) if m["name"] == row.metric]
    return Ours(
        mean=summary.mean,
        std=summary.std,
        runs=len(runs),
        **marks_of(runs, [row.evaluation] if row.evaluation else []),
        datasets=tuple(dict.fromkeys(run["dataset"] for run in runs)),
        reported=metric_of_trainer(row.metric, said) if said else None,
        root_moduli=tuple(moduli) if moduli else None,
        zero_stable=runs[0]["zero_stable"],
        config=runs[0]["config"],
    )


def _stability_remark(row: PublishedRow, ours: Ours) -> str | None:
    if row.zero_stable is None or ours.zero_stable is None or row.zero_stable == ours.zero_stable:
        return None
    says = {True: "zero stable", False: "not zero stable"}
    return f"printed as {says[row.zero_stable]}, computed here as {says[ours.zero_stable]}"
