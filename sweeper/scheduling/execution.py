"""A sweep from its spec to its outcome: what starts everything that works on it, and says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from results.database.inherited_password import VARIABLES, held
from results.errors import NoDatabaseError
from results.metrics import counted
from results.queries.queries import Queries
from results.store.store import Store
from sweep_plugins.url_secrets import HOLDS_SECRET, holds_secret
from sweep_plugins.variable_secrets import secret_values
from sweeper.errors import Interrupted, RequestError, RunsFailedError
from sweeper.executors import EXECUTORS, Executor, ExecutorOptions
from sweeper.home import Home
from sweeper.planning.remarks import remarks
from sweeper.scheduling.progress import Progress
from sweeper.scheduling.scheduler import STOPPED, NotBegun, run_sweep
from sweeper.scheduling.signals import StopRequest
from sweeper.scheduling.sizing import Sizing, yet_to_train
from sweeper.scheduling.summary import Summary
from sweeper.spec.own_trainers.own_trainer import module_folders
from sweeper.spec.spec import Spec
from trainers.config.run import RunConfig
from trainers.config.trainers import TRAINERS
from trainers.errors import StorageError
from trainers.models.counting import write_counts
from trainers.storage import open_folder


@dataclass(frozen=True)
class Execution:
    """Where and how to run.

    Attributes:
        executor: a name in EXECUTORS.
        ray_address: of a cluster; None for this machine.
        slots: at most this many runs at a time.
        dashboard: also start Ray's web page.
        grace: seconds that current epochs have to end after SIGTERM.
        command: what others are told that this process does.
        options: that were typed, as a command that goes on takes them again.
        device: the GPU that estimates are for; None for what is there.
    """

    executor: str
    ray_address: str | None
    slots: int | None
    dashboard: bool
    grace: float
    command: str
    options: str = ""
    device: str | None = None


def execute(
    spec: Spec,
    home: Home,
    where: Execution,
    tell: Callable[[str], None],
    progress: Progress,
    stop: StopRequest,
) -> None:
    """Run the sweep, and tell the outcome in sentences.

    Raises:
        RequestError: the options contradict one another, or the storage cannot be used.
        ResourceError, DatabaseError, StorageError: as `run_sweep`.
        Interrupted: a signal asked to stop.
        RunsFailedError: some runs failed, or were cancelled.
    """
    # Whatever is wrong with the request is an error before anything is written.
    trainers = frozenset(config.trainer for config in spec.configs)
    _check(where, trainers)
    try:
        open_folder(home.storage)
    except StorageError as error:
        raise RequestError(f"--storage: {error}") from None
    _check_processes(spec, home, where)
    for sentence in remarks(spec):
        tell(sentence)
    for config in spec.configs:
        if isinstance(config, RunConfig):
            _ = config.counts
    write_counts(home.networks)

    def wait(sentence: str) -> None:
        tell(sentence)
        if stop.asked:
            raise Interrupted(STOPPED)

    def start_executor() -> Executor:
        tell(f"starting {where.executor} on {where.ray_address or 'this machine'}")
        executor = EXECUTORS[where.executor].start(
            ExecutorOptions(
                spec.resources,
                most_slots=where.slots,
                address=where.ray_address,
                dashboard=where.dashboard,
                hung_seconds=spec.faults.hung.seconds,
                trainers=trainers,
                code=spec.code,
                module_folders=_module_folders(spec.files, trainers),
                compiles=any(isinstance(c, RunConfig) and c.compile for c in spec.configs),
                without_variables=() if home.is_sqlite else VARIABLES,
                secrets=secret_values({"SWEEP_DB": home.database, **held()}),
                stop_asked=lambda: stop.asked,
                tell=tell,
                on_wait=lambda run_id, sentence: progress.running(1, {run_id: sentence}),
            )
        )
        with ExitStack() as stack:
            stack.enter_context(executor)
            sizing.found(executor.gpu_models, queries)
            stack.pop_all()
        return executor

    retry_seconds = spec.faults.unreachable.seconds
    try:
        with (
            stop.listening(),
            Store.open(home.database, on_wait=wait, retry_seconds=retry_seconds) as store,
        ):
            queries = Queries.of(store)
            on_this_machine = where.ray_address is None
            samples = queries.cost_samples()
            sizing = Sizing(spec, samples, where.device, on_this_machine, tell)
            sizing.check(queries)
            summary = run_sweep(
                spec, store, home, start_executor, sizing.costs, progress, stop, where.command
            )
            counts, imported = store.counts(spec.name), store.imported(spec.name)
        write_counts(home.networks)  # of runs of other sweeps, by whose times this one was planned
    except NotBegun:
        raise
    except (KeyboardInterrupt, Interrupted):
        raise Interrupted(
            f"{STOPPED}. To continue: sweep resume {spec.name}{where.options}"
        ) from None
    _summarize(spec, summary, counts, imported, home.options, tell)
    unmeasured = summary.unmeasured + summary.without_weights
    if counts["failed"] or unmeasured or counts["cancelled"]:
        raise RunsFailedError(spec.name, counts["failed"], unmeasured, counts["cancelled"])


def _check(where: Execution, trainers: frozenset[str]) -> None:
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


def _check_processes(spec: Spec, home: Home, where: Execution) -> None:
    """Raises ResourceError if the executor never trains in as many processes as a run has."""
    if all(config.processes == 1 for config in spec.configs):
        return  # for these, Ray is not imported before something is left to train
    try:
        with Queries.open(home.database) as queries:
            left = yet_to_train(spec, queries)
    except NoDatabaseError:
        left = list(spec.configs)
    EXECUTORS[where.executor].check(max((config.processes for config in left), default=1))


def _module_folders(files: Sequence[str], trainers: frozenset[str]) -> tuple[Path, ...]:
    """Where a user's own trainer may lie: beside the spec's files, or in the current folder.

    Nowhere if there is none. Installed packages try to import others that need not be there, such
    as numexpr: any file of that name in these folders would be run.
    """
    return () if all(trainer in TRAINERS for trainer in trainers) else module_folders(files)


def _summarize(
    spec: Spec,
    summary: Summary,
    counts: dict[str, int],
    imported: int,
    options: str,
    tell: Callable[[str], None],
) -> None:
    done = f"{counts['done']} of {len(spec.configs)} runs done"
    if imported:
        done += f" ({imported} imported)"
    if summary.nothing_to_do and not (counts["failed"] or counts["cancelled"]):
        tell(f"{spec.name}: {done} already; nothing to train")
    else:
        parts = [f"{summary.trained} trained now"]
        if summary.adopted:
            parts.append(f"{summary.adopted} adopted from an interrupted driver")
        if summary.evaluated:
            parts.append(f"{summary.evaluated} evaluated from stored weights")
        tell(f"{spec.name}: {done} ({', '.join(parts)})")

    def again(runs: int) -> str:
        return f"`sweep retry {spec.name}{options}` queues {'it' if runs == 1 else 'them'} again"

    left = summary.change.removed
    one_with_less = next(iter(summary.left_out), "")
    for count, what, sentence in (
        (summary.unmeasured, "finished run", "could not be evaluated; the lines above say why"),
        (
            summary.without_weights,
            "finished run",
            "could not be evaluated, as no weights are kept; all results stay. `sweep delete"
            f" {spec.name}{options} --results` and this command train again",
        ),
        (
            len(summary.left_out),
            "run",
            f"did not keep all of job.files: `sweep files {one_with_less}{options}` says why",
        ),
        (summary.change.requeued, "run", "cancelled before: queued again"),
        (counts["cancelled"], "run", f"cancelled: {again(counts['cancelled'])}"),
        (left, "run", f"left the sweep; {'its' if left == 1 else 'their'} results stay"),
        (
            counts["failed"],
            "run",
            f"failed: `sweep status {spec.name}{options}` says why; {again(counts['failed'])}",
        ),
    ):
        if count:
            tell(f"{counted(count, what)} {sentence}")
    if counts["done"]:
        stable = any(isinstance(config, RunConfig) and config.scheme for config in spec.configs)
        keys = " --group-by zero_stable" if stable else ""
        tell(f"ask it: sweep report {spec.name}{keys}{options}")
