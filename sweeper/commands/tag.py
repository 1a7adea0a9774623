"""`sweep tag`: words to find and to group sweeps and runs by."""

from __future__ import annotations

from typing import Annotated

import typer

from sweeper.commands import options
from sweeper.commands.output import say


def tag(
    name: options.SweepOrRunArgument,
    tags: Annotated[list[str], typer.Argument(metavar="TAG...", help="words without spaces")],
    remove: Annotated[bool, typer.Option("--remove", help="take these tags away")] = False,
    home: options.HomeOption = options.DEFAULT_HOME,
    db: options.DatabaseOption = None,
) -> None:
    """Tag a sweep or a run, for --where tag=TAG and --group-by tag. Also while it runs.

    The runs of a sweep have its tags too.
    """
    from results.store.store import Store

    with Store.open(options.home_at(home, db).database, create=False) as store:
        shown, found = store.tag(name, tags, remove=remove)
    say(f"{shown}: {', '.join(found) or 'no tags'}")
