"""Kills a training process at every step of its file handling, and lets another one go on.

`python -m crash_points CONFIG.json FOLDER` prints a JSON list with one object for each crash.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainers.provenance.attempt import provenance
from trainers.result_file import read_result
from trainers.run import run
from trainers.storage import open_folder
from trainers.torch_setup import prepare_torch

STEPS = ("mkdir", "fsync", "replace", "unlink")
"""Functions of `os`, through which every change of a folder on disk goes."""


def main(config_file: str, root: str) -> None:
    """Every process here is forked, so that torch is loaded, and made ready by a run, once."""
    config = json.loads(Path(config_file).read_text())
    prepare_torch(1)
    provenance("cpu", 1)
    first_attempt(config, Path(root) / "ready")
    steps = json.loads(in_a_child(lambda: count_steps(config, Path(root) / "counted")))
    outcomes = []
    for number, name in enumerate(steps):
        for moment in ("before", "after"):
            folder = Path(root) / f"{number}-{moment}"
            crashed = in_a_child(lambda: crash(config, folder, number, moment))  # noqa: B023
            assert crashed == "", f"{name} {number} was survived"
            outcome = json.loads(in_a_child(lambda: go_on(config, folder)))  # noqa: B023
            outcomes.append({"step": name, "moment": moment, **outcome})
    print(json.dumps(outcomes))


def in_a_child(act: Callable[[], str]) -> str:
    """What it returned; nothing if it was killed."""
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receiver)
        try:
            os.write(sender, act().encode())
            os._exit(0)
        finally:
            os._exit(1)
    os.close(sender)
    with open(receiver, "rb") as pipe:
        said = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert status == 0 or killed, status
    return said


def watch(before: Callable[[str], None], after: Callable[[str], None]) -> None:
    def watched(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def step(*arguments: Any, **options: Any) -> Any:
            before(name)
            result = real(*arguments, **options)
            after(name)
            return result

        return step

    for name in STEPS:
        setattr(os, name, watched(name))


def first_attempt(config: dict[str, Any], root: Path) -> None:
    run(config, data_dir=root, folder=open_folder(root / "1"))


def count_steps(config: dict[str, Any], root: Path) -> str:
    steps: list[str] = []
    watch(steps.append, lambda _: None)
    first_attempt(config, root)
    return json.dumps(steps)


def crash(config: dict[str, Any], root: Path, number: int, moment: str) -> str:
    left = number

    def die_in_time(_: str) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def ignore(_: str) -> None:
        return

    watch(*((die_in_time, ignore) if moment == "before" else (ignore, die_in_time)))
    first_attempt(config, root)
    return "alive"


def go_on(config: dict[str, Any], root: Path) -> str:
    """As a driver does: a result that is there is taken, else another attempt is made."""
    from trainers.config.run import RunConfig

    folder = open_folder(root / "1")
    result = read_result(folder, RunConfig.model_validate(config).run_id)
    adopted = result is not None
    if result is None:
        second = open_folder(root / "2")
        result = run(config, data_dir=root, folder=second, earlier=[folder], attempt=2)
    return json.dumps(
        {
            "adopted": adopted,
            "first_epoch": result["provenance"]["first_epoch"],
            "weights_sha256": result["weights_sha256"],
        }
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
