"""`sweep resume`: continue a sweep without its file."""

from __future__ import annotations

from typing import Annotated

import typer

from sweeper.commands import execution, options
from sweeper.errors import RequestError


def resume(
    sweep: Annotated[
        str | None, typer.Argument(metavar="[SWEEP]", help="default: the one that ran here last")
    ] = None,
    imported: Annotated[
        bool,
        typer.Option(
            "--imported",
            help="run SWEEP although an archive brought it: its spec may name code to run",
        ),
    ] = False,
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
    if stored.imported_from is not None and not imported:
        raise RequestError(
            f"{stored.name} came with {stored.imported_from} and never ran here: its spec is"
            " somebody else's, and may name code that would run as you. Look at it with 'sweep show"
            f" RUN', then: sweep resume {stored.name} --imported"
        )
    read_counts(laboratory.networks)
    try:
        spec = spec_from_text(stored.text, stored.source, stored.overrides, stored=True)
    except RequestError as error:
        raise RequestError(
            f"{error}; so {stored.name} was stored by another version of sweep or of a plug-in:"
            " correct its spec and name the file, sweep run FILE, which keeps what is done"
        ) from error
    where = execution.Execution(executor, ray_address, slots, ray_dashboard, grace)
    execution.run_spec(spec, laboratory, where)
