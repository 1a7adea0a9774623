"""`sweep resume`: go on with a sweep without its file."""

from __future__ import annotations

from typing import Annotated

import typer

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
    StorageOption,
    home_at,
)


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
    from trainers.models.counting import read_counts

    laboratory = home_at(home, db, storage)
    with Store.open(laboratory.database, create=False) as store:
        stored = store.stored_spec(sweep)
    read_counts(laboratory.networks)
    spec = spec_from_text(stored.text, stored.source, stored.overrides)
    where = Execution(executor, ray_address, slots, ray_dashboard, grace)
    run_spec(spec, laboratory, where)
