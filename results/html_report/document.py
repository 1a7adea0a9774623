"""The page from top to bottom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import Element

from results.analysis.pivot import Pivot
from results.analysis.reports import Report
from results.html_report.content import CaptionedTable, Page, Section, StoredSweep
from results.html_report.elements import element, extend, serialized
from results.html_report.figures import figure_element
from results.html_report.provenance import Environment, environments, runs_of_groups
from results.html_report.style import CSS
from results.html_report.tables import table_elements
from results.metrics import shown
from results.records import STATES, RunRow
from results.rendering.tabular import flat_records
from results.rendering.text_table import text_table

# Nothing may be loaded and nothing may run, whatever the page holds.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

_LISTED = (
    "run_id", "sweep", "state", "model", "scheme", "depth", "dataset", "seed", "zero_stable",
    "root_moduli", "parameters", "epochs", "test_accuracy", "best_test_accuracy",
    "train_accuracy", "generalization_gap", "diverged", "evaluations", "attempts",
)  # fmt: skip


def html_page(page: Page) -> str:
    """One HTML document that needs nothing but itself: no network, no JavaScript.

    Sweeps and their states come first, then the sections as given, then the provenance: machines,
    attempts, failures, specs; and all runs, each with an address (`#run-<id>`) that the groups
    lead to. Raises ValueError if a figure is no SVG that a page can hold, or if the runs given
    with a table are not those behind it.
    """
    machines = environments(page.attempts)
    numbers = iter(range(1, 1 + sum(len(section.figures) for section in page.sections)))
    listed = {run["run_id"] for run in page.runs}
    sections = [
        element("section", *_section(section, numbers, listed), id=f"section-{number}")
        for number, section in enumerate(page.sections, start=1)
    ]
    main = element(
        "main",
        element("section", *_sweeps(page.sweeps), id="sweeps"),
        *sections,
        element("section", *_provenance(page, machines), id="provenance"),
        element("section", *_runs(page.runs, machines), id="runs"),
    )
    body = element("body", _header(page), main, _footer())
    return "<!DOCTYPE html>\n" + serialized(element("html", _head(page), body, lang="en")) + "\n"


def _head(page: Page) -> Element:
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", page.title),
        element("style", CSS),
    )


def _header(page: Page) -> Element:
    links = [
        ("#sweeps", "Sweeps"),
        *((f"#section-{n}", section.heading) for n, section in enumerate(page.sections, 1)),
        ("#provenance", "Provenance"),
        ("#runs", "Runs"),
    ]
    return element(
        "header",
        element("h1", page.title),
        _facts(
            ("made", _time(page.made_at)),
            ("by", element("code", page.command)),
            ("from", element("code", page.database)),
        ),
        element(
            "nav",
            element("ul", *(element("li", element("a", text, href=to)) for to, text in links)),
            aria_label="On this page",
        ),
    )


def _footer() -> Element:
    return element(
        "footer",
        "Accuracies in percent, times in seconds, points in time in UTC. ",
        element("code", "sweep show RUN"),
        " prints everything the database has about one run.",
    )


def _sweeps(sweeps: Sequence[StoredSweep]) -> Iterator[Element]:
    yield element("h2", "Sweeps")
    rows = [
        {"sweep": s.name, "runs": sum(s.counts.values())}
        | {state: s.counts.get(state, 0) for state in STATES}
        | {"spec": f"{s.source}, version {s.version}"}
        for s in sweeps
    ]
    yield from _rows(rows, "Runs by state")


def _section(section: Section, numbers: Iterator[int], listed: set[str]) -> Iterator[Element]:
    yield element("h2", section.heading)
    for paragraph in section.text:
        yield element("p", paragraph)
    for table in section.tables:
        yield from _table(table, listed)
    for figure in section.figures:
        yield figure_element(figure, next(numbers))


def _table(table: CaptionedTable, listed: set[str]) -> Iterator[Element]:
    if not flat_records(table.data).names:
        yield element("p", f"{table.caption}: nothing to show", class_="note")
        return
    yield from table_elements(text_table(table.data, table.notes), table.caption)
    if table.runs and isinstance(table.data, Report | Pivot):
        items = []
        for keys, ids in runs_of_groups(table.data, table.runs):
            label = " · ".join(
                f"{key} {shown(v, table.data.described[key]) or '-'}" for key, v in keys.items()
            )
            item = element("li", f"{label or 'all'}: ")
            for number, run_id in enumerate(ids):
                name = element("code", run_id)
                if run_id in listed:
                    name = element("a", name, href=f"#run-{run_id}")
                extend(item, ", " if number else None, name)
            items.append(item)
        yield _details("The runs behind these numbers", element("ul", *items))


def _provenance(page: Page, machines: Sequence[Environment]) -> Iterator[Element]:
    yield element("h2", "Provenance")
    rows = [
        {
            "environment": machine.number,
            "runs": len({attempt.run_id for attempt in machine.attempts}),
            "attempts": len(machine.attempts),
            "first": _moment(machine.attempts[0].started_at),
            **machine.facts,
        }
        for machine in machines
    ]
    ids = [f"environment-{machine.number}" for machine in machines]
    yield from _rows(rows, "Environments in which the runs were trained", ids)
    failures = [
        {
            "sweep": sweep.name,
            "run": failure.run_id,
            "what": failure.label,
            "attempts": failure.attempts,
            "error": failure.error,
        }
        for sweep in page.sweeps
        for failure in sweep.failures
    ]
    if failures:
        yield from _rows(failures, "Failures")
    yield _details(f"Attempts ({len(page.attempts)})", *_attempts(machines))
    for sweep in page.sweeps:
        yield element("h3", f"Spec of {sweep.name}")
        yield _facts(
            ("read from", element("code", sweep.source)),
            ("version", str(sweep.version)),
            *(("override", element("code", override)) for override in sweep.overrides),
        )
        text = sweep.spec.replace("\r\n", "\n")
        yield _details("Text", element("pre", element("code", text)))


def _attempts(machines: Sequence[Environment]) -> Iterator[Element]:
    rows: list[dict[str, Any]] = [
        {
            "run": attempt.run_id,
            "attempt": attempt.attempt,
            "state": attempt.state,
            "started": _moment(attempt.started_at),
            "finished": _moment(attempt.finished_at),
            "environment": machine.number,
            "error": attempt.error,
        }
        for machine in machines
        for attempt in machine.attempts
    ]
    yield from _rows(rows, "Attempts, by environment")


def _runs(runs: Sequence[RunRow], machines: Sequence[Environment]) -> Iterator[Element]:
    yield element("h2", "Runs")
    placed = [(attempt, machine) for machine in machines for attempt in machine.attempts]
    # The attempt that counts is the last one.
    last = {a.run_id: m.number for a, m in sorted(placed, key=lambda pair: pair[0].attempt)}
    rows = [
        {key: run[key] for key in _LISTED} | {"environment": last.get(run["run_id"])}
        for run in runs
    ]
    ids = [f"run-{run['run_id']}" for run in runs]
    # Open, because not every browser opens it to follow a link into it.
    yield _details(f"All runs ({len(runs)})", *_rows(rows, "Runs, with their ids", ids), open_="")


def _rows(
    rows: Sequence[dict[str, Any]], caption: str, ids: Sequence[str] = ()
) -> Iterator[Element]:
    """Rows as a table; ids of runs and numbers of environments lead to these."""
    if not rows:
        yield element("p", f"{caption}: none", class_="note")
        return
    table = text_table(rows)
    leads = {"run": "#run-", "environment": "#environment-"}
    starts = [leads.get(column.header[-1]) for column in table.columns]

    def link(i: int, j: int) -> str | None:
        start, text = starts[j], table.rows[i][j]
        if start is None or text is None or f"{start}{text}" == f"#{ids[i] if ids else ''}":
            return None
        return f"{start}{text}"

    yield from table_elements(table, caption, row_ids=ids, link=link)


def _facts(*facts: tuple[str, Element | str]) -> Element:
    parts = [part for name, value in facts for part in (element("dt", name), element("dd", value))]
    return element("dl", *parts, class_="facts")


def _details(summary: str, *content: Element, open_: str | None = None) -> Element:
    return element("details", element("summary", summary), *content, open_=open_)


def _time(seconds: float) -> Element:
    moment = datetime.fromtimestamp(seconds, UTC)
    return element("time", _moment(seconds), datetime=moment.isoformat(timespec="seconds"))


def _moment(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
