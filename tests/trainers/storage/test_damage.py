"""Files that were cut, altered or mixed up are noticed, each of them, and cost no bit."""

from __future__ import annotations

import io
import random
import shutil
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from trainers.config.job import EpochMetrics
from trainers.config.run import RunConfig
from trainers.errors import StorageUnreachableError, TrainingStopped
from trainers.result_file import read_result, store_result
from trainers.run import run
from trainers.storage import Folder, open_folder
from trainers.storage.local import LocalFolder
from trainers.training.checkpoint import Checkpoints

Small = Callable[..., dict[str, Any]]
Damage = Callable[[Path], None]

NO_DATA = Path("/nonexistent")
NEWEST = "checkpoint-2.pt"


def stop_after_two(metrics: EpochMetrics) -> None:
    if metrics["epoch"] == 2:
        raise TrainingStopped


def train(config: dict[str, Any], folder: Path | None, *earlier: Path, **more: Any) -> Any:
    return run(
        config,
        data_dir=NO_DATA,
        folder=folder and open_folder(folder),
        earlier=[open_folder(path) for path in earlier],
        **more,
    )


@pytest.fixture(scope="module")
def config(small: Small) -> dict[str, Any]:
    return small()


@pytest.fixture(scope="module")
def undisturbed(config: dict[str, Any]) -> str:
    """The final weights' hash of a run that nothing happened to."""
    return str(train(config, None)["weights_sha256"])


