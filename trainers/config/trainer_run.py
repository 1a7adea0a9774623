"""TrainerRun: what decides a run's numbers, whoever trains it, and nothing else.

Its hash is the run's identity, so what does not change a result (resources, paths, the sweep's
name, evaluations) has no place here.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cache, cached_property
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, SerializeAsAny, field_validator, model_validator

from trainers.config.canonical import SHA256, canonical, identity, json_value
from trainers.config.dataset import DatasetConfig, parse_dataset
from trainers.config.frozen import Frozen
from trainers.config.trainers import BUILT_IN_TRAINER, TRAINER_NAME, check_trainer
from trainers.config.training import TrainingConfig
from trainers.errors import ConfigError
from trainers.methods.fractions import Whole

RECIPE_VERSION = 1
"""Raised whenever the same config would give other numbers than before."""


class TrainerRun(Frozen):
    """The resolved config of one run of any trainer.

    Attributes:
        trainer: its name, or "module:function".
        options: its own, as the trainer's class of options writes them, or as the spec gives them.
        source: the SHA-256 of its code; None for the code of this project.
        plugins: the SHA-256 of the code of each plug-in whose name the config has, such as
            "model plain"; None if there are none.
        dataset, training: for a trainer that asks for them.
    """

    recipe_version: Whole = RECIPE_VERSION
    trainer: Annotated[str, AfterValidator(check_trainer)] = Field(pattern=TRAINER_NAME)
    options: dict[str, Any] | None = None
    source: str | None = Field(default=None, pattern=SHA256)
    plugins: dict[str, Annotated[str, Field(pattern=SHA256)]] | None = None
    dataset: SerializeAsAny[DatasetConfig] | None = None
    training: TrainingConfig | None = None
    seed: Whole = Field(ge=0, lt=2**53)

    @field_validator("recipe_version")
    @classmethod
    def _recipe_is_known(cls, version: int) -> int:
        if version != RECIPE_VERSION:
            raise ConfigError(
                "recipe_version",
                f"recipe_version {version} is not {RECIPE_VERSION}, the one this version trains by",
            )
        return version

    @field_validator("dataset", mode="before")
    @classmethod
    def _config_of_the_dataset(cls, data: Any) -> DatasetConfig | None:
        return None if data is None else parse_dataset(data)

    @field_validator("options", "plugins", mode="before")
    @classmethod
    def _nothing_is_none(cls, given: Any) -> Any:
        # One form for nothing: the one that is left out of the identity.
        return None if given == {} else given

    @model_validator(mode="after")
    def _trains_in_one_process(self) -> Self:
        if self.processes > 1 and self.trainer != BUILT_IN_TRAINER:
            raise ConfigError(
                ("training", "data_parallel"),
                f"trainer {self.trainer} trains in one process: remove data_parallel, which is for"
                f" {BUILT_IN_TRAINER}; it may itself use several GPUs of a machine: resources.gpus",
            )
        return self

    def to_json(self) -> dict[str, Any]:
        """The canonical form: what is None is left out, so a new option with a neutral None
        changes no identity.
        """
        return copy.deepcopy(self.shared_json())

    def shared_json(self) -> dict[str, Any]:
        """As `to_json`, with parts that other runs have too: not to be changed."""
        return {
            key: json_value(value)
            for key in _keys(type(self))
            if (value := getattr(self, key)) is not None
        }

    @cached_property
    def run_id(self) -> str:
        """16 hex digits of the SHA-256 over the canonical JSON (RFC 8785)."""
        before, after = self._around_seed
        return identity(before + canonical(self.seed) + after)

    @cached_property
    def _around_seed(self) -> tuple[bytes, bytes]:
        """The canonical JSON before and after the value of the seed: keys in order, no spaces."""
        given = [
            (key, value) for key in _keys(type(self)) if (value := getattr(self, key)) is not None
        ]
        items = [
            f'"{key}":'.encode() + (b"" if key == "seed" else canonical(value))
            for key, value in given
        ]
        position = [key for key, _ in given].index("seed") + 1
        before, after = b",".join(items[:position]), b",".join([b"", *items[position:]])
        return b"{" + before, after + b"}"

    @property
    def processes(self) -> int:
        """How many train it together."""
        return 1 if self.training is None else self.training.processes

    def with_seed(self, seed: int) -> Self:
        """The same training from another seed.

        Raises ValueError if it is no whole number from 0 to 2**53 - 1.
        """
        if not (type(seed) is int and 0 <= seed < 2**53):
            raise ValueError(f"seed {seed!r} is no whole number from 0 to 2**53 - 1")
        # Known once, it is known to the copy too: it does not depend on the seed.
        _ = self._around_seed
        copied = self.model_copy(update={"seed": seed})
        copied.__dict__.pop("run_id", None)
        return copied

    @property
    def code(self) -> dict[str, str]:
        """The SHA-256 of the code of its trainer and of its plug-ins, by kind and name."""
        of_trainer = {} if self.source is None else {f"trainer {self.trainer}": self.source}
        return of_trainer | (self.plugins or {})

    def with_code(self, code: Mapping[str, str]) -> Self:
        """The same training by other code, as `code` has it; what that lacks is not known."""
        trainer = f"trainer {self.trainer}"
        plugins = {name: sha256 for name, sha256 in code.items() if name != trainer}
        update = {"source": code.get(trainer), "plugins": plugins or None}
        copied = self.model_copy(update=update)
        for known in ("run_id", "_around_seed"):
            copied.__dict__.pop(known, None)
        return copied


@cache
def _keys(config: type[TrainerRun]) -> list[str]:
    return sorted(config.model_fields)
