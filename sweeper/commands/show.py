"""`sweep show`: one run in full."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from sweeper.commands import options
from sweeper.commands.kept_weights import are_weights_kept
from sweeper.commands.last_output import LAST_LINES, last_output
from sweeper.commands.output import write_json, write_text
from sweeper.commands.watching import EVERY_SECONDS, EveryOption, columns
from sweeper.errors import RequestError

if TYPE_CHECKING:
    from results.queries.queries import Queries


def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="a run's id, or the start of it")],
    diff: Annotated[
        str | None,
        typer.Option("--diff", metavar="OTHER", help="only what tells it apart from another run"),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="its epochs as they come, until it ends")
    ] = False,
    every: EveryOption = EVERY_SECONDS,
    metric: Annotated[
        list[str],
        typer.Option("--metric", metavar="NAME", help="with --watch: these metrics, in this order"),
    ] = [],  # noqa: B006
    home: options.HomeOption = options.DEFAULT_HOME,
    db: options.DatabaseOption = None,
    format: Annotated[  # noqa: A002
        str, typer.Option("--format", help="table or json", metavar="FORMAT")
    ] = "table",
    output: options.OutputOption = None,
) -> None:
    """One run in full: config, epochs, evaluations, blocks, probes, attempts, and its specs."""
    from results.analysis.run_differences import run_differences
    from results.queries.queries import Queries
    from results.rendering.run_detail import run_page
    from results.rendering.run_differences import differences_page

    if format not in ("table", "json"):
        raise RequestError(f"a run is shown as table or json, not as {format!r}")
    if watch and (diff is not None or format != "table" or output is not None):
        raise RequestError(
            "--watch shows epochs as they come: leave out --diff, --format and --output"
        )
    if metric and not watch:
        raise RequestError("--metric is of what --watch shows: add --watch, or leave it out")
    laboratory = options.home_at(home, db)
    with Queries.open(laboratory.database) as queries:
        if watch:
            _follow(queries, run, every, metric)
            return
        if diff is not None:
            with queries.one_view():
                found = run_differences(queries.run_detail(run), queries.run_detail(diff))
            if format == "json":
                write_json(found, output)
            else:
                write_text(differences_page(found), output)
            return
        detail = queries.run_detail(run)
        kept, identity = queries.kept_runs([detail["run_id"]]), queries.identity()
    detail["weights_kept"] = are_weights_kept(kept[0], laboratory, identity) if kept else None
    history = detail["attempt_history"]
    said = last_output(({**each, "run_id": detail["run_id"]} for each in history), LAST_LINES)
    for attempt in history:
        attempt["last_lines"] = said.get((detail["run_id"], attempt["attempt"]), [])
    if format == "json":
        write_json(detail, output)
    else:
        write_text(run_page(detail), output)


def _follow(queries: Queries, run: str, every: float, metrics: Sequence[str]) -> None:
    """Each epoch on a line, until the run ends or Control-C."""
    from sweeper.commands.epoch_lines import EpochLines

    shown = EpochLines(columns(), metrics)
    with suppress(KeyboardInterrupt):
        while True:
            progress = queries.progress_of(run, shown.since)
            if lines := shown.new_lines(progress):
                write_text("\n".join(lines) + "\n", None)
            if progress.state not in ("queued", "running"):
                return
            time.sleep(every)
