"""`sweep compare`: a sweep and the published table it reproduces."""

from __future__ import annotations

from typing import Annotated

import typer

from sweeper.commands import options
from sweeper.commands.output import write_json, write_table
from sweeper.commands.unmatched import say_unmatched
from sweeper.errors import RequestError


def compare(
    sweep: options.SweepArgument,
    table: Annotated[
        str | None,
        typer.Option(
            "--table",
            metavar="NAME",
            help="such as zerosnet/table3; default: what the spec calls `published`",
        ),
    ] = None,
    accuracy: Annotated[
        str, typer.Option("--accuracy", help="test_accuracy (last epoch) or best_test_accuracy")
    ] = "test_accuracy",
    where: options.WhereOption = [],  # noqa: B006
    home: options.HomeOption = options.DEFAULT_HOME,
    db: options.DatabaseOption = None,
    format: options.FormatOption = "table",  # noqa: A002
    raw: options.RawOption = False,
    output: options.OutputOption = None,
) -> None:
    """Each row of a published table and of the sweep: differences, conditions, ranks, ratios."""
    from results import comparison
    from results.published import PUBLISHED, published_table
    from results.queries.queries import Queries

    if accuracy not in comparison.ACCURACIES:
        raise RequestError(f"--accuracy {accuracy!r}: one of {', '.join(comparison.ACCURACIES)}")
    with Queries.open(options.home_at(home, db).database) as queries, queries.one_view():
        name = table or queries.published_name(sweep)
        if name is None:
            raise RequestError(
                f"the spec of {sweep} names no published table: choose one with --table"
                f" ({', '.join(PUBLISHED)})"
            )
        found = comparison.compare_sweep(queries, sweep, published_table(name), where, accuracy)
        if all(row.state == "missing" for row in found.compared) and not found.unmatched:
            say_unmatched(queries, [sweep], where)
    if format == "json":
        write_json(found.to_json(), output)
    elif format in ("csv", "parquet"):
        write_table(found.rows(), format, output, raw=raw)
    else:
        write_table(found.summary_rows(), format, output, notes=found.sentences())
