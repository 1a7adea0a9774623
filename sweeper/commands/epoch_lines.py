"""The epochs of a run that is watched, as lines for a terminal of any width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from results.records import RunProgress
from sweep_plugins.plain_text import readable
from sweeper.commands.progress_lines import epoch_of, fitting, number

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
            lines.append(fitting(readable(f"failed: {progress.error}"), self._width))
        elif progress.state in ("done", "cancelled"):
            lines.append(progress.state)
        return lines

    def _line(self, progress: RunProgress, epoch: int) -> str:
        of = progress.epochs
        room = 5 if of is None else 2 * len(str(of)) + 1
        values = progress.reported[epoch]
        named = self._metrics or [*values]
        shown = {name: number(values[name]) if name in values else "-" for name in named}
        return _in_columns(f"epoch {epoch_of(epoch, of):>{room}}", shown, self._width)


def _in_columns(head: str, values: Mapping[str, str], width: int | None) -> str:
    """Names and values after the head and below the first of them; of no value is anything cut."""
    if width is None:
        return "  ".join([head, *(f"{name} {value}" for name, value in values.items())])
    indent = len(head) + 2 if width >= 3 * len(head) else 2
    lines = [fitting(head, width)]
    for name, value in values.items():
        part = f"{fitting(name, max(3, width - indent - len(value) - 1))} {value}"
        if len(lines[-1]) + 2 + len(part) <= width:
            lines[-1] += f"  {part}"
        else:
            lines.append(" " * indent + part)
    return "\n".join(lines)
