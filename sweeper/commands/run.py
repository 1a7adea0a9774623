"""`sweep run`: train, evaluate and store what a spec asks for."""

from __future__ import annotations

from sweeper.commands.execution import (
    GRACE_SECONDS,
    AddressOption,
    DashboardOption,
    Execution,
    ExecutorOption,
    GraceOption,
    SlotsOption,
    run_spec,
)
from sweeper.commands.options import (
    DEFAULT_HOME,
    DatabaseOption,
    HomeOption,
    SetOption,
    SpecArgument,
    StorageOption,
    home_at,
)


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
    from trainers.models.counting import read_counts

    laboratory = home_at(home, db, storage)
    read_counts(laboratory.networks)
    where = Execution(executor, ray_address, slots, ray_dashboard, grace)
    run_spec(load_spec(spec, changes), laboratory, where)
