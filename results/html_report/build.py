"""The page of a selection of runs, from the database: tables, figures and origins."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from results.analysis import reports
from results.analysis.pivot import pivot
from results.analysis.replicates import identity
from results.analysis.varied_keys import Setting, default_keys, varied_keys
from results.comparison import compare_sweep
from results.errors import ResultsError, UnknownPublishedTableError
from results.figures import FIGURES, draw, possible, shown_metric, to_bytes
from results.figures.epoch_rows import epoch_values, metric_values
from results.figures.probe_rows import probe_values
from results.html_report.content import Attempt, CaptionedTable, Figure, Page, Section, StoredSweep
from results.published import published_table
from results.queries.queries import Queries
from results.records import RunRow
from results.run_columns import DEFAULT_METRIC
from sweep_plugins import PluginError

MOST_RUNS = 20_000
"""A page lists every run; with more than this, browsers are slow to show it."""


_MOST_METRICS = 6
"""So many metrics have figures of their own on a page: those asked for, or all reported."""

_OF_METRICS = ("accuracy_by_scheme", "training_curves")
"""The figures that are drawn of each of them."""


_LOSSES = ("test_loss", "train_loss")
"""What has one figure by epoch, if both are known."""


@dataclass(frozen=True, slots=True)
class _Selected:
    """The runs of the page: how they are asked for, and what is known of each."""

    queries: Queries
    sweeps: Sequence[str]
    where: Sequence[str]
    rows: Sequence[RunRow]


def build_page(
    queries: Queries,
    sweeps: Sequence[str],
    groups: Sequence[str],
    pivoted: tuple[Sequence[str], Sequence[str]],
    test: str | None,
    where: Sequence[str],
    metrics: Sequence[str] | None,
    command: str,
) -> Page:
    """What the page shows. Raises ResultsError for too many runs, and as queries and reports do.

    Args:
        sweeps: all if empty.
        groups: of the report; by default zero stability, moduli of the roots, depth, and what else
            varies.
        pivoted: keys down the side and along the top of a pivot table; empty for none.
        test: a key with two values; its tests become a section.
        command: by which the page was made, as the page says it.
    """
    rows = queries.run_rows(
        sweeps,
        where=where,
        config=True,
        learned_coefficients=True,
        metrics=metrics or queries.default_metrics(sweeps, where=where),
        keys=[*groups, *pivoted[0], *pivoted[1], *([] if test is None else [test])],
    )
    if len(rows) > MOST_RUNS:
        raise ResultsError(
            f"--html lists every run, and these are {len(rows)}; name a sweep, or use --where, to"
            f" have at most {MOST_RUNS}"
        )
    selected = _Selected(queries, sweeps, where, rows)
    sections = [_tables(selected, groups, pivoted, metrics)]
    if test is not None:
        sections.append(_test(test, metrics, rows))
    sections += _comparisons(selected)
    figures = _figures(selected, metrics)
    if figures.figures:
        sections.append(figures)
    status = {found.sweep: found for found in queries.status(None)}
    specs = queries.spec_rows(sweeps)
    return Page(
        title=", ".join(spec["name"] for spec in specs) or "Results",
        made_at=time.time(),
        command=command,
        database=queries.shown,
        sweeps=[
            StoredSweep(spec, found.counts, found.failures, found.imported, found.tags, found.notes)
            for spec in specs
            for found in [status[spec["name"]]]
        ],
        sections=sections,
        runs=rows,
        attempts=[Attempt(**row) for row in queries.attempt_rows([row["run_id"] for row in rows])],
    )


def _tables(
    selected: _Selected,
    groups: Sequence[str],
    pivoted: tuple[Sequence[str], Sequence[str]],
    metrics: Sequence[str] | None,
) -> Section:
    def report(keys: Sequence[str], metrics: Sequence[str] | None) -> reports.Report:
        return reports.report(selected.queries, selected.sweeps, keys, metrics, selected.where)

    keys = list(groups) or _default_keys(selected)
    by_keys = CaptionedTable(f"By {', '.join(keys)}", report(keys, metrics), runs=selected.rows)
    down, along = pivoted
    if not down:
        return Section("Report", tables=[by_keys])
    shown = metrics or [selected.queries.default_metric(selected.sweeps, where=selected.where)]
    found = pivot(report([*down, *along], shown), down, along)
    caption = f"{', '.join(down)} by {', '.join(along)}"
    return Section("Report", tables=[by_keys, CaptionedTable(caption, found, runs=selected.rows)])


def _default_keys(selected: _Selected) -> list[str]:
    """Zero stability, moduli of the roots, and depth, and whatever else the runs differ in."""
    rows = selected.rows
    by_moduli: dict[str, set[str]] = {}
    for row in rows:
        moduli = identity([row["zero_stable"], row["root_moduli"]])
        by_moduli.setdefault(moduli, set()).add(row["scheme"])
    settings = [Setting(row["model"], row["dataset"], row["config"]) for row in rows]
    if all(row["model"] is None for row in rows):
        return default_keys(settings)
    return [
        *(["model"] if len({row["model"] for row in rows}) > 1 else []),
        "zero_stable",
        "root_moduli",
        *(["scheme"] if any(len(schemes) > 1 for schemes in by_moduli.values()) else []),
        "depth",
        *varied_keys(settings),
    ]


def _test(test: str, metrics: Sequence[str] | None, rows: Sequence[RunRow]) -> Section:
    from results.analysis.group_tests import compare_groups  # loads scipy

    found = compare_groups(rows, test, metrics)
    table = CaptionedTable(f"By {test}", found.table(), notes=found.notes)
    return Section(f"Does {test} make a difference?", text=found.sentences, tables=[table])


def _comparisons(selected: _Selected) -> list[Section]:
    """One for each sweep whose spec names a published table."""
    sections = []
    for name in selected.sweeps or selected.queries.sweep_names():
        table = selected.queries.published_name(name)
        if table is None:
            continue
        try:
            published = published_table(table)
        except (UnknownPublishedTableError, PluginError) as error:
            sections.append(
                Section(f"{name} compared with {table}", text=[f"No comparison: {error}."])
            )
            continue
        found = compare_sweep(selected.queries, name, published, selected.where)
        if found.count("compared") or found.ratios:
            shown = CaptionedTable(found.table.title, found.summary_rows(), notes=found.sentences())
            sections.append(Section(f"{name} compared with {found.table.title}", tables=[shown]))
    return sections


def _figures(selected: _Selected, metrics: Sequence[str] | None) -> Section:
    queries, sweeps, where, rows = selected.queries, selected.sweeps, selected.where, selected.rows
    probes, left_out = probe_values(queries, sweeps, where)
    first = queries.default_metric(sweeps, where=where)
    reported = {metric["name"] for row in rows for metric in row["metrics"]}
    by_default = queries.default_metrics(sweeps, where=where)
    own = [name for name in by_default if name in reported or name in _LOSSES]
    others = [name for name in dict.fromkeys(metrics or own) if name != first]
    known, thinned = epoch_values(queries, sweeps, where)
    of_first, also_thinned = metric_values(queries, sweeps, where, first)
    epochs = [*known, *of_first]
    reasons = possible(rows, epochs, probes, metric=first)
    figures = [
        Figure(
            _caption(name, first, rows),
            to_bytes(draw(name, rows, epochs, probes, metric=first), "svg"),
        )
        for name, reason in reasons.items()
        if reason is None
    ]
    for metric in others[:_MOST_METRICS]:
        # One after the other, as each may have as many values as there is room for.
        of_metric, _ = metric_values(queries, sweeps, where, metric)
        epochs = [*known, *of_metric]
        found = possible(rows, epochs, probes, metric=metric)
        figures += [
            Figure(
                _caption(name, metric, rows),
                to_bytes(draw(name, rows, epochs, probes, metric=metric), "svg"),
            )
            for name in _OF_METRICS
            if found[name] is None
            and shown_metric(name, rows, metric) == metric
            and not (name == "training_curves" and _drawn_with(metric, [first, *others]))
        ]
    absent = [f"No {name}: {reason}." for name, reason in reasons.items() if reason is not None]
    if len(others) > _MOST_METRICS:
        absent.append(f"No figures of {', '.join(others[_MOST_METRICS:])}: sweep plot draws them.")
    for sentence in filter(None, (left_out, thinned, also_thinned)):
        absent.append(f"{sentence[0].upper()}{sentence[1:]}.")
    return Section("Figures", text=absent, figures=figures)


def _drawn_with(metric: str, metrics: Sequence[str]) -> bool:
    """Whether the curves of another of these metrics show this one too."""
    test, train = _LOSSES
    return metric == train and test in metrics


def _caption(figure: str, metric: str, rows: Sequence[RunRow]) -> str:
    """Such as "Accuracy by scheme", "val/loss by setting" or "Training curves: val/loss"."""
    title = FIGURES[figure].title
    if all(row["model"] is None for row in rows):
        title = title.replace("scheme", "setting")
    if metric == DEFAULT_METRIC:
        return title
    rest = title.removeprefix("Accuracy")
    return f"{title}: {metric}" if rest == title else f"{metric}{rest}"
