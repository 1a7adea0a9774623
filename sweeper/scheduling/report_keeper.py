"""A thread that stores what runs report while they train."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from results.errors import BadResultError, DatabaseError
from results.store.report_schema import CheckedReport, check_report
from results.store.store import Store
from sweep_plugins.metric_name import MOST_METRIC_VALUES
from sweeper.errors import Interrupted
from sweeper.executors import Executor
from sweeper.executors.base import MOST_VALUES
from sweeper.executors.reporting import Report

STORE_SECONDS = 2.0
"""Between two transactions, each of all running runs."""


@dataclass
class _Attempt:
    """What is known of an attempt that has reported something."""

    number: Any
    first: int | None = None
    rows: int = 0
    refused: bool = False


class ReportKeeper:
    """Takes what running tasks report, and stores it, a bounded number of values at a time.

    In a thread of its own, because the inline executor trains in the driver's, and because no run
    is to wait for it. What it cannot store now stays, and so the tasks keep what follows.

    Args:
        refused: is told the id of a run whose reports cannot be stored, and why, once an attempt.
    """

    def __init__(self, store: Store, refused: Callable[[str, str], None]) -> None:
        self._store = store
        self._refused = refused
        self._executor: Executor | None = None
        self._waiting: deque[Report] = deque()
        self._attempts: dict[str, _Attempt] = {}
        self._mutex = threading.Lock()

    @contextmanager
    def following(self, executor: Executor) -> Iterator[None]:
        """Store what its tasks report while the block runs."""
        self._executor = executor
        ended = threading.Event()

        def follow() -> None:
            while not ended.wait(STORE_SECONDS):
                try:
                    self.flush()
                except (DatabaseError, Interrupted):
                    continue  # the driver itself finds out as well

        thread = threading.Thread(target=follow, name="report keeper", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(timeout=2.0)  # it may be waiting for an unreachable database

    def flush(self) -> bool:
        """Store what there is now, in one transaction; none if there is nothing.

        Whether there was anything: of much, there may be more.

        Raises DatabaseError and Interrupted as the store does; the next call stores it then.
        """
        with self._mutex:
            if not self._waiting and self._executor is not None:
                self._waiting.extend(self._executor.reports())
            taken: list[CheckedReport] = []
            firsts: dict[str, int] = {}
            looked_at = size = 0
            for report in self._waiting:
                checked = self.checked(report)
                if checked is not None:
                    size += checked.size
                    first = firsts.get(checked.run_id)
                    begins_again = first is not None and first != checked.first
                    if taken and (size > MOST_VALUES or begins_again):
                        break
                    firsts[checked.run_id] = checked.first
                    taken.append(replace(checked, begins=checked.begins and first is None))
                looked_at += 1
            if taken:
                self._store.report(taken)
            for one in taken:
                known = self._attempt(one.run_id, one.attempt)
                known.first = one.first
                known.rows += one.size
            for _ in range(looked_at):
                self._waiting.popleft()
            return looked_at > 0

    def checked(self, report: Report | None) -> CheckedReport | None:
        """The report as rows; None for none, and for one that cannot be stored."""
        if report is None:
            return None
        try:
            found = check_report(report)
            known = self._attempt(found.run_id, found.attempt)
            if known.rows + found.size > MOST_METRIC_VALUES:
                problem = f"it reports more than {MOST_METRIC_VALUES:,} values"
                raise BadResultError(found.run_id, problem)
        except BadResultError as error:
            number = report.get("attempt") if isinstance(report, dict) else None
            known = self._attempt(error.run_id, number)
            if not known.refused:
                known.refused = True
                self._refused(error.run_id, error.problem)
        return None if known.refused else replace(found, begins=found.first != known.first)

    def _attempt(self, run_id: str, number: Any) -> _Attempt:
        """What is known of this attempt; of the newest one if that is no number."""
        known = self._attempts.get(run_id)
        if known is None or (isinstance(number, int) and known.number != number):
            known = self._attempts[run_id] = _Attempt(number)
        return known
