"""How a spec describes ILSVRC2012."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from trainers.config.dataset import parse_dataset
from trainers.config.imagenet import ImageNetConfig
from trainers.config.run import RunConfig
from trainers.data.streaming.views import CentreView, RandomView

TWO = ["n01443537", "n01440764"]


def described(given: object) -> ImageNetConfig:
    config = parse_dataset(given)
    assert isinstance(config, ImageNetConfig)
    return config


def test_its_name_alone_is_the_usual_training_on_all_images() -> None:
    config = described("imagenet")
    facts = config.facts
    assert (facts.classes, facts.size, facts.channels) == (1000, 224, 3)
    assert (facts.train_images, facts.test_images, facts.estimated) == (1_281_167, 50_000, False)
    assert facts.mean == (0.485, 0.456, 0.406)
    assert facts.std == (0.229, 0.224, 0.225)
    assert facts.has_top5
    assert config == described({"name": "imagenet"})
    assert config.train_view() == RandomView(224, area=(0.08, 1), aspect=(3 / 4, 4 / 3))
    assert config.test_view() == CentreView(224, resize=256)
    assert config.label == "imagenet"


def test_the_shorter_side_goes_with_the_size() -> None:
    assert described({"name": "imagenet", "size": 112}).test_view() == CentreView(112, 128)
    given = described({"name": "imagenet", "size": 112, "resize": 160})
    assert given.test_view() == CentreView(112, 160)


def test_a_choice_of_classes_has_estimates_unless_it_says_how_many_images() -> None:
    facts = described({"name": "imagenet", "classes": TWO}).facts
    assert (facts.classes, facts.train_images, facts.test_images) == (2, 2600, 100)
    assert facts.estimated
    assert not facts.has_top5
    images = {"train": 2500, "test": 100}
    facts = described({"name": "imagenet", "classes": TWO, "images": images}).facts
    assert (facts.train_images, facts.test_images, facts.estimated) == (2500, 100, False)


def test_classes_in_any_order_are_one_training() -> None:
    def run_id(dataset: object) -> str:
        given = {"model": {"name": "zerosnet", "depth": 20}, "dataset": dataset, "seed": 0}
        return RunConfig.model_validate(given).run_id

    one = run_id({"name": "imagenet", "classes": TWO})
    assert one == run_id({"name": "imagenet", "classes": TWO[::-1], "resize": 256, "reduce": None})
    assert one != run_id({"name": "imagenet", "classes": TWO, "reduce": 256})
    assert one != run_id("imagenet")


def test_the_recipes_of_the_papers() -> None:
    zerosnet = {"name": "imagenet", "crop": {"area": [0.1, 1], "aspect": [0.8, 1.25]}}
    assert described(zerosnet).train_view() == RandomView(224, area=(0.1, 1), aspect=(0.8, 1.25))
    lm_resnet = described({"name": "imagenet", "shorter_side": [256, 480]})
    assert lm_resnet.train_view() == RandomView(224, area=(0.08, 1), shorter_side=(256, 480))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"classes": ["tench", "goldfish"]}, "'tench' is no WordNet id such as n01440764"),
        ({"classes": TWO[:1]}, "are not two or more WordNet ids"),
        ({"classes": [TWO[0], TWO[0]]}, "none of them twice"),
        ({"classes": 1000}, "are not two or more WordNet ids"),
        ({"images": {"train": 5, "test": 5}}, "how many all 1000 have is known: remove it"),
        ({"resize": 200}, "resize 200 is below size 224"),
        ({"size": 10_000}, "1 validation error(.|\\n)*less than or equal to 1024"),
        ({"reduce": 240}, "reduce 240 is below 256 pixels"),
        ({"reduce": 256, "shorter_side": [256, 480]}, "reduce 256 is below 480 pixels"),
        ({"crop_padding": 4}, "crop_padding"),
        ({"crop": None}, "crop null cannot be had of imagenet: leave crop out"),
        ({"resize": None}, "resize null cannot be had of imagenet: leave resize out"),
        ({"subset": 1_281_168}, "exceeds imagenet's 1281167 images"),
        ({"folder": "imagenet"}, "Extra inputs are not permitted"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        described({"name": "imagenet", **options})
