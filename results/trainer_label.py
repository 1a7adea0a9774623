"""What a run of somebody's own trainer is called, where no network is known."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from results.json_values import leaves
from sweep_plugins.plain_text import shortened

MOST_COMPARED = 500
"""Runs of a sweep are compared with so many of it: the first by id, as good as drawn by chance."""

_LONGEST = 100
_SAID_APART = {"recipe_version", "source", "plugins", "trainer", "seed"}


class Label(NamedTuple):
    """`short` tells a run from the others of its sweep: what varies there, and the seed.

    `rest` is what they have in common; it may be empty.
    """

    short: str
    rest: str

    def __str__(self) -> str:
        return f"{self.short} ({self.rest})" if self.rest else self.short


class TrainerLabels:
    """The labels of runs of one sweep, such as "lr 0.1, seed 0 (fit:train, epochs 3)".

    Args:
        configs: of some of its runs. What a run has otherwise than these is told of it too.
    """

    def __init__(self, configs: Iterable[Mapping[str, Any]]) -> None:
        known = [_settings(config) for config in configs]
        self._usual = known[0] if known else {}
        self._varied = {
            path
            for settings in known
            for path in settings.keys() | self._usual.keys()
            if _differ(settings, self._usual, path)
        }

    def label(self, config: Mapping[str, Any], seed: int) -> Label:
        """Of a run of the sweep."""
        settings = _settings(config)
        apart: list[str] = []
        shared: list[str] = []
        for path, value in settings.items():
            varies = path in self._varied or _differ(settings, self._usual, path)
            (apart if varies else shared).append(_said(path, value))
        rest = shortened(", ".join(shared), _LONGEST)
        return Label(", ".join([*apart, f"seed {seed}"]), rest)


def trainer_label(config: Mapping[str, Any]) -> str:
    """The trainer with its options, such as "fit:train alpha 0.1, epochs 3"."""
    options = leaves(config.get("options") or {})
    said = ", ".join(_said(path, value) for path, value in options.items())
    return f"{config.get('trainer')} {shortened(said, _LONGEST)}".rstrip()


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """By path, the trainer under none: its name says what it is."""
    known = {key: value for key, value in config.items() if key not in _SAID_APART}
    options = known.pop("options", None) or {}
    return {"": config.get("trainer")} | leaves(options) | leaves(known)


def _differ(one: Mapping[str, Any], other: Mapping[str, Any], path: str) -> bool:
    return (path in one) != (path in other) or one.get(path) != other.get(path)


def _said(path: str, value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"{path} {shortened(text, _LONGEST)}".lstrip()
