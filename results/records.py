"""Plain data that goes in and out of the results database.

Units everywhere: accuracies and gaps in percent (0 to 100), times in seconds, points in time in
seconds since the epoch (UTC), parameters as counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

STATES = ("queued", "running", "done", "failed", "cancelled")

#: Why an attempt ended without a result, if it is known: the trainer raised; the device's
#: memory was full; the worker's process or node vanished; the worker's heartbeat stopped; the
#: driver vanished; a user asked for it to end.
FAULTS = ("trainer_error", "out_of_memory", "worker_lost", "hung", "driver_lost", "stopped")

#: A row of a table or of a query, by the names of its columns.
Row = dict[str, Any]

#: A run in JSON: the keys of `results.run_columns.RUN_KEYS`, sometimes more after them (`config`).
RunRow = dict[str, Any]


def training_processes(config: Mapping[str, Any]) -> int:
    """How many processes train a run together, by its config as JSON."""
    return (config.get("training") or {}).get("data_parallel") or 1


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run as it is planned: all that is known before it trains.

    `run_id` is 16 hex digits; `config` is the resolved config as nested JSON values; `scheme` is
    its label (`sweep_plugins.schemes`), such as "1/3, 5/9, 1/9; 16/9"; `root_moduli` has the
    largest first. What a run has no use for is None: of a trainer without a model, say.
    """

    run_id: str
    config: dict[str, Any]
    model: str | None
    scheme: str | None
    depth: int | None
    dataset: str | None
    seed: int
    alpha: list[float] | None
    beta: float | None
    trainable: bool | None
    root_moduli: list[float] | None
    max_root_modulus: float | None
    zero_stable: bool | None
    consistent: bool | None
    order: int | None
    parameters: int | None
    epochs: int | None


@dataclass(frozen=True, slots=True)
class NewEvaluation:
    """One measurement asked for: `evaluation_id` is 16 hex digits, the hash of `config`.

    `name` is what reports call it, such as "uniform[-0.08,0]"; `level` is in pixel units after
    scaling to [0, 1].
    """

    evaluation_id: str
    name: str
    kind: str
    level: float | None
    config: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PendingRun:
    """A run with work left: queued, or done but lacking evaluations of the sweep.

    `attempt` is the number of the last attempt, 0 before the first. `missing_evaluations` are
    those of the sweep that have no row yet, in the sweep's order. `faults` counts the attempts
    since the newest retry that ended with a fault, by its kind. `storages` are the places where
    its attempts wrote, newest first, each once; a done run's weights lie in one of them. Attempts
    without a place are left out. `weights_sha256` is of a done run, if its trainer said it.
    """

    run_id: str
    state: str
    config: dict[str, Any]
    attempt: int
    missing_evaluations: tuple[NewEvaluation, ...]
    model: str | None
    scheme: str | None
    depth: int | None
    dataset: str | None
    seed: int
    parameters: int | None
    epochs: int | None
    weights_sha256: str | None
    faults: dict[str, int]
    storages: tuple[str, ...]


class Renewal(NamedTuple):
    """The answer to a driver that renews its lease.

    `alive` is false if another driver has taken its runs over. `lost` are those it asked about,
    (run id, attempt), that are no longer its own, as they were taken over, cancelled or ended.
    """

    alive: bool
    lost: list[tuple[str, int]]


class DatabaseIdentity(NamedTuple):
    """What tells a database from others.

    `first_driver` is a digest of the first process that worked on it, and goes where its content
    goes. `path` is of a SQLite file, on `host`; for Postgres it is None, and `host` is "".
    """

    first_driver: str
    host: str
    path: str | None


class Orphan(NamedTuple):
    """A running run whose driver is gone. `storage`: where that attempt wrote, if it was said."""

    run_id: str
    attempt: int
    storage: str | None


class OtherDriver(NamedTuple):
    """Another living driver, and how many runs of a sweep it works on."""

    host: str | None
    pid: int | None
    runs: int


@dataclass(frozen=True, slots=True)
class SweepChange:
    """What saving a sweep changed, in runs.

    `added`: new to the database, now queued. `already_known`: asked for, and in the database
    before, whatever their state. `removed`: left the sweep; their results stay. `requeued`:
    among the known ones, cancelled before and now queued again. `spec_version` counts from 1;
    `spec_changed` says whether this save made that version.
    """

    added: int
    already_known: int
    removed: int
    requeued: int
    spec_version: int
    spec_changed: bool


