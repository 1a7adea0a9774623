"""Trains while no file may grow beyond some size, and again when it may.

`python -m small_files CONFIG.json FOLDER SIZE...` prints a JSON list with one object for each size,
in bytes. Every second time the limit is there from the start, else from after the first epoch.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any

from trainers.config.run import RunConfig
from trainers.errors import StorageFullError
from trainers.run import run
from trainers.storage import open_folder
from trainers.training.checkpoint import Checkpoints


def main(config_file: str, root: str, *sizes: str) -> None:
    config = json.loads(Path(config_file).read_text())
    print(
        json.dumps(
            [
                train_with_limit(config, Path(root) / str(number), int(size), number % 2 == 0)
                for number, size in enumerate(sizes)
            ]
        )
    )


def train_with_limit(
    config: dict[str, Any], root: Path, size: int, from_the_start: bool
) -> dict[str, Any]:
    folder = open_folder(root / "1")
    if from_the_start:
        limit(size)
    try:
        run(config, data_dir=root, folder=folder, on_epoch=lambda _: limit(size))
        error = None
    except StorageFullError as caught:
        error = str(caught)
    finally:
        limit(resource.RLIM_INFINITY)
    newest = Checkpoints(RunConfig.model_validate(config).run_id, folder).newest()
    names = folder.names()
    result = run(config, data_dir=root, folder=open_folder(root / "2"), earlier=[folder])
    return {
        "error": error,
        "left": names,
        "newest": newest and newest[0],
        "first_epoch": result["provenance"]["first_epoch"],
        "weights_sha256": result["weights_sha256"],
    }


def limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main(*sys.argv[1:])
