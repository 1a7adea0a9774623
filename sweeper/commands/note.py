"""`sweep note`: what is worth knowing about a sweep or a run."""

from __future__ import annotations

from typing import Annotated

import typer

from sweeper.commands import options
from sweeper.commands.output import say


def note(
    name: options.SweepOrRunArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="quoted, if it has spaces")],
    home: options.HomeOption = options.DEFAULT_HOME,
    db: options.DatabaseOption = None,
) -> None:
    """Write a note on a sweep or a run, which status and show give back. Also while it runs."""
    from results.store.store import Store

    with Store.open(options.home_at(home, db).database, create=False) as store:
        shown = store.note(name, text)
    say(f"noted on {shown}")
