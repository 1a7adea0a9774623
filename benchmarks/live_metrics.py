"""What it costs to store what runs report while they train.

    python benchmarks/live_metrics.py

- committed rows a second, on SQLite and Postgres: 50 running runs whose reports are stored in
  transactions of 10,000 values, as a driver does at most every 2 s;
- runs that do nothing, inline: the processor time of a `sweep run` with and without what looks for
  their reports;
- a Fashion-MNIST sweep, inline: which share of its time the transactions took.
"""

from __future__ import annotations

import argparse
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
NOTHING = """
name: nothing
model: zerosnet
depth: 8
dataset: digits
trainer: no_op:one_epoch
training: {{epochs: 1}}
grid: {{scheme: [{{lambda: 10}}], seed: {seeds}}}
"""
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
START = "from sweeper.program import main; main()"
_RUNS = 50
_AT_ONCE = 10_000


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


def sweep(before: str, spec: str) -> tuple[float, float, str, int]:
    """Seconds from the first claim to the last commit, processor seconds, output, and runs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "s.yaml").write_text(spec)
        arguments = ["run", "s.yaml", "--home", "home", "--executor", "inline"]
        path = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
        used = _processor_seconds()
        done = subprocess.run(
            [sys.executable, "-c", before + START, *arguments],
            cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        used = _processor_seconds() - used
        connection = sqlite3.connect(folder / "home" / "sweep.db")
        runs, first, last = connection.execute(
            "SELECT count(*), min(started_at), max(finished_at) FROM attempts WHERE state = 'done'"
        ).fetchone()
        return last - first, used, done.stdout, runs


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def time_rows(seconds: float, folder: Path) -> None:
    from results_db import postgres

    for name in ("SQLite", "Postgres"):
        server: AbstractContextManager[str] = nullcontext(f"sqlite:///{folder}/r.db")
        with postgres(folder) if name == "Postgres" else server as url:
            for table, rate in rows_a_second(url, seconds).items():
                print(f"{name}, {table}: {rate:,.0f} rows a second", flush=True)


def time_nothing(runs: int, turns: int) -> None:
    spec = NOTHING.format(seeds=list(range(runs)))
    found: dict[str, list[tuple[float, float]]] = {WITHOUT: [], WITH: []}
    for _ in range(turns):
        for before, times in found.items():
            seconds, used, _, done = sweep(before, spec)
            assert done == runs
            times.append((runs / seconds, 1000 * used / runs))
    for before, times in found.items():
        rate, used = (statistics.median(values) for values in zip(*times, strict=True))
        kind = "looked at" if before == WITH else "not looked at"
        print(f"runs that do nothing, {kind}: {rate:.0f} a second, {used:.2f} ms of processor time")


def time_fashion() -> None:
    seconds, _, output, runs = sweep(TIMED, FASHION)
    (line,) = (line for line in output.splitlines() if line.startswith("REPORTS"))
    transactions, rows, spent = line.split()[1:]
    print(
        f"Fashion-MNIST: {runs} runs in {seconds:.1f} s; {transactions} transactions with"
        f" {rows} rows took {1000 * float(spent):.1f} ms: {100 * float(spent) / seconds:.3f} %"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=["rows", "nothing", "fashion"])
    parser.add_argument("--seconds", type=float, default=8.0, help="of each kind of rows")
    parser.add_argument("--runs", type=int, default=500, help="that do nothing")
    parser.add_argument("--turns", type=int, default=3)
    chosen = parser.parse_args()
    parts = chosen.only or ["rows", "nothing", "fashion"]
    if "rows" in parts:
        with tempfile.TemporaryDirectory() as folder:
            time_rows(chosen.seconds, Path(folder))
    if "nothing" in parts:
        time_nothing(chosen.runs, chosen.turns)
    if "fashion" in parts:
        time_fashion()


if __name__ == "__main__":
    main()
