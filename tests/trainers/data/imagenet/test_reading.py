"""ILSVRC2012 from small archives in its format, against torchvision.datasets.ImageNet."""

import hashlib
import io
import pickle
import shutil
import tarfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import imagenet as torchvision_imagenet

from imagenet_archives import (
    CLASSES,
    DEVKIT,
    TRAIN,
    VAL,
    VAL_WNIDS,
    WORDS,
    write_all,
    write_devkit,
    write_train,
    write_val,
)
from trainers.data.imagenet.archives import members_of
from trainers.data.imagenet.devkit import read_devkit
from trainers.data.imagenet.images import ArchivedImages
from trainers.data.imagenet.reading import ImageNet
from trainers.data.streaming.views import CentreView, RandomView
from trainers.errors import DatasetMissingError

SMALL = ImageNet(RandomView(24, area=(0.08, 1)), CentreView(24, 28), CLASSES, (12, 6))


@pytest.fixture
def root(tmp_path):
    write_all(tmp_path / "imagenet")
    return tmp_path / "imagenet"


def unpack(root, monkeypatch, split):
    """What torchvision makes of the archives: folders, and its own list of images."""
    known = {
        part: (name, hashlib.md5((root / name).read_bytes()).hexdigest())
        for part, (name, _) in torchvision_imagenet.ARCHIVE_META.items()
    }
    monkeypatch.setattr(torchvision_imagenet, "ARCHIVE_META", known)
    return torchvision_imagenet.ImageNet(root, split)


@pytest.mark.parametrize(("split", "part"), [("train", 0), ("val", 1)])
def test_archives_in_place_are_what_torchvision_unpacks(root, monkeypatch, split, part):
    archived = SMALL.files(root.parent)[part]
    theirs = unpack(root, monkeypatch, split)
    folders = SMALL.files(root.parent)[part]
    assert type(archived) is not type(folders)
    for ours in (archived, folders):
        assert ours.labels.tolist() == theirs.targets
        assert list(ours.classes) == theirs.wnids
        assert [tuple(ours.words[wnid].split(", ")) for wnid in ours.classes] == theirs.classes
        for i, (path, _) in enumerate(theirs.samples):
            with open(path, "rb") as file:
                assert ours.encoded(i) == file.read()
        pixels = [np.asarray(Image.open(io.BytesIO(ours.encoded(i)))) for i in range(len(ours))]
        for mine, (image, _) in zip(pixels, theirs, strict=True):
            assert np.array_equal(mine, np.asarray(image))


def test_a_class_list_numbers_its_classes_from_0(root):
    train, val = replace(SMALL, classes=CLASSES[1:], images=(8, 4)).files(root.parent)
    assert train.labels.tolist() == [0] * 3 + [1] * 5
    assert val.labels.tolist() == [0, 0, 1, 1]
    assert "n01443537/n01443537_0.JPEG in" in train.name(0)
    assert "(goldfish, Carassius auratus)" in train.name(0)


def test_images_can_be_read_by_a_copy_in_another_process(root):
    train, _ = SMALL.files(root.parent)
    train.encoded(0)  # its file is open now, and stays this process's own
    copy = pickle.loads(pickle.dumps(train))
    assert [copy.encoded(i) for i in range(12)] == [train.encoded(i) for i in range(12)]


def test_where_each_image_begins_is_looked_up_once(root, monkeypatch):
    before = members_of(root / TRAIN)
    monkeypatch.setattr(tarfile, "open", None)
    again = members_of(root / TRAIN)
    assert again.names.tolist() == before.names.tolist()
    assert again.offsets.tolist() == before.offsets.tolist()
    assert again.sizes.tolist() == before.sizes.tolist()


