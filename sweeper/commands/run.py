"""Making results: `sweep run`, `plan`, `resume`, `status`, `retry`, `cancel`."""

from __future__ import annotations

from dataclasses import dataclass
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
    StorageOption,
    home_at,
)
from sweeper.commands.output import say, write_table
from sweeper.errors import EXIT_SOME_FAILED, RequestError
from sweeper.home import Home

if TYPE_CHECKING:
    from results.records import SweepStatus
    from sweeper.scheduling.scheduler import Summary
    from sweeper.spec.spec import Spec

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
GraceOption = Annotated[
    float,
    typer.Option(
        "--grace",
        metavar="SECONDS",
        min=0,
        help="after SIGTERM, what the current epochs have to end in",
    ),
]
RunsOption = Annotated[
    list[str],
    typer.Option("--run", metavar="RUN", help="only this run, by its id or the start of it"),
]

GRACE_SECONDS = 25.0
"""A little less than the 30 s that Kubernetes leaves a process, and Slurm by default."""


@dataclass(frozen=True)
class _Where:
    """Where to run, as the options say."""

    executor: str
    ray_address: str | None
    slots: int | None
    dashboard: bool
    grace: float


def run(
    spec: SpecArgument,
    changes: SetOption = [],  # noqa: B006 - typer copies it
    executor: ExecutorOption = "ray",
    ray_address: AddressOption = None,
    slots: SlotsOption = None,
    ray_dashboard: DashboardOption = False,
    grace: GraceOption = GRACE_SECONDS,
    storage: StorageOption = None,
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
) -> None:
    """Train, evaluate and store what SPEC asks for and the database lacks.

    After any interruption the same command goes on.
    """
    from sweeper.spec.spec import load_spec

    where = _Where(executor, ray_address, slots, ray_dashboard, grace)
    _run_spec(load_spec(spec, changes), home_at(home, db, storage), where)


def resume(
    sweep: Annotated[
        str | None, typer.Argument(metavar="[SWEEP]", help="default: the one that ran last")
    ] = None,
    executor: ExecutorOption = "ray",
    ray_address: AddressOption = None,
    slots: SlotsOption = None,
    ray_dashboard: DashboardOption = False,
    grace: GraceOption = GRACE_SECONDS,
    storage: StorageOption = None,
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
) -> None:
    """Go on with a sweep from the database, without its file."""
    from results.store.store import Store
    from sweeper.spec.spec import spec_from_text

    laboratory = home_at(home, db, storage)
    with Store.open(laboratory.database, create=False) as store:
        stored = store.stored_spec(sweep)
    spec = spec_from_text(stored.text, stored.source, stored.overrides)
    where = _Where(executor, ray_address, slots, ray_dashboard, grace)
    _run_spec(spec, laboratory, where)


def _run_spec(spec: Spec, home: Home, where: _Where) -> None:
    from results.queries.queries import Queries
    from results.store.store import Store
    from sweeper.executors import EXECUTORS, Conditions, Executor, executor_class
    from sweeper.planning.cost import CostModel
    from sweeper.scheduling.progress import make_progress
    from sweeper.scheduling.scheduler import interrupted, run_sweep
    from sweeper.scheduling.signals import StopRequest
    from trainers.errors import StorageError
    from trainers.storage import open_folder

    # Whatever is wrong with the request is an error before anything is written.
    EXECUTORS[where.executor]
    if where.executor != "ray" and (where.ray_address is not None or where.dashboard):
        raise RequestError(
            f"--ray-address and --ray-dashboard need --executor ray, not {where.executor}"
        )
    if where.ray_address is not None and where.ray_address.startswith("ray://"):
        raise RequestError(
            f"--ray-address {where.ray_address}: Ray Client is not supported; run the sweep on a"
            " node of the cluster, by `ray job submit` if need be (docs/cluster.md)"
        )
    if where.ray_address is not None and where.dashboard:
        raise RequestError("--ray-dashboard is for a local Ray; a cluster's head starts its own")
    try:
        open_folder(home.storage)
    except StorageError as error:
        raise RequestError(f"--storage: {error}") from None
    stop = StopRequest(where.grace)

    def wait(sentence: str) -> None:
        say(sentence)
        if stop.asked:
            raise interrupted(spec.name)

    def start_executor() -> Executor:
        say(f"starting {where.executor} on {where.ray_address or 'this machine'}")
        return executor_class(where.executor).start(
            Conditions(
                spec.resources,
                most_slots=where.slots,
                address=where.ray_address,
                dashboard=where.dashboard,
                hung_seconds=spec.faults.hung.seconds,
                stop_asked=lambda: stop.asked,
            )
        )

    patience = spec.faults.unreachable.seconds
    try:
        with (
            stop.listening(),
            Store.open(home.database, on_wait=wait, patience=patience) as store,
        ):
            with Queries.open(home.database) as queries:
                samples = queries.cost_samples()
            costs = CostModel.from_samples(samples, device=spec.resources.device)
            summary = run_sweep(spec, store, home, start_executor, costs, make_progress(), stop)
            counts = store.counts(spec.name)
    except KeyboardInterrupt:
        raise interrupted(spec.name) from None
    _summarize(spec, summary, counts)
    if counts["failed"] or summary.unmeasured:
        raise typer.Exit(EXIT_SOME_FAILED)


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
    if summary.unmeasured:
        say(f"{summary.unmeasured} finished runs could not be evaluated; the lines above say why")
    if summary.change.requeued:
        say(f"{_runs(summary.change.requeued)} cancelled before had been queued again")
    if counts["cancelled"]:
        say(f"{_runs(counts['cancelled'])} cancelled: `sweep retry {spec.name}` queues them again")
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
    from results.queries.queries import Queries
    from sweeper.planning.cost import CostModel
    from sweeper.planning.plan import plan_rows
    from sweeper.scheduling.progress import format_seconds
    from sweeper.spec.spec import load_spec

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
    write_table(rows if format == "json" else _planned(rows), format, output)
    todo = [r["estimated_seconds"] for r in rows if r["state"] not in ("done", "failed")]
    failed = sum(row["state"] == "failed" for row in rows)
    basis = "from finished runs" if costs.calibrated else "a guess: nothing has run here yet"
    say(
        f"{len(rows)} runs, {len(rows) - len(todo) - failed} done, {failed} failed; "
        f"{len(todo)} to train: {format_seconds(sum(todo))} of work on one slot ({basis})"
    )


