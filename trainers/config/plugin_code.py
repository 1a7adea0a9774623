"""The plug-ins whose names a config has, and their code, which is part of what decides a result."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sweep_plugins import Registry
from sweep_plugins.source import Code
from trainers.config.evaluations import EVALUATIONS
from trainers.config.probes import PROBES
from trainers.config.run import RunConfig
from trainers.config.trainer_run import TrainerRun
from trainers.data.datasets import DATASETS
from trainers.models import MODELS

_REGISTRIES: dict[str, Registry[Any]] = {
    registry.kind: registry for registry in (MODELS, DATASETS, PROBES, EVALUATIONS)
}


def plugins_of(config: TrainerRun) -> dict[str, str]:
    """The SHA-256 of the code of the plug-ins that the run uses, by kind and name.

    Such as {"model plain": ...}; empty if all that it names ships with us. Raises PluginError.
    """
    return {
        f"{registry.kind} {name}": code.sha256
        for registry, name in _named(config)
        if (code := registry.code(name)) is not None
    }


def plugin_code(kind_and_name: str) -> Code | None:
    """The code of what is called "model plain"; None for what ships with us.

    Raises UnknownNameError, and PluginError.
    """
    kind, _, name = kind_and_name.partition(" ")
    return _REGISTRIES[kind].code(name)


def _named(config: TrainerRun) -> Iterator[tuple[Registry[Any], str]]:
    if isinstance(config, RunConfig):
        yield MODELS, config.model.name
    if config.dataset is not None:
        yield DATASETS, config.dataset.name
    if isinstance(config, RunConfig):
        for probe in config.probes or ():
            yield PROBES, probe.probe
