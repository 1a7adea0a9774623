"""`sweep status`: how far sweeps are, who works on them, and what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from sweeper.commands import options
from sweeper.commands.last_output import last_output
from sweeper.commands.output import format_runs, say, write_table
from sweeper.commands.watching import EVERY_SECONDS, EveryOption
from sweeper.errors import RequestError

if TYPE_CHECKING:
    from results.queries.queries import Queries
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
    if watch:
        if format != "table" or output is not None:
            raise RequestError("--watch shows a sweep as it runs: leave out --format and --output")
        with Queries.open(options.home_at(home, db).database) as queries:
            _watch(queries, sweep, every, metric)
        return
    with Queries.open(options.home_at(home, db).database) as queries:
        found = queries.status(sweep)
        failed = [failure.run_id for status in found for failure in status.failures]
        attempts = queries.attempt_rows(failed[:_MOST_WITH_LINES]) if format != "json" else []
    if format == "json":
        write_table([asdict(status) for status in found], format, output)
        return
    # Few sweeps have any, and the table fits a narrow terminal without.
    cancelled = format in ("csv", "parquet") or any(s.counts["cancelled"] for s in found)
    rows = [
        {
            "sweep": status.sweep,
            "runs": status.runs,
            **{state: n for state, n in status.counts.items() if state != "cancelled" or cancelled},
            "imported": status.imported,
            "train_seconds": status.train_seconds,
            "rate_per_hour": status.rate_per_hour,
            "seconds_left": status.seconds_left,
        }
        for status in found
    ]
    write_table(rows, format, output, raw=raw)
    # Of each run the newest attempt; they are sorted.
    newest = {attempt["run_id"]: attempt for attempt in attempts}
    said = last_output(newest.values(), _LAST_LINES)
    for status in found:
        _tell(status, said)


def _watch(queries: Queries, sweep: str | None, every: float, metrics: Sequence[str]) -> None:
    """One sweep, or all that have something left to do."""
    from sweeper.commands.progress_lines import Watched, watched_lines
    from sweeper.commands.watching import Look, watch

    followed: set[str] = set()

    def look(width: int, height: int) -> Look:
        with queries.one_view():
            found = [
                Watched(status, queries.running(status.sweep)) for status in queries.status(sweep)
            ]
        if sweep is None and found:
            # Those that end while they are watched are shown to the end.
            followed.update(one.status.sweep for one in found if not one.is_over)
            found = [one for one in found if one.status.sweep in followed] or found[-1:]
        lines: list[str] = []
        # Of a sweep there are some lines besides those of its runs.
        most_runs = max(1, height // max(1, len(found)) - _LINES_WITHOUT_RUNS)
        for one in found:
            lines += ["", *watched_lines(one, width, most_runs, metrics)]
        return Look(lines[1:], all(one.is_over for one in found), [one.what for one in found])

    watch(look, every)


_LINES_WITHOUT_RUNS = 9


def _tell(status: SweepStatus, said: dict[tuple[str, int], Sequence[str]]) -> None:
    """The drivers of a sweep, and the faults of its runs; a few lines, whatever its size."""
    if status.imported_from is not None:
        say(f"{status.sweep} came with {status.imported_from}, and never ran here")
    if status.tags:
        say(f"{status.sweep} has the tags {', '.join(status.tags)}")
    for note in status.notes:
        say(f"note {note.number} on {status.sweep}: {note.text}")
    for driver in status.drivers:
        who = f"driver {driver.pid} on {driver.host}" if driver.pid else "an unknown driver"
        gone = "; it is gone, and the next `sweep run` takes them up" if driver.gone else ""
        say(f"{who}: {format_runs(driver.runs)}{gone}")
    for failure in status.failures:
        times = f"{failure.attempts} attempt{'s' if failure.attempts != 1 else ''}"
        where = "failed elsewhere (imported)" if failure.imported else "failed"
        say(f"{where} {failure.run_id} ({failure.label}, {times}): {failure.error}")
        for line in said.get((failure.run_id, failure.attempts), ()):
            say(f"  | {line}")
    failed = {failure.run_id for failure in status.failures}
    alike: dict[tuple[str, str, str], list[Fault]] = {}
    for fault in status.faults:
        if fault.run_id not in failed:
            where = f" on {fault.last_host}" if fault.last_host else ""
            reason = fault.last_error or "no reason given"
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

_LAST_LINES = 3
