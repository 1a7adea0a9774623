"""The points that a spec leaves out: its `exclude`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from sweeper.spec.points import NAMED, ConfigPath, Point, Suggest, check_key
from sweeper.spec.source import SpecPath
from trainers.config.run import RunConfig
from trainers.config.trainer_run import TrainerRun
from trainers.errors import ConfigError


class Exclusions:
    """The entries of `exclude`.

    An entry covers a point if setting each of its values there would change nothing. So 5/9 and
    its decimal form, or a family's parameter and its coefficients, are the same to it. A list
    stands for any of its values.

    Raises ConfigError for an entry that is empty or has an unknown key.
    """

    def __init__(
        self,
        entries: list[dict[str, Any]],
        resolve: Callable[[Point], TrainerRun],
        suggest: Suggest,
    ) -> None:
        self._resolve = resolve
        self._entries = [
            [(name, _named_path(name, value), value) for name, value in entry.items()]
            for entry in entries
        ]
        self._used = [False] * len(entries)
        self._known: dict[tuple[ConfigPath, str, str], bool] = {}
        self._unfit: dict[tuple[int, str, int, str], ConfigError] = {}
        self._fits: set[tuple[int, str]] = set()
        self._errors: dict[tuple[int, str], ConfigError] = {}
        self._example: tuple[Point, TrainerRun] | None = None
        for index, entry in enumerate(entries):
            if not entry:
                raise ConfigError(("exclude", index), "an empty entry would exclude every run")
            for name in entry:
                place = ("exclude", index, name)
                check_key(place, name, "is not a key of the config", suggest)
        self._by_number = {path: self._index(path) for path in _WHOLE_NUMBERS}

    def _index(self, path: ConfigPath) -> dict[int | None, int]:
        """By number at `path`: the entries that may cover its points, entry i as bit i of a sum.

        By None those that may whatever is there.
        """
        others = (1 << len(self._entries)) - 1
        found: dict[int | None, int] = {}
        for index, entry in enumerate(self._entries):
            for name, at, value in entry:
                numbers = value if isinstance(value, list) else [value]
                if at == path and numbers and all(type(number) is int for number in numbers):
                    others &= ~(1 << index)
                    self._fits.add((index, name))
                    for number in set(numbers):
                        found[number] = found.get(number, 0) | 1 << index
        return {number: entries | others for number, entries in found.items()} | {None: others}

    def _candidates(self, config: TrainerRun) -> Iterator[int]:
        """The entries that may cover the point, in their order."""
        left = -1
        for path, number in zip(_WHOLE_NUMBERS, (config.seed, _depth(config)), strict=True):
            entries = self._by_number[path]
            left &= entries.get(number, entries[None])
        while left:
            lowest = left & -left
            yield lowest.bit_length() - 1
            left ^= lowest

    def cover(self, point: Point, config: TrainerRun) -> bool:
        """Whether an entry of `exclude` leaves out this point, whose config is given."""
        covered = False
        self._example = self._example or (point, config)
        surroundings: dict[str, str] = {}
        for index in self._candidates(config):
            if all(
                self._unchanged((index, name), path, value, point, config, surroundings)
                for name, path, value in self._entries[index]
            ):
                self._used[index] = covered = True
        return covered

    def _unchanged(
        self,
        key: tuple[int, str],
        path: ConfigPath,
        value: Any,
        point: Point,
        config: TrainerRun,
        surroundings: dict[str, str],
    ) -> bool:
        """Whether setting a value changes nothing.

        Args:
            surroundings: `_surroundings` of the point, by the first key of a path.
        """
        for number, alternative in enumerate(
            [value, *value] if isinstance(value, list) else [value]
        ):
            if path in _WHOLE_NUMBERS and type(alternative) is int:
                # These have one form only, so that nothing need be resolved to compare them.
                self._fits.add(key)
                if alternative == (config.seed if path == ("seed",) else _depth(config)):
                    return True
                continue
            if path[0] not in surroundings:
                surroundings[path[0]] = _surroundings(point, path)
            around = surroundings[path[0]]
            # An error names its own entry; everything else all entries of this value share.
            known, unfit = (path, _as_text(alternative), around), (*key, number, around)
            if known not in self._known and unfit not in self._unfit:
                changed = point.copy()
                try:
                    changed.set(path, alternative, ("exclude", *key))
                    self._known[known] = self._resolve(changed) == config
                except ConfigError as error:
                    self._unfit[unfit] = error
            if known not in self._known:
                # Not a value for this point; maybe for another.
                self._errors[key] = self._unfit[unfit]
                continue
            self._fits.add(key)
            if self._known[known]:
                return True
        return False

    def check_all_used(self, inherited: Callable[[SpecPath], bool]) -> None:
        """Raises ConfigError for an entry that has left out no point.

        Of those that were `inherited`, a spec with fewer points may need none.
        """
        for index, used in enumerate(self._used):
            if not used and not inherited(("exclude", index)):
                self._try_on_an_example(index)
                for key, error in self._errors.items():
                    if key[0] == index and key not in self._fits:
                        raise error
                entry = {name: value for name, _, value in self._entries[index]}
                raise ConfigError(
                    ("exclude", index), f"{entry} matches no point of the spec; remove it"
                )

    def _try_on_an_example(self, index: int) -> None:
        """Notes what is wrong with the values of an entry, which no point may have met."""
        for name, path, value in self._entries[index]:
            if self._example is not None and (index, name) not in self._fits:
                self._unchanged((index, name), path, value, *self._example, {})


def _depth(config: TrainerRun) -> int | None:
    return config.model.depth if isinstance(config, RunConfig) else None


_WHOLE_NUMBERS = (ConfigPath(("seed",)), ConfigPath(("model", "depth")))
_RESOLVED_TOGETHER = ("model", "scheme")


def _as_text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=repr)


def _surroundings(point: Point, path: ConfigPath) -> str:
    """What decides, together with a new value, whether setting it at `path` changes the config."""
    keys = _RESOLVED_TOGETHER if path[0] in _RESOLVED_TOGETHER else path[:1]
    return json.dumps([point.data.get(key) for key in keys], sort_keys=True)


def _named_path(name: str, value: Any) -> ConfigPath:
    path = ConfigPath.parse(name)
    values = value if isinstance(value, list) else [value]
    is_name = values and all(isinstance(v, str) for v in values)
    # A name alone excludes that model, dataset, ... with whatever options.
    return ConfigPath((*path, "name")) if path in NAMED and is_name else path
