"""The settings in which runs of a plan differ, beyond the columns that every plan has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import to_jsonable_python

from results.json_values import leaves
from trainers.config.run import RunConfig
from trainers.config.trainer_run import TrainerRun

#: Parts of a config that a plan shows anyway, or that say nothing by themselves.
_SHOWN = {
    *("recipe_version", "source", "plugins"),
    *("scheme", "seed", "model.name", "model.depth", "dataset.name"),
}

Settings = dict[str, Any]


def varying_settings(configs: Sequence[TrainerRun]) -> list[Settings]:
    """For each config its settings that others do not share, by path (`training.epochs`).

    A model's options are compared among runs of that model. A setting that a run lacks is left
    out. Empty dicts if models, schemes, depths, datasets and seeds are all that varies.
    """
    # Runs share their parts: a hundred thousand of them have few that differ, even as objects.
    columns: list[list[int]] = []
    noted: dict[int, Settings] = {}
    for part in RunConfig.model_fields.keys() - _SHOWN:
        values = [getattr(config, part, None) for config in configs]
        distinct = {id(value): value for value in values}
        if len(distinct) > 1:
            noted |= _what_varies(part, distinct)
            columns.append([id(value) for value in values])
    known: dict[tuple[int, ...], Settings] = {}
    found = []
    for parts in zip(*columns, strict=True) if columns else ((),) * len(configs):
        if parts not in known:
            merged = {path: v for one in parts for path, v in noted.get(one, {}).items()}
            known[parts] = dict(sorted(merged.items()))
        found.append(known[parts])
    return found


def _what_varies(part: str, distinct: Mapping[int, Any]) -> dict[int, Settings]:
    """Of each value of this part of a config, by its id, what not all of them have."""
    flat = {key: _flat(part, value) for key, value in distinct.items()}
    groups: dict[Any, list[Settings]] = {}
    for settings in flat.values():
        groups.setdefault(settings.get("model.name"), []).append(settings)
    varied = {
        model: {
            path
            for settings in group
            for path in settings.keys() | group[0].keys()
            if settings.get(path) != group[0].get(path)
        }
        - _SHOWN
        for model, group in groups.items()
    }
    return {
        key: {
            path: at for path, at in settings.items() if path in varied[settings.get("model.name")]
        }
        for key, settings in flat.items()
    }


def _flat(part: str, value: Any) -> Settings:
    plain = to_jsonable_python(value, exclude_none=True)
    return {path: at for path, at in leaves({part: plain}).items() if at is not None}
