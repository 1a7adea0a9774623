"""The points that a spec leaves out: its `exclude`."""

from __future__ import annotations

import json
from typing import Any

from sweeper.spec.points import NAMED, ConfigPath, Point, check_key, resolve
from trainers.config.run import RunConfig
from trainers.errors import ConfigError


class Exclusions:
    """The entries of `exclude`.

    An entry covers a point if setting each of its values there would change nothing. So 5/9 and
    its decimal form, or a family's parameter and its coefficients, are the same to it. A list
    stands for any of its values.

    Raises ConfigError for an entry that is empty or has an unknown key.
    """

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        self._entries = [
            [(name, _named_path(name, value), value) for name, value in entry.items()]
            for entry in entries
        ]
        self._used = [False] * len(entries)
        self._known: dict[tuple[int, str, int, str], bool | ConfigError] = {}
        self._fits: set[tuple[int, str]] = set()
        self._errors: dict[tuple[int, str], ConfigError] = {}
        for index, entry in enumerate(entries):
            if not entry:
                raise ConfigError(("exclude", index), "an empty entry would exclude every run")
            for name in entry:
                check_key(("exclude", index, name), name, "is not a key of the config")

    def cover(self, point: Point, config: RunConfig) -> bool:
        """Whether an entry of `exclude` leaves out this point, whose config is given."""
        covered = False
        for index, entry in enumerate(self._entries):
            if all(
                self._unchanged((index, name), path, value, point, config)
                for name, path, value in entry
            ):
                self._used[index] = covered = True
        return covered

    def _unchanged(
        self, key: tuple[int, str], path: ConfigPath, value: Any, point: Point, config: RunConfig
    ) -> bool:
        for number, alternative in enumerate(
            [value, *value] if isinstance(value, list) else [value]
        ):
            if path in _WHOLE_NUMBERS and type(alternative) is int:
                # These have one form only, so that nothing need be resolved to compare them.
                self._fits.add(key)
                if alternative == (config.seed if path == ("seed",) else config.model.depth):
                    return True
                continue
            around = (*key, number, _surroundings(point, path))
            if around not in self._known:
                changed = point.copy()
                try:
                    changed.set(path, alternative, ("exclude", *key))
                    self._known[around] = resolve(changed) == config
                except ConfigError as error:
                    self._known[around] = error
            same = self._known[around]
            if isinstance(same, ConfigError):
                # Not a value for this point; maybe for another.
                self._errors[key] = same
                continue
            self._fits.add(key)
            if same:
                return True
        return False

    def check_all_used(self) -> None:
        """Raises SpecError for an entry that has left out no point."""
        for index, used in enumerate(self._used):
            if not used:
                for key, error in self._errors.items():
                    if key[0] == index and key not in self._fits:
                        raise error
                entry = {name: value for name, _, value in self._entries[index]}
                raise ConfigError(
                    ("exclude", index), f"{entry} matches no point of the spec; remove it"
                )


_WHOLE_NUMBERS = (("seed",), ("model", "depth"))
_RESOLVED_TOGETHER = ("model", "scheme")


def _surroundings(point: Point, path: ConfigPath) -> str:
    """What decides, together with a new value, whether setting it at `path` changes the config."""
    keys = _RESOLVED_TOGETHER if path[0] in _RESOLVED_TOGETHER else path[:1]
    return json.dumps([point.data.get(key) for key in keys], sort_keys=True)


def _named_path(name: str, value: Any) -> ConfigPath:
    path = ConfigPath.parse(name)
    values = value if isinstance(value, list) else [value]
    is_name = values and all(isinstance(v, str) for v in values)
    # A name alone excludes that model or dataset with whatever options.
    return ConfigPath((*path, "name")) if name in NAMED and is_name else path
