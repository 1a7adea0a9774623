"""The code of what a run names, as this process has imported it."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

from sweep_plugins import SourceError
from sweep_plugins.source import Code, code_of
from trainers.config.plugin_code import plugin_code
from trainers.errors import TrainerError
from trainers.own.declaration import declaration_of
from trainers.own.loading import load_trainer


def code_of_trainer(function: Any) -> Code | None:
    """The code of a trainer's package, with the files that it names; None for one of this project.

    Raises TrainerError if these files are not there, or all of it is too much.
    """
    module = getattr(function, "__module__", None) or ""
    try:
        return code_of(module, declaration_of(function).sources)
    except SourceError as error:
        raise TrainerError(f"the trainer in {module}: {error}") from error


def require_code(wanted: Mapping[str, str]) -> None:
    """Raises TrainerError unless this process has this code: SHA-256 by kind and name.

    Raises PluginError and UnknownNameError for what it has not at all.
    """
    for name, sha256 in wanted.items():
        kind, _, given = name.partition(" ")
        of_trainer = kind == "trainer"
        found = code_of_trainer(load_trainer(given)) if of_trainer else plugin_code(name)
        if found is None or found.sha256 != sha256:
            here = "of sweep itself" if found is None else f"{found.sha256[:12]}, in {found.home}"
            raise TrainerError(
                f"the code of {name} on {socket.gethostname()} ({here}) is not what the sweep was"
                f" planned with ({sha256[:12]}): every machine needs the same, and a process that"
                " imported it before it was edited has to be started again"
            )
