"""What a network is trained and tested on, as a spec writes it and a run's config keeps it."""

from __future__ import annotations

import pkgutil
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trainers.data.datasets import DATASETS, Dataset, fit_in_memory
from trainers.errors import ConfigError
from trainers.methods.booleans import Boolean
from trainers.methods.fractions import Whole


class DatasetConfig(BaseModel):
    """A dataset of DATASETS whose facts stand there; subclasses describe others.

    Attributes:
        subset: train on the first `subset` images of a fixed shuffle; None for all.
        crop_padding: pixels of zeros around the image before the random crop.
        horizontal_flip: mirror each training image with probability 1/2.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str
    subset: Whole | None = Field(default=None, ge=1)
    crop_padding: Whole = Field(ge=0, le=64)
    horizontal_flip: Boolean

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_dataset(cls, data: Any) -> Any:
        facts = _fixed_facts(data["name"])
        return {
            "crop_padding": facts.crop_padding,
            "horizontal_flip": facts.horizontal_flip,
            **data,
        }

    @model_validator(mode="after")
    def _subset_fits(self) -> DatasetConfig:
        facts = self.facts
        if facts.estimated:
            return self
        if self.subset is not None and self.subset > facts.train_images:
            raise ConfigError(
                "subset", f"subset {self.subset} exceeds {self.label}'s {facts.train_images} images"
            )
        if self.subset == facts.train_images:
            # Asking for all images by number is the same training as asking for all.
            object.__setattr__(self, "subset", None)
        return self

    @property
    def facts(self) -> Dataset:
        """What planning needs to know, and how it is read."""
        return _fixed_facts(self.name)

    @property
    def streams(self) -> bool:
        """Whether its images are read while a network trains, and not kept in memory.

        Of a plug-in's, for which nobody says so, if they would be too large.
        """
        facts = self.facts
        images = facts.train_images + facts.test_images
        return not fit_in_memory(images, facts.channels, facts.size)

    @property
    def label(self) -> str:
        """What reports call it."""
        return self.name


def parse_dataset(data: Any) -> DatasetConfig:
    """The config of a dataset from its name, or from a mapping with its name and options.

    Raises:
        pydantic.ValidationError: a key is missing, unknown, or has a bad value.
        UnknownNameError: no such dataset; the message has the nearest.
        ValueError: neither a name nor such a mapping.
    """
    if isinstance(data, DatasetConfig):
        return data
    if isinstance(data, str):
        data = {"name": data}
    if not isinstance(data, dict) or "name" not in data:
        raise ValueError(f"{data!r} is not a dataset: give its name, or {{name: ...}}")
    if not isinstance(data["name"], str):
        raise ConfigError("name", f"{data['name']!r} is not the name of a dataset")
    return config_class(data["name"]).model_validate(data)


def config_class(name: str) -> type[DatasetConfig]:
    """What the options of this dataset are validated by; raises UnknownNameError."""
    entry = DATASETS[name]
    if isinstance(entry, Dataset):
        return DatasetConfig
    config = entry.config
    described: type[DatasetConfig] = (
        pkgutil.resolve_name(config) if isinstance(config, str) else config
    )
    return described


def _fixed_facts(name: str) -> Dataset:
    entry = DATASETS[name]
    assert isinstance(entry, Dataset)
    return entry
