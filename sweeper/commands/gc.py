"""`sweep gc`: remove what nobody needs any more."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sweeper.commands import options
from sweeper.commands.du import readable, say_what_is_away
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
    from results.queries.queries import Queries
    from results.rendering.formats import require_format
    from results.store.store import Store
    from sweeper.housekeeping import collecting
    from sweeper.housekeeping.places import find_places

    require_format(format)
    laboratory = options.home_at(home, db, storage)
    with Store.open(laboratory.database, create=False) as store:
        queries = Queries.of(store)
        kept = queries.kept_runs()
        places = find_places(kept, laboratory.storage, queries.identity())
        attempts = collecting.list_attempts(kept, places.found)
        seen = {(run_id, each.attempt) for run_id in attempts for each in attempts[run_id]}
        say_what_is_away(places, kept, seen)
        found = list(collecting.find_garbage(kept, attempts))
        if not yes:
            _report(found, format, output, removed=False)
            return
        collection = collecting.Collection(store, " ".join(sys.argv))
        try:
            collection.remove(found)
        finally:
            _report(collection.removed, format, output, removed=True)
            if collection.is_driven:
                say("a driver is at work: what no sweep holds was left alone until it has ended")
            if collection.changed:
                say(f"{format_runs(collection.changed)} left alone, which changed meanwhile")


def _report(found: Sequence[Garbage], format: str, output: Path | None, *, removed: bool) -> None:  # noqa: A002
    if found or format != "table":
        write_table(_summary(found) if format == "table" else _rows(found), format, output)
    ended = {garbage.run.run_id for garbage in found if garbage.ends_evaluations}
    if ended:
        verb = "can no longer be measured" if removed else "could no longer be measured"
        say(f"{format_runs(len(ended))} in no sweep {verb} by new evaluations; results stay")
    total = readable(sum(garbage.size for garbage in found))
    files = sum(len(garbage.files) for garbage in found)
    if removed:
        say(f"{total} removed, {files} files" if found else "nothing was removed")
    elif found:
        say(f"{total} can go, {files} files: --yes removes them")
    else:
        say("nothing can go")


def _rows(found: Sequence[Garbage]) -> list[dict[str, Any]]:
    return [
        {
            "run_id": garbage.run.run_id,
            "attempt": garbage.attempt,
            "reason": garbage.reason,
            "files": len(garbage.files),
            "bytes": garbage.size,
            "folder": garbage.folder.location,
        }
        for garbage in found
    ]


def _summary(found: Sequence[Garbage]) -> list[dict[str, Any]]:
    """By reason: a line a run would be more than anybody reads."""
    by_reason: dict[str, list[Garbage]] = defaultdict(list)
    for garbage in found:
        by_reason[garbage.reason].append(garbage)
    return [
        {
            "reason": reason,
            "runs": len({garbage.run.run_id for garbage in those}),
            "files": sum(len(garbage.files) for garbage in those),
            "size": readable(sum(garbage.size for garbage in those)),
        }
        for reason, those in by_reason.items()
    ]
