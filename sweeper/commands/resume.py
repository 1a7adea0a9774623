"""`sweep resume`: continue a sweep without its file."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sweeper.commands import execution, options


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
    same_code: options.SameCodeOption = False,
    executor: execution.ExecutorOption = None,
    ray_address: execution.AddressOption = None,
    slots: execution.SlotsOption = None,
    ray_dashboard: execution.DashboardOption = None,
    grace: execution.GraceOption = None,
    device: options.DeviceOption = None,
    storage: options.StorageOption = None,
    home: options.HomeOption = options.DEFAULT_HOME,
    db: options.DatabaseOption = None,
) -> None:
    """Continue a sweep from the database, without its file."""
    from sweeper.scheduling.stored_spec import stored_spec
    from sweeper.sweep import Sweep

    given = {
        "home": home, "db": db, "storage": storage, "executor": executor, "slots": slots,
        "ray_address": ray_address, "ray_dashboard": ray_dashboard, "grace": grace,
        "device": device,
    }  # fmt: skip
    settings = options.settings_of(given)
    file, overrides = stored_spec(settings.home, sweep, imported=imported)
    command = " ".join(sys.argv)
    execution.run(Sweep.of(file, overrides, settings, command, same_code=same_code, stored=True))
