"""`sweep retry`: queue failed and cancelled runs again."""

from __future__ import annotations

from typing import Annotated

import typer

from sweeper.commands import options
from sweeper.commands.output import format_runs, say


def retry(
    sweep: options.EverySweepArgument = None,
    runs: options.RunsOption = [],  # noqa: B006
    failed: Annotated[
        bool, typer.Option("--failed", help="failed runs only, and not the cancelled ones")
    ] = False,
    home: options.HomeOption = options.DEFAULT_HOME,
    db: options.DatabaseOption = None,
) -> None:
    """Queue failed and cancelled runs again. A running driver takes them up by itself."""
    from results.store.store import Store

    laboratory = options.home_at(home, db)
    with Store.open(laboratory.database, create=False) as store:
        count = store.retry(sweep, runs or None, only_failed=failed)
    go_on = f"sweep resume{f' {sweep}' if sweep else ''}{laboratory.options}"
    say(f"{format_runs(count)} queued again" + (f"; to train: {go_on}" if count else ""))
