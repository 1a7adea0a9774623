"""What a user sees while a sweep runs: a live line in a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from results.metrics import shown
from sweep_plugins.plain_text import LONGEST_ERROR, readable, shortened, visible
from sweep_plugins.url_secrets import without_secrets
from trainers.streams import telling

if TYPE_CHECKING:
    from results.records import OtherDriver

SECONDS_BETWEEN_PLAIN_LINES = 5.0

MOST_SECONDS_OF_SILENCE = 300.0
"""After which plain progress says how far it is, though nothing has changed."""

_METRICS_SHOWN = 3

_IN_BRIEF = (200, 100)
"""Characters of the beginning and of the end."""

_FOREVER = 1e10  # 317 years


def say(text: str) -> None:
    """One line to stderr, without secrets, and without what steers a terminal."""
    print(visible(without_secrets(text)), file=telling(), flush=True)


def format_runs(count: int) -> str:
    """Such as "1 run" or "12 runs"."""
    return f"{count} run{'' if count == 1 else 's'}"


class Progress:
    """Counts of one sweep as lines of text, for logs and pipes."""

    def __init__(self, stream: TextIO, options: str = "") -> None:
        """On this stream, for a home that commands need these options to find."""
        self._stream = stream
        self._options = options
        self._name = "sweep"
        self._last_event_at = 0.0
        self._shown: tuple[int, int, int] | None = None  # before the first run has started
        self._last_counts: tuple[int, int, int] | None = None  # if the last line says no more
        self.total = 0
        self.done = 0
        self.failures = 0
        self.active = 0
        self._done_before = 0
        self._started = 0.0
        self._notes: dict[str, str] = {}
        self._others = ""

    @contextmanager
    def following(self, name: str, done: int, total: int, failed: int = 0) -> Iterator[None]:
        """Show progress inside the `with` block.

        Args:
            name: of the sweep.
            done, failed: of the `total` runs, before.
        """
        self.total, self.done, self.failures = total, done, failed
        self._done_before = done
        self._started = time.monotonic()
        with self._display(name):
            yield

    def running(self, count: int, notes: Mapping[str, str] | None = None) -> None:
        """`count` runs are on a slot now; `notes` say which of them wait, and for what."""
        self.active = count
        notes = notes or {}
        for who, note in notes.items():
            if self._notes.get(who) != note:
                self._event(f"{who} waits: {note}", important=True)
        self._notes = dict(notes)
        self._refresh()

    def settled(self, done: int, failed: int) -> None:
        """How many runs are done and failed by now, by this driver and others."""
        self.done, self.failures = done, failed
        self._refresh()

    def finished(self, label: str, result: Mapping[str, Any] | None = None) -> None:
        """A run is done, by this result; None: nothing is to be said of it."""
        self.done += 1
        self._event(f"done {label}{_in_short(result or {})}")

    def failed(self, label: str, run_id: str, error: str) -> None:
        """A run has failed and is not retried."""
        self.failures += 1
        said = f"FAILED {label}: {in_brief(error)}"
        self._event(f"{said} (sweep show {run_id}{self._options})", important=True)

    def without_weights(self, label: str, error: str, *, first: bool) -> None:
        """A run cannot be evaluated; the `first` of a sweep is always told."""
        self._event(f"not evaluated: {label}: {error}", important=first)

    def left_out(self, label: str, what: str, *, first: bool) -> None:
        """A run does not keep a file that it wrote; the `first` of a sweep is always told."""
        self._event(f"not kept of {label}: {what}", important=first)

    def without_images(self, label: str, what: Sequence[str], *, first: bool) -> None:
        """A run left images of its dataset out; the `first` of a sweep is always told."""
        self._event(f"left out by {label}: {'; '.join(what)}", important=first)

    def again(self, label: str, reason: str) -> None:
        """A run is tried again, for this reason."""
        self._event(f"trying {label} again: {reason}", important=True)

    def taken(self, label: str) -> None:
        """The run was cancelled, or another driver has taken it over."""
        self._event(f"cancelled or taken over: {label}", important=True)

    def refused(self, run_id: str, problem: str) -> None:
        """What the run reports while it trains cannot be stored."""
        text = f"what run {run_id} reports is not stored before it ends: {problem}"
        self._event(text, important=True)

    def others(self, drivers: Sequence[OtherDriver]) -> None:
        """All that is left to do is with these drivers."""
        text = ", ".join(f"{d.runs} with {d.host} (process {d.pid})" for d in drivers)
        if text and text != self._others:
            self._event(f"waiting for runs of other drivers: {text}", important=True)
        self._others = text

    def waiting(self, sentence: str) -> None:
        """The driver itself waits, for the database or the storage."""
        self._event(sentence, important=True)

    def counts(self) -> str:
        """Such as "12 of 30 done, 2 running, 0 failed, 14.1 a minute, 1:17 left".

        Rate and time left are those of runs that were done since the block was entered: most that
        fail do so at once.
        """
        settled = self.done + self.failures
        active = min(self.active, self.total - settled)  # which was counted before the last ended
        text = f"{self.done} of {self.total} done, {active} running, {self.failures} failed"
        finished, elapsed = self.done - self._done_before, time.monotonic() - self._started
        if finished > 0 and elapsed:
            rate = finished / elapsed
            left = format_seconds((self.total - settled) / rate)
            text += f", {format_rate(3600 * rate)}, {left} left"
        return text

    @contextmanager
    def _display(self, name: str) -> Iterator[None]:
        """Around everything that is shown."""
        self._name = name
        self._line(f"{self.done} of {self.total} done before")
        try:
            yield
        finally:
            if self._last_counts != (self.done, self.failures, self.active):
                self._say_counts()

    def _refresh(self) -> None:
        """The counts may have changed."""
        counts = (self.done, self.failures, self.active)
        if self._shown is None:
            if self.active:
                self._shown = counts
                self._say_counts()  # and the first event as well, however soon it comes
            return
        silence = time.monotonic() - max(self._last_event_at, self._started)
        enough = SECONDS_BETWEEN_PLAIN_LINES if self._shown != counts else MOST_SECONDS_OF_SILENCE
        if silence >= enough:
            self._say(self.counts())
            self._last_counts = counts

    def _event(self, text: str, *, important: bool = False) -> None:
        # A line for each of thousands of quick runs would bury the failures.
        if important or time.monotonic() - self._last_event_at >= SECONDS_BETWEEN_PLAIN_LINES:
            self._say(f"{self.counts()}; {text}")

    def _say(self, text: str) -> None:
        self._last_event_at = time.monotonic()
        self._shown = (self.done, self.failures, self.active)
        self._line(text)

    def _say_counts(self) -> None:
        self._line(self.counts())
        self._last_counts = (self.done, self.failures, self.active)

    def _line(self, text: str) -> None:
        self._last_counts = None
        print(_on_a_line(f"{self._name}: {text}"), file=self._stream, flush=True)


class LiveProgress(Progress):
    """A bar with counts, rewritten in place by rich."""

    def __init__(self, stream: TextIO, options: str = "") -> None:
        super().__init__(stream, options)
        from rich.console import Console

        self._console = Console(file=stream)
        self._bar: Any = None
        self._task: Any = None

    @contextmanager
    def _display(self, name: str) -> Iterator[None]:
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[counts]}"),
            console=self._console,
        )
        with self._bar:
            self._task = self._bar.add_task(readable(name), total=self.total, counts=self.counts())
            yield
            self._refresh()

    def _refresh(self) -> None:
        if self._bar is not None:
            settled = self.done + self.failures
            self._bar.update(self._task, completed=settled, counts=self.counts())

    def _event(self, text: str, *, important: bool = False) -> None:
        if important:
            self._console.print(_on_a_line(text), markup=False, highlight=False)
        self._refresh()


def _on_a_line(text: str) -> str:
    return shortened(readable(text), 2 * LONGEST_ERROR)


def in_brief(error: str) -> str:
    """An error where several are told: how it begins and ends. `sweep show` has all of it."""
    if len(error) <= sum(_IN_BRIEF):
        return error
    first, last = _IN_BRIEF
    return f"{error[:first]} [...] {error[-last:]}"


def _in_short(result: Mapping[str, Any]) -> str:
    """The test accuracy, or else the first metrics that the trainer reported."""
    accuracy = result.get("test_accuracy")
    if accuracy is not None:
        return f": test accuracy {accuracy:.2f} %"
    reported = list((result.get("metrics") or {}).items())[:_METRICS_SHOWN]
    said = ", ".join(f"{name} {shown(value) or 'not finite'}" for name, value in reported)
    return f": {said}" if said else ""


def make_progress(options: str = "") -> Progress:
    """Live if both stdout and stderr are a terminal; on stderr, since stdout is for tables.

    And if the terminal can go back in a line: where it cannot, rich shows nothing until the end.
    """
    able = os.environ.get("TERM", "").lower() not in ("dumb", "unknown")
    live = able and sys.stdout.isatty() and sys.stderr.isatty()
    return (LiveProgress if live else Progress)(telling(), options)


def format_rate(per_hour: float) -> str:
    """Such as "2.5 an hour", "14.1 a minute" or "30.2 a second"."""
    for seconds, unit in ((1, "a second"), (60, "a minute")):
        if per_hour >= 3600 / seconds:
            return f"{per_hour / 3600 * seconds:.1f} {unit}"
    return f"{per_hour:.1f} an hour"


def format_duration(seconds: float) -> str:
    """Such as "7 ms", "21.8 s", "1:17" or "2:03:20"."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 59.95 else format_seconds(seconds)


def format_seconds(seconds: float) -> str:
    """Such as 0:07, 1:17 or 2:03:20."""
    if not seconds < _FOREVER:
        return "forever"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
