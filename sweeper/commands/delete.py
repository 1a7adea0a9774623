"""`sweep delete`: forget a sweep."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sweeper.commands import options
from sweeper.commands.output import format_runs, say


def delete(
    sweep: options.SweepArgument,
    results: Annotated[
        bool,
        typer.Option("--results", help="also the results of its runs that no other sweep holds"),
    ] = False,
    storage: options.StorageOption = None,
    home: options.HomeOption = options.DEFAULT_HOME,
    db: options.DatabaseOption = None,
) -> None:
    """Delete a sweep: its name, specs, tags and notes. Results stay, unless --results says so."""
    from results.store.store import Store
    from sweeper.housekeeping.deleting import delete_sweep

    laboratory = options.home_at(home, db, storage)
    with Store.open(laboratory.database, create=False) as store:
        taken = delete_sweep(
            store, laboratory.storage, sweep, results=results, command=" ".join(sys.argv)
        )
    say(f"{sweep} is deleted")
    if taken.results:
        say(f"{format_runs(len(taken.results))} deleted, with results, weights and logs")
    if taken.shared:
        say(f"{format_runs(len(taken.shared))} of it stay in other sweeps")
    alone = len(taken.kept) - len(taken.shared)
    if alone:
        say(f"{format_runs(alone)} stay, in no sweep; `sweep gc` frees the space of their weights")
    if taken.untried:
        say(f"{format_runs(len(taken.untried))} that nobody had tried went with it")
    if taken.cancelled:
        say(f"{format_runs(len(taken.cancelled))} without a result will not be tried again")
