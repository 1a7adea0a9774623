"""What `sweep status --watch` shows."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from contextlib import ExitStack

from results.errors import NoDatabaseError, UnknownSweepError
from results.queries.queries import Queries
from sweeper.commands.hints import with_options
from sweeper.commands.progress_lines import Watched, watched_lines
from sweeper.commands.watching import Look, watch
from sweeper.home import Home

_LINES_WITHOUT_RUNS = 12


def watch_sweeps(home: Home, sweep: str | None, every: float, metrics: Sequence[str]) -> None:
    """One sweep, or all that have something left to do; what has not begun is waited for."""
    with ExitStack() as stack:
        watched = _WatchedSweeps(home, sweep, metrics, stack)
        watch(watched.look, every)


class _WatchedSweeps:
    def __init__(
        self, home: Home, sweep: str | None, metrics: Sequence[str], stack: ExitStack
    ) -> None:
        self._home = home
        self._sweep = sweep
        self._metrics = metrics
        self._stack = stack
        self._queries: Queries | None = None
        self._followed: set[str] = set()

    def look(self, width: int, height: int) -> Look:
        """How it is now. Raises DatabaseError."""
        try:
            if self._queries is None:
                self._queries = self._stack.enter_context(Queries.open(self._home.database))
            found = self._found(self._queries)
        except (NoDatabaseError, UnknownSweepError) as error:
            said = f"waiting for {self._sweep or 'a sweep'} to begin: {error}"
            lines = textwrap.wrap(with_options(said, self._home.options), width)
            return Look(lines, False, said)
        lines = []
        # Of a sweep there are some lines besides those of its runs.
        most_runs = max(1, height // max(1, len(found)) - _LINES_WITHOUT_RUNS)
        for one in found:
            lines += ["", *watched_lines(one, width, most_runs, self._metrics, self._home.options)]
        return Look(lines[1:], all(one.is_over for one in found), [one.what for one in found])

    def _found(self, queries: Queries) -> list[Watched]:
        with queries.one_view():
            is_driven = queries.is_driven()
            found = [
                Watched(status, queries.running(status.sweep), is_driven)
                for status in queries.status(self._sweep)
            ]
        if self._sweep is None:
            if not found:
                raise UnknownSweepError(None, [])
            # Those that end while they are watched are shown to the end.
            self._followed.update(one.status.sweep for one in found if not one.is_over)
            found = [one for one in found if one.status.sweep in self._followed] or found[-1:]
        return found
