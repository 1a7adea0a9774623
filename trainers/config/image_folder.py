"""A folder of images with a sub-folder for each class, as a spec describes it.

What planning needs stands in the spec, since the folder may be on other machines only: the size
that images are resized to, and the classes. What stands there is the run's identity, and is checked
when the folder is read; where the folder lies is not.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from trainers.config.views import ViewsConfig
from trainers.data.datasets import DATASETS, Dataset
from trainers.data.image_folder import ImageFolder
from trainers.errors import ConfigError
from trainers.methods.booleans import Boolean, boolean
from trainers.methods.fractions import Number, Whole

TRAIN_IMAGES_A_CLASS, TEST_IMAGES_A_CLASS = 1_000, 250
"""What planning counts with where a spec does not say how many images there are."""

_CHANNELS = 3


class ImageCounts(BaseModel):
    """How many images each part has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    train: Whole = Field(ge=1)
    test: Whole = Field(ge=1)


class ImageFolderConfig(ViewsConfig):
    """A folder of images; what is in it, `trainers.data.image_folder` says.

    Attributes:
        folder: below the data directory, e.g. "dogs_vs_cats".
        size: pixels a side that every image is resized to.
        classes: names of the sub-folders to use, in any order: labels are counted in the order of
            sorted names. Or how many there are, to use all.
        mean, std: for normalising pixels in [0, 1]; of each channel, or one number for all.
        images: the expected numbers, which are then checked. None for any number.
        content: SHA-256 of what `sha256sum` prints for all images, in the order of sorted paths;
            what is read must then have that. None for any content.
        crop_padding: an eighth of the size unless given, as CIFAR's 4 of 32 pixels; 0 with `crop`
            or `shorter_side`.
        in_memory: whether all images are decoded before training; None ("auto") for those of which
            that takes no more than `trainers.data.datasets.MOST_IN_MEMORY`. It changes no number.
        top5: whether the share of test images whose class is among five is reported.
        damaged: "skip" to leave images out that cannot be decoded; None ("fail") not to train then.
    """

    name: Literal["image_folder"] = "image_folder"
    folder: str = Field(max_length=255)
    size: Whole = Field(ge=8, le=1024)
    classes: tuple[str, ...] | Whole
    mean: tuple[Number, ...] = (0.5,) * _CHANNELS
    std: tuple[Number, ...] = (0.5,) * _CHANNELS
    images: ImageCounts | None = None
    content: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    crop_padding: Whole = Field(default=0, ge=0, le=64)
    horizontal_flip: Boolean = True
    in_memory: Boolean | None = None
    damaged: Literal["skip"] | None = None
    top5: Literal[True] | None = None

    @field_validator("in_memory", mode="before")
    @classmethod
    def _auto_is_none(cls, given: Any) -> Any:
        return None if given in (None, "auto") else boolean(given, "auto")

    @field_validator("top5", mode="before")
    @classmethod
    def _not_is_none(cls, given: Any) -> Any:
        return None if given is None else boolean(given) or None

    @field_validator("damaged", mode="before")
    @classmethod
    def _fail_is_none(cls, given: Any) -> Any:
        if given not in (None, "fail", "skip"):
            raise ConfigError("damaged", f"damaged {given!r} is neither 'fail' nor 'skip'")
        return None if given == "fail" else given

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_dataset(cls, data: Any) -> Any:
        return data

    @field_validator("folder")
    @classmethod
    def _lies_in_the_data_directory(cls, folder: str) -> str:
        path = PurePosixPath(folder)
        inside = path.parts and not path.is_absolute() and not {"..", "~"} & set(path.parts)
        if not inside or not folder.isprintable() or "\\" in folder:
            raise ConfigError(
                "folder",
                f"folder {folder!r} is not below the data directory: write dogs_vs_cats, for the"
                " folder of that name in there",
            )
        if str(path) in DATASETS:
            raise ConfigError(
                "folder", f"folder {folder!r} has the name of a dataset; rename the folder"
            )
        return str(path)

    @field_validator("classes", mode="before")
    @classmethod
    def _at_least_two(cls, classes: Any) -> Any:
        if type(classes) is int:
            if not 2 <= classes <= 100_000:
                raise ConfigError("classes", f"classes {classes} is none of 2 to 100000")
            return classes
        if not isinstance(classes, (list, tuple)) or not all(isinstance(c, str) for c in classes):
            raise ConfigError(
                "classes",
                f"classes {classes!r} are neither names of sub-folders nor how many there are",
            )
        for name in classes:
            if not name or "/" in name or name.startswith(".") or not name.isprintable():
                raise ConfigError("classes", f"classes: {name!r} is no name of a sub-folder")
        if len(set(classes)) < len(classes) or len(classes) < 2:
            raise ConfigError(
                "classes", f"classes {list(classes)} are not two or more, none of them twice"
            )
        # The order of labels is that of the names, so that one training has one identity.
        return tuple(sorted(classes))

    @field_validator("mean", "std", mode="before")
    @classmethod
    def _one_for_each_channel(cls, given: Any) -> Any:
        return (given,) * _CHANNELS if isinstance(given, (int, float, str)) else given

    @field_validator("mean", "std")
    @classmethod
    def _are_those_of_pixels(cls, given: tuple[float, ...]) -> tuple[float, ...]:
        if len(given) != _CHANNELS or not all(0 <= number <= 1 for number in given):
            raise ValueError(f"{list(given)} are not {_CHANNELS} numbers between 0 and 1")
        return given

    @field_validator("std")
    @classmethod
    def _divides(cls, std: tuple[float, ...]) -> tuple[float, ...]:
        if 0 in std:
            raise ConfigError("std", f"std {list(std)} has a 0, and pixels are divided by it")
        return std

    @model_validator(mode="after")
    def _padding_is_known(self) -> ImageFolderConfig:
        if "crop_padding" not in self.model_fields_set and not self.is_drawn:
            object.__setattr__(self, "crop_padding", self._usual_padding())
        return self

    @model_validator(mode="after")
    def _drawn_images_are_streamed(self) -> ImageFolderConfig:
        if self.in_memory and self.is_drawn:
            raise ConfigError(
                "in_memory",
                "in_memory true stands beside crop or shorter_side, which cut parts out of the"
                " files anew in each epoch: remove one",
            )
        return self

    @property
    def image_size(self) -> int:
        """See ViewsConfig."""
        return self.size

    def _usual_padding(self) -> int:
        return min(64, self.size // 8)

    @property
    def facts(self) -> Dataset:
        """As the spec has them; counts are estimates unless it has `images`."""
        classes = self.classes if isinstance(self.classes, int) else len(self.classes)
        counts = self.images or ImageCounts(
            train=TRAIN_IMAGES_A_CLASS * classes, test=TEST_IMAGES_A_CLASS * classes
        )
        return Dataset(
            classes=classes,
            channels=_CHANNELS,
            size=self.size,
            train_images=counts.train,
            test_images=counts.test,
            mean=self.mean,
            std=self.std,
            crop_padding=self._usual_padding(),
            horizontal_flip=True,
            read=self._reader,
            estimated=self.images is None,
            top5=bool(self.top5),
        )

    @property
    def _reader(self) -> ImageFolder:
        return ImageFolder(
            folder=self.folder,
            train_view=self.train_view(),
            test_view=self.test_view(),
            classes=self.classes,
            images=None if self.images is None else (self.images.train, self.images.test),
            content=self.content,
            in_memory=self.in_memory,
            skip_damaged=self.damaged == "skip",
            reduce=self.reduce,
        )

    @property
    def streams(self) -> bool:
        """See DatasetConfig."""
        facts = self.facts
        return self._reader.streams(facts.train_images + facts.test_images)

    @property
    def label(self) -> str:
        """The folder's name: several are several datasets."""
        return self.folder
