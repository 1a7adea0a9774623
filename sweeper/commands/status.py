"""`sweep status`: how far sweeps are, who works on them, and what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sweeper.commands import options
from sweeper.commands.last_output import last_output
from sweeper.commands.output import format_runs, say, write_table
from sweeper.commands.watching import EVERY_SECONDS, EveryOption
from sweeper.errors import RequestError
from sweeper.scheduling.progress import format_duration, format_rate, in_brief

if TYPE_CHECKING:
    from results.records import Fault, SweepStatus


def status(
    sweep: options.EverySweepArgument = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="go on showing it, with the runs that are running")
    ] = False,
    every: EveryOption = EVERY_SECONDS,
    metric: Annotated[
        list[str],
        typer.Option("--metric", metavar="NAME", help="with --watch: last values of these metrics"),
    ] = [],  # noqa: B006
    home: options.HomeOption = options.DEFAULT_HOME,
    db: options.DatabaseOption = None,
    format: options.FormatOption = "table",  # noqa: A002
    raw: options.RawOption = False,
    output: options.OutputOption = None,
) -> None:
    """Runs by state, rate, time left, and why runs failed."""
    from dataclasses import asdict

    from results.queries.queries import Queries

    if metric and not watch:
        raise RequestError("--metric is of what --watch shows: add --watch, or leave it out")
    if watch and (format != "table" or output is not None):
        raise RequestError("--watch shows a sweep as it runs: leave out --format and --output")
    laboratory = options.home_at(home, db)
    if watch:
        from sweeper.commands.watched_sweeps import watch_sweeps

        watch_sweeps(laboratory, sweep, every, metric)
        return
    with Queries.open(laboratory.database) as queries:
        found = queries.status(sweep)
        failed = [failure.run_id for status in found for failure in status.failures]
        attempts = queries.attempt_rows(failed[:_MOST_ASKED]) if format != "json" else []
    if format == "json":
        write_table([asdict(status) for status in found], format, output)
        return
    rows = (_raw if format in ("csv", "parquet") else _for_people)(found)
    write_table(rows, format, output, raw=raw)
    # Of each run the newest attempt; they are sorted.
    newest = {attempt["run_id"]: attempt for attempt in attempts}
    said = last_output(newest.values(), _LAST_LINES, _MOST_WITH_LINES)
    for status in found:
        _tell(status, said, laboratory.options)


def _raw(found: Sequence[SweepStatus]) -> list[dict[str, Any]]:
    return [
        {
            "sweep": status.sweep,
            "runs": status.runs,
            **status.counts,
            "imported": status.imported,
            "train_seconds": status.train_seconds,
            "rate_per_hour": status.rate_per_hour,
            "seconds_left": status.seconds_left,
        }
        for status in found
    ]


def _for_people(found: Sequence[SweepStatus]) -> list[dict[str, Any]]:
    """Times and rates as people say them. What few sweeps have is left out where none has any."""
    if_any = {
        "cancelled": any(status.counts["cancelled"] for status in found),
        "imported": any(status.imported for status in found),
    }
    rows = []
    for status in found:
        rate, left = status.rate_per_hour, status.seconds_left
        row = {
            "sweep": status.sweep,
            "runs": status.runs,
            **status.counts,
            "imported": status.imported,
            "trained": format_duration(status.train_seconds) if status.train_seconds else None,
            "rate": None if rate is None else format_rate(rate),
            "left": format_duration(left) if left else None,
        }
        rows.append({key: value for key, value in row.items() if if_any.get(key, True)})
    return rows


def _tell(status: SweepStatus, said: dict[tuple[str, int], Sequence[str]], home: str) -> None:
    """The drivers of a sweep, and the faults of its runs; a few lines, whatever its size.

    Of a run that failed `said` has the last lines; `home` are the options that name it.
    """
    if status.imported_from is not None:
        say(f"{status.sweep} came with {status.imported_from}, and never ran here")
    if status.tags:
        say(f"{status.sweep} has the tags {', '.join(status.tags)}")
    for note in status.notes:
        say(f"note {note.number} on {status.sweep}: {note.text}")
    for driver in status.drivers:
        who = f"driver {driver.pid} on {driver.host}" if driver.pid else "an unknown driver"
        gone = f"; it is gone: sweep resume {status.sweep}{home} goes on" if driver.gone else ""
        say(f"{who}: {format_runs(driver.runs)}{gone}")
    for failure in status.failures:
        times = f"{failure.attempts} attempt{'s' if failure.attempts != 1 else ''}"
        where = "failed elsewhere (imported)" if failure.imported else "failed"
        say(f"{where} {failure.run_id} ({failure.label}, {times}): {in_brief(failure.error)}")
        for line in said.get((failure.run_id, failure.attempts), ()):
            say(f"  | {line}")
    failed = {failure.run_id for failure in status.failures}
    alike: dict[tuple[str, str, str], list[Fault]] = {}
    for fault in status.faults:
        if fault.run_id not in failed:
            where = f" on {fault.last_host}" if fault.last_host else ""
            reason = in_brief(fault.last_error or "no reason given")
            alike.setdefault((fault.kind.replace("_", " "), where, reason), []).append(fault)
    for (kind, where, reason), faults in list(alike.items())[:_MOST_FAULTS]:
        first, count = faults[0], sum(fault.times for fault in faults)
        times = "once" if count == 1 else f"{count} times"
        others = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
        say(f"{kind} {times}: {first.run_id} ({first.label}){others}{where}: {reason}")
    if len(alike) > _MOST_FAULTS:
        say(f"... and {len(alike) - _MOST_FAULTS} more: --format json")


_MOST_FAULTS = 20

_MOST_WITH_LINES = 5

_MOST_ASKED = 100
"""Runs that failed, of which some may have written nothing."""

_LAST_LINES = 3
