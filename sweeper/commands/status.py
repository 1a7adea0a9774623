"""`sweep status`: how far sweeps are, who works on them, and what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sweeper.commands import options
from sweeper.commands.last_output import last_output
from sweeper.commands.output import format_runs, say, write_table

if TYPE_CHECKING:
    from results.records import Fault, SweepStatus


def status(
    sweep: options.EverySweepArgument = None,
    home: options.HomeOption = options.DEFAULT_HOME,
    db: options.DatabaseOption = None,
    format: options.FormatOption = "table",  # noqa: A002
    raw: options.RawOption = False,
    output: options.OutputOption = None,
) -> None:
    """Runs by state, rate, time left, and why runs failed."""
    from dataclasses import asdict

    from results.queries.queries import Queries

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


def _tell(status: SweepStatus, said: dict[tuple[str, int], Sequence[str]]) -> None:
    """The drivers of a sweep, and the faults of its runs; a few lines, whatever its size."""
    if status.imported_from is not None:
        say(f"{status.sweep} came with {status.imported_from}, and never ran here")
    if status.tags:
        say(f"{status.sweep} has the tags {', '.join(status.tags)}")
    for note in status.notes:
        say(f"note on {status.sweep}: {note.text}")
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
