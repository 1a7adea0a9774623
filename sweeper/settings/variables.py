"""Settings that variables of the environment give."""

from __future__ import annotations

import os

from sweeper.home import is_sqlite
from sweeper.settings.names import VARIABLES

_taken: dict[str, str] = {}


def of_environment() -> dict[str, str]:
    """The environment's variables; a database's URL that may hold a password is taken out of it.

    Every process that is started from here on would have it.
    """
    name = VARIABLES["db"]
    url = os.environ.get(name)
    if url is not None:
        _taken.clear()
        if not is_sqlite(url):
            _taken[name] = os.environ.pop(name)
    return {**os.environ, **_taken}
