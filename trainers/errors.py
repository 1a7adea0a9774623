"""What can go wrong inside `trainers`, as a caller sees it.

TrainerError
├── ConfigError            a config is wrong at a key that the error names
├── DatasetMissingError    the files of a dataset are not found
├── CheckpointError        stored weights are missing or damaged
├── PeerLostError          another process that trains the same network is gone
├── ResultError            what a trainer returned or a worker stored is no result
├── StorageError           storage that cannot be used
│   ├── UnfitFileError             something else is where a file should be
│   ├── StorageFullError           it has no space left
│   └── StorageUnreachableError    it cannot be reached, or failed
└── WorkerLostError        a process that decodes images has ended before its work

ConfigError is also a ValueError, so that pydantic takes it from validators. A name that no registry
has is an UnknownNameError of `sweep_plugins`.

TrainingStopped            no error: training ended early because its caller asked for it
"""

from __future__ import annotations


class TrainerError(Exception):
    """Base of all errors that `trainers` raises on purpose."""


class ConfigError(TrainerError, ValueError):
    """A config is wrong at a key, whatever part of the config a validator looks at.

    Args:
        path: the key, or the keys and list positions that lead to it from the mapping that is
            validated; empty if the mapping as a whole is wrong.
        message: a sentence that names what is wrong by itself, such as "depth 33 is not 6n + 2".
    """

    def __init__(self, path: str | tuple[str | int, ...], message: str) -> None:
        super().__init__(message)
        self.path = (path,) if isinstance(path, str) else path


class DatasetMissingError(TrainerError):
    """The files of a dataset are not on this machine and cannot be fetched."""


class CheckpointError(TrainerError):
    """Stored weights are missing, damaged, or belong to another run."""


class PeerLostError(TrainerError):
    """Another process that trains the same network is gone; why is known there, if anywhere."""


class ResultError(TrainerError):
    """A result that is none: it cannot be written as JSON, or was stored as something else."""


class StorageError(TrainerError):
    """Storage that cannot be used; the message names it and the reason."""


class UnfitFileError(StorageError):
    """A folder, pipe or device is where a file should be, or a file that is too large."""


class StorageFullError(StorageError):
    """There is no space left, a quota is used up, or a file may not grow so large."""


class StorageUnreachableError(StorageError):
    """Reading or writing failed for any other reason; it may well succeed later."""


class WorkerLostError(TrainerError):
    """A process that decodes images has ended before its work did; the message says how."""


class TrainingStopped(Exception):  # noqa: N818 (it is no error)
    """Raised by `on_epoch`, to end training after an epoch whose checkpoint is stored."""
