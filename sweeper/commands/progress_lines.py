"""A sweep while it runs, and the epochs of a run, as lines for a terminal of any width."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from results.metrics import shown
from results.records import Failure, RunningRun, RunProgress, SweepStatus
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
        lines += ["", *_table(watched.running[:most_runs], width, metrics)]
        if len(watched.running) > most_runs:
            lines.append(f"and {len(watched.running) - most_runs} more")
    lines = [_fitting(line, width) for line in lines]
    if why := _stands_still(watched):
        resume = on_lines(f"sweep resume {name}{home}", width)
        lines += ["", *_wrapped(f"{why}; to go on:", width), *resume]
    newest = sorted(status.failures, key=lambda failure: failure.finished_at or 0.0)
    if newest:
        failures = [_failure(failure) for failure in newest[: -_FAILURES - 1 : -1]]
        lines += ["", *(_fitting(line, width) for line in failures)]
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


def _table(running: Sequence[RunningRun], width: int, metrics: Sequence[str]) -> list[str]:
    """The columns that have room, the most important ones first."""
    ids = _Column("run", [run.run_id[:_ID] for run in running], left=True)
    epochs = _Column("epoch", [_epoch(run.epoch, run.epochs) for run in running])
    wanted = _shown_metrics(running, metrics)
    values = [_Column(name, [_value(run, name) for run in running]) for name in wanted]
    times = [
        _Column("running", [format_seconds(run.seconds) for run in running]),
        _Column("left", [_left(run) for run in running]),
    ]
    label = _LEAST_LABEL + 2
    room = width - ids.width - epochs.width - 2
    kept: list[_Column] = []
    for column in [*values[:1], *times, *values[1:]]:
        # The first metric is worth more than what a run is called.
        reserved = 0 if column in values[:1] else label
        if column.width + 2 <= room - reserved:
            kept.append(column)
            room -= column.width + 2
    columns = [ids]
    if room >= label:
        names = [_label(readable(run.label), room - 2) for run in running]
        columns.append(_Column("", names, left=True))
    columns += [epochs, *(c for c in values if c in kept), *(c for c in times if c in kept)]
    lines = []
    for row in zip(*([column.head, *column.cells] for column in columns), strict=True):
        cells = (
            f"{cell:<{column.width}}" if column.left else f"{cell:>{column.width}}"
            for cell, column in zip(row, columns, strict=True)
        )
        lines.append("  ".join(cells).rstrip())
    return lines


def _shown_metrics(running: Sequence[RunningRun], named: Sequence[str]) -> list[str]:
    known = {name for run in running for name in run.values}
    if named:
        return list(dict.fromkeys(named))
    first = [name for name in ("test_accuracy", "train_loss") if name in known]
    others = sorted(known - {*first, "train_accuracy", "test_loss"})
    return [*first, *others, *sorted(known & {"train_accuracy", "test_loss"})][:_METRICS]


def _epoch(epoch: int | None, of: int | None) -> str:
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


def _failure(failure: Failure) -> str:
    return readable(f"failed {failure.run_id[:_ID]} {failure.label}: {failure.error}")


def _label(label: str, width: int) -> str:
    """What a run is called; of many the end, with the seed, is what tells them apart."""
    if len(label) <= width:
        return label
    start, _, end = label.rpartition(", ")
    room = width - len(end) - 3
    return f"{start[:room]}...{end}" if room > 0 else _fitting(label, width)


def _fitting(line: str, width: int | None) -> str:
    return line if width is None or len(line) <= width else f"{line[: max(0, width - 3)]}..."


_EPOCHS_BEFORE = 20
"""So many of the epochs are shown that were there before it was watched."""


class EpochLines:
    """The epochs of a run as lines, each once, as they come.

    Args:
        width: of the terminal; None: lines have no end. An epoch that has no room on one goes on
            in the next.
        metrics: to be shown; by default all that are reported.

    Attributes:
        since: the epoch from which on the next look is to have them.
    """

    def __init__(self, width: int | None, metrics: Sequence[str] = ()) -> None:
        self._width = width
        self._metrics = list(dict.fromkeys(metrics))
        self._last: RunProgress | None = None
        self._shown: dict[int, str] = {}
        self.since = 0

    def new_lines(self, progress: RunProgress) -> list[str]:
        """What is new since the last look; first of all what run it is, at last how it ended."""
        last, self._last = self._last, progress
        lines = []
        if last is None:
            lines.append(f"run {progress.run_id}: {readable(progress.label)}")
        if progress.attempt > (1 if last is None else max(1, last.attempt)):
            lines.append(f"attempt {progress.attempt}")
        new = {
            epoch: line
            for epoch in progress.reported
            if (line := self._line(progress, epoch)) != self._shown.get(epoch)
        }
        if last is None and len(new) > _EPOCHS_BEFORE:
            lines.append(f"{len(new) - _EPOCHS_BEFORE} epochs before")
            new = dict(list(new.items())[-_EPOCHS_BEFORE:])
        lines += new.values()
        # Where the last one is gone, an attempt went on from a checkpoint before it.
        is_there = not self._shown or max(self._shown) in progress.reported
        self._shown |= new
        self.since = max(self._shown, default=0) if is_there else 0
        if progress.state == "failed":
            lines.append(_fitting(readable(f"failed: {progress.error}"), self._width))
        elif progress.state in ("done", "cancelled"):
            lines.append(progress.state)
        return lines

    def _line(self, progress: RunProgress, epoch: int) -> str:
        of = progress.epochs
        room = 5 if of is None else 2 * len(str(of)) + 1
        values = progress.reported[epoch]
        named = self._metrics or [*values]
        shown = {name: number(values[name]) if name in values else "-" for name in named}
        return _in_columns(f"epoch {_epoch(epoch, of):>{room}}", shown, self._width)


def _in_columns(head: str, values: Mapping[str, str], width: int | None) -> str:
    """Names and values after the head and below the first of them; of no value is anything cut."""
    if width is None:
        return "  ".join([head, *(f"{name} {value}" for name, value in values.items())])
    indent = len(head) + 2 if width >= 3 * len(head) else 2
    lines = [_fitting(head, width)]
    for name, value in values.items():
        part = f"{_fitting(name, max(3, width - indent - len(value) - 1))} {value}"
        if len(lines[-1]) + 2 + len(part) <= width:
            lines[-1] += f"  {part}"
        else:
            lines.append(" " * indent + part)
    return "\n".join(lines)
