"""The database's password from the environment, kept for the connections of this process alone.

Every process that is started from here on would have the environment, with each trainer in it.
"""

from __future__ import annotations

import os

VARIABLES = ("PGPASSWORD", "SWEEP_DB")
"""Those that may hold it: libpq's, and that of the command line."""

_kept: str | None = None


def keep() -> None:
    """Take PGPASSWORD out of the environment."""
    global _kept
    _kept = os.environ.pop("PGPASSWORD", _kept)


def held() -> dict[str, str]:
    """What was taken out of the environment, by the name of its variable."""
    return {} if _kept is None else {"PGPASSWORD": _kept}


def kept(service: str | None) -> str:
    """What libpq would have taken from PGPASSWORD; empty if nothing.

    Args:
        service: that the URL names; a password in its file comes first.
    """
    if _kept is None or _has_password(service or os.environ.get("PGSERVICE")):
        return ""
    return _kept


def _has_password(service: str | None) -> bool:
    if service is None:
        return False
    from psycopg import pq

    before = os.environ.get("PGSERVICE")
    os.environ["PGSERVICE"] = service
    try:
        known = pq.Conninfo.get_defaults()
    finally:
        del os.environ["PGSERVICE"]
        if before is not None:
            os.environ["PGSERVICE"] = before
    return any(option.keyword == b"password" and option.val for option in known)
