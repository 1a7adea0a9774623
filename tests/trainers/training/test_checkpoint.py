"""Checkpoints that are whole or passed over, whatever happened to the files."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainers.errors import CheckpointError, StorageError, StorageUnreachableError
from trainers.storage import open_folder
from trainers.storage.atomic_write import write_atomically
from trainers.training.checkpoint import Checkpoints, load_weights, save_weights, weights_sha256

RUN = "0123456789abcdef"
OTHER_RUN = "fedcba9876543210"


def state(epoch: int) -> dict[str, Any]:
    return {"network": {"w": torch.full((3, 2), float(epoch))}, "epochs": [{"epoch": epoch}]}


def stored(folder: Path, *epochs: int, run: str = RUN) -> Checkpoints:
    checkpoints = Checkpoints(run, open_folder(folder))
    for epoch in epochs:
        checkpoints.save(epoch, state(epoch))
    return checkpoints


def newest_epoch(checkpoints: Checkpoints) -> int | None:
    newest = checkpoints.newest()
    if newest is None:
        return None
    epoch, content = newest
    assert torch.equal(content["network"]["w"], torch.full((3, 2), float(epoch)))
    assert content["epochs"] == [{"epoch": epoch}]
    return epoch


def test_the_newest_checkpoint_is_found_and_two_are_kept(tmp_path: Path) -> None:
    checkpoints = stored(tmp_path / "run" / "1", 1, 2, 3, 8, 9, 10)
    assert newest_epoch(checkpoints) == 10
    assert sorted(path.name for path in (tmp_path / "run" / "1").iterdir()) == [
        "checkpoint-10.pt",
        "checkpoint-10.pt.sha256",
        "checkpoint-9.pt",
        "checkpoint-9.pt.sha256",
    ]


def test_newest_is_none_without_checkpoints(tmp_path: Path) -> None:
    assert Checkpoints(RUN, open_folder(tmp_path / "nowhere")).newest() is None
    assert Checkpoints(RUN, open_folder(tmp_path)).newest() is None


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def flip_one_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def digest_of(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def lose_digest(path: Path) -> None:
    digest_of(path).unlink()


def spoil_digest(path: Path) -> None:
    digest_of(path).write_bytes(b"\xff\xfe")


def lose_data(path: Path) -> None:
    path.unlink()


def put_another_run_in_place(path: Path) -> None:
    stored(path.parent, 2, run=OTHER_RUN)


def put_no_checkpoint_in_place(path: Path) -> None:
    store_as_checkpoint(path, [1, 2])


def put_another_epoch_in_place(path: Path) -> None:
    older = path.with_name("checkpoint-1.pt")
    path.write_bytes(older.read_bytes())
    digest_of(path).write_bytes(digest_of(older).read_bytes())


DAMAGES = [
    truncate,
    empty,
    flip_one_bit,
    lose_digest,
    spoil_digest,
    lose_data,
    put_another_run_in_place,
    put_another_epoch_in_place,
    put_no_checkpoint_in_place,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_invalid_checkpoint_is_skipped_for_the_one_before(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    checkpoints = stored(tmp_path, 1, 2)
    damage(tmp_path / "checkpoint-2.pt")
    assert newest_epoch(checkpoints) == 1


@pytest.fixture(scope="module")
def two_checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    stored(folder, 1, 2)
    return folder


@settings(max_examples=40, deadline=None)
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), digest=st.booleans())
def test_no_flipped_bit_of_a_checkpoint_goes_unnoticed(
    two_checkpoints: Path, where: float, bit: int, digest: bool
) -> None:
    path = two_checkpoints / "checkpoint-2.pt"
    path = digest_of(path) if digest else path
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[int(where * len(whole))] ^= 1 << bit
    try:
        path.write_bytes(damaged)
        assert newest_epoch(Checkpoints(RUN, open_folder(two_checkpoints))) == 1
    finally:
        path.write_bytes(whole)
    assert newest_epoch(Checkpoints(RUN, open_folder(two_checkpoints))) == 2


def test_the_newest_checkpoint_of_all_attempts_is_used(
    tmp_path: Path,
) -> None:
    stored(tmp_path / "1", 1, 2, 3)
    stored(tmp_path / "2", 4)
    flip_one_bit(tmp_path / "2" / "checkpoint-4.pt")
    own, *earlier = (open_folder(tmp_path / name) for name in ("3", "1", "2", "no"))
    third = Checkpoints(RUN, own, earlier)
    assert newest_epoch(third) == 3
    third.save(4, state(4))
    assert newest_epoch(third) == 4
    third.discard()
    assert list((tmp_path / "3").iterdir()) == []
    assert (tmp_path / "1" / "checkpoint-3.pt").is_file()


def test_discarding_checkpoints_keeps_the_weights(tmp_path: Path) -> None:
    checkpoints = stored(tmp_path, 1, 2)
    save_weights(open_folder(tmp_path), RUN, {"w": torch.ones(2)})
    (tmp_path / ".checkpoint-3.pt.x1y2.tmp").touch()  # of a write that was killed
    checkpoints.discard()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["weights.pt", "weights.pt.sha256"]


def test_an_interrupted_write_leaves_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = stored(tmp_path, 1)

    def no_rename(*_: object) -> None:
        raise OSError("the power went")

    monkeypatch.setattr(os, "replace", no_rename)
    with pytest.raises(StorageUnreachableError, match="power"):
        checkpoints.save(2, state(2))
    monkeypatch.undo()
    assert newest_epoch(checkpoints) == 1
    checkpoints.save(2, state(2))
    assert newest_epoch(checkpoints) == 2


def test_a_failed_write_leaves_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_atomically(tmp_path / "file", b"content")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_fsynced_before_it_is_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, replace = os.fsync, os.replace

    def watched_fsync(descriptor: int) -> None:
        events.append("fsync folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "fsync")
        fsync(descriptor)

    def watched_replace(source: Path, target: Path) -> None:
        assert Path(source).parent == Path(target).parent
        assert Path(source).read_bytes() == b"content"
        events.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    write_atomically(tmp_path / "file", b"content")
    assert events == ["fsync", "rename", "fsync folder"]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_new_folder_is_fsynced_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[tuple[str, str]] = []
    fsync, mkdir = os.fsync, os.mkdir

    def watched_fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        events.append(("fsync", path.name if path.is_dir() else "file"))
        fsync(descriptor)

    def watched_mkdir(path: Path, mode: int = 0o777) -> None:
        events.append(("mkdir", Path(path).name))
        mkdir(path, mode)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "mkdir", watched_mkdir)
    write_atomically(tmp_path / "runs" / "run" / "1" / "file", b"content")
    assert events == [
        *[("mkdir", "runs"), ("fsync", tmp_path.name)],
        *[("mkdir", "run"), ("fsync", "runs")],
        *[("mkdir", "1"), ("fsync", "run")],
        *[("fsync", "file"), ("fsync", "1")],
    ]


class Shout:
    """Unpickling it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return os.mkdir, (str(self.folder),)


