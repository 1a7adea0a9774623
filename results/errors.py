"""What can go wrong inside `results`, as a caller sees it.

Errors of SQLite and SQLAlchemy are turned into these in one place, `results.database.base`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sweep_plugins import UnknownNameError, did_you_mean, path_to

_LISTED = 40


class ResultsError(Exception):
    """Base of all errors that `results` raises on purpose."""


def listed(names: Sequence[str]) -> str:
    """The names, of which a message has room for the first."""
    if not names:
        return "none"
    more = f", and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


class UnknownColumnError(ResultsError):
    """A column that the runs do not have; the message lists those they have.

    `others` may be meant as well, but are not listed; `known` has them too.
    """

    def __init__(
        self,
        name: str,
        known: Iterable[str],
        *,
        purpose: str = "column",
        others: Iterable[str] = (),
    ) -> None:
        self.name = name
        had = list(dict.fromkeys(known))
        self.known = list(dict.fromkeys((*had, *others)))
        # A path that ends in the name helps nobody whose runs have no value there.
        near = [path for path in self.known if path in had or path_to(name, [path]) is None]
        super().__init__(
            f"unknown {purpose} {name!r}{did_you_mean(name, near)}"
            f" (known: {', '.join(had) or 'none'})"
        )


class BadFilterError(ResultsError):
    """A filter that cannot be read, or whose operator or value does not fit the column."""

    def __init__(self, text: str, problem: str, allowed: str) -> None:
        super().__init__(f"bad filter {text!r}: {problem}; {allowed}")


class NotTwoGroupsError(ResultsError):
    """A test between two groups of done runs by a key that has not two values among them."""

    def __init__(self, problem: str, way_out: str) -> None:
        super().__init__(f"a test needs two groups, and among the done runs {problem}; {way_out}")


class BadLabelError(ResultsError):
    """What is no tag, or no note."""


class UnknownLabelledError(ResultsError):
    """A name that is neither a sweep's nor the start of one run's id."""

    def __init__(self, name: str, sweeps: Iterable[str], no_run: Exception) -> None:
        names = sorted(sweeps)
        super().__init__(
            f"no sweep is called {name!r}{did_you_mean(name, names)} (known: {listed(names)}),"
            f" and as a run: {no_run}"
        )


class UnknownSweepError(ResultsError):
    """A sweep that the database does not hold; the message lists those it holds."""

    def __init__(
        self, name: str | None, known: Iterable[str], *, imported: Iterable[str] = ()
    ) -> None:
        elsewhere = sorted(imported)
        if name is None and elsewhere:
            message = (
                f"no sweep has run here yet: {listed(elsewhere)} came with archives; start one with"
                " 'sweep run SPEC'"
            )
        elif name is None:
            message = "the database holds no sweep yet: start one with 'sweep run SPEC'"
        else:
            names = sorted(known)
            message = f"unknown sweep {name!r}{did_you_mean(name, names)} (known: {listed(names)})"
        super().__init__(message)


class UnknownRunError(ResultsError):
    """A run id, or the start of one, that names no run, or more than one."""

    def __init__(self, run_id: str, candidates: Iterable[str] = ()) -> None:
        if several := list(candidates):
            message = (
                f"run id {run_id!r} is ambiguous: give more digits of one of {listed(several)}"
            )
        else:
            message = (
                f"no run here has an id that starts with {run_id!r}: 'sweep report --group-by"
                " run_id' lists them, and one that 'sweep plan' calls new is here once 'sweep run'"
                " has begun its sweep"
            )
        super().__init__(message)


class RunInNoSweepError(ResultsError):
    """A run that was to be queued, and is in no sweep."""

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"run {run_id} is in no sweep, so that nobody asks for it: 'sweep run SPEC', with a"
            " spec that has it, queues it again"
        )


class BadResultError(ResultsError):
    """A result handed to the store is malformed; the message names the place in it."""

    def __init__(self, run_id: str, problem: str) -> None:
        self.run_id = run_id
        self.problem = problem
        super().__init__(f"the result of run {run_id} is malformed: {problem}")


class UnknownFormatError(ResultsError):
    """An output format that does not exist; the message lists those that do."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        names = list(known)
        super().__init__(f"unknown format {name!r}{did_you_mean(name, names)} ({listed(names)})")


