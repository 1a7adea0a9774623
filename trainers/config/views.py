"""What of an image a network is shown, as a spec says it of images that have any size."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator, model_validator

from trainers.config.dataset import DatasetConfig
from trainers.config.frozen import Frozen
from trainers.data.streaming.views import CentreView, RandomView, View
from trainers.errors import ConfigError
from trainers.methods.fractions import Number, Whole

_LARGEST_SIDE = 4096
_MOST_EXTREME_ASPECT = 1_000


class CropConfig(Frozen):
    """Parts of a random area and aspect (Szegedy et al. 2015), each resized to the square.

    Attributes:
        area: least and largest part of the image's area.
        aspect: least and largest ratio of width to height; its logarithm is uniform.
    """

    area: tuple[Number, Number] = (0.08, 1.0)
    aspect: tuple[Number, Number] = (3 / 4, 4 / 3)

    @field_validator("area", "aspect")
    @classmethod
    def _is_a_range(cls, given: tuple[float, float]) -> tuple[float, float]:
        if not 0 < given[0] <= given[1]:
            raise ValueError(f"{list(given)} is no range of numbers above 0: the smaller one first")
        return given

    @field_validator("area")
    @classmethod
    def _is_inside(cls, area: tuple[float, float]) -> tuple[float, float]:
        if area[1] > 1:
            raise ConfigError("area", f"area {list(area)} goes beyond 1, the whole image")
        return area

    @field_validator("aspect")
    @classmethod
    def _is_of_images(cls, aspect: tuple[float, float]) -> tuple[float, float]:
        if aspect[0] < 1 / _MOST_EXTREME_ASPECT or aspect[1] > _MOST_EXTREME_ASPECT:
            raise ConfigError(
                "aspect",
                f"aspect {list(aspect)} goes beyond 1/{_MOST_EXTREME_ASPECT} to"
                f" {_MOST_EXTREME_ASPECT}, more than images have",
            )
        return aspect


class ViewsConfig(DatasetConfig):
    """A dataset of images of any size; subclasses say where they lie.

    Attributes:
        crop: train on parts that are drawn anew for each image and epoch; None not to.
        shorter_side: least and largest number of pixels, of which one is drawn for each image and
            epoch: its shorter side is resized to that before a part is cut out, of the network's
            size unless `crop` says otherwise. None not to.
        resize: the shorter side, in pixels, that test images, and with `crop` or `shorter_side`
            those for validation, are resized to before their centre is cut out; None to resize the
            largest centred square.
        reduce: the shorter side, in pixels, that larger images are reduced to before anything else;
            `sweep pack` keeps them so. None not to.
    """

    crop: CropConfig | None = None
    shorter_side: tuple[Whole, Whole] | None = None
    resize: Whole | None = Field(default=None, ge=8, le=_LARGEST_SIDE)
    reduce: Whole | None = Field(default=None, ge=8, le=_LARGEST_SIDE)

    @field_validator("shorter_side", mode="before")
    @classmethod
    def _one_is_both(cls, given: Any) -> Any:
        return (given, given) if isinstance(given, int) else given

    @field_validator("shorter_side")
    @classmethod
    def _is_a_range(cls, given: tuple[int, int] | None) -> tuple[int, int] | None:
        if given is not None and not 1 <= given[0] <= given[1] <= _LARGEST_SIDE:
            raise ConfigError(
                "shorter_side",
                f"shorter_side {list(given)} is no range of pixels from 1 to {_LARGEST_SIDE}",
            )
        return given

    @property
    def is_drawn(self) -> bool:
        """Whether what is trained on is cut out of images of any size, anew in each epoch."""
        return self.crop is not None or self.shorter_side is not None

    @property
    def streams(self) -> bool:
        """See DatasetConfig."""
        return True

    @property
    def image_size(self) -> int:
        """Pixels a side of what the network is shown."""
        return self.facts.size

    def train_view(self) -> View:
        """What is seen of a training image."""
        if not self.is_drawn:
            return CentreView(self.image_size, reduce=self.reduce)
        crop = self.crop
        return RandomView(
            self.image_size,
            area=None if crop is None else crop.area,
            aspect=CropConfig().aspect if crop is None else crop.aspect,
            shorter_side=self.shorter_side,
            flip=self.horizontal_flip,
            reduce=self.reduce,
        )

    def test_view(self) -> View:
        """What is seen of any other image."""
        return CentreView(self.image_size, self.resize, self.reduce)

    @model_validator(mode="after")
    def _views_fit(self) -> ViewsConfig:
        size = self.image_size
        if self.is_drawn and "crop_padding" not in self.model_fields_set:
            object.__setattr__(self, "crop_padding", 0)
        if self.is_drawn and self.crop_padding:
            raise ConfigError(
                "crop_padding",
                f"crop_padding {self.crop_padding} stands beside crop or shorter_side, which cut"
                " parts out of the images themselves: remove one",
            )
        if self.crop is None and self.shorter_side is not None and self.shorter_side[0] < size:
            raise ConfigError(
                "shorter_side",
                f"shorter_side {list(self.shorter_side)} begins below size {size}: no part of that"
                " size could be cut out",
            )
        if self.resize is not None and self.resize < size:
            raise ConfigError(
                "resize", f"resize {self.resize} is below size {size}, which is cut out of it"
            )
        largest = self.shorter_side[1] if self.shorter_side else 0
        needed = max(size, self.resize or 0, largest)
        if self.reduce is not None and self.reduce < needed:
            raise ConfigError(
                "reduce",
                f"reduce {self.reduce} is below {needed} pixels, to which images would be enlarged"
                " again by size, resize or shorter_side",
            )
        return self
