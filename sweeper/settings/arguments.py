"""Settings that Python code gives as arguments, in place of a command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypedDict, cast

from results.database.inherited_password import keep
from sweeper.settings.file import check_settings
from sweeper.settings.resolve import Settings, resolve
from sweeper.settings.variables import of_environment


class Options(TypedDict, total=False):
    """As those of the commands. What is not given is looked for as the commands do."""

    home: str | os.PathLike[str] | None
    db: str | None
    storage: str | os.PathLike[str] | None
    executor: str | None
    ray_address: str | None
    ray_dashboard: bool | None
    slots: int | None
    grace: float | None
    device: str | None


def settings_of_arguments(options: Options, beside: Path | None = None) -> Settings:
    """What holds for these arguments; None is one that was not given.

    Args:
        beside: the folder of a spec, where `sweep.toml` is looked for first.

    Raises TypeError for an unknown name, RequestError for a wrong value.
    """
    given = check_settings(cast("dict[str, object]", options))
    settings = resolve(given, beside, "{}=".format, of_environment())
    if not settings.home.is_sqlite:
        keep()
    return settings
