"""A spec's own trainer, described by a process in which it is imported."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, Self

from sweep_plugins import did_you_mean
from sweep_plugins.plain_text import one_line, shortened
from sweep_plugins.source import Code
from sweeper.spec.own_trainers.describing_process import DescribingProcess
from sweeper.spec.own_trainers.description_cache import (
    DESCRIPTIONS,
    Description,
    absolute,
    search_path,
)
from sweeper.spec.validation import several_belong_in_grid
from trainers.errors import ConfigError

MOST_PROCESSES = 8
"""Each may have imported torch."""

_SHOWN = 300

_OF_ONE_VALUE = frozenset(
    {"int_type", "float_type", "string_type", "bool_type", "literal_error", "enum"}
)
"""What pydantic calls it if something else stands where one number, text or choice does."""


def module_folders(files: Sequence[str]) -> tuple[Path, ...]:
    """Where a user's own trainer may lie: beside the spec's files, or in the current folder."""
    return tuple(dict.fromkeys(absolute(*(Path(file).parent for file in files), Path())))


class OwnTrainer:
    """What a trainer says of itself.

    Attributes:
        name: as the spec gives it.
        uses: the parts of a config that it asks for; None: those that the spec has.
        code: its files; None for one of this project.
        uncounted: files, and folders of packages, that it imports and that are not its code.
        metrics: what it says of those that it reports.
        said: all of it, see `trainers.own.describe`.
    """

    def __init__(
        self,
        name: str,
        description: Description,
        ask: Callable[[Mapping[str, Any]], dict[str, Any]],
    ) -> None:
        said = self.said = description.said
        self.name = name
        self.uses: frozenset[str] | None = None if said["uses"] is None else frozenset(said["uses"])
        self.code = (
            None
            if said["code"] is None
            else Code(said["code"]["sha256"], said["code"]["files"], Path(said["code"]["home"]))
        )
        self.uncounted: tuple[str, ...] = tuple(said["uncounted"])
        self.metrics: dict[str, Any] = said["metrics"]
        self._keys: list[str] | None = said["keys"]
        self._description = description
        self._ask = ask

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The options as the trainer's model writes them, with its defaults.

        Raises ConfigError, whose path leads from the options to what is wrong.
        """
        if self._keys is None:
            return dict(given)  # they may be anything
        text = json.dumps(given)
        answer = self._description.answers.get(text)
        if answer is None:
            answer = self._ask({"options": given})
            self._description.note(text, answer)
        if "options" in answer:
            return dict(answer["options"])
        raise self._refusal(given, answer["errors"])

    def _refusal(self, given: Mapping[str, Any], errors: list[dict[str, Any]]) -> ConfigError:
        # An unknown key says most: what is missing is usually what was misspelt.
        first = min(errors, key=lambda e: {"extra_forbidden": 0, "missing": 2}.get(e["type"], 1))
        path = tuple(first["loc"])
        name = ".".join(map(str, ("options", *path)))
        known = f" (allowed: {', '.join(self._keys)})" if self._keys else ""
        if first["type"] == "extra_forbidden":
            hint = did_you_mean(str(path[-1]), self._keys or ()) if len(path) == 1 else ""
            return ConfigError(path, f"trainer {self.name} has no option {path[-1]!r}{hint}{known}")
        if first["type"] == "missing":
            return ConfigError(path[:-1], f"{name} is missing, which trainer {self.name} needs")
        value: Any = given
        with suppress(KeyError, IndexError, TypeError):
            for key in path:
                value = value[key]
        said = shortened(one_line(str(first["msg"])), _SHOWN)
        several = ""
        whole = all(isinstance(key, str) for key in path)  # an axis leads to no item of a list
        if whole and isinstance(value, list) and first["type"] in _OF_ONE_VALUE:
            several = f"; {several_belong_in_grid(('options', *path))}"
        message = f"{name}: {shortened(repr(value), 80)} is not allowed: {said}{several}"
        return ConfigError(path, message)


class OwnTrainers:
    """The trainers that a spec names, each described when it is asked for.

    A context manager: the processes that describe them end with the block at the latest, and
    MOST_PROCESSES live at a time. `folders` are where modules are looked for that no package has.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = list(map(str, folders))
        self._search = search_path(folders)
        self._known: dict[str, OwnTrainer | ConfigError] = {}
        self._processes: dict[str, DescribingProcess] = {}  # the one that was asked last comes last

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with ExitStack() as stack:
            for process in self._processes.values():
                stack.enter_context(process)
        self._processes.clear()

    def __getitem__(self, name: str) -> OwnTrainer:
        """Raises ConfigError if it cannot be imported within SECONDS, or is no trainer.

        Raises ResourceError if no process can be started that imports it.
        """
        if name not in self._known:
            try:
                description = DESCRIPTIONS.find(name, self._search)
                if description is None:
                    description = DESCRIPTIONS.keep(name, self._search, self._described(name))
                self._known[name] = OwnTrainer(name, description, partial(self._ask, name))
            except ConfigError as error:
                self._known[name] = error
        found = self._known[name]
        if isinstance(found, ConfigError):
            raise found
        return found

    def known(self) -> list[OwnTrainer]:
        """Those that were described."""
        return [found for found in self._known.values() if isinstance(found, OwnTrainer)]

    def _described(self, name: str) -> dict[str, Any]:
        with ExitStack() as stack:
            process = stack.enter_context(DescribingProcess(name, self._search))
            said = process.ask({"trainer": name, "folders": self._folders})
            if "problem" in said:
                raise ConfigError((), said["problem"])
            if said["keys"] is not None:  # nobody asks the others for options
                self._keep(name, process)
                stack.pop_all()
            return said

    def _ask(self, name: str, request: Mapping[str, Any]) -> dict[str, Any]:
        if name not in self._processes:
            said, now = self[name].said, self._described(name)
            if now != said:
                raise ConfigError(
                    (), f"trainer {name} was edited while the spec was read; read it again"
                )
        with ExitStack() as stack:
            process = stack.enter_context(self._processes.pop(name))
            answer = process.ask(request)
            self._keep(name, process)
            stack.pop_all()
        return answer

    def _keep(self, name: str, process: DescribingProcess) -> None:
        self._processes[name] = process
        if len(self._processes) > MOST_PROCESSES:
            self._processes.pop(next(iter(self._processes))).end()