def store_as_checkpoint(path: Path, content: object) -> None:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    path.write_bytes(buffer.getvalue())
    digest_of(path).write_text(hashlib.sha256(buffer.getvalue()).hexdigest())


def test_a_pickle_with_code_is_not_executed(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint-1.pt"
    store_as_checkpoint(path, {"run_id": RUN, "epoch": 1, "state": Shout(tmp_path / "ran")})
    assert Checkpoints(RUN, open_folder(tmp_path)).newest() is None
    assert not (tmp_path / "ran").exists()
    torch.load(path, weights_only=False)  # the pickle does what is feared of it
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [Shout(Path("ran")), {"run_id": RUN, "epoch": 2}])
def test_a_complete_file_that_is_no_checkpoint_is_skipped(tmp_path: Path, content: object) -> None:
    checkpoints = stored(tmp_path, 1)
    store_as_checkpoint(tmp_path / "checkpoint-2.pt", content)
    assert newest_epoch(checkpoints) == 1


def test_weights_come_from_the_first_folder_that_has_valid_ones(tmp_path: Path) -> None:
    weights = {"w": torch.tensor([1.5, -2.0]), "n": torch.tensor(7)}
    folders = [open_folder(tmp_path / name) for name in ("1", "2", "3")]
    for folder in folders[1:]:
        save_weights(folder, RUN, weights)
    truncate(tmp_path / "2" / "weights.pt")
    loaded = load_weights(folders, RUN)
    assert loaded.weights.keys() == weights.keys()
    assert all(torch.equal(loaded.weights[name], weights[name]) for name in weights)
    assert not loaded.diverged


