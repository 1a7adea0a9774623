"""What it costs to store what runs report while they train.

    python benchmarks/live_metrics.py

- committed rows a second, on SQLite and Postgres: 50 running runs whose reports are stored in
  transactions of 10,000 values, as a driver does at most every 2 s;
- runs that do nothing, inline: the processor time of a `sweep run` with and without what looks for
  their reports;
- a Fashion-MNIST sweep, inline: which share of its time the transactions took;
- a driver alone, with 64 slots on which runs take a millisecond, so that it is what holds them up:
  with runs that report nothing, with runs that report an epoch of three values each, which are over
  before anybody looks at them, and with all of these looked at.
"""

from __future__ import annotations

import argparse
import io
import sqlite3
import statistics
import tempfile
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from no_op_sweep import Timed, no_op_spec, timed_sweep

from sweeper.executors.reporting import YOUNG_SECONDS

FASHION = """
name: fashion
model: zerosnet
depth: 8
dataset: {name: fashion_mnist, subset: 1000}
training: {epochs: 6}
grid: {scheme: [{lambda: 10}], seed: [0, 1]}
"""
WITHOUT = """
from contextlib import nullcontext
from sweeper.scheduling.report_keeper import ReportKeeper
ReportKeeper.following = lambda *_: nullcontext()
"""
WITH = ""
TIMED = """
import atexit, sys, time
from results.store.store import Store
report, told = Store.report, []
def timed(self, reports):
    began = time.perf_counter()
    try:
        return report(self, reports)
    finally:
        told.append((time.perf_counter() - began, sum(one.size for one in reports)))
Store.report = timed
def tell():
    print("REPORTS", len(told), sum(n for _, n in told), sum(s for s, _ in told))
atexit.register(tell)
"""
_RUNS = 50
_AT_ONCE = 10_000
_SIMULATED_SECONDS = 0.001
_EPOCHS_A_SECOND = 1 / _SIMULATED_SECONDS
_REPORTS = {
    "that report nothing": (0.0, YOUNG_SECONDS),
    "that report and are over": (_EPOCHS_A_SECOND, YOUNG_SECONDS),
    "whose reports are stored": (_EPOCHS_A_SECOND, 0.0),
}
"""Epochs a second, and how long a run has to run before anybody looks at them."""


def rows_a_second(url: str, seconds: float) -> dict[str, float]:
    """Committed rows of `epochs` and of `epoch_metrics`, each alone."""
    from results.records import NewRun
    from results.store.report_schema import check_report
    from results.store.store import Store

    empty: dict[str, Any] = dict.fromkeys(NewRun.__dataclass_fields__)
    ids = [f"{number:016x}" for number in range(_RUNS)]
    runs = [NewRun(**{**empty, "run_id": r, "config": {"trainer": "a:b"}, "seed": 0}) for r in ids]
    found = {}
    with Store.open(url) as store, store.driving():
        store.save_sweep("s", "name: s", "s.yaml", [], None, runs, [])
        store.claim_all(ids, provenance={})
        for table, values in (
            ("epochs", {"train_loss": 0.5, "train_accuracy": 80.0, "test_accuracy": 79.0}),
            ("epoch_metrics", {"loss": 0.5, "f1": 0.75, "auc": 0.9, "lr": 0.1}),
        ):
            of_run = _AT_ONCE // _RUNS // (1 if table == "epochs" else len(values))
            rows, epoch, began = 0, 1, time.perf_counter()
            while time.perf_counter() - began < seconds:
                epochs = [{"epoch": epoch + n, "values": values} for n in range(of_run)]
                told = [
                    check_report({"run_id": r, "attempt": 1, "first": 1, "epochs": epochs})
                    for r in ids
                ]
                if epoch > 1:
                    told = [replace(one, begins=False) for one in told]
                assert len(store.report(told)) == _RUNS
                rows += sum(one.size for one in told)
                epoch += of_run
            found[table] = rows / (time.perf_counter() - began)
    return found


