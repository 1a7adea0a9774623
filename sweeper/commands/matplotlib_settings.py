"""matplotlib, imported without the settings of its user that a command has no use for."""

from __future__ import annotations

import os

from sweeper.errors import RequestError


def import_matplotlib() -> None:
    """Import it for drawing to files, whatever backend is chosen for windows or notebooks.

    A notebook names its own backend in MPLBACKEND, for every program that it starts, and
    matplotlib refuses to be imported by one whose Python lacks that.

    Raises RequestError if its file of settings cannot be read.
    """
    os.environ["MPLBACKEND"] = "agg"
    try:
        import matplotlib  # noqa: F401
    except (OSError, ValueError) as error:
        raise RequestError(
            f"matplotlib cannot read its file of settings: {error}; mend or remove the matplotlibrc"
            " here, in MATPLOTLIBRC or in its folder of settings"
        ) from None
