"""The code of what a run names, as this process has imported it."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from typing import Any

from sweep_plugins import SourceError
from sweep_plugins.source import Code, code_of
from trainers.config.plugin_code import plugin_code
from trainers.config.trainers import TRAINERS
from trainers.errors import TrainerError
from trainers.own.declaration import declaration_of
from trainers.own.loading import load_trainer


def code_of_trainer(name: str, function: Any) -> Code | None:
    """The code of a trainer's package, with the files that it names; None for one of this project.

    Args:
        name: as a spec gives it.
        function: of that name.

    Raises TrainerError if these files are not there, or all of it is too much.
    """
    module = _module_of(name, function)
    try:
        return code_of(module, declaration_of(function).sources)
    except SourceError as error:
        raise TrainerError(f"the trainer in {module}: {error}") from error


def _module_of(name: str, function: Any) -> str:
    """The module that defines it; of what another module has made of one, where it is named.

    A decorator's function or a functools.partial says that it is of the module that made it, whose
    code is not what trains.
    """
    made_in = getattr(function, "__module__", None) or ""
    there = getattr(sys.modules.get(made_in), getattr(function, "__name__", ""), None)
    named_in = name.partition(":")[0] if ":" in name else TRAINERS.module(name)
    return made_in if there is function or named_in is None else named_in


def require_code(wanted: Mapping[str, str]) -> None:
    """Raises TrainerError unless this process has this code: SHA-256 by kind and name.

    Raises PluginError and UnknownNameError for what it has not at all.
    """
    for name, sha256 in wanted.items():
        kind, _, given = name.partition(" ")
        of_trainer = kind == "trainer"
        found = code_of_trainer(given, load_trainer(given)) if of_trainer else plugin_code(name)
        if found is None or found.sha256 != sha256:
            here = "of sweep itself" if found is None else f"{found.sha256[:12]}, in {found.home}"
            raise TrainerError(
                f"the code of {name} on {socket.gethostname()} ({here}) is not what the sweep was"
                f" planned with ({sha256[:12]}): every machine needs the same, and a process that"
                " imported it before it was edited has to be started again"
            )
