"""Asking the database: `sweep report`, `compare`, `plot`, `show`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sweeper.commands.options import (
    DEFAULT_HOME,
    DatabaseOption,
    FormatOption,
    HomeOption,
    MetricOption,
    OutputOption,
    SweepArgument,
    SweepsArgument,
    WhereOption,
    home_at,
    keys_of,
)
from sweeper.commands.output import say, write_file, write_table, write_text
from sweeper.errors import RequestError

if TYPE_CHECKING:
    from results.queries.queries import Queries

DEFAULT_GROUPS = ["model", "scheme", "depth"]


def report(
    sweeps: SweepsArgument = [],  # noqa: B006 - typer copies it
    group_by: Annotated[
        list[str],
        typer.Option(
            "--group-by",
            metavar="KEY[,KEY]",
            help="run keys or config paths, such as zero_stable,depth or training.optimizer.lr;"
            " default: model,scheme,depth",
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
        typer.Option("--gap", help="generalization gap by root moduli (ZeroSNet, Table 7)"),
    ] = False,
    where: WhereOption = [],  # noqa: B006
    metric: MetricOption = [],  # noqa: B006
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="one page with tables, figures and origins"),
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
    format: FormatOption = "table",  # noqa: A002
    output: OutputOption = None,
) -> None:
    """Mean +- standard deviation over runs; accuracies in percent, of the last epoch."""
    from results.queries.queries import Queries

    groups, down, along = keys_of(group_by), keys_of(rows), keys_of(columns)
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
    with Queries.open(home_at(home, db).database) as queries:
        if html is not None:
            from results.html_report import html_page
            from results.html_report.build import build_page

            command = " ".join(["sweep", *sys.argv[1:]])
            with queries.one_view():
                page = build_page(
                    queries, sweeps, groups, (down, along), test, where, metric or None, command
                )
            write_file(html_page(page).encode(), html)
            say(f"{html}: {len(page.runs)} runs")
        elif test is not None:
            _write_test(queries, sweeps, test, where, metric, format, output)
        elif gap:
            from results.analysis.generalization_gap import gap_by_moduli

            found = gap_by_moduli(queries.run_rows(sweeps, where=where, config=True))
            write_table(found, format, output)
        else:
            _write_report(queries, sweeps, groups, (down, along), where, metric, format, output)


def _write_report(
    queries: Queries,
    sweeps: list[str],
    groups: list[str],
    pivoted: tuple[list[str], list[str]],
    where: list[str],
    metric: list[str],
    format: str,  # noqa: A002
    output: Path | None,
) -> None:
    from results.analysis import reports
    from results.analysis.pivot import pivot

    down, along = pivoted
    if down:
        metrics = metric or ["test_accuracy"]
        found = reports.report(queries, sweeps, [*down, *along], metrics, where)
        write_table(pivot(found, down, along), format, output)
    else:
        found = reports.report(queries, sweeps, groups or DEFAULT_GROUPS, metric or None, where)
        write_table(found, format, output)


def _write_test(
    queries: Queries,
    sweeps: list[str],
    test: str,
    where: list[str],
    metric: list[str],
    format: str,  # noqa: A002
    output: Path | None,
) -> None:
    from results.analysis.group_tests import compare_groups

    rows = queries.run_rows(sweeps, where=where, config=True)
    found = compare_groups(rows, test, metric or None)
    if format in ("json", "csv", "parquet"):
        write_table(found.rows(), format, output)
    else:
        write_table(found.table(), format, output, notes=[*found.sentences, *found.notes])


def compare(
    sweep: SweepArgument,
    table: Annotated[
        str | None,
        typer.Option(
            "--table",
            metavar="NAME",
            help="such as zerosnet/table3; default: what the spec calls `published`",
        ),
    ] = None,
    accuracy: Annotated[
        str,
        typer.Option("--accuracy", help="test_accuracy (last epoch) or best_test_accuracy"),
    ] = "test_accuracy",
    where: WhereOption = [],  # noqa: B006
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
    format: FormatOption = "table",  # noqa: A002
    output: OutputOption = None,
) -> None:
    """Each row of a published table beside ours: differences, conditions, ranks, ratios."""
    from results import comparison
    from results.comparison.sweep import beside
    from results.published import PUBLISHED, published_table
    from results.queries.queries import Queries

    if accuracy not in comparison.ACCURACIES:
        raise RequestError(f"--accuracy {accuracy!r}: one of {', '.join(comparison.ACCURACIES)}")
    with Queries.open(home_at(home, db).database) as queries, queries.one_view():
        name = table or queries.published_name(sweep)
        if name is None:
            raise RequestError(
                f"the spec of {sweep} names no published table: choose one with --table"
                f" ({', '.join(PUBLISHED)})"
            )
        found = beside(queries, sweep, published_table(name), where, accuracy)
    if format == "json":
        import json

        text = json.dumps(found.to_json(), indent=2, ensure_ascii=False)
        write_text(text + "\n", output)
    elif format in ("csv", "parquet"):
        write_table(found.rows(), format, output)
    else:
        write_table(found.summary_rows(), format, output, notes=found.sentences())


def plot(
    sweep: SweepArgument,
    figures: Annotated[
        list[str], typer.Argument(metavar="[FIGURE]...", help="default: all that its runs can give")
    ] = [],  # noqa: B006
    metric: Annotated[
        str, typer.Option("--metric", metavar="NAME", help="of the figures that show one")
    ] = "test_accuracy",
    quantity: Annotated[
        list[str],
        typer.Option("--quantity", metavar="NAME", help="of the probes: these quantities only"),
    ] = [],  # noqa: B006
    layer: Annotated[
        list[str], typer.Option("--layer", metavar="NAME", help="of the probes: these layers only")
    ] = [],  # noqa: B006
    where: WhereOption = [],  # noqa: B006
    format: Annotated[str, typer.Option("--format", help="png, svg or pdf")] = "png",  # noqa: A002
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FOLDER", help="default: figures/SWEEP here"),
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
) -> None:
    """Draw figures: accuracy by scheme, size and noise, training curves, roots, probes."""
    from results.figures import FORMATS, draw, possible, save
    from results.figures.probe_rows import probe_values
    from results.queries.queries import Queries
    from sweeper.spec.spec import SWEEP_NAME

    if format not in FORMATS:
        raise RequestError(f"--format {format!r}: one of {', '.join(FORMATS)}")
    if output is None and not SWEEP_NAME.fullmatch(sweep):
        raise RequestError(f"{sweep!r} gives no name to a folder: choose one with --output")
    with Queries.open(home_at(home, db).database) as queries, queries.one_view():
        rows = queries.run_rows([sweep], where=where, config=True, learned_coefficients=True)
        epochs = queries.epoch_rows([sweep], where=where)
        needed = not figures or "probes" in figures
        probes, left_out = (
            probe_values(queries, [sweep], where, quantity, layer) if needed else ([], None)
        )
    if left_out is not None:
        say(left_out)
    wanted = list(figures)
    if not wanted:
        reasons = possible(rows, epochs, probes, metric=metric)
        wanted = [name for name, reason in reasons.items() if reason is None]
        for name, reason in reasons.items():
            if reason is not None:
                say(f"no {name}: {reason}")
    drawn = [(name, draw(name, rows, epochs, probes, metric=metric)) for name in wanted]
    folder = output or Path("figures") / sweep
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, figure in drawn:
            path = folder / f"{name}.{format}"
            save(figure, path)
            print(path)
    except OSError as error:
        raise RequestError(f"{folder} cannot be written: {error.strerror}") from error


def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="a run's id, or the start of it")],
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
    format: Annotated[  # noqa: A002
        str, typer.Option("--format", help="table or json", metavar="FORMAT")
    ] = "table",
    output: OutputOption = None,
) -> None:
    """One run in full: config, epochs, evaluations, blocks, probes, attempts, and its specs."""
    from results.queries.queries import Queries
    from results.rendering.run_detail import run_page

    if format not in ("table", "json"):
        raise RequestError(f"a run is shown as table or json, not as {format!r}")
    with Queries.open(home_at(home, db).database) as queries:
        detail = queries.run_detail(run)
    if format == "json":
        import json

        write_text(json.dumps(detail, indent=2, ensure_ascii=False) + "\n", output)
    else:
        write_text(run_page(detail), output)
