"""ILSVRC2012, the 1000 classes of ImageNet, or some of them, as a spec describes it."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from trainers.config.image_folder import ImageCounts
from trainers.config.views import CropConfig, ViewsConfig
from trainers.data.datasets import Dataset
from trainers.data.imagenet.reading import CLASSES, TRAIN_IMAGES, VALIDATION_IMAGES, ImageNet
from trainers.errors import ConfigError
from trainers.methods.booleans import Boolean
from trainers.methods.fractions import Whole

_WNID = re.compile(r"n\d{8}")
_CHANNELS = 3

_TRAIN_IMAGES_A_CLASS, _VALIDATION_IMAGES_A_CLASS = 1_300, 50
"""What planning counts with of a choice of classes, most of which have so many."""


class ImageNetConfig(ViewsConfig):
    """ILSVRC2012; where it lies, `trainers.data.imagenet.reading` says.

    Trained on parts of a random area and aspect, and tested on the centre, as ResNets are.

    Attributes:
        size: pixels a side of what the network is shown.
        classes: WordNet ids of those to use, in any order: labels are counted in the order of ids.
            None for all.
        images: the expected numbers of these classes, which are then checked. None for any.
        resize: as ViewsConfig; eight sevenths of the size unless given: 256 for 224.
    """

    name: Literal["imagenet"] = "imagenet"
    size: Whole = Field(default=224, ge=8, le=1024)
    classes: tuple[str, ...] | None = None
    images: ImageCounts | None = None
    crop: CropConfig | None = CropConfig()
    crop_padding: Whole = Field(default=0, ge=0, le=0)
    horizontal_flip: Boolean = True

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_dataset(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        for key in ("crop", "resize"):
            # Of a config in JSON what is None is left out, and what is left out has a default here.
            if key in data and data[key] is None:
                raise ConfigError(
                    key, f"{key} null cannot be had of imagenet: leave {key} out for the usual one"
                )
        size = data.get("size", 224)
        # Of one that is refused, no other option is to be named beside it.
        known = "resize" not in data and type(size) is int and 8 <= size <= 1024
        return {**data, "resize": size * 8 // 7} if known else data

    @field_validator("classes", mode="before")
    @classmethod
    def _are_wordnet_ids(cls, given: Any) -> Any:
        if given is None:
            return None
        if not isinstance(given, list | tuple) or len(given) < 2 or len(set(given)) < len(given):
            raise ConfigError(
                "classes",
                f"classes {given!r} are not two or more WordNet ids, none of them twice",
            )
        for wnid in given:
            if not (isinstance(wnid, str) and _WNID.fullmatch(wnid)):
                raise ConfigError(
                    "classes", f"classes: {wnid!r} is no WordNet id such as n01440764"
                )
        return tuple(sorted(given))

    @model_validator(mode="after")
    def _all_images_are_known(self) -> ImageNetConfig:
        if self.images is not None and self.classes is None:
            raise ConfigError(
                "images",
                "images is for a choice of classes; how many all 1000 have is known: remove it",
            )
        return self

    @property
    def image_size(self) -> int:
        """See ViewsConfig."""
        return self.size

    @property
    def facts(self) -> Dataset:
        """Of all classes, or of the chosen ones, whose counts are estimates without `images`."""
        counts = (TRAIN_IMAGES, VALIDATION_IMAGES)
        classes = CLASSES
        if self.classes is not None:
            classes = len(self.classes)
            counts = (_TRAIN_IMAGES_A_CLASS * classes, _VALIDATION_IMAGES_A_CLASS * classes)
        known = counts if self.classes is None else None
        if self.images is not None:
            counts = known = (self.images.train, self.images.test)
        return Dataset(
            classes=classes,
            channels=_CHANNELS,
            size=self.size,
            train_images=counts[0],
            test_images=counts[1],
            mean=(0.485, 0.456, 0.406),
            std=(0.229, 0.224, 0.225),
            crop_padding=0,
            horizontal_flip=True,
            read=ImageNet(
                self.train_view(),
                self.test_view(),
                classes=self.classes,
                images=known,
                reduce=self.reduce,
            ),
            estimated=known is None,
            top5=True,
        )