def _planned(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As columns; `settings` only where anything varies that the others do not show."""
    varied = any(row["settings"] for row in rows)
    columns = [column for column in _PLANNED if varied or column != "settings"]
    shown = [{column: row[column] for column in columns} for row in rows]
    if varied:
        for row in shown:
            settings = row["settings"].items()
            row["settings"] = ", ".join(
                f"{path.split('.')[-1]} {_said(at)}" for path, at in settings
            )
    return shown


def _said(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_said, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


_PLANNED = (
    "run_id", "state", "model", "scheme", "depth", "settings", "dataset", "seed",
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

    from results.queries.queries import Queries

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
        _tell(status)


def _tell(status: SweepStatus) -> None:
    """Who works on a sweep, and what happened to whom; a few lines, whatever its size."""
    for driver in status.drivers:
        who = f"driver {driver.pid} on {driver.host}" if driver.pid else "an unknown driver"
        gone = "; it is gone, and the next `sweep run` takes them up" if driver.gone else ""
        say(f"{who}: {_runs(driver.runs)}{gone}")
    for failure in status.failures:
        times = f"{failure.attempts} attempt{'s' if failure.attempts != 1 else ''}"
        say(f"failed {failure.run_id} ({failure.label}, {times}): {failure.error}")
    failed = {failure.run_id for failure in status.failures}
    others = [fault for fault in status.faults if fault.run_id not in failed]
    for fault in others[:_MOST_FAULTS]:
        times = "once" if fault.times == 1 else f"{fault.times} times"
        where = f" on {fault.last_host}" if fault.last_host else ""
        say(
            f"{fault.kind.replace('_', ' ')} {times}: {fault.run_id} ({fault.label}){where}: "
            f"{fault.last_error or 'no reason given'}"
        )
    if len(others) > _MOST_FAULTS:
        say(f"... and {len(others) - _MOST_FAULTS} more: sweep status --format json")


_MOST_FAULTS = 20


def retry(
    sweep: Annotated[
        str | None, typer.Argument(metavar="[SWEEP]", help="default: every sweep")
    ] = None,
    runs: RunsOption = [],  # noqa: B006
    failed: Annotated[
        bool, typer.Option("--failed", help="failed runs only, and not the cancelled ones")
    ] = False,
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
) -> None:
    """Queue failed and cancelled runs again. A driver at work takes them up by itself."""
    from results.store.store import Store

    with Store.open(home_at(home, db).database, create=False) as store:
        count = store.retry(sweep, runs or None, only_failed=failed)
    go_on = f"sweep resume {sweep}" if sweep else "sweep resume"
    say(f"{_runs(count)} queued again" + (f"; to train: {go_on}" if count else ""))


def cancel(
    sweep: Annotated[str | None, typer.Argument(metavar="[SWEEP]", help="all of its runs")] = None,
    runs: RunsOption = [],  # noqa: B006
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
) -> None:
    """Take runs out of the queue, and stop those that train. Done runs stay as they are."""
    from results.store.store import Store

    if sweep is None and not runs:
        raise RequestError("cancel what? Name a sweep, or runs with --run RUN")
    with Store.open(home_at(home, db).database, create=False) as store:
        count = store.cancel(sweep, runs or None)
    again = f"; `sweep retry {sweep or '--run RUN'}` queues them again" if count else ""
    say(f"{_runs(count)} cancelled{again}")


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"