def test_another_archive_and_a_damaged_index_are_looked_up_anew(root):
    members_of(root / TRAIN)
    (index,) = root.glob(f".{TRAIN}-*.npz")
    content = bytearray(index.read_bytes())
    content[len(content) // 2] ^= 1
    index.write_bytes(content)
    assert len(members_of(root / TRAIN)) == 12
    write_train(root, {"n01440764": 1, "n01443537": 1, "n01484850": 1})
    assert len(members_of(root / TRAIN)) == 3


def test_the_devkit_may_be_unpacked(root):
    packed = read_devkit(root)
    with tarfile.open(root / DEVKIT) as tar:
        tar.extractall(root, filter="data")
    (root / DEVKIT).unlink()
    assert read_devkit(root) == packed
    assert packed.words == WORDS
    assert list(packed.validation) == VAL_WNIDS


class TestWhatIsWrong:
    def refused(self, root, reader=SMALL):
        with pytest.raises(DatasetMissingError) as caught:
            reader.files(root.parent)
        return str(caught.value)

    def test_no_folder_says_what_to_put_where(self, root):
        shutil.rmtree(root)
        assert f"there is no folder {root}" in self.refused(root)

    @pytest.mark.parametrize("name", [TRAIN, VAL])
    def test_a_missing_archive(self, root, name):
        (root / name).unlink()
        assert f"nor {name}" in self.refused(root)

    @pytest.mark.parametrize("name", [TRAIN, VAL])
    def test_an_archive_that_is_cut_anywhere(self, root, name):
        whole = (root / name).read_bytes()
        with tarfile.open(root / name) as tar:
            for member in tar:
                end = member.offset_data + member.size
        # Down to the padding of its end, which may be missing.
        for length in (0, 100, 512, 700, len(whole) // 2, end - 1, end):
            (root / name).write_bytes(whole[:length])
            assert f"{root / name} is damaged or not whole" in self.refused(root)

    @pytest.mark.parametrize("name", [TRAIN, VAL])
    def test_a_damaged_header_does_not_end_an_archive_early(self, root, name):
        whole = (root / name).read_bytes()
        found = members_of(root / name)
        for offset in found.offsets.tolist():
            damaged = bytearray(whole)
            damaged[offset - 512] ^= 1
            (root / name).write_bytes(damaged)
            assert f"{root / name} is damaged or not whole" in self.refused(root)

    def test_an_archive_inside_that_was_cut_before_it_was_packed(self, root):
        inside = io.BytesIO()
        with tarfile.open(fileobj=inside, mode="w") as tar:
            for number in range(3):
                tar.addfile(tarfile.TarInfo(f"n01440764_{number}.JPEG"))
        with tarfile.open(root / TRAIN, "w") as outer:
            member = tarfile.TarInfo("n01440764.tar")
            member.size = 3 * 512
            outer.addfile(member, io.BytesIO(inside.getvalue()))
            outer.addfile(tarfile.TarInfo("n01443537.tar"))
        assert "n01440764.tar ends without the mark of its end" in self.refused(root)

    def test_an_archive_of_something_else(self, root):
        (root / VAL).write_bytes(b"<html>please log in</html>" * 100)
        assert f"{root / VAL} is damaged" in self.refused(root)

    def test_an_image_twice(self, root):
        with tarfile.open(root / VAL, "a") as tar:
            tar.addfile(tarfile.TarInfo("ILSVRC2012_val_00000002.JPEG"))
        assert "ILSVRC2012_val_00000002.JPEG twice" in self.refused(root)

    def test_images_are_counted(self, root):
        said = self.refused(root, replace(SMALL, images=(13, 6)))
        assert "has 12 training and 6 validation images" in said

    def test_all_classes_are_1000(self, root):
        assert "has images of 3 classes, not of 1,000" in self.refused(
            root, replace(SMALL, classes=None)
        )

    def test_a_class_without_images_is_named_with_its_meaning(self, root):
        write_val(root, [CLASSES[0]] * 6)
        write_devkit(root, [CLASSES[0]] * 6)
        said = self.refused(root)
        assert "no image of 2 classes: n01443537 (goldfish, Carassius auratus), n01484850" in said

    def test_the_validation_archive_needs_the_devkit(self, root):
        (root / DEVKIT).unlink()
        assert f"stands in {DEVKIT}" in self.refused(root)

    def test_a_devkit_of_other_images(self, root):
        write_devkit(root, VAL_WNIDS[:5])
        assert "says the classes of 5: one of the two is not whole" in self.refused(root)

    def test_a_damaged_devkit(self, root):
        whole = (root / DEVKIT).read_bytes()
        for content in (b"", whole[: len(whole) // 2], b"nonsense" * 50):
            (root / DEVKIT).write_bytes(content)
            assert f"{root / DEVKIT} is damaged" in self.refused(root)

    def test_a_devkit_whose_file_is_no_matlab_file(self, root):
        with tarfile.open(root / DEVKIT, "w:gz") as tar:
            for name in ("meta.mat", "ILSVRC2012_validation_ground_truth.txt"):
                member = tarfile.TarInfo(f"ILSVRC2012_devkit_t12/data/{name}")
                member.size = 4
                tar.addfile(member, io.BytesIO(b"1\n2\n"))
        assert f"{root / DEVKIT} is damaged" in self.refused(root)

    def test_an_archive_that_shrinks_while_it_is_read(self, root):
        train, _ = SMALL.files(root.parent)
        assert isinstance(train, ArchivedImages)
        last = int(train.offsets.argmax())
        (root / TRAIN).write_bytes((root / TRAIN).read_bytes()[: train.offsets[last] + 5])
        with pytest.raises(OSError, match="5 of its"):
            train.encoded(last)
