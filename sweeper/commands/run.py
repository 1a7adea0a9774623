"""Making results: `sweep run`, `plan`, `resume`, `status`, `retry`."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sweeper.commands.options import (
    DEFAULT_HOME,
    DatabaseOption,
    FormatOption,
    HomeOption,
    OutputOption,
    SetOption,
    SpecArgument,
    SweepArgument,
    home_at,
)
from sweeper.commands.output import say, write_table
from sweeper.errors import EXIT_SOME_FAILED, RequestError
from sweeper.home import Home

if TYPE_CHECKING:
    from sweeper.scheduler import Summary
    from sweeper.spec import Spec

ExecutorOption = Annotated[str, typer.Option("--executor", help="ray, or inline: no Ray at all")]
AddressOption = Annotated[
    str | None,
    typer.Option("--ray-address", metavar="ADDRESS", help="a Ray cluster; default: this machine"),
]
DashboardOption = Annotated[
    bool, typer.Option("--ray-dashboard", help="also start Ray's web page (needs ray[default])")
]
SlotsOption = Annotated[
    int | None, typer.Option("--slots", min=1, help="at most so many runs at a time")
]


def run(
    spec: SpecArgument,
    changes: SetOption = [],  # noqa: B006 - typer copies it
    executor: ExecutorOption = "ray",
    ray_address: AddressOption = None,
    slots: SlotsOption = None,
    ray_dashboard: DashboardOption = False,
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
) -> None:
    """Train, evaluate and store what SPEC asks for and the database lacks.

    After any interruption the same command goes on.
    """
    from sweeper.spec import load_spec

    _run_spec(
        load_spec(spec, changes), home_at(home, db), executor, ray_address, slots, ray_dashboard
    )


def resume(
    sweep: Annotated[
        str | None, typer.Argument(metavar="[SWEEP]", help="default: the one that ran last")
    ] = None,
    executor: ExecutorOption = "ray",
    ray_address: AddressOption = None,
    slots: SlotsOption = None,
    ray_dashboard: DashboardOption = False,
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
) -> None:
    """Go on with a sweep from the database, without its file."""
    from results.store import Store
    from sweeper.spec import spec_from_text

    where = home_at(home, db)
    with Store.open(where.database, create=False) as store:
        stored = store.stored_spec(sweep)
    spec = spec_from_text(stored.text, stored.source, stored.overrides)
    _run_spec(spec, where, executor, ray_address, slots, ray_dashboard)


def _run_spec(
    spec: Spec,
    home: Home,
    executor: str,
    ray_address: str | None,
    slots: int | None,
    dashboard: bool,
) -> None:
    from results.queries import Queries
    from results.store import Store
    from sweeper.cost import CostModel
    from sweeper.executors import EXECUTORS, Executor, executor_class
    from sweeper.progress import make_progress
    from sweeper.scheduler import run_sweep

    # Whatever is wrong with the request is an error before anything is written.
    EXECUTORS[executor]
    if executor != "ray" and (ray_address is not None or dashboard):
        raise RequestError(f"--ray-address and --ray-dashboard need --executor ray, not {executor}")
    if ray_address is not None and dashboard:
        raise RequestError("--ray-dashboard is for a local Ray; a cluster's head starts its own")

    def start_executor(tasks: int) -> Executor:
        most = tasks if slots is None else min(tasks, slots)
        say(f"starting {executor} on {ray_address or 'this machine'}")
        return executor_class(executor).start(
            spec.resources, address=ray_address, most_slots=most, dashboard=dashboard
        )

    # A polite kill is a Control-C: what is running is handed back before the process ends.
    signal.signal(signal.SIGTERM, _interrupt)
    with Store.open(home.database, on_wait=say) as store, Queries.open(home.database) as queries:
        costs = CostModel.from_samples(queries.cost_samples(), device=spec.resources.device)
        summary = run_sweep(spec, store, home, start_executor, costs, make_progress())
        counts = queries.status(spec.name)[0].counts
    _summarize(spec, summary, counts)
    if counts["failed"] or summary.failed:
        raise typer.Exit(EXIT_SOME_FAILED)


def _interrupt(signum: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _summarize(spec: Spec, summary: Summary, counts: dict[str, int]) -> None:
    done = f"{counts['done']} of {len(spec.configs)} runs done"
    if summary.nothing_to_do and not counts["failed"]:
        say(f"{spec.name}: {done} already; nothing to train")
    else:
        parts = [f"{summary.trained} trained now"]
        if summary.adopted:
            parts.append(f"{summary.adopted} adopted from an interrupted driver")
        if summary.evaluated:
            parts.append(f"{summary.evaluated} evaluated from stored weights")
        say(f"{spec.name}: {done} ({', '.join(parts)})")
    unmeasured = summary.failed - counts["failed"]
    if unmeasured > 0:
        say(f"{unmeasured} finished runs could not be evaluated; the lines above say why")
    if summary.change.removed:
        say(f"{summary.change.removed} runs left the sweep; their results stay")
    if counts["failed"]:
        say(
            f"{counts['failed']} failed: `sweep status {spec.name}` says why; "
            f"`sweep retry {spec.name}` queues them again"
        )
    say(f"ask it: sweep report {spec.name} --group-by zero_stable")


def plan(
    spec: SpecArgument,
    changes: SetOption = [],  # noqa: B006
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
    format: FormatOption = "table",  # noqa: A002
    output: OutputOption = None,
) -> None:
    """Show what SPEC would run; writes nothing."""
    from results.errors import NoDatabaseError
    from results.queries import Queries
    from sweeper.cost import CostModel
    from sweeper.plan import plan_rows
    from sweeper.progress import format_seconds
    from sweeper.spec import load_spec

    loaded = load_spec(spec, changes)
    costs, stored = CostModel({}), {}
    try:
        with Queries.open(home_at(home, db).database) as queries:
            costs = CostModel.from_samples(queries.cost_samples(), device=loaded.resources.device)
            ids = [config.run_id for config in loaded.configs]
            stored = {row["run_id"]: row for row in queries.run_rows(run_ids=ids)}
    except NoDatabaseError:
        pass  # nothing has run yet
    rows = plan_rows(loaded, stored, costs)
    shown = rows if format == "json" else [{key: row[key] for key in _PLANNED} for row in rows]
    write_table(shown, format, output)
    todo = [r["estimated_seconds"] for r in rows if r["state"] not in ("done", "failed")]
    failed = sum(row["state"] == "failed" for row in rows)
    basis = "from finished runs" if costs.calibrated else "a guess: nothing has run here yet"
    say(
        f"{len(rows)} runs, {len(rows) - len(todo) - failed} done, {failed} failed; "
        f"{len(todo)} to train: {format_seconds(sum(todo))} of work on one slot ({basis})"
    )


_PLANNED = (
    "run_id", "state", "model", "scheme", "depth", "dataset", "seed",
    "root_moduli", "zero_stable", "parameters", "estimated_seconds",
)  # fmt: skip


def status(
    sweep: Annotated[
        str | None, typer.Argument(metavar="[SWEEP]", help="default: every sweep")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
    format: FormatOption = "table",  # noqa: A002
    output: OutputOption = None,
) -> None:
    """Runs by state, rate, time left, and why runs failed."""
    from dataclasses import asdict

    from results.queries import Queries

    with Queries.open(home_at(home, db).database) as queries:
        found = queries.status(sweep)
    if format == "json":
        write_table([asdict(status) for status in found], format, output)
        return
    rows = [
        {
            "sweep": status.sweep,
            "runs": status.runs,
            **status.counts,
            "train_seconds": status.train_seconds,
            "rate_per_hour": status.rate_per_hour,
            "seconds_left": status.seconds_left,
        }
        for status in found
    ]
    write_table(rows, format, output)
    for status in found:
        for failure in status.failures:
            times = f"{failure.attempts} attempt{'s' if failure.attempts != 1 else ''}"
            say(f"failed {failure.run_id} ({failure.label}, {times}): {failure.error}")


def retry(sweep: SweepArgument, home: HomeOption = DEFAULT_HOME, db: DatabaseOption = None) -> None:
    """Queue a sweep's failed runs again; `sweep resume` then trains them."""
    from results.store import Store

    with Store.open(home_at(home, db).database, create=False) as store:
        count = store.retry(sweep)
    say(f"{sweep}: {count} failed runs queued again; to train them: sweep resume {sweep}")
