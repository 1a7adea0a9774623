"""Whether the weights of a run that is shown are there still."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from sweeper.commands.bounded_reading import read_within_seconds

if TYPE_CHECKING:
    from results.records import DatabaseIdentity, KeptRun
    from sweeper.home import Home


def are_weights_kept(run: KeptRun, home: Home, identity: DatabaseIdentity | None) -> bool | None:
    """Whether any storage of the run has weights of it.

    None if it never had any, trained elsewhere, or a storage that may have them cannot be read now.
    """
    if run.state != "done" or not run.has_weights:
        return None
    found: list[bool] = []
    read_within_seconds(_look, run, home, identity, found)
    return found[0] if found else None


def _look(run: KeptRun, home: Home, identity: DatabaseIdentity | None, found: list[bool]) -> None:
    from sweeper.housekeeping.places import find_places
    from trainers.errors import StorageError
    from trainers.training.checkpoint import WEIGHTS_FILE

    with suppress(StorageError):
        places = find_places([run], home.storage, identity)
        for place in places.found:
            for path, _ in place.folder.child(run.run_id).files():
                if path.partition("/")[2] == WEIGHTS_FILE:
                    found.append(True)
                    return
        if not places.unreachable and not places.empty:
            found.append(False)
