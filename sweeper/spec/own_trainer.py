"""A spec's own trainer, described by a process in which it is imported."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

from sweep_plugins import did_you_mean
from sweep_plugins.plain_text import one_line, shortened
from sweep_plugins.source import Code
from trainers.errors import ConfigError

SECONDS = 120.0
"""That a trainer may take to be imported, or to look at options."""

_SHOWN = 300

_PROGRAM = "import sys; sys.path[:] = {path!r}; from trainers.own.describe import main; main()"


def module_folders(files: Sequence[str]) -> tuple[Path, ...]:
    """Where a user's own trainer may lie: beside the spec's files, or in the current folder."""
    return tuple(dict.fromkeys(_absolute(*(Path(file).parent for file in files), Path())))


def _absolute(*folders: Path) -> Iterator[Path]:
    """All but relative ones if the current folder is gone."""
    for folder in folders:
        with suppress(OSError):
            yield Path(os.path.abspath(folder))


class OwnTrainer:
    """What a trainer says of itself.

    Attributes:
        name: as the spec gives it.
        uses: the parts of a config that it asks for; None: those that the spec has.
        code: its files; None for one of this project.
        metrics: what it says of those that it reports.
    """

    def __init__(self, name: str, process: _Process, said: Mapping[str, Any]) -> None:
        self.name = name
        self.uses: frozenset[str] | None = None if said["uses"] is None else frozenset(said["uses"])
        self.code = (
            None
            if said["code"] is None
            else Code(said["code"]["sha256"], said["code"]["files"], Path(said["code"]["home"]))
        )
        self.metrics: dict[str, Any] = said["metrics"]
        self._keys: list[str] | None = said["keys"]
        self._process = process
        self._known: dict[str, dict[str, Any]] = {}

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The options as the trainer's model writes them, with its defaults.

        Raises ConfigError, whose path leads from the options to what is wrong.
        """
        text = json.dumps(given)
        if text not in self._known:
            self._known[text] = self._process.ask({"options": given})
        answer = self._known[text]
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
        return ConfigError(path, f"{name}: {shortened(repr(value), 80)} is not allowed: {said}")


class OwnTrainers:
    """The trainers that a spec names, each described when it is asked for.

    A context manager: the processes that describe them end with the block. `folders` are where
    modules are looked for that no package has.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = list(map(str, folders))
        self._known: dict[str, OwnTrainer | ConfigError] = {}
        self._ends = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._ends.close()

    def __getitem__(self, name: str) -> OwnTrainer:
        """Raises ConfigError if it cannot be imported within SECONDS, or is no trainer."""
        if name not in self._known:
            try:
                self._known[name] = self._described(name)
            except ConfigError as error:
                self._known[name] = error
        found = self._known[name]
        if isinstance(found, ConfigError):
            raise found
        return found

    def known(self) -> list[OwnTrainer]:
        """Those that were described."""
        return [found for found in self._known.values() if isinstance(found, OwnTrainer)]

    def _described(self, name: str) -> OwnTrainer:
        process = _Process(name)
        self._ends.callback(process.end)
        said = process.ask({"trainer": name, "folders": self._folders})
        if "problem" in said:
            raise ConfigError((), said["problem"])
        return OwnTrainer(name, process, said)


class _Process:
    """The process that imports the trainer; what it prints is kept for an error alone."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 (it is closed by `end`)
        requests, self._requests = os.pipe()
        self._answers, answers = os.pipe()
        self._rest = b""
        program = _PROGRAM.format(path=[str(folder) for folder in _absolute(*map(Path, sys.path))])
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", program, str(requests), str(answers)],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                pass_fds=(requests, answers),
                start_new_session=True,
            )
        finally:
            os.close(requests)
            os.close(answers)

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer. Raises ConfigError if there is none."""
        left = (json.dumps(request) + "\n").encode()
        with suppress(BrokenPipeError):
            while left:
                left = left[os.write(self._requests, left) :]
        deadline = time.monotonic() + SECONDS
        while b"\n" not in self._rest:
            seconds = deadline - time.monotonic()
            if seconds <= 0 or not select.select([self._answers], [], [], seconds)[0]:
                raise ConfigError((), f"trainer {self._name}: importing it took over {SECONDS:g} s")
            part = os.read(self._answers, 1 << 16)
            if not part:
                raise ConfigError((), self._death())
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _death(self) -> str:
        code = self._process.wait()
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
        self._output.seek(0)
        lines = self._output.read(1 << 20).decode(errors="replace").strip().splitlines()
        last = f": {shortened(one_line(lines[-1]), _SHOWN)}" if lines else ""
        return f"trainer {self._name} ended the process that imported it, with {how}{last}"

    def end(self) -> None:
        """At once, with all that the import has started."""
        os.close(self._requests)
        os.close(self._answers)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, 9)
        self._process.wait()
        self._output.close()
