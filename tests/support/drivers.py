"""Drivers in processes of their own, to be watched, killed and compared with undisturbed ones."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import psutil

from results.errors import NoDatabaseError, UnknownSweepError
from results.queries.queries import Queries
from warm_sweep import WarmSweep

SWEEP = (str(Path(sys.executable).with_name("sweep")),)

NAME = "survivor"
"""The sweep of every spec that `write_spec` writes."""

PACED = "fake_trainers:paced"
LIGHT = "fake_trainers:light"
REAL = ""
"""The trainer of a spec that names none."""

SPEC = """
name: {name}
model: zerosnet
depth: 8
dataset: {{name: digits, subset: {images}}}
training: {{epochs: {epochs}, batch_size: 64}}
grid:
  scheme: [{{alpha: [1, 1, 1], beta: 1}}, {{lambda: -9/5}}]
  seed: {seeds}
evaluations:
  - {{noise: gaussian, std: 0.2}}
"""


@dataclass(frozen=True)
class Sweep:
    """A spec that was written, and what it asks for."""

    spec: Path
    runs: int
    epochs: int

    @property
    def all_epochs(self) -> int:
        return self.runs * self.epochs


def write_spec(
    folder: Path,
    *,
    runs: int = 40,
    epochs: int = 20,
    trainer: str = PACED,
    images: int = 128,
    more: str = "",
) -> Sweep:
    """A sweep of an even number of runs, half of them of a network that is not zero stable."""
    assert runs % 2 == 0, f"{runs} runs are not two schemes with equally many seeds"
    seeds = list(range(runs // 2))
    text = SPEC.format(name=NAME, images=images, epochs=epochs, seeds=seeds)
    if trainer:
        text += f"trainer: {trainer}\n"
    folder.mkdir(parents=True, exist_ok=True)
    spec = folder / f"{NAME}.yaml"
    spec.write_text(text + more)
    return Sweep(spec, runs, epochs)


class Driver:
    """One `sweep run SPEC` in a process of its own, or `sweep resume` if `spec` is None.

    Use it with `with`: on leaving, nothing of it runs any more, Ray's processes included.

    Attributes:
        process: the driver itself.
        started_at: just before it was started, in seconds since the epoch.
    """

    def __init__(
        self,
        spec: Path | None,
        home: Path,
        *,
        db: str | None = None,
        executor: Literal["inline", "ray"] = "inline",
        slots: int | None = None,
        more: Sequence[str] = (),
        program: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """
        Args:
            db: its results database; None for the one in the home.
            more: options.
            program: is called like `sweep`; by default the console script, or a fork that acts
                like it and starts sooner, where the executor needs no Python process of its own.
            environment: variables in addition to those of this process.
        """
        self.home = home
        self.db = db or database_of(home)
        what = ["resume", NAME] if spec is None else ["run", str(spec)]
        arguments = [*what, "--home", str(home), "--executor", executor, *more]
        if slots is not None:
            arguments += ["--slots", str(slots)]
        home.parent.mkdir(parents=True, exist_ok=True)
        self.log = home.parent / f"driver-{time.monotonic_ns()}.log"
        variables = os.environ | ({"SWEEP_DB": db} if db else {}) | dict(environment or {})
        self._family: dict[int, psutil.Process] = {}
        self.started_at = time.time()
        self.process: subprocess.Popen[bytes] | WarmSweep
        if program is None and executor == "inline":
            self.process = WarmSweep(arguments, self.log, variables)
            return
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*(program or SWEEP), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
                env=variables,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()

    def wait_until(
        self, condition: Callable[[], bool], *, seconds: float = 120.0, pause: float = 0.02
    ) -> None:
        """Until it holds, while the driver lives."""
        deadline = time.monotonic() + seconds
        while not condition():
            if self.process.poll() is not None:
                if condition():
                    return
                raise AssertionError(f"the driver ended too early:\n{self.output()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"waited for {seconds:g} s in vain:\n{self.output()}")
            time.sleep(pause)

    def lives_until(self, condition: Callable[[], bool], *, seconds: float = 120.0) -> bool:
        """Waits until it holds; False if the driver has ended before, with its work done."""
        deadline = time.monotonic() + seconds
        while not condition():
            if (code := self.process.poll()) is not None:
                assert code == 0, self.output()
                return False
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.01)
        return True

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL for the driver alone; then ends what Ray left behind."""
        self.kill_alone()
        self.clean_up()

    def kill_alone(self) -> None:
        """SIGKILL for the driver, and nothing else: its workers may live on for some seconds."""
        self.children()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(timeout=60)

    def clean_up(self) -> None:
        """Ends every process that was seen below the driver."""
        kill_all(list(self._family.values()))

    def end(self, seconds: float = 300.0) -> int:
        """Waits for its end, and returns its exit code."""
        try:
            return self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"runs for {seconds:g} s already:\n{self.output()}") from None

    def finish(self, seconds: float = 300.0) -> None:
        """Waits until it has done everything."""
        assert self.end(seconds) == 0, self.output()

    def output(self) -> str:
        return self.log.read_text()

    def children(self) -> list[psutil.Process]:
        """Every process below the driver; they are remembered for `clean_up`."""
        with suppress(psutil.NoSuchProcess):
            found: list[psutil.Process] = psutil.Process(self.process.pid).children(recursive=True)
            self._family |= {process.pid: process for process in found}
            return found
        return []

    def workers(self) -> list[psutil.Process]:
        """The processes of Ray that train, or are ready to."""
        return [child for child in self.children() if "ray::Slot" in _title(child)]


