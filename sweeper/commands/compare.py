"""`sweep compare`: a sweep and the published table it reproduces."""

from __future__ import annotations

from typing import Annotated

import typer

from sweeper.commands.options import (
    DEFAULT_HOME,
    DatabaseOption,
    FormatOption,
    HomeOption,
    OutputOption,
    SweepArgument,
    WhereOption,
    home_at,
)
from sweeper.commands.output import write_table, write_text
from sweeper.errors import RequestError


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
    """Each row of a published table and of the sweep: differences, conditions, ranks, ratios."""
    from results import comparison
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
        found = comparison.compare_sweep(queries, sweep, published_table(name), where, accuracy)
    if format == "json":
        import json

        text = json.dumps(found.to_json(), indent=2, ensure_ascii=False)
        write_text(text + "\n", output)
    elif format in ("csv", "parquet"):
        write_table(found.rows(), format, output)
    else:
        write_table(found.summary_rows(), format, output, notes=found.sentences())
