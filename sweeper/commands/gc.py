"""`sweep gc`: remove what nobody needs any more."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from sweeper.commands import options
from sweeper.commands.du import readable
from sweeper.commands.output import format_runs, say, write_table

if TYPE_CHECKING:
    from pathlib import Path

    from sweeper.housekeeping.collecting import Garbage


def gc(
    yes: Annotated[bool, typer.Option("--yes", help="remove it, and do not only list it")] = False,
    storage: options.StorageOption = None,
    home: options.HomeOption = options.DEFAULT_HOME,
    db: options.DatabaseOption = None,
    format: options.FormatOption = "table",  # noqa: A002
    output: options.OutputOption = None,
) -> None:
    """List what can go: checkpoints of done runs, attempts that lost, weights of runs in no sweep.

    Results and logs stay. With --yes it is removed.
    """
    from results.errors import DriverBusyError
    from results.queries.queries import Queries
    from results.store.store import Store
    from sweeper.housekeeping.collecting import find_garbage, remove
    from sweeper.scheduling.storage_places import find_place
    from trainers.storage import open_folder

    laboratory = options.home_at(home, db, storage)
    with ExitStack() as stack:
        store = stack.enter_context(Store.open(laboratory.database, create=False))
        queries = stack.enter_context(Queries.open(laboratory.database))
        try:
            # No driver may take a run up while the weights of those that no sweep holds go.
            stack.enter_context(store.alone(" ".join(sys.argv)))
            unheld = True
        except DriverBusyError:
            unheld = False
            say("a driver is at work: runs that no sweep holds are left alone until it has ended")
        kept = queries.kept_runs()
        identity = store.known_identity()
        place = None if identity is None else find_place(open_folder(laboratory.storage), identity)
        found: list[Garbage] = []
        if place is not None:
            found = list(find_garbage(kept, place, unheld=unheld))
            others = {w for run in kept for _, w in run.attempts if w not in (None, place.location)}
            for other in sorted(map(str, others)):
                say(f"not looked at: {other}; --storage names it")
            if yes:
                for garbage in found:
                    remove(place, garbage)
    _report(found, format, output, removed=yes)


def _report(found: Sequence[Garbage], format: str, output: Path | None, *, removed: bool) -> None:  # noqa: A002
    rows = [
        {
            "run_id": garbage.run_id,
            "attempt": garbage.attempt,
            "reason": garbage.reason,
            "files": len(garbage.files),
            "bytes": garbage.size,
        }
        for garbage in found
    ]
    write_table(rows, format, output)
    ended = {garbage.run_id for garbage in found if garbage.ends_evaluations}
    if ended:
        verb = "can no longer be measured" if removed else "could no longer be measured"
        say(f"{format_runs(len(ended))} in no sweep {verb} by new evaluations; results stay")
    total = readable(sum(garbage.size for garbage in found))
    files = sum(len(garbage.files) for garbage in found)
    if not found:
        say("nothing can go")
    elif removed:
        say(f"{total} removed, {files} files")
    else:
        say(f"{total} can go, {files} files: --yes removes them")
