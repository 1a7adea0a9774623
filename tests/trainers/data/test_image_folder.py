"""Folders of images, on small JPEG and PNG files made here."""

import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from trainers.config.dataset import parse_dataset
from trainers.config.image_folder import ImageFolderConfig
from trainers.config.run import RunConfig
from trainers.data import image_folder_listing, loading
from trainers.data.decoding import decoded
from trainers.data.image_folder import ImageFolder
from trainers.data.image_folder_listing import FORMATS
from trainers.data.loading import load
from trainers.data.streaming.views import CentreView
from trainers.errors import DatasetMissingError
from trainers.run import evaluate_stored, run
from trainers.storage import open_folder

PETS = {"name": "image_folder", "folder": "pets", "size": 8, "classes": ["cat", "dog"]}
COLOURS = {"ant": (0, 0, 250), "cat": (250, 0, 0), "dog": (0, 250, 0)}


@pytest.fixture(autouse=True)
def _nothing_is_loaded(monkeypatch):
    monkeypatch.setattr(loading, "_loaded", {})


def write(path, colour=(10, 20, 30), size=(20, 12), **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, **how)


def fill(folder, counts=None):
    """Images of one colour a class: {"train/cat": 3} makes cat/0.jpg, cat/1.png, cat/2.jpg."""
    counts = counts or {"train/cat": 5, "train/dog": 4, "test/cat": 2, "test/dog": 3}
    for place, count in counts.items():
        for number in range(count):
            colour = COLOURS[place.split("/")[-1]]
            shade = tuple(max(0, level - 5 * number) for level in colour)
            write(folder / place / f"{number}.{('jpg', 'png')[number % 2]}", shade)


def reader(size=8, **changes):
    view = CentreView(size)
    given = {"folder": "pets", "train_view": view, "test_view": view, "classes": ("cat", "dog")}
    return ImageFolder(**given | changes)


def decode(encoded, size):
    return CentreView(size).of(decoded(encoded, tuple(FORMATS.values())), None, 0)


def hidden(folder):
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


class TestLayouts:
    def test_train_and_test_folders_become_the_splits(self, tmp_path):
        fill(tmp_path / "pets")
        train, test = reader()(tmp_path)
        assert train.images.shape == (9, 3, 8, 8)
        assert train.labels.tolist() == [0] * 5 + [1] * 4
        assert test.labels.tolist() == [0] * 2 + [1] * 3
        for split in (train, test):
            for image, label in zip(split.images, split.labels, strict=True):
                # Cats are red and dogs are green.
                assert image.mean((1, 2)).argmax() == label
        # In the order of names: each number is a shade darker.
        assert np.abs(train.images[:5, 0, 0, 0] - [250, 245, 240, 235, 230]).max() <= 2

    def test_class_names_are_sorted_as_text(self, tmp_path):
        for shade, name in [(40, "10.png"), (80, "2.png"), (120, "B.png"), (160, "a.png")]:
            write(tmp_path / "pets/train/cat" / name, (shade, 0, 0))
        fill(tmp_path / "pets", {"train/dog": 1, "test/cat": 1, "test/dog": 1})
        train, _ = reader()(tmp_path)
        assert train.images[:4, 0, 0, 0].tolist() == [40, 80, 120, 160]

    def test_classes_by_number_are_all_classes(self, tmp_path):
        fill(tmp_path / "pets")
        by_name, by_number = reader()(tmp_path), reader(classes=2)(tmp_path)
        for one, other in zip(by_name, by_number, strict=True):
            assert np.array_equal(one.images, other.images)
            assert np.array_equal(one.labels, other.labels)

    def test_a_subset_of_classes_is_numbered_from_0(self, tmp_path):
        places = [f"{part}/{name}" for part in ("train", "test") for name in COLOURS]
        fill(tmp_path / "pets", dict.fromkeys(places, 2))
        train, test = reader(classes=("ant", "dog"))(tmp_path)
        assert train.labels.tolist() == test.labels.tolist() == [0, 0, 1, 1]
        assert train.images.mean((2, 3)).argmax(1).tolist() == [2, 2, 1, 1]  # blue, green
        assert [len(split) for split in reader(classes=3)(tmp_path)] == [6, 6]

    def test_files_that_are_no_images_are_ignored(self, tmp_path):
        fill(tmp_path / "pets")
        for name in ("Thumbs.db", "notes.txt", ".hidden.jpg", "._0.jpg"):
            (tmp_path / "pets/train/cat" / name).write_bytes(b"nothing to see")
        (tmp_path / "pets/README.md").write_text("pets")
        (tmp_path / "pets/train/.cache").mkdir()
        write(tmp_path / "pets/train/cat/UPPER.JPG", format="JPEG")
        train, _ = reader(classes=2)(tmp_path)
        assert len(train) == 10

    def test_a_class_can_be_called_train(self, tmp_path):
        for name in ("car", "train"):
            for number in range(20):
                write(tmp_path / "pets" / name / f"{number}.png")
        assert sum(map(len, reader(classes=("car", "train"))(tmp_path))) == 40


