"""What happens around a run: `sweep run` compared with what people would use instead.

    pip install '.[peers]'
    python benchmarks/orchestration.py                  # all four, one after the other
    python benchmarks/orchestration.py --only sweep pool

Each side does its own number of trials that compute nothing, on this machine, and keeps each
trial's result where it can be asked for afterwards:

- `sweep`: `sweep run` through Ray into SQLite, from the first claim to the last commit, each run
  committed durably with its epochs, config and provenance;
- `pool`: bare Ray actors, one a core, that are given one call at a time and return a dict of the
  same size; nothing is stored. This is what Ray itself costs, and no orchestrator can beat it;
- `tune`: Ray Tune with a function that reports once;
- `optuna`: one process, a grid sampler, SQLite.

Starting Ray is not counted for any of them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from no_op_sweep import no_op_spec, timed_sweep


def sweep(trials: int, folder: Path) -> float:
    """Seconds from the first claim to the last commit."""
    return timed_sweep(no_op_spec(trials), executor="ray").seconds


def pool(trials: int, folder: Path) -> float:
    """Seconds for as many calls of actors that are there already."""
    import ray

    class Worker:
        def work(self, config: dict[str, Any]) -> dict[str, Any]:
            return {**config, "test_accuracy": 50.0, "padding": "0" * 1500}

    actor_class = ray.remote(Worker)

    ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        actors = [actor_class.remote() for _ in range(os.cpu_count() or 1)]
        ray.get([actor.work.remote({}) for actor in actors])
        start = time.perf_counter()
        running, given, results = {}, 0, 0
        for actor in actors:
            running[actor.work.remote({"seed": given, "padding": "0" * 1500})] = actor
            given += 1
        while running:
            (ready,), _ = ray.wait(list(running), num_returns=1)
            actor = running.pop(ready)
            results += ray.get(ready)["seed"] >= 0
            if given < trials:
                running[actor.work.remote({"seed": given, "padding": "0" * 1500})] = actor
                given += 1
        assert results == trials
        return time.perf_counter() - start
    finally:
        ray.shutdown()


def tune(trials: int, folder: Path) -> float:
    """Seconds that `fit` takes."""
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    import ray
    from ray import tune as ray_tune

    def nothing(config: dict[str, Any]) -> None:
        ray_tune.report({"test_accuracy": 50.0})

    ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        tuner = ray_tune.Tuner(
            nothing,
            param_space={"seed": ray_tune.grid_search(list(range(trials)))},
            run_config=ray_tune.RunConfig(storage_path=str(folder / "tune"), verbose=0),
        )
        start = time.perf_counter()
        results = tuner.fit()
        seconds = time.perf_counter() - start
        assert len(results) == trials
        assert not results.errors
        return seconds
    finally:
        ray.shutdown()


def optuna(trials: int, folder: Path) -> float:
    """Seconds that `optimize` takes."""
    import optuna as library

    library.logging.set_verbosity(library.logging.WARNING)
    study = library.create_study(
        storage=f"sqlite:///{folder}/optuna.db",
        sampler=library.samplers.GridSampler({"seed": list(range(trials))}),
    )
    start = time.perf_counter()
    study.optimize(lambda trial: float(trial.suggest_int("seed", 0, trials)), n_trials=trials)
    seconds = time.perf_counter() - start
    assert len(study.trials) == trials
    return seconds


SIDES: dict[str, tuple[Callable[[int, Path], float], int]] = {
    "sweep": (sweep, 2000),
    "pool": (pool, 2000),
    "optuna": (optuna, 300),
    "tune": (tune, 60),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--one", choices=SIDES, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        side, trials = SIDES[chosen.one]
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(side(trials, Path(folder))))
        return
    rates: dict[str, float] = {}
    for name in chosen.only:
        # In a process of its own, so that no side inherits what another one left.
        command = [sys.executable, __file__, "--one", name]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        seconds, trials = float(output.splitlines()[-1]), SIDES[name][1]
        rates[name] = trials / seconds
        print(f"{name:8} {trials:6,} trials  {seconds:7.2f} s  {rates[name]:8.1f} a second")
    if "sweep" in rates:
        for name, rate in rates.items():
            if name != "sweep":
                print(f"sweep is {rates['sweep'] / rate:.2f} times {name}")


if __name__ == "__main__":
    main()
