"""`sweep delete`: forget a sweep."""

from __future__ import annotations

from typing import Annotated

import typer

from sweeper.commands import options
from sweeper.commands.du import readable
from sweeper.commands.output import format_runs, say
from sweeper.errors import RequestError


def delete(
    sweep: options.SweepArgument,
    results: Annotated[
        bool,
        typer.Option("--results", help="also the results of its runs that no other sweep holds"),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="with --results: delete them, and do not only say so")
    ] = False,
    storage: options.StorageOption = None,
    home: options.HomeOption = options.DEFAULT_HOME,
    db: options.DatabaseOption = None,
) -> None:
    """Delete a sweep: its name, specs, tags and notes. Its runs and their results stay.

    With --results and --yes those go, too, that no other sweep holds.
    """
    from results.queries.queries import Queries
    from results.store.store import Store
    from sweeper.housekeeping.deleting import delete_sweep, find_results

    if yes and not results:
        raise RequestError("--yes is for --results: without that, results stay, and nobody asks")
    laboratory = options.home_at(home, db, storage)
    with Store.open(laboratory.database, create=False) as store:
        if results and not yes:
            found = find_results(store, laboratory.storage, sweep)
            shared = len(store.to_delete(sweep).shared)
            say(
                f"with {sweep} would go all that was measured of {format_runs(len(found.runs))},"
                f" {found.done} done, and {found.file_count} files, {readable(found.size)}"
            )
            if shared:
                say(f"{format_runs(shared)} would stay, in other sweeps")
            say("nothing was deleted; --results --yes deletes it for good")
            return
        done, deleted = delete_sweep(store, laboratory.storage, sweep, results=results, tell=say)
        with_weights = any(run.has_weights for run in Queries.of(store).kept_runs(done.own))
    say(f"{sweep} is deleted")
    if deleted:
        say(f"{format_runs(deleted)} deleted, with results, weights, logs and all other files")
    if done.shared:
        say(f"{_stay(len(done.shared))}, in other sweeps")
    if done.own:
        gc = f"sweep gc{laboratory.options}"
        frees = f"`{gc}` frees the space of their weights, " if with_weights else ""
        say(f"{_stay(len(done.own))}, in no sweep; {frees}`{gc} --results` deletes their results")
    if done.untried:
        say(f"{format_runs(len(done.untried))} that nobody had tried went with it")
    if done.cancelled:
        say(f"{format_runs(len(done.cancelled))} without a result will not be tried again")


def _stay(runs: int) -> str:
    return f"{format_runs(runs)} {'stays' if runs == 1 else 'stay'}"