class TestFixedSplit:
    def test_the_fixed_split_depends_on_each_images_path(self, tmp_path):
        fill(tmp_path / "pets", {"cat": 40, "dog": 40})
        train, test = reader()(tmp_path)
        assert len(train) + len(test) == 80
        expected = {"cat": 0, "dog": 0}
        for name in expected:
            for number in range(40):
                path = f"{name}/{number}.{('jpg', 'png')[number % 2]}"
                first = hashlib.sha256(path.encode()).hexdigest()[:16]
                expected[name] += int(first, 16) / 16**16 < 0.2
        assert np.bincount(test.labels).tolist() == list(expected.values())
        assert expected == {"cat": 10, "dog": 10}  # pinned: other figures are other results

    def test_the_fixed_split_puts_a_fifth_into_the_test_set(self):
        test = sum(
            image_folder_listing._is_test(f"cat/cat.{number}.jpg") for number in range(12_500)
        )
        assert test == 2_491  # of 2,500, with a standard deviation of 45

    def test_adding_an_image_does_not_move_others_between_splits(self, tmp_path):
        fill(tmp_path / "pets", {"cat": 30, "dog": 30})
        before = reader()(tmp_path)
        write(tmp_path / "pets/cat/another.png", (1, 2, 3))
        after = reader()(tmp_path)
        for split, more in zip(before, after, strict=True):
            kept = [image.tobytes() for image in more.images]
            assert all(image.tobytes() in kept for image in split.images)


