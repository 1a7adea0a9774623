"""The page from top to bottom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from results.analysis.pivot import Pivot
from results.analysis.reports import Report
from results.html_report.content import CaptionedTable, Page
from results.html_report.provenance import Environment, environments, runs_of_groups
from results.html_report.tables import ShownTable
from results.html_report.templating import moment, rendered
from results.json_values import leaves
from results.records import STATES
from results.rendering.apart import shown_apart
from results.rendering.text_table import text_table

_LISTED_FIRST = ("run_id", "sweep", "state", "model", "scheme", "depth", "dataset", "seed")

_LISTED_LAST = (
    "zero_stable", "root_moduli", "parameters", "epochs", "test_accuracy", "best_test_accuracy",
    "train_accuracy", "generalization_gap", "diverged", "evaluations", "metrics", "attempts",
    "imported",
)  # fmt: skip

_LISTED = (*_LISTED_FIRST, *_LISTED_LAST)
"""Of each run, with the options of trainers of one's own between the two parts."""


def html_page(page: Page) -> str:
    """One self-contained HTML document: no network, no JavaScript.

    Sweeps and their states come first, then the sections as given, then the provenance: machines,
    attempts, failures, specs; and all runs, each with an address (`#run-<id>`) that the groups
    lead to. Raises ValueError if the runs given with a table are not those behind it.
    """
    machines = environments(page.attempts)
    return rendered(
        "report.html",
        title=page.title,
        page=page,
        sweeps=_sweeps(page),
        sections=[
            (section, [(_captioned(table), _groups(table)) for table in section.tables])
            for section in page.sections
        ],
        environments=_environments(machines),
        failures=_failures(page),
        attempts=_attempts(machines),
        runs=_runs(page, machines),
        listed={run["run_id"] for run in page.runs},
    )


def _captioned(table: CaptionedTable) -> ShownTable:
    shown = text_table(table.data, table.notes)
    return ShownTable(table.caption, shown, "nothing to show", leads=table.leads)


def _groups(table: CaptionedTable) -> list[tuple[str, list[str]]]:
    """What the groups of a report or a pivot table are called, and the ids of their done runs."""
    if not table.runs or not isinstance(table.data, Report | Pivot):
        return []
    found = runs_of_groups(table.data, table.runs)
    keys = list(found[0][0]) if found else []
    columns = [shown_apart([g[k] for g, _ in found], table.data.described[k]) for k in keys]
    lines = zip(*columns, strict=True) if keys else [()] * len(found)
    return [
        (" · ".join(f"{k} {text or '-'}" for k, text in zip(keys, line, strict=True)) or "all", ids)
        for line, (_, ids) in zip(lines, found, strict=True)
        if ids
    ]


def _rows(
    caption: str,
    rows: Sequence[dict[str, Any]],
    row_ids: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> ShownTable:
    """Rows as a table; ids of runs and numbers of environments lead to these."""
    leads = {"run": "#run-", "environment": "#environment-"}
    return ShownTable(caption, text_table(rows, notes), "none", row_ids, leads)


def _sweeps(page: Page) -> ShownTable:
    any_tags = any(sweep.tags for sweep in page.sweeps)
    rows = [
        {"sweep": s.spec["name"], "runs": sum(s.counts.values())}
        | {state: s.counts.get(state, 0) for state in STATES}
        | {"imported": s.imported, "spec": f"{s.spec['source']}, version {s.spec['version']}"}
        | ({"tags": ", ".join(s.tags)} if any_tags else {})
        for s in page.sweeps
    ]
    return _rows("Runs by state", rows)


def _environments(machines: Sequence[Environment]) -> ShownTable:
    rows = [
        {
            "environment": machine.number,
            "runs": len({attempt.run_id for attempt in machine.attempts}),
            "attempts": len(machine.attempts),
            "first": moment(machine.attempts[0].started_at),
            **machine.facts,
        }
        for machine in machines
    ]
    ids = [f"environment-{machine.number}" for machine in machines]
    return _rows("Environments in which the runs were trained", rows, ids)


def _failures(page: Page) -> ShownTable:
    rows = [
        {
            "sweep": sweep.spec["name"],
            "run": failure.run_id,
            "what": failure.label,
            "attempts": failure.attempts,
            "error": f"(imported) {failure.error}" if failure.imported else failure.error,
        }
        for sweep in page.sweeps
        for failure in sweep.failures
    ]
    return _rows("Failures", rows)


def _attempts(machines: Sequence[Environment]) -> ShownTable:
    rows: list[dict[str, Any]] = [
        {
            "run": attempt.run_id,
            "attempt": attempt.attempt,
            "state": attempt.state,
            "started": moment(attempt.started_at),
            "finished": moment(attempt.finished_at),
            "environment": machine.number,
            "error": attempt.error,
        }
        for machine in machines
        for attempt in machine.attempts
    ]
    return _rows("Attempts, by environment", rows)


def _runs(page: Page, machines: Sequence[Environment]) -> ShownTable:
    placed = [(attempt, machine) for machine in machines for attempt in machine.attempts]
    # The attempt that counts is the last one.
    last = {a.run_id: m.number for a, m in sorted(placed, key=lambda pair: pair[0].attempt)}
    any_tags = any(run["tags"] for run in page.runs)
    options = [leaves({"options": run.get("config", {}).get("options", {})}) for run in page.runs]
    none = dict.fromkeys(path for of_run in options for path in of_run)
    empty = [key for key in _LISTED if all(run[key] is None for run in page.runs)]
    rows = [
        {key: run[key] for key in _LISTED_FIRST if key not in empty}
        | {**none, **of_run}
        | {key: run[key] for key in _LISTED_LAST if key not in empty}
        | {"environment": last.get(run["run_id"])}
        | ({"tags": ", ".join(run["tags"])} if any_tags else {})
        for run, of_run in zip(page.runs, options, strict=True)
    ]
    return _rows(
        "Runs, with their ids",
        rows,
        [f"run-{run['run_id']}" for run in page.runs],
        [f"Columns without any value are left out: {', '.join(empty)}."] if rows and empty else [],
    )
