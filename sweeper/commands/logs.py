"""`sweep logs`: what a run wrote to stdout and stderr."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sweeper.commands import options
from sweeper.commands.output import say, write_text
from sweeper.errors import RequestError, ResourceError

if TYPE_CHECKING:
    from results.queries.queries import Queries
    from sweeper.logs.reading import LogReader
    from trainers.storage import Folder

POLL_SECONDS = 0.5

REMOTE_POLL_SECONDS = 2.0
"""How often a remote storage is asked; logs are uploaded there every few seconds."""


def logs(
    run: Annotated[str, typer.Argument(metavar="RUN", help="a run's id, or the start of it")],
    attempt: Annotated[
        int | None,
        typer.Option("--attempt", min=1, metavar="N", help="default: the newest one"),
    ] = None,
    rank: Annotated[
        int,
        typer.Option("--rank", min=0, metavar="N", help="of the processes that train it together"),
    ] = 0,
    follow: Annotated[
        bool, typer.Option("--follow", help="go on until the run has ended, attempt by attempt")
    ] = False,
    tail: Annotated[
        int | None, typer.Option("--tail", min=0, metavar="N", help="begin with the last N lines")
    ] = None,
    timestamps: Annotated[
        bool, typer.Option("--timestamps", help="each line with its time, in UTC")
    ] = False,
    home: options.HomeOption = options.DEFAULT_HOME,
    db: options.DatabaseOption = None,
) -> None:
    """What an attempt of a run wrote to stdout and stderr; of much, the beginning and the end.

    Of several processes that train it together, what rank 0 wrote, or another with --rank.
    """
    from results.queries.queries import Queries

    with Queries.open(options.home_at(home, db).database) as queries:
        shown = _Shown(queries, run, attempt, rank, tail, timestamps)
        while True:
            is_over = shown.look()
            if not follow:
                break
            time.sleep(shown.pause)
            if is_over:
                shown.look()  # the last lines are on their way when a run's end is known
                break
    shown.tell_silence()


class _Shown:
    """What has been shown so far of a run's logs."""

    def __init__(
        self,
        queries: Queries,
        run: str,
        only: int | None,
        rank: int,
        tail: int | None,
        timestamps: bool,
    ) -> None:
        self._queries = queries
        self._run = run
        self._only = only
        self._rank = rank
        self._tail = tail
        self._timestamps = timestamps
        self._attempt: int | None = None
        self._reader: LogReader | None = None
        self._storage: Folder | None = None
        self._host: str | None = None
        self._silence = ""
        self.pause = POLL_SECONDS

    def look(self) -> bool:
        """Show what is new; whether nothing can follow.

        Raises as the storage does, and RequestError for an attempt or a rank that there is not.
        """
        # Before the log: what is written until the run ends is in it then.
        self._run, state, attempts = self._queries.attempts_of(self._run)
        self._require_rank()
        chosen = self._chosen(attempts)
        if chosen is None:
            self._silence = f"run {self._run} has not started yet; it is {state}"
            return state not in ("queued", "running")
        if chosen["attempt"] != self._attempt:
            self._show()  # the last lines of the one before
            self._open(chosen)
        self._show()
        ended = chosen["state"] != "running"
        return ended and (self._only is not None or state not in ("queued", "running"))

    def _require_rank(self) -> None:
        from results.records import training_processes

        if self._rank == 0:
            return
        (row,) = self._queries.run_rows(run_ids=[self._run], config=True)
        processes = training_processes(row["config"])
        if self._rank >= processes:
            known = {1: "rank 0 alone", 2: "ranks 0 and 1"}.get(
                processes, f"ranks 0 to {processes - 1}"
            )
            raise RequestError(f"run {self._run} has no rank {self._rank}; it has {known}")

    def tell_silence(self) -> None:
        """Say why nothing was shown, if nothing was. Raises ResourceError for what is not here."""
        if self._reader is not None and self._reader.wrote:
            self._tell_other_ranks()
            return
        if self._storage is not None and not self._storage.names():
            where = f"; it trained on {self._host}" if self._host else ""
            raise ResourceError(f"nothing is at {self._storage.location} here{where}")
        say(self._silence)
        if self._storage is not None:
            self._tell_other_ranks()

    def _tell_other_ranks(self) -> None:
        from sweeper.logs.files import ranks
        from sweeper.logs.reading import attempt_folder

        assert self._storage is not None, "it was read"
        assert self._attempt is not None, "it was read"
        folder = attempt_folder(self._storage, self._run, self._attempt)
        others = [str(rank) for rank in ranks(folder.names()) if rank != self._rank]
        if others:
            say(f"this is rank {self._rank}; --rank shows another: {', '.join(others)}")

    def _chosen(self, attempts: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
        if self._only is None:
            return attempts[-1] if attempts else None
        found = [each for each in attempts if each["attempt"] == self._only]
        if not found:
            known = ", ".join(str(each["attempt"]) for each in attempts) or "none yet"
            raise RequestError(f"run {self._run} has no attempt {self._only}; it has {known}")
        return found[0]

    def _open(self, attempt: dict[str, Any]) -> None:
        from sweeper.logs.reading import LogReader, attempt_folder, is_remote
        from trainers.storage import open_folder

        number = attempt["attempt"]
        if self._attempt is not None:
            say(f"attempt {number}")
        self._attempt, self._reader, self._storage = number, None, None
        if (origin := attempt["imported_from"]) is not None:
            self._silence = f"run {self._run} came with {origin}; its log stayed where it trained"
            return
        if attempt["storage"] is None:
            self._silence = f"it is not known where attempt {number} of run {self._run} wrote"
            return
        of_rank = f"rank {self._rank} of " if self._rank else ""
        self._silence = f"{of_rank}attempt {number} of run {self._run} {_wrote_nothing(attempt)}"
        if number > 1:
            self._silence += "; --attempt shows an earlier one"
        self._storage = open_folder(attempt["storage"])
        self._reader = LogReader(attempt_folder(self._storage, self._run, number), self._rank)
        self._host = (attempt["provenance"] or {}).get("host")
        self.pause = REMOTE_POLL_SECONDS if is_remote(self._storage) else POLL_SECONDS

    def _show(self) -> None:
        from sweeper.logs.reading import without_time

        if self._reader is None:
            return
        lines = self._reader.new_lines()
        if self._tail is not None:
            lines = lines[max(0, len(lines) - self._tail) :]
            self._tail = None
        if lines:
            shown = lines if self._timestamps else map(without_time, lines)
            write_text("\n".join(shown) + "\n", None)


def _wrote_nothing(attempt: Mapping[str, Any]) -> str:
    if attempt["state"] == "running":
        return "has written nothing yet"
    why = attempt["error"] if attempt["state"] in ("lost", "interrupted") else None
    return "wrote nothing" if why is None else f"wrote nothing ({attempt['state']}: {why})"