class TestDecoding:
    def encoded(self, image, tmp_path, suffix=".png", **how):
        path = tmp_path / f"image{suffix}"
        image.save(path, **how)
        return path.read_bytes()

    def test_a_png_of_the_right_size_is_unchanged(self, tmp_path):
        pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        made = decode(self.encoded(Image.fromarray(pixels), tmp_path), 8)
        assert made.dtype == np.uint8
        assert np.array_equal(made, pixels.transpose(2, 0, 1))

    @pytest.mark.parametrize("wide", [True, False])
    def test_images_are_cropped_to_the_largest_centred_square(self, tmp_path, wide):
        pixels = np.zeros((8, 24, 3), dtype=np.uint8)
        pixels[:, :8], pixels[:, 8:16], pixels[:, 16:] = 50, 100, 200
        pixels[:4, 8:16] = 110
        pixels = pixels if wide else pixels.transpose(1, 0, 2)
        made = decode(self.encoded(Image.fromarray(np.ascontiguousarray(pixels)), tmp_path), 8)
        half = [110] * 4 + [100] * 4
        seen = made[0] if wide else made[0].T
        assert seen.T.tolist() == [half] * 8

    def test_shrinking_an_image_averages_pixels(self, tmp_path):
        # A chessboard of single pixels is grey from afar.
        board = np.indices((64, 64)).sum(0) % 2 * 255
        made = decode(self.encoded(Image.fromarray(board.astype(np.uint8)), tmp_path), 8)
        assert np.abs(made.astype(int) - 127).max() <= 8

    def test_small_images_are_enlarged(self, tmp_path):
        made = decode(self.encoded(Image.new("RGB", (3, 2), (9, 8, 7)), tmp_path), 16)
        assert made.reshape(3, -1).T.tolist() == [[9, 8, 7]] * 256

    @pytest.mark.parametrize(
        ("mode", "colour", "seen"),
        [
            ("L", 77, (77, 77, 77)),
            ("1", 1, (255, 255, 255)),
            ("LA", (77, 10), (77, 77, 77)),
            ("RGBA", (10, 20, 30, 0), (10, 20, 30)),
            ("P", 0, (0, 0, 0)),
        ],
    )
    def test_every_image_mode_becomes_rgb(self, tmp_path, mode, colour, seen):
        made = decode(self.encoded(Image.new(mode, (9, 9), colour), tmp_path), 8)
        assert made[:, 0, 0].tolist() == list(seen)

    def test_a_palette_image_with_transparency_is_decoded(self, tmp_path):
        image = Image.new("P", (9, 9), 1)
        image.putpalette([0, 0, 0, 10, 20, 30])
        made = decode(self.encoded(image, tmp_path, transparency=bytes([0, 128])), 8)
        assert made[:, 0, 0].tolist() == [10, 20, 30]

    def test_a_cmyk_jpeg_is_decoded(self, tmp_path):
        image = Image.new("CMYK", (9, 9), (0, 255, 255, 0))
        made = decode(self.encoded(image, tmp_path, ".jpg"), 8)
        assert made[:, 0, 0] == pytest.approx([255, 0, 0], abs=6)

    def test_an_image_of_too_many_pixels_is_refused(self, tmp_path, monkeypatch):
        encoded = self.encoded(Image.new("RGB", (9, 9)), tmp_path)
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
        with pytest.raises(ValueError, match=r"DecompressionBombError: Image size \(81 pixels"):
            decode(encoded, 8)

    def test_images_of_more_than_8_bits_are_refused(self, tmp_path):
        image = Image.fromarray(np.full((9, 9), 40_000, dtype=np.uint16))
        with pytest.raises(ValueError, match="more than 8 bits"):
            decode(self.encoded(image, tmp_path), 8)


