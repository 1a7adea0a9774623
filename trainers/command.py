"""`python -m trainers CONFIG.json`: one run without a sweep, and its result on stdout."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from typing_extensions import override

from sweep_plugins.plain_text import visible
from trainers.config.job import EpochMetrics
from trainers.errors import TrainerError
from trainers.run import prepare, run
from trainers.stages import stage_of
from trainers.storage import open_folder
from trainers.streams import working


def _path(given: str) -> Path:
    """~ is the user's folder; a shell replaces it only where it begins a word."""
    return Path(os.path.expanduser(given))


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m trainers CONFIG.json`: train one run and print its result as JSON."""
    import argparse

    class Parser(argparse.ArgumentParser):
        @override
        def error(self, message: str) -> NoReturn:
            super().error(visible(message))

    parser = Parser(prog="python -m trainers", description=main.__doc__)
    parser.add_argument("config", type=_path, help="a run's config as JSON ('-' for stdin)")
    parser.add_argument("--evaluations", type=_path, help="a JSON list of evaluations")
    parser.add_argument("--data-dir", type=_path, default=Path(".sweep/data"))
    parser.add_argument(
        "--folder", help="keep checkpoints, weights and result here: a path, or a URL for fsspec"
    )
    parser.add_argument("--device", default="cpu", help="such as cpu or cuda (default: cpu)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    given = parser.parse_args(arguments)

    def show(metrics: EpochMetrics) -> None:
        line = ", ".join(
            f"{name} {value:.4g}" for name, value in metrics.items() if isinstance(value, float)
        )
        print(visible(f"epoch {metrics['epoch']}: {line}"), file=sys.stderr)

    try:
        prepare((), threads=given.threads, module_folders=[Path.cwd()])
        config = _read_json(given.config)
        evaluations = _read_json(given.evaluations) if given.evaluations else []
        folder = open_folder(given.folder, retry_seconds=0) if given.folder else None
    except (OSError, ValueError, TrainerError) as error:
        print(visible(f"error: {error}"), file=sys.stderr)
        return 2
    try:
        with working():
            result = run(
                config,
                evaluations,
                data_dir=given.data_dir,
                folder=folder,
                device=given.device,
                threads=given.threads,
                on_epoch=show,
            )
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a trainer may raise anything
        if isinstance(error, TrainerError) or stage_of(error) is not None:
            print(visible(f"error: {error}"), file=sys.stderr)
            return 2
        print(visible("".join(traceback.format_exception(error))), end="", file=sys.stderr)
        return 1
    json.dump(result, sys.stdout, indent=1, allow_nan=False)
    print()
    return 0


def _read_json(path: Path) -> Any:
    return json.loads(sys.stdin.read() if str(path) == "-" else path.read_text())
