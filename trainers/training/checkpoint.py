"""Checkpoints of one run: one file an epoch, each with its SHA-256.

A file `checkpoint-<epoch>.pt` is valid only with its `.sha256`, which is written after it; a
truncated, damaged or incomplete one is skipped for the one before. A run's attempts each
write in their own folder and read from all.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

from trainers.errors import (
    CheckpointError,
    StorageError,
    StorageUnreachableError,
    UnfitFileError,
)
from trainers.storage import Folder

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS_FILE = "weights.pt"
_NAME = re.compile(r"checkpoint-(\d+)\.pt")
_HALF_WRITTEN = re.compile(r"\.checkpoint-.*\.tmp")

KEPT = 2
"""So many checkpoints are kept while a run trains."""

OF_FILES = "checkpoint-file-"
"""What the name of a file begins with that is stored with a checkpoint; then comes its SHA-256."""


class Checkpoints:
    """The checkpoints of one run, as one attempt sees them.

    Every method raises StorageError where a folder is full or cannot be reached.

    Args:
        run_id: stored in every file; a file of another run is never loaded.
        folder: where this attempt writes.
        earlier: folders of earlier attempts, read only.
    """

    def __init__(self, run_id: str, folder: Folder, earlier: Sequence[Folder] = ()) -> None:
        self._run_id = run_id
        self._folder = folder
        self._earlier = tuple(earlier)

    def save(self, epoch: int, state: dict[str, Any]) -> None:
        """Store the state after `epoch` finished epochs; older ones but the last go."""
        content = {"run_id": self._run_id, "epoch": epoch, "state": state}
        _save(self._folder, f"checkpoint-{epoch}.pt", content)
        for old, name in _checkpoints(self._folder):
            if old <= epoch - KEPT:
                _remove(self._folder, name)

    def newest(
        self, fits: Callable[[int, dict[str, Any]], bool] = lambda epoch, state: True
    ) -> tuple[int, dict[str, Any]] | None:
        """(finished epochs, state) of the newest valid checkpoint of any attempt, or None.

        One that cannot be reached is skipped like a damaged one, if there is an older one, and so
        is one that is whole and does not fit.

        Args:
            fits: whether training can go on from a state after so many epochs.

        Raises:
            StorageError: something cannot be read, and there is no other.
        """
        unread: StorageError | None = None
        found: list[tuple[int, Folder, str]] = []
        for folder in (self._folder, *self._earlier):
            try:
                found += [(epoch, folder, name) for epoch, name in _checkpoints(folder)]
            except StorageError as error:
                # Of an earlier attempt that has left something else in the place of its folder
                # there is nothing to read.
                if folder is self._folder or isinstance(error, StorageUnreachableError):
                    unread = error
        for epoch, folder, name in sorted(found, key=lambda item: item[0], reverse=True):
            try:
                content = _load(folder, name)
            except CheckpointError:
                continue
            except StorageError as error:
                unread = error
                continue
            if content.get("run_id") != self._run_id or content.get("epoch") != epoch:
                continue
            state = content.get("state")
            if isinstance(state, dict) and fits(epoch, state):
                return epoch, state
        if unread is not None:
            raise unread
        return None

    def discard(self) -> None:
        """Remove this attempt's checkpoints, once the run's result is stored."""
        for _, name in _checkpoints(self._folder):
            _remove(self._folder, name)
        for name in self._folder.names():
            if name.startswith(OF_FILES) or _HALF_WRITTEN.fullmatch(name):
                self._folder.remove(name)


@dataclass(frozen=True)
class StoredWeights:
    """A run's final weights by name, and whether the run had diverged."""

    weights: dict[str, Tensor]
    diverged: bool


def save_weights(
    folder: Folder, run_id: str, weights: dict[str, Tensor], *, diverged: bool = False
) -> None:
    """Store a run's final weights, for evaluations asked for later."""
    _save(folder, WEIGHTS_FILE, {"run_id": run_id, "weights": weights, "diverged": diverged})


def load_weights(
    folders: Sequence[Folder], run_id: str, sha256: str | None = None
) -> StoredWeights:
    """The final weights of a run, from the first of its attempts' folders that has valid ones.

    Args:
        sha256: of the weights, as `weights_sha256` has it; None if it is not known.

    Raises:
        CheckpointError: none has.
        StorageError: none has, of those that can be read.
    """
    reasons = []
    unread: StorageError | None = None
    for folder in folders:
        try:
            content = _load(folder, WEIGHTS_FILE)
        except CheckpointError as error:
            is_there = not isinstance(error.__cause__, FileNotFoundError)
            reasons.append(str(error) if is_there else f"none in {folder.location}")
            continue
        except StorageError as error:
            unread = error
            continue
        problem = None
        weights: Any = content.get("weights")
        if content.get("run_id") != run_id:
            problem = f"belongs to run {content.get('run_id')}"
        elif not (_are_weights(weights) and isinstance(content.get("diverged"), bool)):
            problem = "holds no weights"
        elif sha256 is not None and weights_sha256(weights) != sha256:
            problem = (
                "is of another training of the run: its weights have not the SHA-256 that is stored"
                " with its result"
            )
        if problem is None:
            return StoredWeights(weights, content["diverged"])
        reasons.append(f"{_place(folder, WEIGHTS_FILE)} {problem}")
    if unread is not None:
        raise unread
    raise CheckpointError(
        f"run {run_id} has no stored weights ({'; '.join(reasons) or 'no folder of it exists'}),"
        " which new evaluations are measured with"
    )


def _are_weights(found: object) -> TypeGuard[dict[str, Tensor]]:
    import torch

    return isinstance(found, dict) and all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in found.items()
    )


def weights_sha256(weights: dict[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes of all weights, in order of name."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def _checkpoints(folder: Folder) -> Iterator[tuple[int, str]]:
    for name in folder.names():
        if match := _NAME.fullmatch(name):
            yield int(match[1]), name


def _digest_of(name: str) -> str:
    return f"{name}.sha256"


def _place(folder: Folder, name: str) -> str:
    return f"{folder.location}/{name}"


def _save(folder: Folder, name: str, content: dict[str, Any]) -> None:
    import torch

    buffer = io.BytesIO()
    torch.save(content, buffer)
    data = buffer.getvalue()
    folder.write(name, data)
    folder.write(_digest_of(name), hashlib.sha256(data).hexdigest().encode())


def has_whole_weights(folder: Folder) -> bool:
    """Whether the folder of an attempt has weights as they were stored. Raises StorageError."""
    try:
        _read(folder, WEIGHTS_FILE)
    except CheckpointError:
        return False
    return True


def _read(folder: Folder, name: str) -> bytes:
    """Raises CheckpointError if the file is not as its SHA-256 says."""
    where = _place(folder, name)
    try:
        data = folder.read(name)
        expected = folder.read(_digest_of(name), 1_000)
    except (FileNotFoundError, UnfitFileError) as error:
        raise CheckpointError(f"{where} is missing or incomplete ({error})") from error
    if hashlib.sha256(data).hexdigest().encode() != expected:
        raise CheckpointError(f"{where} is damaged: its SHA-256 is not the stored one")
    return data


def _load(folder: Folder, name: str) -> dict[str, Any]:
    where, data = _place(folder, name), _read(folder, name)
    import torch

    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:
        # For a file that torch did not write it may raise anything: a KeyError, a struct.error, ...
        raise CheckpointError(f"{where} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{where} holds no checkpoint")
    return content


def _remove(folder: Folder, name: str) -> None:
    folder.remove(_digest_of(name))
    folder.remove(name)