class StoredSpec(NamedTuple):
    """The newest version of a sweep's spec: its text, where it was read, its overrides.

    `imported_from` is the archive's name, if one brought the sweep and nobody has run it here.
    """

    name: str
    text: str
    source: str
    overrides: list[str]
    imported_from: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed run and why, in one line; `imported`: it failed where its archive comes from."""

    run_id: str
    label: str
    error: str
    attempts: int
    imported: bool = False
    finished_at: float | None = None


@dataclass(frozen=True, slots=True)
class RunningRun:
    """A run that is running now, and what it has reported so far.

    `epochs` are those that it is to have, if it is of a trainer that says so; `epoch` is the last
    that it reported, and `values` the last of each metric (None: not finite). `seconds` is how long
    its attempt has been running, by the database's clock. `short` is the beginning of the `label`
    that tells the run from others of its sweep; None: all of it does.
    """

    run_id: str
    label: str
    attempt: int
    seconds: float
    epochs: int | None
    epoch: int | None
    values: dict[str, float | None]
    short: str | None = None


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a run is. `reported` has the values of each epoch by name; None: not finite."""

    run_id: str
    label: str
    state: str
    attempt: int
    epochs: int | None
    error: str | None
    reported: dict[int, dict[str, float | None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """Attempts of a run since its newest retry that ended with one kind of fault.

    `kind` is one of FAULTS; `last_error` and `last_host` are of the newest of these attempts.
    """

    run_id: str
    label: str
    kind: str
    times: int
    last_error: str | None
    last_host: str | None


@dataclass(frozen=True, slots=True)
class DriverStatus:
    """A driver that holds runs of a sweep, or left them behind.

    If it is `gone`, the next `sweep run` takes its runs. `lease_left` is in seconds. Host and pid
    are None for runs that were claimed before drivers were stored.
    """

    host: str | None
    pid: int | None
    runs: int
    lease_left: float
    gone: bool


@dataclass(frozen=True, slots=True)
class Deletion:
    """What deleting a sweep does to its runs, by their ids.

    `shared` are those that other sweeps hold, `untried` those that nobody ever tried, which go with
    the sweep, and `own` all others. Of these, `cancelled` are without a result.
    """

    shared: tuple[str, ...]
    untried: tuple[str, ...]
    own: tuple[str, ...]
    cancelled: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeptRun:
    """What the database knows of the files of a run.

    `attempts` are (number, storage) of those that were made here: what an archive brought lies with
    others. `has_weights`: its result has the SHA-256 of weights.
    """

    run_id: str
    state: str
    attempt: int
    has_weights: bool
    sweeps: tuple[str, ...]
    attempts: tuple[tuple[int, str | None], ...]


@dataclass(frozen=True, slots=True)
class Removal:
    """Of which runs files, or more, were removed, and of which not.

    `changed` are not as they were listed any more; `at_work` those that a driver at work may have.
    """

    done: tuple[KeptRun, ...] = ()
    changed: tuple[KeptRun, ...] = ()
    at_work: tuple[KeptRun, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody wrote about a sweep, its number, and when (seconds since the epoch)."""

    number: int
    text: str
    created_at: float


@dataclass(frozen=True, slots=True)
class SweepStatus:
    """The progress of a sweep, its drivers, faults and failures.

    `counts` has every state as a key. `faults` are those of every run, whatever became of it.
    `train_seconds` is the training time of its done runs. `rate_per_hour` and `seconds_left` are
    null when unknown; `results.queries.status` says how they are measured. `last_finished_at` is
    when the newest done or failed run finished. `imported` of its done runs were not trained here;
    `imported_from` is the archive's name, if one brought the sweep and nobody has run it here.
    Faults, rate and times are of what ran here. `tags` and `notes` are the sweep's own.
    """

    sweep: str
    runs: int
    counts: dict[str, int]
    failures: list[Failure]
    faults: list[Fault]
    drivers: list[DriverStatus]
    train_seconds: float
    rate_per_hour: float | None
    seconds_left: float | None
    last_finished_at: float | None
    imported: int = 0
    imported_from: str | None = None
    tags: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CostSample:
    """What runs of one kind took on one device: means over `runs` done runs that ran through.

    Runs that diverged or were resumed are left out, as their seconds do not stand for all their
    epochs. `config` is the config of one of them.
    """

    model: str | None
    depth: int | None
    parameters: int | None
    dataset: str | None
    epochs: int | None
    host: str | None
    device: str | None
    device_name: str | None
    runs: int
    train_seconds: float
    images_per_second: float | None
    config: dict[str, Any]