class UnknownPublishedTableError(ResultsError, UnknownNameError):
    """A published table that neither this package nor a plug-in has; the message lists them."""


class PivotError(ResultsError):
    """A pivot table that cannot be made of the report."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"this pivot table cannot be made: {problem}")


class ArchiveError(ResultsError):
    """An archive cannot be written, or is not what it says; see the subclasses."""


class ArchiveExistsError(ArchiveError):
    """The target of a new archive exists already."""

    def __init__(self, path: object, *, asked_to_replace: bool) -> None:
        if asked_to_replace:
            problem = "is no archive: it is not replaced"
        else:
            problem = "exists already (--replace overwrites an archive)"
        super().__init__(f"{path} {problem}; choose another place with --output")


class BadArchiveError(ArchiveError):
    """An archive is damaged, or its content breaks a rule; the message names table and row."""

    def __init__(self, path: object, problem: str) -> None:
        super().__init__(f"{path} cannot be imported, and nothing of it was: {problem}")


class UnknownFigureError(ResultsError, UnknownNameError):
    """A figure that does not exist; the message lists those that do."""


class FigureDataError(ResultsError):
    """The runs lack what a figure shows, or hold more than it can; `reason` says which."""

    def __init__(self, name: str, reason: str) -> None:
        self.reason = reason
        super().__init__(f"figure {name!r} cannot be drawn: {reason}")


class DatabaseError(ResultsError):
    """The database cannot be opened, read or written, or is no sweep database."""


class DatabaseURLError(DatabaseError):
    """That is no URL of a SQLite file or a Postgres database."""


class NoDatabaseError(DatabaseError):
    """There is no database at that place, and it was not to be created, or one was lost there."""

    def __init__(
        self, path: object, rescued: object | None = None, *, wanted: bool = False
    ) -> None:
        """`rescued`: a copy of one that was lost; `wanted`: a new one was to be made."""
        if rescued is None:
            way_out = "'sweep run SPEC' creates it; check --db and --home"
        else:
            way_out = f"'sweep db restore {rescued}' puts back what was saved of one that was lost"
            if wanted:
                way_out += "; to begin with an empty one, move that copy away"
        super().__init__(f"there is no database at {path}: {way_out}")


class DamagedDatabaseError(DatabaseError):
    """A file is no whole SQLite database."""


class BackupError(ResultsError):
    """A backup cannot be made or put back as it was asked for; nothing was changed."""


class DatabaseGoneError(DatabaseError):
    """A database file is no longer what this process opened: nothing that it writes would be found.

    `problem` says what happened, as the end of a sentence. `rescued` is a copy of all that the
    process had of it, if there is one. `with_folder`: all else in its folder is gone as well.
    """

    def __init__(
        self, path: object, problem: str, rescued: object | None, *, with_folder: bool = False
    ) -> None:
        self.rescued = rescued
        if rescued is None:
            way_out = "put a backup there with 'sweep db restore', or move what is there away"
        else:
            way_out = (
                f"all that was in it is in {rescued}, and 'sweep db restore {rescued}' puts it back"
            )
        what, where = problem, "the storage"
        if with_folder:
            what = f"{problem} with its whole folder"
            where = "a storage outside of that folder, if there is one"
        super().__init__(
            f"{path} {what} while it was in use; {way_out}. Finished runs are also in {where}, from"
            " where 'sweep db rebuild' fills a database"
        )


class DriverBusyError(DatabaseError):
    """Another driver holds the database; the message names its host and process."""

    def __init__(self, path: object, holder: dict[str, object]) -> None:
        if holder:
            who = f"host {holder.get('host')}, pid {holder.get('pid')}"
            what = f" ({holder['command']})" if holder.get("command") else ""
        else:
            who, what = "a process that has not yet said its name", ""
        super().__init__(
            f"another driver works on {path}: {who}{what}; wait for it, or stop it and run the"
            " same command again"
        )