def database_of(home: Path) -> str:
    return f"sqlite:///{home / 'sweep.db'}"


def _title(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def kill_all(processes: Sequence[psutil.Process]) -> None:
    """SIGKILL for those that still live; returns when they are gone."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    _, alive = psutil.wait_procs(processes, timeout=60)
    assert not alive, f"survived SIGKILL: {alive}"


_RUN_ID = re.compile("[0-9a-f]{16}")
_EPOCH = re.compile(r"checkpoint-(\d+)\.pt\.sha256|epoch-(\d+)")
"""What a trainer stores of an epoch; `light` has no checkpoints."""


def finished_epochs(runs: Path) -> dict[str, int]:
    """By run id: how many epochs lie stored below the folder of runs, of any attempt.

    A run with a result counts as a million.
    """
    found: dict[str, int] = {}
    for run in _entries(runs):
        if not _RUN_ID.fullmatch(run.name):
            continue
        for attempt in _entries(Path(run.path)):
            epoch = max((_epoch(file.name) for file in _entries(Path(attempt.path))), default=0)
            found[run.name] = max(found.get(run.name, 0), epoch)
    return found


DONE = 1_000_000


def _epoch(name: str) -> int:
    if name == "result.json":
        return DONE
    match = _EPOCH.fullmatch(name)
    return int(match[1] or match[2]) if match else 0


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    # Whoever works there removes what others look at.
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        yield from entries


def progress(home: Path, sweep: Sweep) -> int:
    """How many epochs of the sweep are stored in the home."""
    return sum(min(epochs, sweep.epochs) for epochs in finished_epochs(home / "runs").values())


def some_run_is_half_trained(home: Path, epochs: int = 3) -> bool:
    """A checkpoint of that epoch or a later one, and no result yet."""
    return any(epochs <= epoch < DONE for epoch in finished_epochs(home / "runs").values())


def some_run_is_done(home: Path) -> bool:
    return DONE in finished_epochs(home / "runs").values()


_MAY_DIFFER = frozenset(
    ("attempts", "attempt_history", "created_at", "error", "finished_at", "images_per_second",
     "sweep_specs", "train_seconds")
)  # fmt: skip


def facts(db: str, sweep: str = NAME) -> dict[str, dict[str, Any]]:
    """By run id: all that must be the same to the bit, however the run came about."""
    found: dict[str, dict[str, Any]] = {}
    with Queries.open(db) as queries:
        for row in queries.run_rows([sweep]):
            detail = queries.run_detail(row["run_id"])
            for epoch in detail["epoch_history"]:
                del epoch["seconds"]
            found[row["run_id"]] = {k: v for k, v in detail.items() if k not in _MAY_DIFFER}
            found[row["run_id"]]["losses"] = []
        for measured in queries.evaluation_rows([sweep]):
            found[measured["run_id"]]["losses"].append(
                (measured["evaluation_id"], measured["loss"])
            )
    return found


def attempts(db: str, sweep: str = NAME) -> dict[str, list[dict[str, Any]]]:
    """By run id: its attempts so far, as `Queries.attempt_rows` gives them."""
    found: dict[str, list[dict[str, Any]]] = {}
    with Queries.open(db) as queries:
        ids = [row["run_id"] for row in queries.run_rows([sweep])]
        for row in queries.attempt_rows(ids):
            found.setdefault(row["run_id"], []).append(row)
    return found


def attempts_in_full(db: str, sweep: str = NAME) -> dict[str, list[dict[str, Any]]]:
    """By run id: its attempts so far, as `Queries.run_detail` gives them."""
    with Queries.open(db) as queries:
        ids = [row["run_id"] for row in queries.run_rows([sweep])]
        return {run_id: queries.run_detail(run_id)["attempt_history"] for run_id in ids}


def done(db: str, sweep: str = NAME) -> dict[str, int]:
    """By run id: the number of attempts of each run that is done."""
    with suppress(NoDatabaseError, UnknownSweepError), Queries.open(db) as queries:
        return {
            row["run_id"]: row["attempts"]
            for row in queries.run_rows([sweep])
            if row["state"] == "done"
        }
    return {}


NewDatabase = Callable[[Path], AbstractContextManager[str]]
"""Makes a database for a home, and gives its URL."""

Undisturbed = Callable[[Sweep], dict[str, dict[str, Any]]]
"""The facts of an undisturbed sweep."""


def assert_same(found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Every run is there and done, and equal to the bit to its undisturbed twin."""
    assert found.keys() == expected.keys()
    assert {facts["state"] for facts in found.values()} == {"done"}
    for run_id, facts in expected.items():
        assert found[run_id] == facts, run_id


def assert_trained_once(db: str, done_before: Mapping[str, int], sweep: str = NAME) -> None:
    """Each run has one result; those done before have been left alone."""
    for run_id, tries in attempts(db, sweep).items():
        states = [attempt["state"] for attempt in tries]
        assert states.count("done") == 1, (run_id, states)
        assert states[-1] == "done", (run_id, states)
        if run_id in done_before:
            assert len(tries) == done_before[run_id], f"{run_id} was done, and trained again"


def first_claim_after(db: str, moment: float, sweep: str = NAME) -> float | None:
    """When the first attempt since that moment was started, in seconds since the epoch.

    None if there is none, or no sweep or database of that name yet.
    """
    with suppress(NoDatabaseError, UnknownSweepError):
        started = [t["started_at"] for tries in attempts(db, sweep).values() for t in tries]
        return min((at for at in started if at >= moment), default=None)
    return None