@pytest.fixture(scope="module")
def stopped(config: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was stopped after two of its three epochs."""
    folder = tmp_path_factory.mktemp("stopped") / "1"
    with pytest.raises(TrainingStopped):
        train(config, folder, on_epoch=stop_after_two)
    return folder


@pytest.fixture(scope="module")
def of_another_run(small: Small, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("another") / "1"
    with pytest.raises(TrainingStopped):
        train(small(seed=1), folder, on_epoch=stop_after_two)
    return folder


def cut(length: int) -> Damage:
    def damage(path: Path) -> None:
        path.write_bytes(path.read_bytes()[:length])

    return damage


def flip(bit: int) -> Damage:
    def damage(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)

    return damage


def replace_with(other: Path) -> Damage:
    def damage(path: Path) -> None:
        for suffix in ("", ".sha256"):
            shutil.copy(other / (NEWEST + suffix), path.with_name(path.name + suffix))

    return damage


def damages(path: Path, other: Path) -> dict[str, Damage]:
    """50 lengths and 50 bits, spread over the file and drawn once and for all; another run's."""
    size = path.stat().st_size
    draw = random.Random(20_240_601)
    lengths = [0, 1, size - 1, *draw.sample(range(2, size - 1), 47)]
    bits = [0, 8 * size - 1, *draw.sample(range(1, 8 * size - 1), 48)]
    return {
        **{f"cut to {length} bytes": cut(length) for length in lengths},
        **{f"bit {bit} flipped": flip(bit) for bit in bits},
        "of another run": replace_with(other),
    }


@pytest.mark.slow
def test_a_damaged_checkpoint_is_detected_and_the_older_one_used(
    config: dict[str, Any], stopped: Path, of_another_run: Path, tmp_path: Path
) -> None:
    run_id = RunConfig.model_validate(config).run_id
    all_damages = damages(stopped / NEWEST, of_another_run)
    assert len(all_damages) == 101
    noticed = []
    for number, (name, damage) in enumerate(all_damages.items()):
        folder = tmp_path / str(number)
        shutil.copytree(stopped, folder)
        whole = Checkpoints(run_id, open_folder(folder)).newest()
        assert whole is not None
        assert whole[0] == 2
        damage(folder / NEWEST)
        newest = Checkpoints(run_id, open_folder(folder)).newest()
        if newest is not None and newest[0] == 1:
            noticed.append(name)
    assert noticed == list(all_damages)


@pytest.mark.parametrize("number", [0, 2, 30, 50, 51, 75, 100])
def test_training_continues_bit_identically_from_the_older_checkpoint(
    config: dict[str, Any],
    undisturbed: str,
    stopped: Path,
    of_another_run: Path,
    tmp_path: Path,
    number: int,
) -> None:
    shutil.copytree(stopped, tmp_path / "1")
    damage = list(damages(stopped / NEWEST, of_another_run).values())[number]
    damage(tmp_path / "1" / NEWEST)
    result = train(config, tmp_path / "2", tmp_path / "1")
    assert result["provenance"]["first_epoch"] == 2
    assert result["weights_sha256"] == undisturbed


@pytest.mark.slow
def test_a_foreign_file_is_skipped_even_with_a_valid_digest(
    config: dict[str, Any], stopped: Path, tmp_path: Path
) -> None:
    shutil.copytree(stopped, tmp_path / "1")
    folder = open_folder(tmp_path / "1")
    with zipfile.ZipFile(stopped / NEWEST) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    (pickled,) = (name for name in parts if name.endswith("data.pkl"))
    draw = random.Random(20_240_602)
    unreadable = 0
    for _ in range(200):
        altered = bytearray(parts[pickled])
        for _ in range(3):
            altered[draw.randrange(len(altered))] = draw.randrange(256)
        foreign = io.BytesIO()
        with zipfile.ZipFile(foreign, "w") as archive:
            for name, content in {**parts, pickled: bytes(altered)}.items():
                archive.writestr(name, content)
        folder.write(NEWEST, foreign.getvalue())
        folder.write(f"{NEWEST}.sha256", sha256(foreign.getvalue()).hexdigest().encode())
        epoch = newest_epoch(config, folder)
        assert epoch in (1, 2)
        unreadable += epoch == 1
    assert unreadable > 100


def test_without_a_valid_checkpoint_training_starts_over(
    config: dict[str, Any], undisturbed: str, stopped: Path, tmp_path: Path
) -> None:
    shutil.copytree(stopped, tmp_path / "1")
    for name in ("checkpoint-1.pt", NEWEST):
        flip(12345)(tmp_path / "1" / name)
    result = train(config, tmp_path / "2", tmp_path / "1")
    assert result["provenance"]["first_epoch"] == 1
    assert result["weights_sha256"] == undisturbed


# Results

RESULT = {"format": 1, "run_id": "0123456789abcdef", "test_accuracy": 97.25, "epochs": [1, 2]}


@pytest.fixture
def stored_result(tmp_path: Path) -> Path:
    store_result(open_folder(tmp_path), RESULT)
    assert read(tmp_path) == RESULT
    return tmp_path / "result.json"


def read(folder: Path) -> dict[str, Any] | None:
    return read_result(open_folder(folder), str(RESULT["run_id"]))


def test_no_flipped_bit_of_a_result_goes_unnoticed(stored_result: Path) -> None:
    content = stored_result.read_bytes()
    for bit in range(8 * len(content)):
        flip(bit)(stored_result)
        assert read(stored_result.parent) is None, bit
        stored_result.write_bytes(content)


def test_no_truncation_of_a_result_goes_unnoticed(stored_result: Path) -> None:
    content = stored_result.read_bytes()
    for length in range(len(content)):
        cut(length)(stored_result)
        assert read(stored_result.parent) is None, length
        stored_result.write_bytes(content)


def test_a_result_without_its_digest_is_ignored(stored_result: Path) -> None:
    first, second, rest = stored_result.read_bytes().split(b"\n", 2)
    assert second.startswith(b' "sha256": "')
    stored_result.write_bytes(first + b"\n" + rest)
    assert read(stored_result.parent) is None


# Files that cannot be reached


class Unreadable(LocalFolder):
    """A folder with some files that fail, as those on a bad sector do."""

    def __init__(self, path: Path, *names: str) -> None:
        super().__init__(path)
        self._unreadable = names

    def read(self, name: str, most: int | None = None) -> bytes:
        if name in self._unreadable:
            raise StorageUnreachableError(f"{self.location}/{name} cannot be read: I/O error")
        return super().read(name, most)


class Away(LocalFolder):
    def names(self) -> list[str]:
        raise StorageUnreachableError(f"{self.location} cannot be listed: no route to host")


def newest_epoch(config: dict[str, Any], folder: Folder, *earlier: Folder) -> int | None:
    newest = Checkpoints(RunConfig.model_validate(config).run_id, folder, earlier).newest()
    return None if newest is None else newest[0]


def test_an_unreadable_checkpoint_is_skipped_for_an_older_one(
    config: dict[str, Any], stopped: Path, tmp_path: Path
) -> None:
    own = open_folder(tmp_path)
    assert newest_epoch(config, own, Unreadable(stopped, NEWEST)) == 1
    assert newest_epoch(config, own, Away(tmp_path / "away"), LocalFolder(stopped)) == 2


def test_with_only_unreadable_checkpoints_training_does_not_start_over(
    config: dict[str, Any], stopped: Path, tmp_path: Path
) -> None:
    own = open_folder(tmp_path)
    unreadable = Unreadable(stopped, NEWEST, "checkpoint-1.pt")
    with pytest.raises(StorageUnreachableError, match="I/O error"):
        newest_epoch(config, own, unreadable)
    with pytest.raises(StorageUnreachableError, match="no route to host"):
        newest_epoch(config, own, Away(stopped))


def test_an_unreadable_result_is_an_error_not_a_missing_result(stored_result: Path) -> None:
    folder = Unreadable(stored_result.parent, "result.json")
    with pytest.raises(StorageUnreachableError):
        read_result(folder, str(RESULT["run_id"]))
