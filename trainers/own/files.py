"""The files of a run: a folder that its trainer writes into, and what is kept of it.

The trainer writes by plain file operations, on a disk of its machine. What is kept of a file is its
content, in the attempt's folder, wherever that is, under a name made of its SHA-256; what the file
was called is said by the run's result, or by the checkpoint with which it was stored. So no name
that a trainer gives is ever that of a file in the storage, and equal files are stored once.
"""

from __future__ import annotations

import hashlib
import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TypedDict

from sweep_plugins.file_path import problem_of_path
from sweep_plugins.plain_text import shortened, visible
from trainers.config.file_limits import FileLimits
from trainers.errors import UnfitFileError
from trainers.own.scratch import found_in, remove_folder, scratch_folder
from trainers.storage import Folder
from trainers.storage.regular_file import open_regular
from trainers.training.checkpoint import KEPT, OF_FILES

STORED = "file-"
"""What the name of a file that is kept begins with, before its SHA-256."""

_MOST_LOOKED_AT = 100_000
_MOST_SENTENCES = 20
_LONGEST_SHOWN = 200


class KeptFile(TypedDict):
    """A file: where it lay in the folder, with /, its bytes, and the SHA-256 of its content."""

    path: str
    size: int
    sha256: str


class RunFiles:
    """The files of one attempt at a run.

    Args:
        folder: where the attempt stores; None: nowhere.
        earlier: folders of earlier attempts, the newest first.
        limits: of what is kept.
        beat: called before each file that is stored.
    """

    def __init__(
        self,
        folder: Folder | None = None,
        earlier: Sequence[Folder] = (),
        limits: FileLimits | None = None,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._folder = folder
        self._earlier = tuple(earlier)
        self._limits = limits or FileLimits()
        self._beat = beat
        self._left_out_before: dict[str, str] = {}
        self._stored: set[str] = set()
        self._with_checkpoints: dict[str, int] = {}
        self._is_made = False
        # Known before it is made, since a process that the trainer forks may be the first to ask.
        self._scratch = scratch_folder(folder)
        remove_folder(self._scratch)  # of a process that was killed
        # What is forked ends too, and is not to take the folder with it.
        self._remove = weakref.finalize(self, _remove_if_mine, self._scratch, os.getpid())

    @property
    def scratch(self) -> Path:
        """The folder to write into, which is made when it is first asked for."""
        if not self._is_made:
            self._scratch.parent.mkdir(parents=True, exist_ok=True)
            self._scratch.mkdir(mode=0o700, exist_ok=True)
            self._is_made = True
        return self._scratch

    def remove_scratch(self) -> None:
        """Remove the folder that was written into."""
        self._remove()

    def keep(self) -> tuple[list[KeptFile], list[str]]:
        """Store what the run keeps; that, by path, and sentences about what it does not keep.

        Raises StorageError.
        """
        kept, left_out = self._store(STORED)
        names = {file["path"] for file in kept}
        before = {path: why for path, why in self._left_out_before.items() if path not in names}
        return kept, _sentences(before | left_out)

    def store_with_checkpoint(self, epoch: int) -> dict[str, object]:
        """Store what there is so far; what `restore` wants to know. Raises StorageError."""
        kept, left_out = self._store(OF_FILES)
        self._with_checkpoints |= {file["sha256"]: epoch for file in kept}
        return {"kept": kept, "left_out": self._left_out_before | left_out}

    def forget_before(self, epoch: int) -> None:
        """Remove what only checkpoints need that the one after `epoch` has replaced."""
        for sha256, last in list(self._with_checkpoints.items()):
            if last <= epoch - KEPT and self._folder is not None:
                self._stored.discard(OF_FILES + sha256)
                del self._with_checkpoints[sha256]
                self._folder.remove(OF_FILES + sha256)

    def restore(self, stored: object) -> bool:
        """Write what was stored with a checkpoint, as it was then; whether all of it is there.

        If it is not, nothing is written. Raises StorageError.
        """
        if not isinstance(stored, Mapping):
            return stored is None
        written: list[Path] = []
        for file in stored["kept"]:
            content = None if problem_of_path(file["path"]) else self._find(file)
            if content is None:
                for path in written:
                    path.unlink(missing_ok=True)
                return False
            path = self.scratch / file["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            written.append(path)
        self._left_out_before = dict(stored["left_out"])
        return True

    def _find(self, file: KeptFile) -> bytes | None:
        for folder in (self._folder, *self._earlier):
            if folder is not None:
                with suppress(FileNotFoundError, UnfitFileError):
                    return read_stored(folder, OF_FILES, file)
        return None

    def _store(self, prefix: str) -> tuple[list[KeptFile], dict[str, str]]:
        """What was stored, by path, and why other files were not."""
        kept: list[KeptFile] = []
        left_out: dict[str, str] = {}
        if self._folder is None or not (self._is_made or os.path.lexists(self._scratch)):
            return kept, left_out
        found = list(islice(found_in(self._scratch), _MOST_LOOKED_AT + 1))
        if len(found) > _MOST_LOOKED_AT:
            left_out["..."] = f"more than {_MOST_LOOKED_AT:,} files were written"
        room = int(self._limits.max_bytes)
        for path, problem in sorted(found[:_MOST_LOOKED_AT]):
            self._beat()
            content = None
            if problem is None and len(kept) >= self._limits.max_count:
                problem = f"files.max_count is {self._limits.max_count:,}"
            if problem is None:
                content, problem = self._read(path, room)
            if content is None:
                left_out[path] = problem or "it has gone"
                continue
            room -= len(content)
            sha256 = _sha256(content)
            if prefix + sha256 not in self._stored:
                self._folder.write(prefix + sha256, content)
                self._stored.add(prefix + sha256)
            kept.append({"path": path, "size": len(content), "sha256": sha256})
        return kept, left_out

    def _read(self, path: str, room: int) -> tuple[bytes | None, str | None]:
        """The content of a file that may have so many bytes, or why it has none."""
        try:
            with open_regular(self._scratch / path, follow=False) as file:
                size = os.fstat(file.fileno()).st_size
                content = file.read(room + 1) if size <= room else b""
        except UnfitFileError:
            return None, "it is no file any more"
        except OSError as error:
            return None, f"it cannot be read: {error.strerror}"
        if max(size, len(content)) > room:
            of = f"files.max_bytes is {int(self._limits.max_bytes):,}"
            return None, f"it has {max(size, len(content)):,} bytes, and {of} for all of a run"
        return content, None


def read_stored(folder: Folder, prefix: str, file: KeptFile) -> bytes:
    """The content of a file that was stored in this folder.

    Raises FileNotFoundError, UnfitFileError for one that is not as it was stored, and StorageError.
    """
    name = prefix + file["sha256"]
    content = folder.read(name, file["size"])
    if _sha256(content) != file["sha256"]:
        raise UnfitFileError(f"{folder.location}/{name} is damaged: it has another SHA-256")
    return content


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _sentences(left_out: Mapping[str, str]) -> list[str]:
    shown = [
        f"{shortened(_on_a_line(path), _LONGEST_SHOWN)}: {why}"
        for path, why in islice(sorted(left_out.items()), _MOST_SENTENCES)
    ]
    if len(left_out) > len(shown):
        shown.append(f"and {len(left_out) - len(shown):,} more")
    return shown


def _on_a_line(path: str) -> str:
    return visible(path).replace("\n", "\\n").replace("\t", "\\t")


def _remove_if_mine(path: Path, process: int) -> None:
    if os.getpid() == process:
        remove_folder(path)
