"""The heartbeat of a task, by which another thread sees that it is alive, and asks it to stop."""

from __future__ import annotations

from collections.abc import Callable

from sweeper.executors.reporting import Report, Reporting
from trainers.errors import TrainingStopped


class Heartbeat:
    """The heartbeat of a task, read and stopped from another thread.

    Attributes:
        count: of beats so far; it grows while the task makes progress.
        note: what it waits for; empty if nothing.
        stop: set to True to stop the task at its next epoch.
        reporting: what it reports, while it trains.
    """

    def __init__(
        self,
        stop_asked: Callable[[], bool] | None = None,
        on_wait: Callable[[str], None] | None = None,
    ) -> None:
        self.count = 0
        self.note = ""
        self.stop = False
        self.reporting: Reporting | None = None
        self._stop_asked = stop_asked or (lambda: False)
        self._on_wait = on_wait or (lambda sentence: None)

    def beat(self) -> None:
        """The task is alive, and waits for nothing."""
        self.count += 1
        self.note = ""

    def wait(self, sentence: str) -> None:
        """The task waits for what the sentence says. Raises TrainingStopped if asked to stop."""
        self.stop_if_asked()
        self.note = sentence
        self._on_wait(sentence)

    @property
    def is_asked_to_stop(self) -> bool:
        """Whether the task should stop at its next epoch."""
        return self.stop or self._stop_asked()

    def take_report(self, most: int) -> Report | None:
        """What the task has reported so far, of at most so many values; None: nothing new.

        Of one that has just begun nothing: it may be over before that is stored.
        """
        reporting = self.reporting
        return None if reporting is None or reporting.is_young else reporting.take(most)

    def stop_if_asked(self) -> None:
        """Beats; raises TrainingStopped if asked to stop."""
        self.beat()
        if self.is_asked_to_stop:
            raise TrainingStopped
