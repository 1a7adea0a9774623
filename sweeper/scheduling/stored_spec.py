"""The spec of a sweep as the database has it."""

from __future__ import annotations

from sweeper.errors import RequestError
from sweeper.home import Home
from sweeper.spec.files import SpecFile


def stored_spec(home: Home, name: str | None, *, imported: bool) -> tuple[SpecFile, list[str]]:
    """The text of a sweep's newest spec, with all that it extends, and its overrides.

    Args:
        name: None for the sweep that ran here last.
        imported: also one that an archive brought.

    Raises RequestError for such a one without that, UnknownSweepError, DatabaseError.
    """
    from results.store.store import Store

    with Store.open(home.database, create=False) as store:
        stored = store.stored_spec(name)
    if stored.imported_from is not None and not imported:
        raise RequestError(
            f"{stored.name} came with {stored.imported_from} and never ran here: its spec is"
            " somebody else's, and may name code that would run as you. Look at it with 'sweep show"
            f" RUN', then go on with 'sweep resume {stored.name} --imported'"
        )
    return SpecFile(stored.source, stored.text), stored.overrides
