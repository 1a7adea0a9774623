"""What the configs of an archive say of its runs and evaluations, against what its rows say.

A run's id is the hash of its config, and what is known of a run before it is trained follows from
the config: so neither has to be believed. The same holds for an evaluation, its name and level.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

from results.run_columns import IDENTIFYING, NAMED_KEYS
from sweep_plugins import PluginError, UnknownNameError
from sweeper.planning.plan import facts_of_scheme
from trainers.config.canonical import identity_of_json
from trainers.config.dataset import parse_dataset
from trainers.config.evaluations import EVALUATIONS, KEYS, stored_evaluation
from trainers.methods.scheme_config import SchemeConfig

_Row = dict[str, Any]
T = TypeVar("T")


def check_run(row: _Row) -> None:
    """Raises ValueError unless the id is the hash of the config, and what identifies the run is so.

    A model or dataset that this installation lacks is taken as the archive has it.
    """
    config = row["config"]
    _check_identity("run", row["run_id"], config)
    for column in IDENTIFYING:
        said, expected = row[column.name], _at(config, str(column.config_path))
        if column.name == "dataset":
            expected = _dataset(expected, config)
        if column.name != "scheme" and expected is not None and said != expected:
            raise ValueError(
                f"run {row['run_id']} has {column.name} {said!r:.80}, and its config says"
                f" {expected!r:.80}"
            )
    epochs = _at(config, "training.epochs")
    if epochs is not None and row["epochs"] != epochs:
        raise ValueError(
            f"run {row['run_id']} has {row['epochs']} epochs, and its config says {epochs!r:.80}"
        )


def complete_run(row: _Row) -> _Row:
    """The row with what follows from its scheme, which need not be believed.

    What follows from a scheme of another version is taken as the archive has it.
    """
    return row | (_facts_of_scheme(json.dumps(row["config"].get("scheme"))) or {})


def check_evaluation(row: _Row) -> None:
    """Raises ValueError unless id, name, kind and level are those of the config.

    One of a kind that this installation lacks must at least not be called as one that it has.
    """
    config, name = row["config"], row["name"]
    _check_identity("evaluation", row["evaluation_id"], config)
    try:
        known = stored_evaluation(config)
        expected = {"name": known.name, "kind": known.kind, "level": known.level}
    except (ValueError, TypeError, RecursionError):
        kinds = [config[key] for key in KEYS if key in config]
        taken = name.partition("[")[0] in EVALUATIONS.own or name in NAMED_KEYS
        if kinds != [row["kind"]] or taken or not name:
            raise ValueError(
                f"evaluation {row['evaluation_id']} is called {name!r:.80}, of the kind"
                f" {row['kind']!r:.80}, and its config is of no evaluation of that name"
            ) from None
        return
    for column, value in expected.items():
        if row[column] != value:
            raise ValueError(
                f"evaluation {row['evaluation_id']} has the {column} {row[column]!r:.80}, and its"
                f" config says {value!r}"
            )


def _check_identity(what: str, given: str, config: Mapping[str, Any]) -> None:
    try:
        found = identity_of_json(config)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{what} {given} has a config that no id stands for ({error})") from None
    if found != given:
        raise ValueError(
            f"{what} {given} is not what its config says: the config's hash, which is the id, is"
            f" {found}"
        )


def _at(config: Any, path: str) -> Any:
    """What the config has at this path; None if there is nothing."""
    for key in path.split("."):
        if not isinstance(config, dict) or key not in config:
            return None
        config = config[key]
    return config


def _dataset(name: Any, config: Mapping[str, Any]) -> Any:
    """What reports call the dataset of this config."""
    label = _label_of_dataset(json.dumps(config.get("dataset")))
    return name if label is None else label


@lru_cache(maxsize=1 << 10)
def _label_of_dataset(dataset: str) -> str | None:
    return _attempt(lambda: parse_dataset(json.loads(dataset)).label)


@lru_cache(maxsize=1 << 10)
def _facts_of_scheme(scheme: str) -> _Row | None:
    """What follows from the scheme in this JSON; None if it is none that is known here."""
    given = json.loads(scheme)
    return _attempt(
        lambda: facts_of_scheme(None if given is None else SchemeConfig.model_validate(given))
    )


def _attempt(made: Callable[[], T]) -> T | None:
    """What is made of a part of a config; None for one of another version or plug-in."""
    try:
        return made()
    except (PluginError, UnknownNameError, ValueError, TypeError, RecursionError, ArithmeticError):
        return None
