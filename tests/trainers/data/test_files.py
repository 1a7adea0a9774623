"""The readers, on small files made here in the published formats."""

import gzip
import hashlib
import pickle
import pkgutil
import socket
import struct
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sweep_plugins import Registry
from trainers.data import files, loading, readers
from trainers.data.datasets import DATASETS
from trainers.data.files import DOWNLOAD_TIMEOUT, IDX_FILES, find_cifar, find_idx
from trainers.errors import DatasetMissingError

TRAIN, TEST = 7, 4


def test_files_of_a_dataset_that_are_too_large_are_damaged_and_not_read(tmp_path, monkeypatch):
    folder = tmp_path / "MNIST" / "raw"
    write_idx(folder)
    path = folder / IDX_FILES[0]
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(DatasetMissingError, match=r"idx3-ubyte is damaged .*it is too large"):
        find_idx("mnist", tmp_path, "MNIST")
    path.unlink()
    Path(f"{path}.gz").write_bytes(gzip.compress(bytes(5_000_000)))
    monkeypatch.setattr(files, "LARGEST_FILE", 1_000_000)
    with pytest.raises(DatasetMissingError, match=r"unpacked it has more than 1,000,000 bytes"):
        find_idx("mnist", tmp_path, "MNIST")


def idx_bytes(array):
    """IDX: two zero bytes, 8 for uint8, the number of axes, each length big endian, the bytes."""
    lengths = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + lengths + array.tobytes()


def idx_arrays(seed=0):
    """What the four files hold, in the order of IDX_FILES."""
    generator = np.random.default_rng(seed)
    return [
        array.astype(np.uint8)
        for count in (TRAIN, TEST)
        for array in (generator.integers(0, 256, (count, 28, 28)), np.arange(count) % 10)
    ]


def write_idx(folder, seed=0, *, gz=False):
    folder.mkdir(parents=True, exist_ok=True)
    for file, array in zip(IDX_FILES, idx_arrays(seed), strict=True):
        if gz:
            (folder / f"{file}.gz").write_bytes(gzip.compress(idx_bytes(array)))
        else:
            (folder / file).write_bytes(idx_bytes(array))


def assert_holds(found, seed):
    (train_images, train_labels), (test_images, test_labels) = found
    expected = idx_arrays(seed)
    assert np.array_equal(train_images, expected[0][:, None])
    assert np.array_equal(train_labels, expected[1])
    assert np.array_equal(test_images, expected[2][:, None])
    assert np.array_equal(test_labels, expected[3])
    assert train_images.dtype == np.uint8
    assert train_labels.dtype == np.int64


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise OSError("no network here")

    monkeypatch.setattr("torchvision.datasets.utils.urllib.request.urlopen", refuse)


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


