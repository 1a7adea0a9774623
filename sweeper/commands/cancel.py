"""`sweep cancel`: take runs out of the queue."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from sweeper.commands import options
from sweeper.commands.output import format_runs, say
from sweeper.errors import RequestError


def cancel(
    sweep: Annotated[str | None, typer.Argument(metavar="[SWEEP]", help="all of its runs")] = None,
    runs: options.RunsOption = [],  # noqa: B006
    home: options.HomeOption = options.DEFAULT_HOME,
    db: options.DatabaseOption = None,
) -> None:
    """Take runs out of the queue, and stop those that train. Done runs stay as they are."""
    from results.store.store import Store

    if sweep is None and not runs:
        raise RequestError("cancel what? Name a sweep, or runs with --run RUN")
    laboratory = options.home_at(home, db)
    with Store.open(laboratory.database, create=False) as store:
        count = store.cancel(sweep, runs or None)
    named = [*([sweep] if sweep else []), *(word for run in runs for word in ("--run", run))]
    retry = f"sweep retry {shlex.join(named)}{laboratory.options}"
    them = "it" if count == 1 else "them"
    again = f"; `{retry}` queues {them} again" if count else ""
    say(f"{format_runs(count)} cancelled{again}")