class TestProblems:
    def problem(self, data_dir, **changes):
        with pytest.raises(DatasetMissingError) as caught:
            reader(**changes)(data_dir)
        assert "'image_folder'" in str(caught.value)
        assert str(data_dir / "pets") in str(caught.value)
        return str(caught.value)

    def test_a_missing_image_folder_is_named(self, tmp_path):
        message = self.problem(tmp_path)
        assert f"there is no folder {tmp_path / 'pets'}" in message
        assert "classes cat, dog: in train/ and test/, or without these" in message
        assert "each of the 37 classes" in self.problem(tmp_path, classes=37)

    def test_a_missing_class_is_named(self, tmp_path):
        fill(tmp_path / "pets")
        message = self.problem(tmp_path, classes=("cat", "emu"))
        assert "for each of the classes cat, emu, and has 2: cat, dog" in message
        shutil.rmtree(tmp_path / "pets/test/dog")
        assert "test should have" in self.problem(tmp_path)

    def test_a_different_number_of_classes_is_refused(self, tmp_path):
        fill(tmp_path / "pets")
        assert "each of the 3 classes, and has 2: cat, dog" in self.problem(tmp_path, classes=3)

    def test_train_and_test_with_different_classes_are_refused(self, tmp_path):
        fill(tmp_path / "pets", {"train/cat": 1, "train/dog": 1, "test/cat": 1, "test/ant": 1})
        assert "other classes in test/" in self.problem(tmp_path, classes=2)

    def test_train_without_test_is_refused(self, tmp_path):
        fill(tmp_path / "pets", {"train/cat": 1, "train/dog": 1})
        assert "and has 1: train" in self.problem(tmp_path)

    def test_a_class_without_images_is_refused(self, tmp_path):
        fill(tmp_path / "pets")
        for file in (tmp_path / "pets/test/dog").iterdir():
            file.unlink()
        assert f"{Path('test/dog')} has no image (.bmp" in self.problem(tmp_path)

    def test_too_few_images_to_split_are_refused(self, tmp_path):
        fill(tmp_path / "pets", {"cat": 1, "dog": 1})
        assert "has 2 images, and no test image among them" in self.problem(tmp_path)

    def test_a_different_number_of_images_is_refused(self, tmp_path):
        fill(tmp_path / "pets")
        assert len(reader(images=(9, 5))(tmp_path)[0]) == 9
        message = self.problem(tmp_path, images=(9, 6))
        assert "9 training and 5 test images, where the spec expects 9 and 6" in message

    @pytest.mark.parametrize(
        ("name", "damage"),
        [
            ("0.jpg", lambda content: content[: len(content) // 2]),
            ("0.jpg", lambda content: b""),
            ("0.jpg", lambda content: b"<html>not found</html>"),
            ("1.png", lambda content: content[:60]),
            ("1.png", lambda content: content[:40] + b"\xff" * 20 + content[60:]),
            ("1.png", lambda content: content[:16] + b"\xff" * 4 + content[20:]),
        ],
    )
    def test_a_damaged_image_is_named(self, tmp_path, name, damage):
        fill(tmp_path / "pets")
        path = tmp_path / "pets/train/dog" / name
        path.write_bytes(damage(path.read_bytes()))
        message = self.problem(tmp_path)
        assert f"1 of 14 images are damaged: {path} (" in message
        assert "object at" not in message
        assert hidden(tmp_path) == []

    @pytest.mark.parametrize(
        ("make", "said"),
        [
            (os.mkfifo, "is a named pipe, not a file"),
            (lambda path: path.symlink_to("/dev/zero"), "is a device, not a file"),
            (lambda path: path.symlink_to("nowhere"), "cannot be read (No such file or directory)"),
            (lambda path: path.symlink_to(path.name), "cannot be read (Too many levels of"),
            (lambda path: path.mkdir(), "is a folder, not a file"),
            (lambda path: socket.socket(socket.AF_UNIX).bind(str(path)), "is a socket, not a file"),
            (
                lambda path: path.open("wb").truncate(2**40),
                "is too large: it has 1,099,511,627,776 bytes, where at most 268,435,456 are read",
            ),
        ],
    )
    def test_what_is_no_file_is_one_error_of_the_dataset(self, tmp_path, make, said):
        fill(tmp_path / "pets")
        for name in ("x.png", "y.jpg"):
            make(tmp_path / "pets/train/dog" / name)
        message = self.problem(tmp_path)
        assert f"2 of 16 images are none: {tmp_path}/pets/train/dog/x.png {said}" in message

    def test_an_image_is_read_as_what_its_suffix_says_and_nothing_else(self, tmp_path):
        fill(tmp_path / "pets")
        path = tmp_path / "pets/train/dog/0.png"
        write(path, format="EPS")  # Pillow would start Ghostscript for it
        assert f"{path} (it is no PNG that Pillow can read)" in self.problem(tmp_path)
        write(path, format="JPEG")
        assert f"{path} (it is no PNG that Pillow can read)" in self.problem(tmp_path)
        path.rename(path.with_suffix(".JPEG"))
        assert len(reader()(tmp_path)[0]) == 10

    def test_a_pipe_in_the_place_of_the_cache_is_passed_over(self, tmp_path):
        fill(tmp_path / "pets")
        reader()(tmp_path)
        (cache,) = tmp_path.glob(".pets-*")
        cache.unlink()
        os.mkfifo(cache)
        assert len(reader()(tmp_path)[0]) == 9

    def test_damaged_images_are_all_counted_in_one_error(self, tmp_path):
        fill(tmp_path / "pets", {"cat": 20, "dog": 20})
        for path in (tmp_path / "pets/cat").iterdir():
            path.write_bytes(b"")
        assert "20 of 40 images are damaged" in self.problem(tmp_path)

    def test_content_with_another_hash_than_the_spec_is_refused(self, tmp_path):
        fill(tmp_path / "pets")
        message = self.problem(tmp_path, content="0" * 64)
        (found,) = set(re.findall(r"\b[0-9a-f]{64}\b", message)) - {"0" * 64}
        assert len(reader(content=found)(tmp_path)[0]) == 9
        write(tmp_path / "pets/train/dog/0.jpg", (1, 2, 3))
        assert "other images than the spec expects" in self.problem(tmp_path, content=found)

    @pytest.mark.skipif(shutil.which("sha256sum") is None, reason="sha256sum is not installed")
    def test_the_content_hash_matches_the_documented_command(self, tmp_path):
        fill(tmp_path / "pets")
        write(tmp_path / "pets/train/cat/a b é.png")
        write(tmp_path / "pets/train/cat/Z.png")
        page = Path(__file__).parents[3] / "docs" / "specs.md"
        (command,) = (
            line.strip() for line in page.read_text().splitlines() if "xargs -0 sha256sum" in line
        )
        printed = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path / "pets", capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        reader(content=printed[:64])(tmp_path)


class TestKeptDecoded:
    def test_a_folder_is_decoded_once(self, tmp_path, monkeypatch):
        fill(tmp_path / "pets")
        first = reader()(tmp_path)
        assert len(hidden(tmp_path)) == 1
        monkeypatch.setattr(image_folder_listing, "decoded", None)
        again = reader()(tmp_path)
        for one, other in zip(first, again, strict=True):
            assert np.array_equal(one.images, other.images)
            assert np.array_equal(one.labels, other.labels)

    def test_the_cache_of_decoded_images_depends_on_everything_that_affects_pixels(self, tmp_path):
        fill(tmp_path / "pets")
        before = reader()(tmp_path)[0].images
        assert reader(size=12)(tmp_path)[0].images.shape[-1] == 12
        path = tmp_path / "pets/train/cat/0.jpg"
        write(path, (0, 0, 200))
        os.utime(path, (0, 0))
        after = reader()(tmp_path)[0].images
        assert not np.array_equal(before[0], after[0])
        assert np.array_equal(before[1:], after[1:])
        path.unlink()
        assert len(reader()(tmp_path)[0]) == 8
        assert len(hidden(tmp_path)) == 4

    @pytest.mark.parametrize(
        "damage",
        [
            lambda content: b"",
            lambda content: content[:-30],
            lambda content: content[:400] + b"\x01\x02\x03" + content[403:],
            lambda content: b"PK\x03\x04 something else",
        ],
    )
    def test_a_damaged_cache_file_is_recreated(self, tmp_path, damage):
        fill(tmp_path / "pets")
        before = reader()(tmp_path)[0].images
        (name,) = hidden(tmp_path)
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(damage(whole))
        assert np.array_equal(reader()(tmp_path)[0].images, before)
        assert (tmp_path / name).read_bytes() == whole

    def test_an_unwritable_data_folder_disables_the_cache(self, tmp_path, monkeypatch):
        def full(*_arguments, **_options):
            raise OSError(28, "No space left on device")

        fill(tmp_path / "pets")
        monkeypatch.setattr(np, "savez", full)
        assert len(reader()(tmp_path)[0]) == 9
        assert hidden(tmp_path) == []

    def test_a_process_reads_an_image_folder_once(self, tmp_path, monkeypatch):
        fill(tmp_path / "pets")
        config = parse_dataset(PETS)
        first = load("image_folder", tmp_path, config.facts)
        (tmp_path / "pets").rename(tmp_path / "elsewhere")
        # Other padding and normalisation, but the same pixels.
        same = parse_dataset({**PETS, "mean": 0.4, "crop_padding": 3, "subset": 4})
        assert load("image_folder", tmp_path, same.facts) is first
        with pytest.raises(DatasetMissingError):
            load("image_folder", tmp_path, parse_dataset({**PETS, "size": 9}).facts)
        with pytest.raises(ValueError, match="read-only"):
            first[0].images[0] = 1


class TestConfig:
    def test_defaults_of_an_image_folder_are_written_out(self):
        config = parse_dataset(PETS)
        assert type(config) is ImageFolderConfig
        assert config.model_dump(mode="json", exclude_none=True) == {
            "name": "image_folder",
            "folder": "pets",
            "size": 8,
            "classes": ["cat", "dog"],
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
            "crop_padding": 1,
            "horizontal_flip": True,
        }

    def test_image_folder_facts_come_from_the_spec(self):
        facts = parse_dataset({**PETS, "mean": ["1/2", 0.4, 0.3], "size": 64}).facts
        assert (facts.classes, facts.channels, facts.size, facts.crop_padding) == (2, 3, 64, 8)
        assert (facts.train_images, facts.test_images, facts.estimated) == (2_000, 500, True)
        assert facts.mean == (0.5, 0.4, 0.3)
        counted = parse_dataset({**PETS, "classes": 37, "images": {"train": 90, "test": 10}}).facts
        assert (counted.classes, counted.train_images, counted.test_images) == (37, 90, 10)
        assert not counted.estimated

    def test_equivalent_image_folder_options_have_one_run_id(self, small):
        def run_id(**changes):
            return RunConfig.model_validate(small(dataset={**PETS, **changes})).run_id

        spellings = [
            {"classes": ["dog", "cat"]},
            {"folder": "./pets/"},
            {"mean": 0.5, "std": ["1/2", 0.5, 0.5]},
            {"crop_padding": 1, "horizontal_flip": True, "subset": None, "images": None},
        ]
        assert {run_id(**spelling) for spelling in spellings} == {run_id()}
        assert run_id() == "b84f604801400570"
        others = [
            {"folder": "more/pets"},
            {"size": 9},
            {"classes": 2},
            {"classes": ["cat", "dog", "emu"]},
            {"mean": 0.4},
            {"std": 0.4},
            {"images": {"train": 9, "test": 5}},
            {"images": {"train": 9, "test": 6}},
            {"content": "a" * 64},
            {"subset": 8},
            {"crop_padding": 2},
            {"horizontal_flip": False},
        ]
        assert len({run_id(), *(run_id(**other) for other in others)}) == len(others) + 1

    def test_an_image_folder_config_round_trips_through_json(self, small):
        config = RunConfig.model_validate(
            small(dataset={**PETS, "images": {"train": 9, "test": 5}, "content": "b" * 64})
        )
        again = RunConfig.model_validate(config.to_json())
        assert again == config
        assert again.run_id == config.run_id
        assert RunConfig.model_validate(config.model_dump()) == config
        assert again.with_seed(3).run_id != config.run_id

    def test_a_full_image_folder_subset_is_no_subset_if_the_size_is_given(self):
        counted = {**PETS, "images": {"train": 9, "test": 5}}
        assert parse_dataset({**counted, "subset": 9}) == parse_dataset(counted)
        with pytest.raises(ValidationError, match="subset 10 exceeds pets's 9 images"):
            parse_dataset({**counted, "subset": 10})
        assert parse_dataset({**PETS, "subset": 10_000}).subset == 10_000

    def test_two_image_folders_are_two_datasets_in_a_report(self):
        assert parse_dataset(PETS).label == "pets"
        assert parse_dataset("digits").label == "digits"

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"folder": "/srv/pets"}, "folder '/srv/pets' is not below the data directory"),
            ({"folder": "../pets"}, "folder '../pets' is not below"),
            ({"folder": "a/../../pets"}, "not below"),
            ({"folder": "."}, "not below"),
            ({"folder": ""}, "not below"),
            ({"folder": "~/pets"}, "not below"),
            ({"folder": "a\0b"}, "not below"),
            ({"folder": "cifar10"}, "has the name of a dataset"),
            ({"size": 7}, "greater than or equal to 8"),
            ({"size": 2.5}, "size"),
            ({"classes": ["cat"]}, "not two or more"),
            ({"classes": ["cat", "dog", "cat"]}, "none of them twice"),
            ({"classes": 1}, "classes 1 is none of 2"),
            ({"classes": True}, "classes True are neither"),
            ({"classes": [0, 1]}, r"classes \[0, 1\] are neither names"),
            ({"classes": "cat"}, "neither names"),
            ({"classes": ["a/b", "c"]}, "'a/b' is no name"),
            ({"classes": ["..", "c"]}, r"'\.\.' is no name"),
            ({"mean": [0.5, 0.5]}, "are not 3 numbers"),
            ({"mean": 1.5}, "are not 3 numbers between 0 and 1"),
            ({"std": [0.5, 0.5, 0]}, "has a 0"),
            ({"std": True}, "std"),
            ({"images": {"train": 9}}, "test"),
            ({"images": {"train": 0, "test": 1}}, "train"),
            ({"content": "abc"}, "content"),
            ({"claases": 2}, "claases"),
            ({"name": "digits"}, "folder"),
        ],
    )
    def test_invalid_image_folder_options_are_refused(self, changes, message):
        with pytest.raises(ValidationError, match=message):
            parse_dataset({**PETS, **changes})

    @pytest.mark.parametrize("missing", ["folder", "size", "classes"])
    def test_options_needed_for_planning_an_image_folder_are_required(self, missing):
        with pytest.raises(ValidationError, match=missing) as caught:
            parse_dataset({key: value for key, value in PETS.items() if key != missing})
        assert caught.value.error_count() == 1

    def test_planning_an_image_folder_needs_no_pillow(self):
        code = (
            "import sys; from trainers.config.dataset import parse_dataset\n"
            f"parse_dataset({PETS!r}).facts\n"
            "sys.exit(repr({'torch', 'torchvision', 'PIL'} & set(sys.modules)))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.stderr.strip() == "set()"


class TestRuns:
    def config(self, small, **changes):
        return small(dataset={**PETS, **changes}, training={"epochs": 8, "batch_size": 8})

    def test_a_network_learns_colours_from_an_image_folder(self, small, tmp_path):
        fill(tmp_path / "pets", {"cat": 40, "dog": 40})
        config = self.config(small)
        folder = open_folder(tmp_path / "run")
        asked = [{"noise": "gaussian", "std": 0.1}, {"attack": "fgsm", "epsilon": "8/255"}]
        result = run(config, asked, data_dir=tmp_path, folder=folder)
        assert result["test_accuracy"] == 100
        assert result["parameters"] == RunConfig.model_validate(config).parameters
        again = evaluate_stored(config, asked, data_dir=tmp_path, folders=[folder])
        assert again == result["evaluations"]

    def test_the_location_of_an_image_folder_does_not_change_the_result(self, small, tmp_path):
        config = self.config(small)
        weights = set()
        for place in ("here", "there"):
            fill(tmp_path / place / "pets")
            weights.add(run(config, data_dir=tmp_path / place)["weights_sha256"])
        assert len(weights) == 1

    def test_a_run_trains_on_a_subset_of_a_folder(self, small, tmp_path):
        fill(tmp_path / "pets")
        result = run(self.config(small, subset=4), data_dir=tmp_path)
        assert result["epochs"][-1]["train_loss"] is not None
        with pytest.raises(ValueError, match="a subset has 1 to 9 training images, not 10"):
            run(self.config(small, subset=10), data_dir=tmp_path)

    def test_a_missing_image_folder_fails_before_training(self, small, tmp_path):
        with pytest.raises(DatasetMissingError, match="there is no folder"):
            run(self.config(small), data_dir=tmp_path)
