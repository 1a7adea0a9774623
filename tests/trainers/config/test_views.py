"""What a spec says of images that have any size."""

from typing import Any

import pytest
from pydantic import ValidationError

from trainers.config.dataset import parse_dataset
from trainers.config.image_folder import ImageFolderConfig
from trainers.config.run import RunConfig
from trainers.data.image_folder import ImageFolder
from trainers.data.streaming.views import CentreView, RandomView

PETS = {"name": "image_folder", "folder": "pets", "size": 32, "classes": ["cat", "dog"]}


def config_of(**options: Any) -> ImageFolderConfig:
    config = parse_dataset({**PETS, **options})
    assert isinstance(config, ImageFolderConfig)
    return config


@pytest.mark.parametrize(
    ("options", "train", "test"),
    [
        ({}, CentreView(32), CentreView(32)),
        ({"resize": 40}, CentreView(32), CentreView(32, 40)),
        ({"crop": {}}, RandomView(32, area=(0.08, 1)), CentreView(32)),
        (
            {"crop": {"area": [0.1, 1], "aspect": ["4/5", "5/4"]}, "horizontal_flip": False},
            RandomView(32, area=(0.1, 1), aspect=(0.8, 1.25), flip=False),
            CentreView(32),
        ),
        (
            {"shorter_side": [40, 60], "resize": 40},
            RandomView(32, shorter_side=(40, 60)),
            CentreView(32, 40),
        ),
        (
            {"shorter_side": 16, "crop": {"area": [0.5, 0.5]}},
            RandomView(32, area=(0.5, 0.5), shorter_side=(16, 16)),
            CentreView(32),
        ),
    ],
)
def test_options_say_what_a_network_is_shown(
    options: dict[str, Any], train: object, test: object
) -> None:
    config = config_of(**options)
    assert (config.train_view(), config.test_view()) == (train, test)
    read = config.facts.read
    assert isinstance(read, ImageFolder)
    assert (read.train_view, read.test_view) == (train, test)
    assert config.crop_padding == (0 if isinstance(train, RandomView) else 4)
    assert parse_dataset(config.model_dump(mode="json", exclude_none=True)) == config


def test_neutral_options_are_no_part_of_an_id(small: Any) -> None:
    def run_id(**changes: Any) -> str:
        return RunConfig.model_validate(small(dataset={**PETS, **changes})).run_id

    neutral = {
        "in_memory": "auto", "damaged": "fail", "crop": None, "shorter_side": None, "resize": None
    }  # fmt: skip
    assert run_id(**neutral) == run_id()
    others = [
        {"in_memory": True}, {"in_memory": False}, {"damaged": "skip"}, {"resize": 40},
        {"crop": {}}, {"crop": {"area": [0.1, 1]}}, {"shorter_side": 40},
        {"shorter_side": [40, 41]},
    ]  # fmt: skip
    assert len({run_id(), *(run_id(**other) for other in others)}) == len(others) + 1
    assert run_id(crop={}) == run_id(crop={"area": [0.08, 1], "aspect": ["3/4", "4/3"]})
    assert run_id(shorter_side=40) == run_id(shorter_side=[40, 40], crop_padding=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop": {"area": [1, 0.1]}}, "is no range"),
        ({"crop": {"area": [0, 1]}}, "is no range"),
        ({"crop": {"area": [0.1, 1.5]}}, "goes beyond 1"),
        ({"crop": {"aspect": [-1, 1]}}, "is no range"),
        ({"crop": {"size": 3}}, "size"),
        ({"crop": {}, "crop_padding": 4}, "crop_padding 4 stands beside crop or shorter_side"),
        ({"crop": {}, "in_memory": True}, "in_memory true stands beside crop"),
        ({"shorter_side": [20, 40]}, "begins below size 32"),
        ({"shorter_side": [60, 40]}, "is no range of pixels"),
        ({"shorter_side": 10_000}, "is no range of pixels"),
        ({"resize": 31}, "resize 31 is below size 32"),
        ({"in_memory": "yes"}, "is none of true, false and auto"),
        ({"damaged": "ignore"}, "neither 'fail' nor 'skip'"),
        ({"crop": {"aspect": [1e-300, 1]}}, "beyond 1/1000 to 1000"),
        ({"crop": {"aspect": [1, 1e308]}}, "beyond 1/1000 to 1000"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        config_of(**options)
