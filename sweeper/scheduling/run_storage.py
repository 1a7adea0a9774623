"""The storage of runs, as the driver uses it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from results.records import DatabaseIdentity
from sweeper.errors import RequestError
from sweeper.executors.run_folders import SENTINELS, attempt_folders, run_folder
from sweeper.logs.files import is_of_log
from sweeper.planning.archived import check_evaluation
from sweeper.scheduling.storage_places import place_of
from sweeper.spec.spec import Spec, spec_from_text
from trainers.errors import ResultError, StorageError, StorageUnreachableError
from trainers.own.scratch import SCRATCH
from trainers.result_file import read_result
from trainers.storage import Folder, open_folder

SPECS = "specs"
"""The folder of the storage with the text of each sweep that wrote into it."""


class RunStorage:
    """A folder for each run, and in it one for each attempt: on disk, or at an fsspec URL.

    `named` is the place that the user named, of which `location` may be a part.

    Every method raises StorageError if the storage cannot be read or written.
    """

    def __init__(self, location: str, retry_seconds: float, on_wait: Callable[[str], None]) -> None:
        self._retry_seconds = retry_seconds
        self._on_wait = on_wait
        self._open(location)
        self.named = self.location

    def _open(self, location: str) -> None:
        self._folder = open_folder(
            location, retry_seconds=self._retry_seconds, on_wait=self._on_wait
        )
        self.location = self._folder.location

    def take_place(self, database: DatabaseIdentity) -> None:
        """Goes to the folder that is this database's own, which may be the storage itself."""
        # Without retries: who starts a sweep must see at once that its storage is unreachable.
        self._open(place_of(open_folder(self.location), database).location)

    def attempts(self, run_id: str) -> list[int]:
        """The attempts of a run that have a folder, the newest first."""
        folders = attempt_folders(self._folder.child(run_id))
        return [int(folder.location.rpartition("/")[2]) for folder in folders]

    def keep_spec(self, spec: Spec) -> None:
        """Keeps what a sweep asks for, so that a lost database can be filled again."""
        kept = {"text": spec.text, "source": spec.source, "overrides": list(spec.overrides)}
        self._folder.child(SPECS).write(f"{spec.name}.json", json.dumps(kept).encode())

    def specs(self) -> list[Spec]:
        """The sweeps that `keep_spec` kept here. Raises RequestError for one that is damaged."""
        folder = self._folder.child(SPECS)
        found = []
        for name in folder.names():
            if name.startswith("."):
                continue
            try:
                kept = json.loads(folder.read(name))
                texts = [kept["text"], kept["source"], *kept["overrides"]]
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise _no_spec(folder, name) from error
            if not all(isinstance(text, str) for text in texts):
                raise _no_spec(folder, name)
            text, source, *overrides = texts
            found.append(spec_from_text(text, source, overrides, stored=True))
        return found

    @contextmanager
    def sentinel(self) -> Iterator[str]:
        """A file in the storage that workers must find: then all of them mean the same storage."""
        folder = open_folder(self.location).child(SENTINELS)  # without retries, as above
        sentinel = uuid.uuid4().hex
        folder.write(sentinel, sentinel.encode())
        try:
            yield sentinel
        finally:
            with suppress(StorageError):
                folder.remove(sentinel)

    def result(
        self, run_id: str, attempt: int, storage: str | None = None
    ) -> dict[str, Any] | None:
        """The result an interrupted attempt had stored, here or in another `storage`.

        Raises ResultError for what is none, as where the attempt has left a file for its folder,
        and where it has evaluations that are not what their configs say.
        """
        found = self._result(run_id, attempt, storage)
        if found is not None:
            _require_evaluations(found)
        return found

    def _result(self, run_id: str, attempt: int, storage: str | None) -> dict[str, Any] | None:
        if storage in (None, self.location):
            run = self._folder.child(run_id)
            try:
                return read_result(run.child(str(attempt)), run_id)
            except StorageUnreachableError:
                raise
            except StorageError as error:
                run.names()  # else it is the storage that cannot be used, by any run
                raise ResultError(str(error)) from error
        try:
            return read_result(run_folder(str(storage), run_id).child(str(attempt)), run_id)
        except StorageError:
            return None  # of a driver that is gone, and perhaps its disk with it

    def has_begun(self, run_id: str, attempt: int, storage: str | None = None) -> bool:
        """Whether the attempt has written anything, here or in another `storage`."""
        folder = self._folder.child(run_id) if storage is None else run_folder(storage, run_id)
        with suppress(StorageError):
            return str(attempt) in folder.names()
        return False

    def tidy(self, run_id: str, attempt: int) -> None:
        """Removes the run's checkpoints and all but the logs of interrupted attempts, if it can.

        The result of `attempt`, which stays, has replaced them.
        """
        with suppress(StorageError):
            run = open_folder(self.location).child(run_id)
            for folder in attempt_folders(run):
                if not folder.location.endswith(f"/{attempt}"):
                    _remove_but_log(folder)
            kept = run.child(str(attempt))
            for name in kept.names():
                if name.lstrip(".").startswith("checkpoint-"):
                    kept.remove(name)
                elif name == SCRATCH:
                    kept.child(name).remove_all()


def _remove_but_log(folder: Folder) -> None:
    names = folder.names()
    if not any(map(is_of_log, names)):
        folder.remove_all()
        return
    for name in names:
        if not is_of_log(name):
            with suppress(StorageError):  # it is a folder
                folder.remove(name)
            folder.child(name).remove_all()


def _no_spec(folder: Folder, name: str) -> RequestError:
    return RequestError(
        f"{folder.location}/{name} is damaged; remove it, and name the spec's own file"
    )


def _require_evaluations(result: dict[str, Any]) -> None:
    """What is stored of an evaluation is believed of every run that has it."""
    evaluations = result.get("evaluations")
    for each in evaluations if isinstance(evaluations, list) else ():
        try:
            check_evaluation(each)
        except ValueError as error:
            raise ResultError(f"its result is wrong: {error}") from error
        except (AttributeError, KeyError, TypeError):
            return  # the store says what is missing, or is no text
