"""A sweep while it runs, as lines for a terminal of any width."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from results.metrics import shown
from results.records import Failure, RunningRun, SweepStatus
from sweep_plugins.plain_text import readable
from sweeper.commands.hints import on_lines
from sweeper.scheduling.progress import format_rate, format_runs, format_seconds

_FAILURES = 3
"""So many of the newest are shown."""

_LEAST_LABEL = 16
_ID = 8
"""Characters of a run's id: enough to be found by."""

_METRICS = 3
"""So many are shown if none is named, and there is room."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A sweep at one moment; `is_driven` if a driver works on the database, on whatever sweep."""

    status: SweepStatus
    running: Sequence[RunningRun]
    is_driven: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do in it."""
        return not (self.status.counts["queued"] or self.status.counts["running"])

    @property
    def what(self) -> object:
        """What is to be seen but for times."""
        runs = [(run.run_id, run.attempt, run.epoch, run.values) for run in self.running]
        return self.status.counts, runs


def watched_lines(
    watched: Watched, width: int, most_runs: int, metrics: Sequence[str] = (), home: str = ""
) -> list[str]:
    """The sweep's progress, its running runs, its newest failures.

    Args:
        most_runs: how many running runs are shown; the others are counted.
        metrics: to be shown, if the runs have reported them; by default some that they have.
        home: the options by which a command finds it.
    """
    status = watched.status
    name = readable(status.sweep)
    lines = [*_wrapped(f"{name}: {_counts(status)}", width), _bar(status, width)]
    if watched.running:
        table, shown = _table(watched.running, width, most_runs, metrics)
        lines += ["", *table]
        if len(watched.running) > shown:
            lines.append(f"and {len(watched.running) - shown} more")
    lines = [fitting(line, width) for line in lines]
    if why := _stands_still(watched):
        resume = on_lines(f"sweep resume {name}{home}", width)
        lines += ["", *_wrapped(f"{why}; to go on:", width), *resume]
    newest = sorted(status.failures, key=lambda failure: failure.finished_at or 0.0)
    if newest:
        failures = [line for one in newest[: -_FAILURES - 1 : -1] for line in _failure(one)]
        lines += ["", *(fitting(line, width) for line in failures)]
    return lines


def _stands_still(watched: Watched) -> str:
    """Why nothing more happens by itself; empty if something may."""
    gone = sum(driver.runs for driver in watched.status.drivers if driver.gone)
    if gone:
        return f"{format_runs(gone)} with a driver that is gone"
    stands = watched.status.counts["queued"] and not watched.running and not watched.is_driven
    return "nothing is running" if stands else ""


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False)


def _counts(status: SweepStatus) -> str:
    counts = status.counts
    text = f"{counts['done']} of {status.runs} done"
    for state in ("running", "queued", "failed", "cancelled"):
        if counts[state] or state == "running":
            text += f", {counts[state]} {state}"
    return text


def _bar(status: SweepStatus, width: int) -> str:
    """How much is settled, and how long the rest takes."""
    said = []
    if status.rate_per_hour is not None:
        said.append(format_rate(status.rate_per_hour))
    if status.seconds_left:
        said.append(f"{format_seconds(status.seconds_left)} left")
    text = ", ".join(said)
    settled = status.runs - status.counts["queued"] - status.counts["running"]
    room = max(5, min(40, width - len(text) - 7))
    full = room * settled // status.runs if status.runs else room
    part = 100 * settled // status.runs if status.runs else 100
    return f"{'#' * full}{'-' * (room - full)} {part:3d} % {text}".rstrip()


@dataclass(frozen=True, slots=True)
class _Column:
    head: str
    cells: list[str]
    left: bool = False

    @property
    def width(self) -> int:
        return max(map(len, (self.head, *self.cells)))


def _table(
    running: Sequence[RunningRun], width: int, most_lines: int, metrics: Sequence[str]
) -> tuple[list[str], int]:
    """The columns that have room, the most important ones first; and how many runs are there.

    Where what tells the runs apart has no room in a column, it is on a line below each.
    """
    running = running[:most_lines]
    ids = _Column("run", [run.run_id[:_ID] for run in running], left=True)
    epochs = _Column("epoch", [epoch_of(run.epoch, run.epochs) for run in running])
    wanted = _shown_metrics(running, metrics)
    values = [_Column(name, [_value(run, name) for run in running]) for name in wanted]
    times = [
        _Column("running", [format_seconds(run.seconds) for run in running]),
        _Column("left", [_left(run) for run in running]),
    ]
    least = max([_LEAST_LABEL, *(len(readable(run.short)) for run in running if run.short)])
    label = (least if least <= width // 2 else _LEAST_LABEL) + 2
    room = width - ids.width - epochs.width - 2
    kept: list[_Column] = []
    for column in [*values[:1], *times, *values[1:]]:
        # The first metric is worth more than what a run is called.
        reserved = 0 if column in values[:1] else label
        if column.width + 2 <= room - reserved:
            kept.append(column)
            room -= column.width + 2
    names = [_label(run, room - 2) for run in running]
    below = None in names or _look_alike(running, names)
    columns = [ids]
    if not below:
        columns.append(_Column("", [name or "" for name in names], left=True))
    columns += [epochs, *(c for c in values if c in kept), *(c for c in times if c in kept)]
    lines = []
    for row in zip(*([column.head, *column.cells] for column in columns), strict=True):
        cells = (
            f"{cell:<{column.width}}" if column.left else f"{cell:>{column.width}}"
            for cell, column in zip(row, columns, strict=True)
        )
        lines.append("  ".join(cells).rstrip())
    if not below:
        return lines, len(running)
    shown = running[: max(1, most_lines // 2)]
    pairs = zip(lines[1:], (f"  {readable(run.label)}" for run in shown), strict=False)
    return [lines[0], *(line for pair in pairs for line in pair)], len(shown)


def _look_alike(running: Sequence[RunningRun], names: Sequence[str | None]) -> bool:
    """Whether two that are called differently have the same name in a column."""
    whole = {run.label for run in running}
    return len(set(names)) < len(whole)


def _shown_metrics(running: Sequence[RunningRun], named: Sequence[str]) -> list[str]:
    known = {name for run in running for name in run.values}
    if named:
        return list(dict.fromkeys(named))
    first = [name for name in ("test_accuracy", "train_loss") if name in known]
    others = sorted(known - {*first, "train_accuracy", "test_loss"})
    return [*first, *others, *sorted(known & {"train_accuracy", "test_loss"})][:_METRICS]


def epoch_of(epoch: int | None, of: int | None) -> str:
    """Such as "40/160", or "-" before the first; without the whole where none is known."""
    done = "-" if epoch is None else str(epoch)
    return done if of is None else f"{done}/{of}"


def _value(run: RunningRun, name: str) -> str:
    return "-" if name not in run.values else number(run.values[name])


def number(value: float | None) -> str:
    """A value of a metric in a few digits."""
    return shown(value) or "not finite"


def _left(run: RunningRun) -> str:
    # Of a later attempt it is not known how many epochs came before it.
    if run.attempt > 1 or not (run.epoch and run.epochs):
        return "-"
    return format_seconds(run.seconds / run.epoch * max(0, run.epochs - run.epoch))


def _failure(failure: Failure) -> tuple[str, str]:
    # What a run is called may fill a line: the reason has its own.
    head = f"failed {failure.run_id[:_ID]} {failure.label}"
    return readable(head), f"  {readable(failure.error)}"


def _label(run: RunningRun, width: int) -> str | None:
    """What a run is called in so many columns; None if what tells it from others has no room."""
    label = readable(run.label)
    if len(label) <= width:
        return label
    if run.short is not None:
        short = readable(run.short)
        if len(short) > width:
            return None
        return short if len(short) + 3 > width else fitting(label, width)
    # Of a network the end, with the seed, is what tells most of them apart.
    start, _, end = label.rpartition(", ")
    room = width - len(end) - 3
    return f"{start[:room]}...{end}" if room > 0 else None


def fitting(line: str, width: int | None) -> str:
    """The line, or its beginning with an ellipsis."""
    return line if width is None or len(line) <= width else f"{line[: max(0, width - 3)]}..."