def test_weights_of_another_training_are_passed_over(tmp_path: Path) -> None:
    theirs, ours = {"w": torch.ones(2)}, {"w": torch.zeros(2)}
    folders = [open_folder(tmp_path / name) for name in ("1", "2")]
    save_weights(folders[0], RUN, theirs)
    with pytest.raises(CheckpointError, match=r"1/weights\.pt is of another training of the run"):
        load_weights(folders, RUN, weights_sha256(ours))
    save_weights(folders[1], RUN, ours)
    assert torch.equal(load_weights(folders, RUN, weights_sha256(ours)).weights["w"], ours["w"])
    assert torch.equal(load_weights(folders, RUN, None).weights["w"], theirs["w"])


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"weights": [1]},
        {"weights": {"w": 1}, "diverged": False},
        {"weights": {"w": torch.ones(1)}},
    ],
    ids=str,
)
def test_a_whole_file_that_holds_no_weights_is_passed_over(
    tmp_path: Path, content: dict[str, Any]
) -> None:
    store_as_checkpoint(tmp_path / "weights.pt", {"run_id": RUN, **content})
    with pytest.raises(CheckpointError, match=r"weights\.pt holds no weights"):
        load_weights([open_folder(tmp_path)], RUN)


def test_weights_are_missing_only_if_every_folder_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    away, here = open_folder(tmp_path / "file" / "run"), open_folder(tmp_path / "here")
    with pytest.raises(StorageError, match="Not a directory"):
        load_weights([away, here], RUN)
    save_weights(here, RUN, {"w": torch.ones(2)})
    assert torch.equal(load_weights([away, here], RUN).weights["w"], torch.ones(2))


def test_missing_weights_are_an_error_saying_where_and_why(tmp_path: Path) -> None:
    save_weights(open_folder(tmp_path / "other"), OTHER_RUN, {"w": torch.ones(1)})
    save_weights(open_folder(tmp_path / "bad"), RUN, {"w": torch.ones(1)})
    flip_one_bit(tmp_path / "bad" / "weights.pt")
    folders = [open_folder(tmp_path / name) for name in ("none", "other", "bad")]
    with pytest.raises(CheckpointError) as caught:
        load_weights(folders, RUN)
    message = str(caught.value)
    assert RUN in message
    assert f"none in {tmp_path / 'none'}" in message
    assert f"{tmp_path / 'other' / 'weights.pt'} belongs to run {OTHER_RUN}" in message
    assert f"{tmp_path / 'bad' / 'weights.pt'} is damaged" in message
    with pytest.raises(CheckpointError, match="no folder of it exists"):
        load_weights((), RUN)


def test_the_weights_hash_covers_names_types_shapes_and_bytes() -> None:
    base = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([3.0])}
    reordered = {"b": base["b"], "a": base["a"]}
    assert weights_sha256(base) == weights_sha256(reordered)
    variants = [
        base,
        {"a": torch.tensor([1.0, 2.0000002]), "b": base["b"]},
        {"a": base["a"].view(torch.int32), "b": base["b"]},
        {"a": base["a"].view(2, 1), "b": base["b"]},
        {"a": base["a"], "c": base["b"]},
        {"a": base["b"], "b": base["a"]},
        {"a": base["a"]},
    ]
    assert len({weights_sha256(variant) for variant in variants}) == len(variants)


def test_the_weights_hash_ignores_the_memory_format() -> None:
    weight = torch.arange(36.0).view(2, 2, 3, 3)
    strided = weight.contiguous(memory_format=torch.channels_last)
    assert weights_sha256({"w": weight}) == weights_sha256({"w": strided})
