"""Checkpoints of one run: one file an epoch, valid as a whole or not at all.

A file `checkpoint-<epoch>.pt` counts only beside its `.sha256`, which is written after it; so a
truncated, damaged or half-written one is passed over for the one before. A run's attempts each
write in their own folder `<run folder>/<attempt>/` and read from all.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainers.durable import write_durably
from trainers.errors import CheckpointError

WEIGHTS_FILE = "weights.pt"
_NAME = re.compile(r"checkpoint-(\d+)\.pt")
_KEPT = 2


class Checkpoints:
    """The checkpoints of one run, as one attempt sees them.

    Args:
        run_id: stored in every file; a file of another run is never loaded.
        folder: where this attempt writes.
        earlier: folders of earlier attempts, read only.
    """

    def __init__(self, run_id: str, folder: Path, earlier: tuple[Path, ...] = ()) -> None:
        self._run_id = run_id
        self._folder = folder
        self._earlier = earlier

    def save(self, epoch: int, state: dict[str, Any]) -> None:
        """Store the state after `epoch` finished epochs; older ones but the last go."""
        path = self._folder / f"checkpoint-{epoch}.pt"
        _save(path, {"run_id": self._run_id, "epoch": epoch, "state": state})
        for old, old_path in self._files((self._folder,)):
            if old <= epoch - _KEPT:
                _remove(old_path)

    def newest(self) -> tuple[int, dict[str, Any]] | None:
        """(finished epochs, state) of the newest valid checkpoint of any attempt, or None."""
        found = sorted(
            self._files((self._folder, *self._earlier)), key=lambda item: item[0], reverse=True
        )
        for epoch, path in found:
            try:
                content = _load(path)
            except CheckpointError:
                continue
            if content.get("run_id") != self._run_id or content.get("epoch") != epoch:
                continue
            if isinstance(content.get("state"), dict):
                return epoch, content["state"]
        return None

    def discard(self) -> None:
        """Remove this attempt's checkpoints, once the run's result is stored."""
        for _, path in self._files((self._folder,)):
            _remove(path)
        for path in self._folder.glob(".checkpoint-*.tmp"):
            path.unlink(missing_ok=True)

    @staticmethod
    def _files(folders: tuple[Path, ...]) -> Iterator[tuple[int, Path]]:
        for folder in folders:
            if folder.is_dir():
                for path in list(folder.iterdir()):
                    if match := _NAME.fullmatch(path.name):
                        yield int(match[1]), path


@dataclass(frozen=True)
class StoredWeights:
    """A run's final weights by name, and whether the run had diverged."""

    weights: dict[str, Tensor]
    diverged: bool


def save_weights(
    folder: Path, run_id: str, weights: dict[str, Tensor], *, diverged: bool = False
) -> None:
    """Store a run's final weights, for evaluations asked for later."""
    _save(folder / WEIGHTS_FILE, {"run_id": run_id, "weights": weights, "diverged": diverged})


def load_weights(folders: tuple[Path, ...], run_id: str) -> StoredWeights:
    """The final weights of a run, from the first of its attempts' folders that has valid ones.

    Raises:
        CheckpointError: none has.
    """
    reasons = []
    for folder in folders:
        try:
            content = _load(folder / WEIGHTS_FILE)
        except CheckpointError as error:
            reasons.append(str(error))
            continue
        if content.get("run_id") == run_id:
            return StoredWeights(content["weights"], content["diverged"])
        reasons.append(f"{folder / WEIGHTS_FILE} belongs to run {content.get('run_id')}")
    raise CheckpointError(
        f"run {run_id} has no stored weights ({'; '.join(reasons) or 'no folder of it exists'}); "
        "evaluations can only be added to a run whose folder is kept"
    )


def weights_sha256(weights: dict[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes of all weights, in order of name."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def _digest_path(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _save(path: Path, content: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    data = buffer.getvalue()
    write_durably(path, data)
    write_durably(_digest_path(path), hashlib.sha256(data).hexdigest().encode())


def _load(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
        expected = _digest_path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path} is not there or not whole ({error})") from error
    if hashlib.sha256(data).hexdigest() != expected:
        raise CheckpointError(f"{path} is damaged: its SHA-256 is not the stored one")
    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds no checkpoint")
    return content


def _remove(path: Path) -> None:
    _digest_path(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)
