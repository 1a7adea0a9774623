"""The command line: `sweep run`, `plan`, `resume`, `status`, `report`, `show`, `retry`.

Tables go to stdout, everything else to stderr. Heavy imports are inside the commands, so that
`sweep --help` is quick and neither torch nor ray is loaded to read a database.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

from sweeper.errors import EXIT_SOME_FAILED, Interrupted, RequestError, as_sweep_error
from sweeper.home import Home

if TYPE_CHECKING:
    from sweeper.scheduler import Summary
    from sweeper.spec import Spec


class _Commands(typer.core.TyperGroup):
    """Runs a command; every known error becomes one message and its exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _say("interrupted")
            raise typer.Exit(Interrupted.exit_code) from None
        except BrokenPipeError:
            # The reader of a pipe has seen enough (`sweep report | head`); Python would complain
            # once more when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except Exception as error:
            known = as_sweep_error(error)
            if known is None:
                raise
            _say(f"{'' if isinstance(known, Interrupted) else 'error: '}{known}")
            raise typer.Exit(known.exit_code) from None


app = typer.Typer(
    name="sweep",
    cls=_Commands,
    help="Train grids of multistep residual networks, anywhere Ray runs, and ask what they show.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

SpecArgument = Annotated[Path, typer.Argument(metavar="SPEC", help="a YAML file")]
SweepArgument = Annotated[str, typer.Argument(metavar="SWEEP", help="a sweep's name")]
SetOption = Annotated[
    list[str], typer.Option("--set", metavar="PATH=VALUE", help="change the spec; repeatable")
]
HomeOption = Annotated[
    Path, typer.Option("--home", envvar="SWEEP_HOME", help="folder for results, weights and data")
]
DatabaseOption = Annotated[
    str | None,
    typer.Option("--db", envvar="SWEEP_DB", metavar="URL", help="default: sqlite in the home"),
]
FormatOption = Annotated[
    str, typer.Option("--format", help="table, json, csv or markdown", metavar="FORMAT")
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", metavar="FILE", help="write there, not to stdout")
]
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

DEFAULT_HOME = Path(".sweep")


@app.command("run")
def run_command(
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

    _run(load_spec(spec, changes), Home.at(home, db), executor, ray_address, slots, ray_dashboard)


@app.command("resume")
def resume_command(
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

    where = Home.at(home, db)
    with Store.open(where.database, create=False) as store:
        stored = store.stored_spec(sweep)
    spec = spec_from_text(stored.text, stored.source, stored.overrides)
    _run(spec, where, executor, ray_address, slots, ray_dashboard)


def _run(
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
        _say(f"starting {executor} on {ray_address or 'this machine'}")
        return executor_class(executor).start(
            spec.resources, address=ray_address, most_slots=most, dashboard=dashboard
        )

    # A polite kill is a Control-C: what is running is handed back before the process ends.
    signal.signal(signal.SIGTERM, _interrupt)
    with Store.open(home.database) as store, Queries.open(home.database) as queries:
        costs = CostModel.from_samples(queries.cost_samples(), device=spec.resources.device)
        summary = run_sweep(spec, store, home, start_executor, costs, make_progress())
        counts = queries.status(spec.name)[0].counts
    _say_summary(spec, summary, counts)
    if counts["failed"] or summary.failed:
        raise typer.Exit(EXIT_SOME_FAILED)


def _interrupt(signum: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _say_summary(spec: Spec, summary: Summary, counts: dict[str, int]) -> None:
    done = f"{counts['done']} of {len(spec.configs)} runs done"
    if summary.nothing_to_do and not counts["failed"]:
        _say(f"{spec.name}: {done} already; nothing to train")
    else:
        parts = [f"{summary.trained} trained now"]
        if summary.adopted:
            parts.append(f"{summary.adopted} adopted from an interrupted driver")
        if summary.evaluated:
            parts.append(f"{summary.evaluated} evaluated from stored weights")
        _say(f"{spec.name}: {done} ({', '.join(parts)})")
    unmeasured = summary.failed - counts["failed"]
    if unmeasured > 0:
        _say(f"{unmeasured} finished runs could not be evaluated; the lines above say why")
    if summary.change.removed:
        _say(f"{summary.change.removed} runs left the sweep; their results stay")
    if counts["failed"]:
        _say(
            f"{counts['failed']} failed: `sweep status {spec.name}` says why; "
            f"`sweep retry {spec.name}` queues them again"
        )
    _say(f"ask it: sweep report {spec.name} --group-by zero_stable")


@app.command("plan")
def plan_command(
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
        with Queries.open(Home.at(home, db).database) as queries:
            costs = CostModel.from_samples(queries.cost_samples(), device=loaded.resources.device)
            ids = [config.run_id for config in loaded.configs]
            stored = {row["run_id"]: row for row in queries.run_rows(run_ids=ids)}
    except NoDatabaseError:
        pass  # nothing has run yet
    rows = plan_rows(loaded, stored, costs)
    shown = rows if format == "json" else [{key: row[key] for key in _PLANNED} for row in rows]
    _write(shown, format, output)
    todo = [r["estimated_seconds"] for r in rows if r["state"] not in ("done", "failed")]
    failed = sum(row["state"] == "failed" for row in rows)
    basis = "from finished runs" if costs.calibrated else "a guess: nothing has run here yet"
    _say(
        f"{len(rows)} runs, {len(rows) - len(todo) - failed} done, {failed} failed; "
        f"{len(todo)} to train: {format_seconds(sum(todo))} of work on one slot ({basis})"
    )


_PLANNED = (
    "run_id", "state", "model", "scheme", "depth", "dataset", "seed",
    "root_moduli", "zero_stable", "parameters", "estimated_seconds",
)  # fmt: skip


@app.command("status")
def status_command(
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

    with Queries.open(Home.at(home, db).database) as queries:
        found = queries.status(sweep)
    if format == "json":
        _write([asdict(status) for status in found], format, output)
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
    _write(rows, format, output)
    for status in found:
        for failure in status.failures:
            times = f"{failure.attempts} attempt{'s' if failure.attempts != 1 else ''}"
            _say(f"failed {failure.run_id} ({failure.label}, {times}): {failure.error}")


@app.command("report")
def report_command(
    sweeps: Annotated[
        list[str], typer.Argument(metavar="[SWEEP]...", help="default: every run there is")
    ] = [],  # noqa: B006
    group_by: Annotated[
        list[str],
        typer.Option(
            "--group-by",
            metavar="KEY[,KEY]",
            help="run keys or config paths, such as zero_stable,depth or training.optimizer.lr",
        ),
    ] = ["model,scheme,depth"],  # noqa: B006
    where: Annotated[
        list[str],
        typer.Option("--where", metavar="KEY=VALUE", help="also !=, <, <=, >, >=; repeatable"),
    ] = [],  # noqa: B006
    metric: Annotated[
        list[str],
        typer.Option("--metric", metavar="NAME", help="default: accuracies, gap and every noise"),
    ] = [],  # noqa: B006
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
    format: FormatOption = "table",  # noqa: A002
    output: OutputOption = None,
) -> None:
    """Mean +- standard deviation over runs; accuracies in percent, of the last epoch."""
    from results.queries import Queries
    from results.reports import report

    keys = [key.strip() for keys in group_by for key in keys.split(",") if key.strip()]
    with Queries.open(Home.at(home, db).database) as queries:
        rows = queries.run_rows(sweeps, config=True)
    _write(report(rows, keys, metric or None, where), format, output)


@app.command("show")
def show_command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="a run's id, or the start of it")],
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
    format: Annotated[  # noqa: A002
        str, typer.Option("--format", help="table or json", metavar="FORMAT")
    ] = "table",
    output: OutputOption = None,
) -> None:
    """One run in full: config, epochs, evaluations, attempts with their tracebacks."""
    from results.queries import Queries
    from sweeper.run_page import run_page

    if format not in ("table", "json"):
        raise RequestError(f"a run is shown as table or json, not as {format!r}")
    with Queries.open(Home.at(home, db).database) as queries:
        detail = queries.run_detail(run)
    if format == "json":
        import json

        _write_text(json.dumps(detail, indent=2, ensure_ascii=False) + "\n", output)
    else:
        _write_text(run_page(detail), output)


@app.command("retry")
def retry_command(
    sweep: SweepArgument, home: HomeOption = DEFAULT_HOME, db: DatabaseOption = None
) -> None:
    """Queue a sweep's failed runs again; `sweep resume` then trains them."""
    from results.store import Store

    with Store.open(Home.at(home, db).database, create=False) as store:
        count = store.retry(sweep)
    _say(f"{sweep}: {count} failed runs queued again; to train them: sweep resume {sweep}")


def _write(data: Any, format: str, output: Path | None) -> None:  # noqa: A002
    from results import rendering

    if output is None:
        rendering.write(data, format, sys.stdout)
        sys.stdout.flush()
    else:
        _write_text(rendering.render(data, format), output)


def _write_text(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    from trainers.durable import write_durably

    try:
        if output.exists() and not output.is_file():
            # A pipe or a device is written to; renaming a file over it would replace it.
            output.write_text(text)
        else:
            write_durably(output.resolve(), text.encode())
    except OSError as error:
        raise RequestError(f"--output {output} cannot be written: {error.strerror}") from error


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Entry point of the console script."""
    app()
