"""Every error a user can see, and the exit code it ends with.

    SweepError
    ├── RunsFailedError     1   all is done but for runs that failed or were cancelled
    ├── RequestError        2   the request is wrong: nothing was written
    │   └── SpecError       2   ... and the place in the spec is known
    ├── ResourceError       3   a database, storage, Ray, or a dataset is missing
    └── Interrupted       130   stopped by a signal; the same command goes on

Errors of the other packages are mapped to these in one place, `as_sweep_error`.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass

EXIT_SOME_FAILED = 1


class SweepError(Exception):
    """Base; the message is shown to the user as it is."""

    exit_code = EXIT_SOME_FAILED


class RunsFailedError(SweepError):
    """A sweep came to its end, and some of its runs failed or were cancelled, or not evaluated."""

    def __init__(self, sweep: str, failed: int, unmeasured: int, cancelled: int = 0) -> None:
        parts = [
            (failed, "failed"),
            (unmeasured, "could not be evaluated"),
            (cancelled, "cancelled"),
        ]
        runs = ", ".join(f"{n} run{'' if n == 1 else 's'} {what}" for n, what in parts if n)
        super().__init__(f"{sweep}: {runs}; all others are done")
        self.failed, self.unmeasured, self.cancelled = failed, unmeasured, cancelled


class RequestError(SweepError):
    """The request is wrong; nothing was written."""

    exit_code = 2


@dataclass(frozen=True)
class Place:
    """A position in a file, line and column counted from 1; in a dict, the path of a key."""

    file: str
    line: int | None = None
    column: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        if self.key is not None:
            return f"{self.file}: {self.key}"
        return ":".join(str(n) for n in (self.file, self.line, self.column) if n is not None)


class SpecError(RequestError):
    """A spec is wrong at a known place; the message alone is without it."""

    def __init__(self, place: Place, message: str) -> None:
        names_key = place.key is not None and message.startswith(f"{place.key}:")
        super().__init__(f"{place.file if names_key else place}: {message}")
        self.place, self.message = place, message


class ResourceError(SweepError):
    """Something that the request needs is missing on this machine or cluster."""

    exit_code = 3


class Interrupted(SweepError):  # noqa: N818 - not an error of the program, but a stop on request
    """Stopped by a signal; everything that was done is kept."""

    exit_code = 130


_LACKS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EPIPE})
"""Reasons of a machine, which may pass; all others are about the place that was asked for."""


def unwritable(place: object, error: OSError) -> SweepError:
    """What to raise from an error of writing to `place`."""
    kind = ResourceError if error.errno in _LACKS else RequestError
    return kind(f"{place} cannot be written: {error.strerror}")


def as_sweep_error(error: Exception) -> SweepError | None:
    """The error of another package as one of these; None for one that is a defect of ours."""
    from results.errors import DatabaseError, DatabaseURLError, ResultsError
    from sweep_plugins import PluginError, UnknownNameError
    from trainers.errors import DatasetMissingError, StorageError, TrainerError

    if isinstance(error, SweepError):
        return error
    if isinstance(error, DatabaseURLError):
        return RequestError(str(error))
    if isinstance(error, (DatabaseError, DatasetMissingError, StorageError)):
        return ResourceError(str(error))
    if isinstance(error, (ResultsError, TrainerError, UnknownNameError, PluginError)):
        return RequestError(str(error))
    return None
