"""`sweep gc`: remove what nobody needs any more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sweeper.commands import options
from sweeper.commands.du import readable, say_what_is_away
from sweeper.commands.output import format_runs, say, write_table

if TYPE_CHECKING:
    from pathlib import Path

    from sweeper.housekeeping.attempt_files import AttemptFiles
    from sweeper.housekeeping.collecting import Garbage
    from sweeper.housekeeping.runs_with_files import RunsWithFiles

RESULTS = "results of a run in no sweep"


def gc(
    results: Annotated[
        bool, typer.Option("--results", help="also the runs in no sweep, with all that is kept")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="remove it, and do not only list it")] = False,
    storage: options.StorageOption = None,
    home: options.HomeOption = options.DEFAULT_HOME,
    db: options.DatabaseOption = None,
    format: options.FormatOption = "table",  # noqa: A002
    output: options.OutputOption = None,
) -> None:
    """List what can go: checkpoints of done runs, attempts that lost, weights of runs in no sweep.

    Results and logs stay, unless --results is given. With --yes it is removed.
    """
    from results.queries.queries import Queries
    from results.rendering.formats import require_format
    from results.store.store import Store
    from sweeper.housekeeping.attempt_files import list_attempts
    from sweeper.housekeeping.collecting import Collection, find_garbage
    from sweeper.housekeeping.places import find_places
    from sweeper.housekeeping.runs_with_files import RunsWithFiles

    require_format(format)
    laboratory = options.home_at(home, db, storage)
    with Store.open(laboratory.database, create=False) as store:
        queries = Queries.of(store)
        kept = queries.kept_runs()
        places = find_places(kept, laboratory.storage, queries.identity())
        attempts = list_attempts(kept, places.found)
        seen = {(run_id, each.attempt) for run_id in attempts for each in attempts[run_id]}
        say_what_is_away(places, kept, seen)
        in_no_sweep = queries.runs_in_no_sweep()
        ended = [run for run in in_no_sweep if run.state != "running"]
        in_reach = [run for run in ended if not places.may_have_more(run, seen)]
        if results:
            _say_what_stays(len(in_no_sweep) - len(ended), len(ended) - len(in_reach))
        whole = RunsWithFiles.among(in_reach if results else [], attempts, places.found)
        ids = {run.run_id for run in whole.runs}
        found = list(find_garbage([run for run in kept if run.run_id not in ids], attempts))
        if not yes:
            _report(found, whole, format, output, removed=False)
            if stay := 0 if results else len(in_reach):
                runs = f"{format_runs(stay)} in no sweep"
                say(f"all that was measured of {runs} stays; --results lists it, too")
            return
        collection = Collection(store)
        try:
            collection.remove(found)
            collection.delete(whole)
        finally:
            deleted = RunsWithFiles.among(collection.deleted, attempts, places.found)
            _report(collection.removed, deleted, format, output, removed=True)
            if changed := len(collection.changed):
                say(f"left alone, as changed meanwhile: {format_runs(changed)}")
            if at_work := len(collection.at_work):
                say(
                    "left alone, as a driver at work may still write files of theirs:"
                    f" {format_runs(at_work)}; once it has ended, they can go"
                )


def _say_what_stays(running: int, out_of_reach: int) -> None:
    if running:
        say(f"left alone, as in no sweep, but running: {format_runs(running)}")
    if out_of_reach:
        say(
            "left alone, as in no sweep, but with files that may be where they cannot be seen:"
            f" {format_runs(out_of_reach)}"
        )


def _report(
    found: Sequence[Garbage],
    whole: RunsWithFiles,
    format: str,  # noqa: A002
    output: Path | None,
    *,
    removed: bool,
) -> None:
    rows = [*_rows(found), *_rows_of_runs(whole)]
    if rows or format != "table":
        write_table(_summary(rows) if format == "table" else rows, format, output)
    ended = {garbage.run.run_id for garbage in found if garbage.ends_evaluations}
    if ended:
        verb = "can no longer be measured" if removed else "could no longer be measured"
        say(f"{format_runs(len(ended))} in no sweep {verb} by new evaluations; results stay")
    if whole.runs:
        say(_sentence(whole, removed=removed))
    total, files = readable(sum(row["bytes"] for row in rows)), sum(row["files"] for row in rows)
    if removed:
        say(f"{total} removed, {files} files" if rows else "nothing was removed")
    elif rows:
        how = "--results --yes" if whole.runs else "--yes"
        say(f"{total} can go, {files} files: {how} removes them")
    else:
        say("nothing can go")


def _sentence(whole: RunsWithFiles, *, removed: bool) -> str:
    from results.metrics import counted

    brought = sum(run.attempt > 0 and not run.attempts for run in whole.runs)
    of_archives = f" ({brought} from archives)" if brought else ""
    return (
        f"{'' if removed else 'would be '}deleted, with all that was measured:"
        f" {format_runs(len(whole.runs))} in no sweep{of_archives}, {whole.done} done,"
        f" {counted(whole.attempts, 'attempt')}, {counted(whole.file_count, 'file')},"
        f" {readable(whole.size)}"
    )


def _rows(found: Sequence[Garbage]) -> list[dict[str, Any]]:
    return [_row(garbage.run.run_id, garbage.reason, garbage) for garbage in found]


def _rows_of_runs(whole: RunsWithFiles) -> list[dict[str, Any]]:
    """One for each attempt with files, and for each run without any."""
    return [
        _row(run.run_id, RESULTS, files)
        for run in whole.runs
        for files in whole.files[run.run_id] or [None]
    ]


def _row(run_id: str, reason: str, files: AttemptFiles | None) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "attempt": None if files is None else files.attempt,
        "reason": reason,
        "files": 0 if files is None else len(files.files),
        "bytes": 0 if files is None else files.size,
        "folder": None if files is None else files.folder.location,
    }


def _summary(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """By reason: a line a run would be more than anybody reads."""
    by_reason: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_reason[row["reason"]].append(row)
    return [
        {
            "reason": reason,
            "runs": len({row["run_id"] for row in those}),
            "files": sum(row["files"] for row in those),
            "size": readable(sum(row["bytes"] for row in those)),
        }
        for reason, those in by_reason.items()
    ]
