"""Training on disks that fill up, fail or lose their power: a named error, and no bit lost."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from trainers.config.run import RunConfig
from trainers.errors import StorageFullError, StorageUnreachableError
from trainers.run import run
from trainers.storage import Folder, open_folder
from trainers.training.checkpoint import Checkpoints

Small = Callable[..., dict[str, Any]]

NO_DATA = Path("/nonexistent")
EPOCHS = 3


@pytest.fixture(scope="module")
def config(small: Small) -> dict[str, Any]:
    return small(training={"epochs": EPOCHS, "batch_size": 64, "test_every": EPOCHS})


@pytest.fixture(scope="module")
def undisturbed(config: dict[str, Any]) -> str:
    return str(run(config, data_dir=NO_DATA)["weights_sha256"])


def newest_epoch(config: dict[str, Any], folder: Folder) -> int:
    newest = Checkpoints(RunConfig.model_validate(config).run_id, folder).newest()
    return 0 if newest is None else newest[0]


def in_a_process(module: str, config: dict[str, Any], folder: Path, *arguments: str) -> Any:
    file = folder / "config.json"
    file.write_text(json.dumps(config))
    done = subprocess.run(
        [sys.executable, "-m", module, str(file), str(folder), *arguments],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# No space left


@pytest.mark.slow
@pytest.mark.long
def test_a_file_size_limit_at_any_of_20_sizes_loses_nothing(
    config: dict[str, Any], undisturbed: str, tmp_path: Path
) -> None:
    run(config, data_dir=NO_DATA, folder=open_folder(tmp_path / "whole"))
    size = (tmp_path / "whole" / "weights.pt").stat().st_size  # a checkpoint is larger
    sizes = [0, 1, 63, 64, 65, *(size * part // 15 for part in range(1, 16))]
    outcomes = in_a_process("small_files", config, tmp_path, *map(str, sizes))
    assert len(outcomes) == 20
    for number, outcome in enumerate(outcomes):
        stored = number % 2
        failed = tmp_path / str(number) / "1" / f"checkpoint-{stored + 1}.pt"
        assert outcome["error"].startswith(f"{failed} cannot be written: File too large"), outcome
        whole = [f"checkpoint-1.pt{suffix}" for suffix in ("", ".sha256")] if stored else []
        assert outcome["left"] == whole
        assert (outcome["newest"] or 0) == stored
        assert outcome["first_epoch"] == stored + 1
        assert outcome["weights_sha256"] == undisturbed


@contextmanager
def mounted(folder: Path, kilobytes: int) -> Iterator[Callable[[int], None]]:
    """A disk of that size; what is yielded gives it another."""

    def mount(options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")

    folder.mkdir()
    mount(f"size={kilobytes}k")
    try:
        yield lambda size: mount(f"remount,size={size}k")
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("kilobytes", range(8, 208, 10))
@pytest.mark.slow
def test_a_disk_full_at_any_of_20_sizes_loses_nothing(
    config: dict[str, Any], undisturbed: str, tmp_path: Path, kilobytes: int
) -> None:
    # Three checkpoints of 68 KB are there for a moment, before the oldest goes.
    disk = tmp_path / "disk"
    with mounted(disk, kilobytes) as resize:
        first = open_folder(disk / "1")
        with pytest.raises(StorageFullError) as caught:
            run(config, data_dir=NO_DATA, folder=first)
        stored = newest_epoch(config, first)
        assert f"{disk}/1/checkpoint-{stored + 1}.pt" in str(caught.value)
        assert "No space left on device" in str(caught.value)
        assert not any(name.startswith(".") for name in first.names())
        assert stored == {0: 0, 1: 1, 2: 2}[kilobytes // 72]
        # Again without space: no better, and nothing lost.
        with pytest.raises(StorageFullError):
            run(config, data_dir=NO_DATA, folder=open_folder(disk / "2"), earlier=[first])
        resize(4096)
        folders = [open_folder(disk / name) for name in ("3", "2", "1")]
        result = run(config, data_dir=NO_DATA, folder=folders[0], earlier=folders[1:])
    assert result["provenance"]["first_epoch"] == stored + 1
    assert result["weights_sha256"] == undisturbed


# Disks that fail


@pytest.mark.slow
def test_a_failure_of_any_fsync_loses_nothing(
    config: dict[str, Any], undisturbed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def train(number: int, failing: int | None) -> int:
        """How many calls there were; one of them fails."""
        calls = 0

        def sometimes_fails(descriptor: int) -> None:
            nonlocal calls
            calls += 1
            if calls - 1 == failing:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            fsync(descriptor)

        folder = open_folder(tmp_path / str(number) / "1")
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", sometimes_fails)
            run(config, data_dir=NO_DATA, folder=folder)
        return calls

    calls = train(-1, None)
    assert calls >= 2 * (2 * EPOCHS + 3)
    for number in range(calls):
        with pytest.raises(StorageUnreachableError, match=f"{tmp_path}.*Input/output error"):
            train(number, number)
        first, second = (open_folder(tmp_path / str(number) / name) for name in "12")
        assert not any(name.startswith(".") for name in first.names())
        stored = newest_epoch(config, first)
        result = run(config, data_dir=NO_DATA, folder=second, earlier=[first])
        assert result["provenance"]["first_epoch"] == stored + 1
        assert result["weights_sha256"] == undisturbed


# Processes that die


@pytest.mark.slow
@pytest.mark.long
def test_a_process_killed_at_any_file_operation_loses_nothing(small: Small, tmp_path: Path) -> None:
    config = small(
        dataset={"name": "digits", "subset": 64},
        training={"epochs": 2, "batch_size": 64, "test_every": 2},
    )
    undisturbed = run(config, data_dir=NO_DATA)["weights_sha256"]
    outcomes = in_a_process("crash_points", config, tmp_path)
    steps = [outcome["step"] for outcome in outcomes]
    assert {step: steps.count(step) // 2 for step in steps} == {
        # Two new folders; two checkpoints, weights and a result, each but the last with a digest;
        # afterwards the checkpoints go.
        "mkdir": 2,
        "fsync": 2 + 2 * 7,
        "replace": 7,
        "unlink": 4,
    }
    assert {outcome["weights_sha256"] for outcome in outcomes} == {undisturbed}
    # The file with the digest is the moment from which an epoch is not done again.
    first_epochs = [outcome["first_epoch"] for outcome in outcomes if not outcome["adopted"]]
    assert first_epochs == sorted(first_epochs)
    assert set(first_epochs) == {1, 2, 3}
    adopted = [outcome["adopted"] for outcome in outcomes]
    assert adopted == sorted(adopted)
    # After the rename of result.json: its folder's fsync, and four removals.
    assert sum(adopted) == 1 + 2 + 2 * 4
