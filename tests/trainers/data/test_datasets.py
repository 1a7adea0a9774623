import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep_plugins import Registry, UnknownNameError
from trainers.data import loading, readers
from trainers.data.datasets import DATASETS, Dataset
from trainers.data.loading import Split, load, training_subset
from trainers.data.readers import DEBIAN_FASHION_MNIST
from trainers.errors import DatasetMissingError

FIXED = {name: entry for name, entry in DATASETS.items() if isinstance(entry, Dataset)}


def split_of(count, channels=1, size=2, classes=3):
    images = np.arange(count * channels * size * size, dtype=np.int64) % 256
    return Split(
        images.astype(np.uint8).reshape(count, channels, size, size),
        np.arange(count, dtype=np.int64) % classes,
    )


def shifted(split):
    return Split(split.images, split.labels - 1)


@pytest.fixture
def reads(monkeypatch):
    """A table with one small dataset, "small"; the list has the folder of every read."""
    folders = []

    def read(folder):
        folders.append(folder)
        return split_of(6), split_of(3)

    small = replace(DATASETS["digits"], classes=3, size=2, train_images=6, test_images=3, read=read)
    monkeypatch.setattr(loading, "DATASETS", Registry("dataset", "sweep.none", {"small": small}))
    monkeypatch.setattr(loading, "_loaded", {})
    return folders


def put(monkeypatch, **changes):
    changed = replace(loading.DATASETS["small"], **changes)  # type: ignore[attr-defined]
    monkeypatch.setattr(loading, "DATASETS", Registry("dataset", "sweep.none", {"small": changed}))


