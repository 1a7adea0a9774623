"""What `sweep run` and `sweep resume` share: where runs execute, and its messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from results.database.inherited_password import VARIABLES, held
from sweep_plugins.url_secrets import HOLDS_SECRET, holds_secret
from sweep_plugins.variable_secrets import secret_values
from sweeper.commands.options import is_sqlite, not_empty
from sweeper.commands.output import format_runs, say
from sweeper.errors import EXIT_SOME_FAILED, RequestError
from sweeper.home import Home
from trainers.streams import working

if TYPE_CHECKING:
    from sweeper.scheduling.summary import Summary
    from sweeper.spec.spec import Spec

ExecutorOption = Annotated[str, typer.Option("--executor", help="ray, or inline: no Ray at all")]
AddressOption = Annotated[
    str | None,
    typer.Option(
        "--ray-address",
        metavar="ADDRESS",
        parser=not_empty,
        help="a Ray cluster; default: this machine",
    ),
]
DashboardOption = Annotated[
    bool, typer.Option("--ray-dashboard", help="also start Ray's web page (needs ray[default])")
]
SlotsOption = Annotated[
    int | None, typer.Option("--slots", min=1, help="at most this many runs at a time")
]
GraceOption = Annotated[
    float,
    typer.Option(
        "--grace",
        metavar="SECONDS",
        min=0,
        help="after SIGTERM, time for the current epochs to end",
    ),
]

GRACE_SECONDS = 25.0
"""A little less than the 30 s that Kubernetes leaves a process, and Slurm by default."""


@dataclass(frozen=True)
class Execution:
    """Where to run, as the options say."""

    executor: str
    ray_address: str | None
    slots: int | None
    dashboard: bool
    grace: float


@working()
def run_spec(spec: Spec, home: Home, where: Execution) -> None:
    """Run the sweep, and report the outcome.

    Raises:
        RequestError: the options contradict one another, or the storage cannot be used.
        Interrupted: a signal asked to stop.
        typer.Exit: some runs failed.
    """
    from results.queries.queries import Queries
    from results.store.store import Store
    from sweeper.executors import EXECUTORS, Executor, ExecutorOptions
    from sweeper.planning.cost import CostModel
    from sweeper.planning.meant_fractions import meant_fractions
    from sweeper.scheduling.progress import make_progress
    from sweeper.scheduling.scheduler import interrupted, run_sweep
    from sweeper.scheduling.signals import StopRequest
    from trainers.config.trainers import TRAINERS
    from trainers.errors import StorageError
    from trainers.models.counting import write_counts
    from trainers.storage import open_folder

    # Whatever is wrong with the request is an error before anything is written.
    EXECUTORS.check(where.executor)
    trainers = frozenset(config.trainer for config in spec.configs)
    for trainer in trainers:
        if trainer in TRAINERS:
            TRAINERS.check(trainer)
    if where.executor != "ray" and (where.ray_address is not None or where.dashboard):
        raise RequestError(
            f"--ray-address and --ray-dashboard need --executor ray, not {where.executor}"
        )
    if where.ray_address is not None and holds_secret(where.ray_address):
        raise RequestError(
            f"--ray-address {HOLDS_SECRET}: Ray reads its token from RAY_AUTH_TOKEN_PATH"
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
    if meant := meant_fractions(spec.configs):
        say(meant)
    for config in spec.configs:
        _ = config.counts
    write_counts(home.networks)
    stop, progress = StopRequest(where.grace), make_progress()

    def wait(sentence: str) -> None:
        say(sentence)
        if stop.asked:
            raise interrupted(spec.name)

    def start_executor() -> Executor:
        say(f"starting {where.executor} on {where.ray_address or 'this machine'}")
        return EXECUTORS[where.executor].start(
            ExecutorOptions(
                spec.resources,
                most_slots=where.slots,
                address=where.ray_address,
                dashboard=where.dashboard,
                hung_seconds=spec.faults.hung.seconds,
                trainers=trainers,
                module_folders=_module_folders(spec.files, trainers),
                compiles=any(config.compile for config in spec.configs),
                without_variables=() if is_sqlite(home.database) else VARIABLES,
                secrets=secret_values({"SWEEP_DB": home.database, **held()}),
                stop_asked=lambda: stop.asked,
                on_wait=lambda run_id, sentence: progress.running(1, {run_id: sentence}),
            )
        )

    retry_seconds = spec.faults.unreachable.seconds
    try:
        with (
            stop.listening(),
            Store.open(home.database, on_wait=wait, retry_seconds=retry_seconds) as store,
        ):
            samples = Queries.of(store).cost_samples()
            costs = CostModel.from_samples(samples, device=spec.resources.device)
            summary = run_sweep(spec, store, home, start_executor, costs, progress, stop)
            counts, imported = store.counts(spec.name), store.imported(spec.name)
        write_counts(home.networks)  # of runs of other sweeps, by whose times this one was planned
    except KeyboardInterrupt:
        raise interrupted(spec.name) from None
    _summarize(spec, summary, counts, imported)
    if counts["failed"] or summary.unmeasured:
        raise typer.Exit(EXIT_SOME_FAILED)


def _module_folders(files: Sequence[str], trainers: frozenset[str]) -> tuple[Path, ...]:
    """Where a user's own trainer may lie: beside the spec's files, or in the current folder.

    Nowhere if there is none. Installed packages try to import others that need not be there, such
    as numexpr: any file of that name in these folders would be run.
    """
    from trainers.config.trainers import TRAINERS

    if all(trainer in TRAINERS for trainer in trainers):
        return ()
    here = Path.cwd()
    return tuple(dict.fromkeys((*((here / file).parent for file in files), here)))


def _summarize(spec: Spec, summary: Summary, counts: dict[str, int], imported: int) -> None:
    done = f"{counts['done']} of {len(spec.configs)} runs done"
    if imported:
        done += f" ({imported} imported)"
    if summary.nothing_to_do and not counts["failed"]:
        say(f"{spec.name}: {done} already; nothing to train")
    else:
        parts = [f"{summary.trained} trained now"]
        if summary.adopted:
            parts.append(f"{summary.adopted} adopted from an interrupted driver")
        if summary.evaluated:
            parts.append(f"{summary.evaluated} evaluated from stored weights")
        say(f"{spec.name}: {done} ({', '.join(parts)})")
    change, again = summary.change, f"`sweep retry {spec.name}` queues them again"
    for count, words, sentence in (
        (summary.unmeasured, str, "finished runs could not be evaluated; the lines above say why"),
        (change.requeued, format_runs, "cancelled before had been queued again"),
        (counts["cancelled"], format_runs, f"cancelled: {again}"),
        (change.removed, str, "runs left the sweep; their results stay"),
        (counts["failed"], str, f"failed: `sweep status {spec.name}` says why; {again}"),
    ):
        if count:
            say(f"{words(count)} {sentence}")
    say(f"ask it: sweep report {spec.name} --group-by zero_stable")
