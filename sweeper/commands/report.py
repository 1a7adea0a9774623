"""`sweep report`: means and standard deviations, pivot tables, tests, and the HTML page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sweeper.commands import options
from sweeper.commands.last_output import LAST_LINES, last_output
from sweeper.commands.matplotlib_settings import import_matplotlib
from sweeper.commands.output import say, write_file, write_table
from sweeper.commands.pictures import files_of_runs, section_of_files
from sweeper.commands.unmatched import say_unmatched
from sweeper.errors import RequestError


def report(
    sweeps: options.SweepsArgument = [],  # noqa: B006 - typer copies it
    group_by: Annotated[
        list[str],
        typer.Option(
            "--group-by",
            metavar="KEY[,KEY]",
            help="run keys or config paths, such as zero_stable,depth or training.optimizer.lr;"
            " default: model,scheme,depth and what else varies",
        ),
    ] = [],  # noqa: B006
    rows: Annotated[
        list[str],
        typer.Option("--rows", metavar="KEY[,KEY]", help="a pivot table: keys down the side"),
    ] = [],  # noqa: B006
    columns: Annotated[
        list[str],
        typer.Option("--columns", metavar="KEY[,KEY]", help="a pivot table: keys along the top"),
    ] = [],  # noqa: B006
    test: Annotated[
        str | None,
        typer.Option(
            "--test",
            metavar="KEY",
            help="does it make a difference? such as zero_stable: tests, effect sizes, AUC",
        ),
    ] = None,
    gap: Annotated[
        bool,
        typer.Option(
            "--gap",
            help="generalization gap by root moduli (ZeroSNet, Table 7), of test_accuracy or the"
            " --metric",
        ),
    ] = False,
    where: options.WhereOption = [],  # noqa: B006
    metric: options.MetricOption = [],  # noqa: B006
    html: Annotated[
        Path | None,
        options.path_option("--html", "FILE", "one page with tables, figures and origins"),
    ] = None,
    home: options.HomeOption = options.DEFAULT_HOME,
    db: options.DatabaseOption = None,
    format: options.FormatOption = "table",  # noqa: A002
    raw: options.RawOption = False,
    output: options.OutputOption = None,
) -> None:
    """Mean +- standard deviation over runs; accuracies in percent, of the last epoch."""
    from results.queries.queries import Queries
    from results.run_columns import DEFAULT_METRIC

    groups, down, along = options.keys_of(group_by), options.keys_of(rows), options.keys_of(columns)
    if bool(down) != bool(along):
        raise RequestError("a pivot table needs both --rows and --columns")
    if groups and down:
        raise RequestError("--group-by makes a list, --rows and --columns a pivot table: choose")
    if html is None and (test is not None or gap) and (groups or down or (test and gap)):
        raise RequestError(
            "--test and --gap are tables of their own: leave out --group-by, --rows and --columns"
        )
    if html is not None and (output is not None or format != "table"):
        raise RequestError("--html FILE writes a page: --format and --output are for one table")
    laboratory = options.home_at(home, db)
    with Queries.open(laboratory.database) as queries:
        if html is not None:
            import_matplotlib()
            from dataclasses import asdict, replace

            from results.html_report import html_page
            from results.html_report.build import build_page
            from results.metrics import counted

            command = " ".join(["sweep", *sys.argv[1:]])
            with queries.one_view():
                page = build_page(
                    queries, sweeps, groups, (down, along), test, where, metric or None, command
                )
                kept = files_of_runs(queries, sweeps, where, page.runs)
            failed = (asdict(each) for each in page.attempts if each.state == "failed")
            said = last_output(failed, LAST_LINES)
            attempts = [
                replace(each, last_lines=said.get((each.run_id, each.attempt), ()))
                for each in page.attempts
            ]
            page = replace(page, attempts=attempts)
            found_files = section_of_files(*kept, page.runs, attempts, laboratory.storage)
            if found_files is not None:
                page = replace(page, sections=[*page.sections, found_files])
            write_file(html_page(page).encode(), html)
            say(f"{html}: {counted(len(page.runs), 'run')}")
            if not page.runs:
                say_unmatched(queries, sweeps, where)
            return
        found: Any
        notes: list[str] = []
        if test is not None:
            from results.analysis.group_tests import compare_groups

            asked = metric or queries.default_metrics(sweeps, where=where)
            rows_of_runs = queries.run_rows(
                sweeps, where=where, config=True, metrics=asked, keys=[test]
            )
            if not rows_of_runs:
                say_unmatched(queries, sweeps, where)
            groups_test = compare_groups(rows_of_runs, test, metric or None)
            if format in ("json", "csv", "parquet"):
                found = groups_test.rows()
            else:
                found, notes = groups_test.table(), [*groups_test.sentences, *groups_test.notes]
        elif gap:
            from results.analysis.generalization_gap import gap_by_moduli, trained_with

            if len(metric) > 1:
                raise RequestError("--gap is a table of one --metric, such as test_loss")
            tested = metric[0] if metric else DEFAULT_METRIC
            both = [trained_with(tested), tested] if metric else []
            rows_of_runs = queries.run_rows(sweeps, where=where, config=True, metrics=both)
            found = gap_by_moduli(rows_of_runs, tested)
            if not rows_of_runs:
                say_unmatched(queries, sweeps, where)
            elif not found:
                say("no gap by root moduli: no done run has a network with a fixed scheme")
        else:
            from results.analysis import reports
            from results.analysis.pivot import pivot
            from results.analysis.unfinished import values_so_far
            from results.analysis.unmatched import of_other_runs, without_values
            from results.analysis.varied_keys import stored_keys
            from results.queries.filters import names_state

            keys = [*down, *along] or groups or stored_keys(queries, sweeps, where)
            metrics = metric or None
            if down and not metrics:
                metrics = [queries.default_metric(sweeps, where=where)]
            found = reports.report(queries, sweeps, keys, metrics, where)
            if not found.runs and not found.unfinished:
                say_unmatched(queries, sweeps, where)
            for sentence in without_values(queries, found, sweeps):
                say(sentence)
            if metrics is None and (others := of_other_runs(queries, found, sweeps)):
                say(others)
            if down:
                found = pivot(found, down, along)
            elif not found.runs and names_state(where):
                # What tells them from all the others, where no keys are named.
                keys = groups or stored_keys(queries, sweeps)
                so_far = values_so_far(queries, sweeps, keys, metrics, where)
                if so_far.rows:
                    found, notes = so_far.rows, [so_far.note]
        write_table(found, format, output, notes=notes, raw=raw)
