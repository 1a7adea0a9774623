"""Failures of disks, networks and object stores, as errors that say what and where."""

from __future__ import annotations

import errno

from sweep_plugins.url_secrets import without_secrets
from trainers.errors import StorageError, StorageFullError, StorageUnreachableError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# Something else is where a file or a folder should be, which waiting does not change.
_OTHER_KIND = frozenset(
    {errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO, errno.ENODEV}
)


def storage_error(what: str, error: Exception) -> StorageError:
    """The error to raise from `error`.

    Args:
        what: which file or folder cannot be what; the beginning of the message.
    """
    reason = f"{what}: {_reason(error)}"
    if isinstance(error, NotImplementedError):
        # Permanent: no retry would help.
        return StorageError(f"{reason} (this kind of storage cannot do it)")
    if isinstance(error, OSError) and error.errno in _FULL:
        return StorageFullError(f"{reason}; free some space and continue")
    if isinstance(error, OSError) and error.errno in _OTHER_KIND:
        return StorageError(f"{reason}; move away what is there")
    return StorageUnreachableError(reason)


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return without_secrets(str(text))
