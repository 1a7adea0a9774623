"""`sweep note`: what is worth knowing about a sweep or a run."""

from __future__ import annotations

from typing import Annotated

import typer

from sweeper.commands import options
from sweeper.commands.output import say, write_text
from sweeper.errors import RequestError


def note(
    name: options.SweepOrRunArgument,
    text: Annotated[
        str | None,
        typer.Argument(metavar="[TEXT]", help="quoted, if it has spaces; default: list the notes"),
    ] = None,
    remove: Annotated[
        int | None, typer.Option("--remove", metavar="N", help="take the note of this number away")
    ] = None,
    home: options.HomeOption = options.DEFAULT_HOME,
    db: options.DatabaseOption = None,
) -> None:
    """Write a note on a sweep or a run, which status and show give back. Also while it runs."""
    from results.queries.queries import Queries
    from results.store.store import Store

    if text is not None and remove is not None:
        raise RequestError("a note is written, or one is removed: not both at once")
    database = options.home_at(home, db).database
    if text is None and remove is None:
        with Queries.open(database) as queries:
            shown, _, notes = queries.labels_of(name)
        for one in notes:
            write_text(f"{one['number']}, {one['created_at']}: {one['text']}\n", None)
        if not notes:
            say(f"{shown} has no notes")
        return
    with Store.open(database, create=False) as store:
        if remove is not None:
            say(f"note {remove} on {store.remove_note(name, remove)} is removed")
        elif text is not None:
            say(f"noted on {store.note(name, text)}")
