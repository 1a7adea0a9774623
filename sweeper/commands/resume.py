"""`sweep resume`: continue a sweep without its file."""

from __future__ import annotations

from typing import Annotated

import typer

from sweeper.commands import execution, options


def resume(
    sweep: Annotated[
        str | None, typer.Argument(metavar="[SWEEP]", help="default: the one that ran last")
    ] = None,
    executor: execution.ExecutorOption = "ray",
    ray_address: execution.AddressOption = None,
    slots: execution.SlotsOption = None,
    ray_dashboard: execution.DashboardOption = False,
    grace: execution.GraceOption = execution.GRACE_SECONDS,
    storage: options.StorageOption = None,
    home: options.HomeOption = options.DEFAULT_HOME,
    db: options.DatabaseOption = None,
) -> None:
    """Continue a sweep from the database, without its file."""
    from results.store.store import Store
    from sweeper.spec.spec import spec_from_text
    from trainers.models.counting import read_counts

    laboratory = options.home_at(home, db, storage)
    with Store.open(laboratory.database, create=False) as store:
        stored = store.stored_spec(sweep)
    read_counts(laboratory.networks)
    spec = spec_from_text(stored.text, stored.source, stored.overrides)
    where = execution.Execution(executor, ray_address, slots, ray_dashboard, grace)
    execution.run_spec(spec, laboratory, where)