def test_dataset_facts_need_neither_torch_nor_scikit_learn():
    code = (
        "import sys, trainers.data.datasets, trainers.config.evaluations\n"
        "dict(trainers.data.datasets.DATASETS), dict(trainers.config.evaluations.EVALUATIONS)\n"
        "sys.exit(repr({'torch', 'torchvision', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == "set()"


@pytest.mark.parametrize("name", FIXED)
def test_the_facts_of_each_dataset_are_consistent(name):
    dataset = DATASETS[name]
    assert len(dataset.mean) == len(dataset.std) == dataset.channels
    assert all(0 < mean < 1 for mean in dataset.mean)
    assert all(0 < std < 1 for std in dataset.std)
    assert 0 < dataset.crop_padding < dataset.size


def test_default_augmentation_is_that_of_the_papers():
    padding = {name: dataset.crop_padding for name, dataset in FIXED.items()}
    flipped = {name for name, dataset in FIXED.items() if dataset.horizontal_flip}
    assert padding == {"digits": 1, "mnist": 4, "fashion_mnist": 4, "cifar10": 4, "cifar100": 4}
    assert flipped == {"fashion_mnist", "cifar10", "cifar100"}


def test_an_unknown_dataset_suggests_the_nearest(tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean 'cifar10'"):
        load("cifar-10", tmp_path)


def test_loading_image_folder_without_a_config_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="'image_folder' is read by the facts of a config"):
        load("image_folder", tmp_path)


class TestDigits:
    def test_digits_has_1297_training_and_500_test_images(self, tmp_path):
        train, test = load("digits", tmp_path)
        assert train.images.shape == (1297, 1, 8, 8)
        assert test.images.shape == (500, 1, 8, 8)
        assert set(train.labels.tolist()) == set(test.labels.tolist()) == set(range(10))

    @pytest.mark.slow
    def test_every_digits_image_is_in_one_part_once(self, tmp_path):
        from sklearn.datasets import load_digits

        original = load_digits()
        train, test = load("digits", tmp_path)
        images = np.concatenate([train.images, test.images]).reshape(-1, 64)
        labels = np.concatenate([train.labels, test.labels])
        # 16 levels of ink: 255 / 16 apart, so the original is what division gives back.
        made = sorted(zip(np.rint(images * (16 / 255)).tolist(), labels.tolist(), strict=True))
        assert made == sorted(zip(original.data.tolist(), original.target.tolist(), strict=True))
        assert images.max() == 255

    def test_reading_digits_does_not_import_scikit_learn(self):
        code = (
            "import sys; from pathlib import Path; from trainers.data.readers import digits\n"
            "digits(Path()); print(*sorted({'scipy', 'sklearn'} & set(sys.modules)))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert (done.stdout, done.stderr) == ("\n", "")

    def test_digits_without_scikit_learn_are_missing(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "sklearn", None)
        with pytest.raises(DatasetMissingError, match=r"no scikit-learn .*digits\.csv\.gz"):
            readers.digits(tmp_path)

    def test_the_digits_split_is_pinned(self, tmp_path):
        train, test = load("digits", tmp_path)
        assert train.labels[:10].tolist() == [0, 1, 3, 0, 1, 4, 0, 0, 6, 6]
        assert test.labels[:10].tolist() == [7, 3, 2, 9, 0, 2, 4, 9, 3, 0]

    def test_digits_mean_and_std_are_those_of_the_training_images(self, tmp_path):
        assert_constants_match("digits", load("digits", tmp_path)[0])


def assert_constants_match(name, train):
    pixels = train.images / 255
    assert DATASETS[name].mean == (pytest.approx(pixels.mean(), abs=5e-5),)
    assert DATASETS[name].std == (pytest.approx(pixels.std(), abs=5e-5),)


@pytest.mark.skipif(
    not DEBIAN_FASHION_MNIST.is_dir(), reason="Debian's dataset-fashion-mnist is not installed"
)
@pytest.mark.slow
def test_the_real_fashion_mnist_has_the_stated_facts(tmp_path):
    train, test = load("fashion_mnist", tmp_path)
    assert train.images.shape == (60_000, 1, 28, 28)
    assert np.bincount(train.labels).tolist() == [6_000] * 10
    assert np.bincount(test.labels).tolist() == [1_000] * 10
    assert test.labels[:4].tolist() == [9, 2, 1, 1]  # boot, pullover, trouser, trouser
    assert_constants_match("fashion_mnist", train)
    assert list(tmp_path.iterdir()) == []


class TestLoad:
    def test_load_reads_a_dataset_once_per_process_and_folder(self, reads, tmp_path, monkeypatch):
        first = load("small", tmp_path)
        monkeypatch.chdir(tmp_path)
        (tmp_path / "link").symlink_to(tmp_path)
        for same in (tmp_path, Path(), tmp_path / "link"):
            assert load("small", same) is first
        assert reads == [tmp_path.resolve()]
        assert load("small", tmp_path / "other") is not first
        assert len(reads) == 2

    def test_load_expands_a_tilde_to_the_home_folder(self, reads, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        load("small", Path("~/data"))
        assert reads == [tmp_path.resolve() / "data"]

    def test_several_threads_read_a_dataset_once(self, reads, tmp_path):
        threads = [threading.Thread(target=load, args=("small", tmp_path)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(reads) == 1

    def test_a_failed_load_is_not_cached(self, reads, tmp_path, monkeypatch):
        works = loading.DATASETS["small"].read  # type: ignore[attr-defined]

        def fail(folder):
            raise DatasetMissingError("not yet")

        put(monkeypatch, read=fail)
        with pytest.raises(DatasetMissingError, match="not yet"):
            load("small", tmp_path)
        put(monkeypatch, read=works)
        assert len(load("small", tmp_path)[0]) == 6

    def test_loaded_arrays_are_read_only(self, reads, tmp_path):
        for split in load("small", tmp_path):
            for array in (split.images, split.labels, training_subset(split, 2).images):
                with pytest.raises(ValueError, match="read-only"):
                    array[0] = 1

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"train_images": 7}, r"training part.*\(6, 1, 2, 2\), not \(7, 1, 2, 2\)"),
            ({"test_images": 2}, r"test part.*\(3, 1, 2, 2\), not \(2, 1, 2, 2\)"),
            ({"channels": 3}, r"not \(6, 3, 2, 2\)"),
            ({"size": 3}, r"not \(6, 1, 3, 3\)"),
            ({"classes": 2}, r"labels 0\.\.2, not 0\.\.1"),
            (
                {"read": lambda _: (shifted(split_of(6)), split_of(3))},
                r"labels -1\.\.1, not 0\.\.2",
            ),
        ],
    )
    def test_well_formed_files_of_another_dataset_are_refused(
        self, reads, tmp_path, monkeypatch, changes, message
    ):
        put(monkeypatch, **changes)
        with pytest.raises(DatasetMissingError, match=message):
            load("small", tmp_path)


class TestTrainingSubset:
    @given(count=st.integers(1, 200), data=st.data())
    def test_a_smaller_subset_is_a_prefix_of_a_larger_one(self, count, data):
        train = split_of(count, classes=count)
        larger = data.draw(st.integers(1, count))
        smaller = data.draw(st.integers(1, larger))
        one, other = training_subset(train, smaller), training_subset(train, larger)
        assert np.array_equal(one.images, other.images[:smaller])
        assert np.array_equal(one.labels, other.labels[:smaller])
        # Labels are the places here: each image once, and with its own label.
        assert len(set(other.labels.tolist())) == larger
        assert np.array_equal(other.images, train.images[other.labels])

    def test_subset_none_is_all_images_in_order(self):
        train = split_of(5)
        assert training_subset(train, None) is train

    def test_the_subset_shuffle_is_pinned(self):
        # A change here changes every result on a subset: raise RECIPE_VERSION.
        assert training_subset(split_of(10, classes=10), 10).labels.tolist() == [
            8, 4, 6, 9, 3, 5, 0, 1, 2, 7,
        ]  # fmt: skip

    @pytest.mark.parametrize("size", [-1, 0, 6])
    def test_subset_sizes_outside_the_dataset_are_refused(self, size):
        with pytest.raises(ValueError, match=f"1 to 5 training images, not {size}"):
            training_subset(split_of(5), size)


class TestSplit:
    def test_the_length_of_a_split_is_its_number_of_images(self):
        assert len(split_of(5)) == 5

    @pytest.mark.parametrize(
        ("images", "labels", "message"),
        [
            (np.zeros((2, 4, 4), np.uint8), np.zeros(2, np.int64), r"uint8 \(2, 4, 4\)"),
            (np.zeros((2, 1, 4, 4)), np.zeros(2, np.int64), "not float64"),
            (np.zeros((2, 1, 4, 4), np.uint8), np.zeros(3, np.int64), r"int64 \(3,\)"),
            (np.zeros((2, 1, 4, 4), np.uint8), np.zeros(2, np.int32), "not int32"),
        ],
    )
    def test_a_split_refuses_other_shapes_and_dtypes(self, images, labels, message):
        with pytest.raises(ValueError, match=message):
            Split(images, labels)