class TestIdx:
    @pytest.mark.parametrize("gz", [False, True], ids=["plain", "gzip"])
    def test_idx_files_are_read_as_written(self, tmp_path, gz):
        write_idx(tmp_path / "MNIST" / "raw", gz=gz)
        before = files_below(tmp_path)
        assert_holds(find_idx("mnist", tmp_path, "MNIST"), seed=0)
        assert files_below(tmp_path) == before

    def test_fashion_mnist_folders_are_searched_in_order(self, tmp_path, monkeypatch):
        debian = tmp_path / "debian"
        monkeypatch.setattr(readers, "DEBIAN_FASHION_MNIST", debian)
        data_dir = tmp_path / "data"
        places = [data_dir / "FashionMNIST" / "raw", data_dir / "fashion-mnist", debian]
        for seed in (2, 1, 0):  # the last place first: each must give way to the one before
            write_idx(places[seed], seed, gz=seed == 2)
            train, test = readers.fashion_mnist(data_dir)
            assert_holds(((train.images, train.labels), (test.images, test.labels)), seed)

    def test_a_folder_with_a_missing_file_is_skipped(self, tmp_path):
        write_idx(tmp_path / "MNIST" / "raw", 0)
        (tmp_path / "MNIST" / "raw" / IDX_FILES[3]).unlink()
        write_idx(tmp_path / "elsewhere", 1)
        found = find_idx("mnist", tmp_path, "MNIST", folders=[tmp_path / "elsewhere"])
        assert_holds(found, seed=1)

    @pytest.mark.parametrize("file", IDX_FILES)
    @pytest.mark.parametrize("gz", [False, True], ids=["plain", "gzip"])
    @pytest.mark.parametrize(
        "damage",
        [
            lambda _: b"",
            lambda content: content[:3],
            lambda content: content[: len(content) - 1],
            lambda content: b"<html>not found</html>" + content,
            lambda content: content + b"\0",
            lambda content: b"\0\0\x09" + content[3:],
            lambda content: b"\0\0\x0a" + content[3:],
        ],
        ids=["empty", "header cut", "cut", "a web page", "too long", "int8", "no type"],
    )
    def test_a_damaged_idx_file_is_named(self, tmp_path, file, gz, damage):
        folder = tmp_path / "MNIST" / "raw"
        write_idx(folder, gz=gz)
        path = folder / (f"{file}.gz" if gz else file)
        content = damage(gzip.decompress(path.read_bytes()) if gz else path.read_bytes())
        path.write_bytes(gzip.compress(content) if gz else content)
        with pytest.raises(DatasetMissingError) as caught:
            find_idx("mnist", tmp_path, "MNIST")
        assert f"'mnist': {path} is damaged" in str(caught.value)

    @pytest.mark.parametrize(
        "damage",
        [
            lambda _: b"",
            lambda content: content[:5],
            lambda content: content[:-1],
            lambda content: content[:10] + b"\xff" * 4 + content[14:],
            gzip.decompress,
        ],
        ids=["empty", "header cut", "cut", "garbled", "not gzipped"],
    )
    def test_a_damaged_gzip_file_is_named(self, tmp_path, damage):
        folder = tmp_path / "MNIST" / "raw"
        write_idx(folder, gz=True)
        path = folder / f"{IDX_FILES[0]}.gz"
        path.write_bytes(damage(path.read_bytes()))
        with pytest.raises(DatasetMissingError, match=f"{path} is damaged"):
            find_idx("mnist", tmp_path, "MNIST")

    def test_different_numbers_of_images_and_labels_are_refused(self, tmp_path):
        folder = tmp_path / "MNIST" / "raw"
        write_idx(folder)
        (folder / IDX_FILES[1]).write_bytes(idx_bytes(np.zeros(TRAIN - 1, np.uint8)))
        with pytest.raises(DatasetMissingError, match="do not fit together: labels of 7 images"):
            readers.mnist(tmp_path)


