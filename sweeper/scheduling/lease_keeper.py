"""A thread that renews the driver's lease, and learns which runs it has lost."""

from __future__ import annotations

import threading
from typing import Self

from results.errors import DatabaseError, DatabaseGoneError
from results.store.store import RENEW_SECONDS, Store
from sweeper.errors import Interrupted


class LeaseKeeper:
    """Renews the lease of `store` while the `with` block runs.

    In a thread of its own, because the inline executor trains in the driver's. It stops with the
    process, so that a driver that is suspended, or whose machine hangs, loses its runs.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._held: dict[str, int] = {}
        self._lost: list[tuple[str, int]] = []
        self._error: BaseException | None = None
        self._mutex = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease keeper", daemon=True)

    def add(self, run_id: str, attempt: int) -> None:
        """Renew this attempt, too, from now on."""
        with self._mutex:
            self._held[run_id] = attempt

    def remove(self, run_id: str) -> None:
        """Renew this run no longer."""
        with self._mutex:
            self._held.pop(run_id, None)

    def lost(self) -> list[str]:
        """Runs that were cancelled, or taken over by another driver, since the last call.

        Raises what ended the thread, if anything did.
        """
        with self._mutex:
            found, self._lost = self._lost, []
            if self._error is not None:
                raise self._error
            # Each renewal names again what has not been read since.
            ours = (run_id for run_id, attempt in found if self._held.get(run_id) == attempt)
            return list(dict.fromkeys(ours))

    def _renew(self) -> None:
        while not self._ended.wait(RENEW_SECONDS):
            with self._mutex:
                held = list(self._held.items())
            try:
                lost = self._store.renew(held).lost
            except DatabaseGoneError as error:
                # Told at once: the driver itself may not write for hours.
                with self._mutex:
                    self._error = error
                return
            except (DatabaseError, Interrupted):
                continue  # the driver itself finds out as well
            except BaseException as error:
                self._error = error
                raise
            with self._mutex:
                self._lost += lost

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._thread.join(timeout=2.0)  # it may be waiting for an unreachable database
