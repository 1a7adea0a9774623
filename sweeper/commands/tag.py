"""`sweep tag`: words to find and to group sweeps and runs by."""

from __future__ import annotations

from typing import Annotated

import typer

from sweeper.commands import options
from sweeper.commands.output import say, write_text
from sweeper.errors import RequestError


def tag(
    name: options.SweepOrRunArgument,
    tags: Annotated[
        list[str],
        typer.Argument(metavar="[TAG]...", help="words without spaces; default: list its tags"),
    ] = [],  # noqa: B006 - typer copies it
    remove: Annotated[bool, typer.Option("--remove", help="take these tags away")] = False,
    home: options.HomeOption = options.DEFAULT_HOME,
    db: options.DatabaseOption = None,
) -> None:
    """Tag a sweep or a run, for --where tag=TAG and --group-by tag. Also while it runs.

    The runs of a sweep have its tags too.
    """
    from results.queries.queries import Queries
    from results.store.store import Store

    if remove and not tags:
        raise RequestError(f"--remove takes tags: sweep tag --remove {name} TAG")
    database = options.home_at(home, db).database
    if not tags:
        with Queries.open(database) as queries:
            shown, found, _ = queries.labels_of(name)
        write_text(f"{shown}: {', '.join(found) or 'no tags'}\n", None)
        return
    with Store.open(database, create=False) as store:
        shown, found = store.tag(name, tags, remove=remove)
    say(f"{shown}: {', '.join(found) or 'no tags'}")
