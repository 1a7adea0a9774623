"""A spec with everything that holds of it, and where each value comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sweeper.settings.names import DEFAULTS
from sweeper.settings.resolve import Settings
from sweeper.spec.axis_edits import axes_in
from sweeper.spec.plain_data import as_text
from sweeper.spec.points import CONFIG_KEYS, NAMED, ConfigPath
from sweeper.spec.source import SpecPath
from sweeper.spec.spec import Spec
from sweeper.spec.yaml_text import WIDTH, lines_of
from trainers.config.canonical import json_value
from trainers.config.run import RunConfig
from trainers.config.trainer_run import TrainerRun

BY_DEFAULT = "default"

_MISSING = object()
_NARROWEST_VALUE = 24


@dataclass(frozen=True)
class Resolved:
    """The spec that means the same, without defaults and files that it extends.

    Attributes:
        spec: as data; loading it gives the same runs.
        origins: of each value by its path: a file and line, a `--set`, or "default".
        settings: what else holds for `sweep run`, each with "value" and "origin".
    """

    spec: dict[str, Any]
    origins: dict[SpecPath, str]
    settings: dict[str, dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """With paths joined by dots."""
        origins = {".".join(map(str, path)): origin for path, origin in self.origins.items()}
        return {"spec": self.spec, "origins": origins, "settings": self.settings}

    def to_yaml(self) -> str:
        """The spec, with origins as comments, and settings as comments after it."""
        lines = [(text, self.origins.get(path, "")) for text, path in lines_of(self.spec)]
        lines += [("", ""), ("# what else holds for sweep run:", "")]
        lines += [
            (f"# {name}: {as_text(setting['value'])}", setting["origin"])
            for name, setting in self.settings.items()
        ]
        room = WIDTH - 4 - max(len(origin) for _, origin in lines)
        column = min(max(len(text) for text, _ in lines), max(room, _NARROWEST_VALUE))
        return "".join(f"{_with_comment(text, origin, column)}\n" for text, origin in lines)


def _with_comment(text: str, origin: str, column: int) -> str:
    if not origin:
        return text
    line = f"{text:{column}}  # {origin}"
    if len(line) <= WIDTH:
        return line
    # The comment before it, as far in.
    indent = text[: len(text) - len(text.lstrip())]
    return f"{indent}# {origin}:\n{text}"


def resolved(spec: Spec, settings: Settings) -> Resolved:
    """What holds of the spec, and for running it."""
    return Resolved(*_Filled(spec).whole(), _settings(settings))


def _settings(settings: Settings) -> dict[str, dict[str, Any]]:
    from results.database.url import parse_address

    home = settings.home
    said = {
        "home": str(home.folder),
        "db": parse_address(home.database).shown,
        "storage": home.storage,
    }
    return {
        name: {
            "value": said.get(name, settings.values[name]),
            "origin": settings.origins[name],
        }
        for name in DEFAULTS
    }


class _Filled:
    """The data of a spec, to which defaults are added."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._source = spec.merged
        self._axes = {ConfigPath.parse(axis) for axis in axes_in(spec.merged.data)}
        self._data: dict[str, Any] = {}
        self._origins: dict[SpecPath, str] = {}

    def whole(self) -> tuple[dict[str, Any], dict[SpecPath, str]]:
        given = {key: at for key, at in self._source.data.items() if at is not None}
        self._data["name"] = self._spec.name
        named = given.pop("name", None) is not None
        self._origins["name",] = self._said(("name",)) if named else "the file's name"
        for key in ("description", "published"):
            if key in given:
                self._add((key,), given.pop(key))
        defaults = _shared_config(self._spec.configs)
        for key in CONFIG_KEYS:
            value = given.pop(key, _MISSING)
            if key == "depth":
                default: Any = _MISSING
            elif key == "model" and "depth" in self._source.data:
                default = {k: at for k, at in defaults.get(key, {}).items() if k != "depth"}
            else:
                default = defaults.get(key, _MISSING)
            self._add((key,), value, default)
        for key in ("grid", "zip", "include", "exclude", "evaluations"):
            if given.get(key):
                self._add((key,), given[key])
            given.pop(key, None)
        execution = {
            "resources": self._spec.resources,
            "files": self._spec.file_limits,
            "faults": self._spec.faults,
        }
        for key, model in execution.items():
            self._add((key,), given.get(key, _MISSING), model.model_dump(mode="json"))
        return self._data, self._origins

    def _add(self, path: SpecPath, given: Any, default: Any = _MISSING) -> None:
        filled = self._filled(path, given, default)
        if filled is not _MISSING:
            self._data[str(path[0])] = filled

    def _filled(self, path: SpecPath, given: Any, default: Any) -> Any:
        """The value, with origins noted; _MISSING for none, or where an axis sets it."""
        if path[0] in CONFIG_KEYS and ConfigPath.parse(".".join(map(str, path))) in self._axes:
            return _MISSING
        if path in NAMED and isinstance(given, str):
            self._origins[*path, "name"] = self._said(path)
            given = {"name": given}
        if isinstance(given, dict) and path != ("scheme",):
            defaults = default if isinstance(default, dict) else {}
            found = {}
            for key in dict.fromkeys((*given, *defaults)):
                inner = self._filled(
                    (*path, key), given.get(key, _MISSING), defaults.get(key, _MISSING)
                )
                if inner is not _MISSING:
                    found[key] = inner
            return found
        if given is not _MISSING and given is not None:
            self._origins.setdefault(path, self._said(path))
            return given
        if isinstance(default, dict) and path != ("scheme",):
            return self._filled(path, {}, default) if default else _MISSING
        if default is not _MISSING:
            self._origins[path] = BY_DEFAULT
        return default

    def _said(self, path: SpecPath) -> str:
        place = self._source.place(path)
        return place.file if place.line is None else f"{place.file}:{place.line}"


def _shared_config(configs: Sequence[TrainerRun]) -> dict[str, Any]:
    """What all of these have in common, as a spec would write it."""
    found: dict[str, Any] = {}
    for part in CONFIG_KEYS:
        if part in RunConfig.model_fields:
            parts = [getattr(config, part, None) for config in configs]
            distinct = {id(value): value for value in parts}  # many runs share one object
            shared = _common([json_value(value) for value in distinct.values()])
            if part == "scheme" and (len(distinct) > 1 or "learned" in (shared or ())):
                continue  # it is one value, and a learned one is written in another way
            if shared is not _MISSING and shared is not None:
                found[part] = shared
    return found


def _common(values: Sequence[Any]) -> Any:
    first, *others = values
    if all(other == first for other in others):
        return first
    if not all(isinstance(value, Mapping) for value in values):
        return _MISSING
    if any(value.get("name") != first.get("name") for value in others):
        return _MISSING
    both = {key: _common([value.get(key, _MISSING) for value in values]) for key in first}
    return {key: value for key, value in both.items() if value is not _MISSING}