class TestMissing:
    def test_a_missing_dataset_error_lists_every_place_and_the_fix(self, tmp_path, monkeypatch):
        monkeypatch.setattr(readers, "DEBIAN_FASHION_MNIST", tmp_path / "debian")
        data_dir = tmp_path / "data"
        write_idx(data_dir / "fashion-mnist")
        (data_dir / "fashion-mnist" / IDX_FILES[2]).unlink()
        (tmp_path / "debian").mkdir()
        with pytest.raises(DatasetMissingError) as caught:
            loading.load("fashion_mnist", data_dir)
        lines = str(caught.value).splitlines()
        assert lines[0] == "dataset 'fashion_mnist' is not on this machine. Looked in:"
        assert str(data_dir / "FashionMNIST" / "raw") in lines[1]
        assert lines[1].endswith("there is no such folder")
        assert str(data_dir / "fashion-mnist") in lines[2]
        assert lines[2].endswith("it lacks t10k-images-idx3-ubyte")
        assert str(tmp_path / "debian") in lines[3]
        assert lines[3].endswith("it has none of them")
        assert all(file in line for line in lines[1:4] for file in IDX_FILES)
        assert f"download into {data_dir}" in lines[4]
        assert "no network here" in lines[4]
        assert str(data_dir / "FashionMNIST" / "raw") in lines[5]
        assert "apt-get install dataset-fashion-mnist" in lines[5]
        assert len(lines) == 6

    @pytest.mark.parametrize(
        ("name", "folder"),
        [
            ("mnist", "MNIST/raw"),
            ("cifar10", "cifar-10-batches-py"),
            ("cifar100", "cifar-100-python"),
        ],
    )
    def test_each_missing_dataset_error_says_where_to_put_the_files(self, tmp_path, name, folder):
        with pytest.raises(DatasetMissingError) as caught:
            loading.load(name, tmp_path)
        assert f"dataset '{name}' is not on this machine" in str(caught.value)
        assert f"Put the files into {tmp_path / folder}" in str(caught.value)
        assert "no network here" in str(caught.value)
        assert list(tmp_path.iterdir()) == []

    def test_a_data_folder_that_cannot_be_created_is_explained(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(DatasetMissingError, match=r"download into .*failed: .*file"):
            find_idx("mnist", tmp_path / "file" / "data", "MNIST")


class TestDownload:
    def stand_in(self, monkeypatch, *, fails_after=4):
        """Replaces torchvision's MNIST by one whose download writes small files."""
        seen = []

        class MNIST:
            def __init__(self, root, download):
                seen.append((Path(root), socket.getdefaulttimeout()))
                raw = Path(root, "MNIST", "raw")
                write_idx(raw)
                write_idx(raw, gz=True)  # the archives, which torchvision leaves next to them
                for file in IDX_FILES[fails_after:]:
                    (raw / file).write_bytes(b"half")
                if fails_after < len(IDX_FILES):
                    raise RuntimeError("connection\n  lost")

        monkeypatch.setattr("torchvision.datasets.MNIST", MNIST)
        return seen

    def test_only_complete_downloads_are_put_in_place(self, tmp_path, monkeypatch):
        seen = self.stand_in(monkeypatch)
        data_dir = tmp_path / "new" / "data"
        assert_holds(find_idx("mnist", data_dir, "MNIST"), seed=0)
        assert files_below(data_dir) == sorted(f"MNIST/raw/{file}" for file in IDX_FILES)
        assert [path.name for path in data_dir.iterdir()] == ["MNIST"]
        assert_holds(find_idx("mnist", data_dir, "MNIST"), seed=0)
        assert len(seen) == 1

    @pytest.mark.parametrize("fails_after", range(4))
    def test_an_interrupted_download_leaves_nothing(self, tmp_path, monkeypatch, fails_after):
        self.stand_in(monkeypatch, fails_after=fails_after)
        for _ in range(2):
            with pytest.raises(DatasetMissingError, match="failed: connection lost\n"):
                find_idx("mnist", tmp_path, "MNIST")
            assert list(tmp_path.iterdir()) == []

    def test_a_download_completes_a_folder_with_missing_files(self, tmp_path, monkeypatch):
        self.stand_in(monkeypatch)
        write_idx(tmp_path / "MNIST" / "raw", seed=1)
        (tmp_path / "MNIST" / "raw" / IDX_FILES[0]).unlink()
        assert_holds(find_idx("mnist", tmp_path, "MNIST"), seed=0)

    @pytest.mark.parametrize("fails_after", [1, 4])
    def test_a_silent_download_server_times_out(self, tmp_path, monkeypatch, fails_after):
        seen = self.stand_in(monkeypatch, fails_after=fails_after)
        before = socket.getdefaulttimeout()
        try:
            socket.setdefaulttimeout(123)
            files._download("MNIST", tmp_path, Path("MNIST", "raw"), IDX_FILES)
        except RuntimeError:
            assert fails_after == 1
        finally:
            after = socket.getdefaulttimeout()
            socket.setdefaulttimeout(before)
        assert after == 123
        assert [timeout for _, timeout in seen] == [DOWNLOAD_TIMEOUT]
        assert 0 < DOWNLOAD_TIMEOUT <= 10


def python_2_pickle(value):
    """As the published batches are: protocol 2, a dtype whose align and copy are 0 and 1."""
    written = pickle.dumps(value, protocol=2)
    by_python_3, by_python_2 = b"\x89\x88\x87", b"K\x00K\x01\x87"
    assert by_python_3 in written
    return written.replace(by_python_3, by_python_2).replace(b"numpy._core", b"numpy.core")


def cifar_rows(count, seed):
    return np.random.default_rng(seed).integers(0, 256, (count, 3072), dtype=np.uint8)


def write_cifar(root, monkeypatch, name):
    """Writes small batches, and makes torchvision's class expect their checksums."""
    real = pkgutil.resolve_name(f"torchvision.datasets:{name}")
    folder = root / real.base_folder
    folder.mkdir(parents=True)
    checksums = {}
    for number, (file, _) in enumerate([*real.train_list, *real.test_list]):
        labels = [(number + i) % 10 for i in range(3)]
        content = {"data": cifar_rows(3, number)}
        if name == "CIFAR10":
            content["labels"] = labels
        else:
            content |= {"coarse_labels": [0, 0, 0], "fine_labels": [90 + x for x in labels]}
        (folder / file).write_bytes(python_2_pickle(content))
    (folder / real.meta["filename"]).write_bytes(pickle.dumps({real.meta["key"]: ["a"]}, 2))
    for path in folder.iterdir():
        checksums[path.name] = hashlib.md5(path.read_bytes()).hexdigest()

    class Small(real):  # type: ignore[misc, valid-type]
        def __init__(self, *args, **kwargs):
            # As NumPy 2.4.0 to 2.4.4 do of a dtype that Python 2 has pickled.
            warnings.warn("align=0", np.exceptions.VisibleDeprecationWarning, stacklevel=2)
            super().__init__(*args, **kwargs)

        train_list = [[file, checksums[file]] for file, _ in real.train_list]  # noqa: RUF012
        test_list = [[file, checksums[file]] for file, _ in real.test_list]  # noqa: RUF012
        meta = real.meta | {"md5": checksums[real.meta["filename"]]}

    monkeypatch.setattr(f"torchvision.datasets.{name}", Small)
    return folder


class TestCifar:
    @pytest.mark.parametrize(("name", "batches"), [("CIFAR10", 5), ("CIFAR100", 1)])
    def test_cifar_files_are_read_as_written(self, tmp_path, monkeypatch, name, batches):
        write_cifar(tmp_path, monkeypatch, name)
        (train_images, train_labels), (test_images, test_labels) = find_cifar(
            name.lower(), tmp_path, name
        )
        # A row is the red plane, the green one and the blue one, each row by row.
        rows = np.concatenate([cifar_rows(3, number) for number in range(batches)])
        assert np.array_equal(train_images, rows.reshape(-1, 3, 32, 32))
        assert np.array_equal(test_images, cifar_rows(3, batches).reshape(3, 3, 32, 32))
        base = 0 if name == "CIFAR10" else 90
        expected = [base + (number + i) % 10 for number in range(batches) for i in range(3)]
        assert train_labels.tolist() == expected
        assert test_labels.tolist() == [base + (batches + i) % 10 for i in range(3)]
        assert train_images.dtype == np.uint8
        assert train_images.flags["C_CONTIGUOUS"]
        assert train_labels.dtype == np.int64

    @pytest.mark.parametrize(("name", "batches"), [("cifar10", 5), ("cifar100", 1)])
    def test_load_reads_cifar_from_its_pickles(self, tmp_path, monkeypatch, name, batches):
        write_cifar(tmp_path, monkeypatch, name.upper())
        small = replace(DATASETS[name], train_images=3 * batches, test_images=3)
        monkeypatch.setattr(loading, "DATASETS", Registry("dataset", "sweep.none", {name: small}))
        train, test = loading.load(name, tmp_path)
        assert (len(train), len(test)) == (3 * batches, 3)

    @pytest.mark.parametrize("file", ["data_batch_1", "data_batch_5", "test_batch", "batches.meta"])
    def test_a_damaged_cifar_file_is_named_and_not_unpickled(self, tmp_path, monkeypatch, file):
        folder = write_cifar(tmp_path, monkeypatch, "CIFAR10")
        trap = tmp_path / "trap"
        (folder / file).write_bytes(pickle.dumps(Trap(trap)))
        with pytest.raises(DatasetMissingError) as caught:
            find_cifar("cifar10", tmp_path, "CIFAR10")
        assert f"'cifar10': {folder / file} is damaged (its MD5 is not" in str(caught.value)
        assert not trap.exists()

    def test_a_missing_cifar_file_is_named(self, tmp_path, monkeypatch):
        folder = write_cifar(tmp_path, monkeypatch, "CIFAR10")
        (folder / "data_batch_3").unlink()
        with pytest.raises(DatasetMissingError, match="it lacks data_batch_3\n"):
            find_cifar("cifar10", tmp_path, "CIFAR10")

    def test_an_unreadable_cifar_file_is_explained(self, tmp_path, monkeypatch):
        folder = write_cifar(tmp_path, monkeypatch, "CIFAR10")

        def refuse(*_args, **_kwargs):
            raise PermissionError("not yours")

        monkeypatch.setattr("torchvision.datasets.CIFAR10.__init__", refuse)
        with pytest.raises(DatasetMissingError, match=f"{folder} is damaged .not yours"):
            find_cifar("cifar10", tmp_path, "CIFAR10")

    def test_an_error_that_is_no_damage_of_cifar_files_is_passed_on(self, tmp_path, monkeypatch):
        write_cifar(tmp_path, monkeypatch, "CIFAR10")

        def fail(*_args, **_kwargs):
            raise RuntimeError("not of the files")

        monkeypatch.setattr("torchvision.datasets.CIFAR10.__init__", fail)
        with pytest.raises(RuntimeError, match="not of the files"):
            find_cifar("cifar10", tmp_path, "CIFAR10")

    def test_only_cifar_files_with_the_published_md5_are_read(self, tmp_path):
        with pytest.MonkeyPatch.context() as patch:
            folder = write_cifar(tmp_path, patch, "CIFAR10")
        with pytest.raises(DatasetMissingError, match=f"{folder / 'data_batch_1'} is damaged"):
            find_cifar("cifar10", tmp_path, "CIFAR10")


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_the_trap_of_these_tests_runs_code_when_unpickled(tmp_path):
    pickle.loads(pickle.dumps(Trap(tmp_path / "trap")))
    assert (tmp_path / "trap").exists()