def simulated(runs: int, reports: tuple[float, float], folder: Path) -> tuple[float, float]:
    """Runs a second, and milliseconds of the driver's processor time a run."""
    from simulated_executor import SimulatedExecutor

    from results.store.store import Store
    from sweeper.home import Home
    from sweeper.planning.cost import CostModel
    from sweeper.scheduling.progress import Progress
    from sweeper.scheduling.scheduler import run_sweep
    from sweeper.scheduling.signals import StopRequest
    from sweeper.spec.spec import load_spec

    (folder / "nothing.yaml").write_text(no_op_spec(runs))
    spec, home = load_spec(folder / "nothing.yaml", []), Home.at(folder / "home")
    with Store.open(home.database) as store:
        used = time.process_time()
        run_sweep(
            spec, store, home,
            lambda: SimulatedExecutor(64, _SIMULATED_SECONDS, *reports),
            CostModel({}), Progress(io.StringIO()), StopRequest(grace=0), "benchmark",
        )  # fmt: skip
        used = time.process_time() - used
    with sqlite3.connect(folder / "home" / "sweep.db") as connection:
        done, first, last = connection.execute(
            "SELECT count(*), min(started_at), max(finished_at) FROM attempts WHERE state = 'done'"
        ).fetchone()
    assert done == runs
    return runs / (last - first), 1000 * used / runs


def time_rows(seconds: float, folder: Path) -> None:
    from results_db import postgres

    for name in ("SQLite", "Postgres"):
        server: AbstractContextManager[str] = nullcontext(f"sqlite:///{folder}/r.db")
        with postgres(folder) if name == "Postgres" else server as url:
            for table, rate in rows_a_second(url, seconds).items():
                print(f"{name}, {table}: {rate:,.0f} rows a second", flush=True)


def time_nothing(runs: int, turns: int) -> None:
    spec = no_op_spec(runs, "one_epoch")
    found: dict[str, list[Timed]] = {WITHOUT: [], WITH: []}
    for _ in range(turns):
        for before, times in found.items():
            times.append(timed_sweep(spec, before=before))
    for before, times in found.items():
        rate = statistics.median(timed.rate for timed in times)
        used = statistics.median(timed.processor_milliseconds for timed in times)
        kind = "looked at" if before == WITH else "not looked at"
        print(f"runs that do nothing, {kind}: {rate:.0f} a second, {used:.2f} ms of processor time")


def time_fashion() -> None:
    timed = timed_sweep(FASHION, before=TIMED)
    (line,) = (line for line in timed.output.splitlines() if line.startswith("REPORTS"))
    transactions, rows, spent = line.split()[1:]
    print(
        f"Fashion-MNIST: {timed.runs} runs in {timed.seconds:.1f} s; {transactions} transactions"
        f" with {rows} rows took {1000 * float(spent):.1f} ms:"
        f" {100 * float(spent) / timed.seconds:.3f} %"
    )


def time_simulated(runs: int, turns: int) -> None:
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in _REPORTS}
    for _ in range(turns):
        for kind, times in found.items():
            with tempfile.TemporaryDirectory() as folder:
                times.append(simulated(runs, _REPORTS[kind], Path(folder)))
    for kind, times in found.items():
        rate, used = (statistics.median(values) for values in zip(*times, strict=True))
        print(f"simulated runs {kind}: {rate:.0f} a second, {used:.2f} ms of processor time")


PARTS = ("rows", "nothing", "fashion", "simulated")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each kind of rows")
    parser.add_argument("--runs", type=int, default=500, help="that do nothing")
    parser.add_argument("--simulated-runs", type=int, default=6000)
    parser.add_argument("--turns", type=int, default=3)
    chosen = parser.parse_args()
    if "rows" in chosen.only:
        with tempfile.TemporaryDirectory() as folder:
            time_rows(chosen.seconds, Path(folder))
    if "nothing" in chosen.only:
        time_nothing(chosen.runs, chosen.turns)
    if "fashion" in chosen.only:
        time_fashion()
    if "simulated" in chosen.only:
        time_simulated(chosen.simulated_runs, chosen.turns)


if __name__ == "__main__":
    main()
