"""`sweep run`: train, evaluate and store what a spec asks for."""

from __future__ import annotations

import sys

from sweeper.commands import execution, options


def run(
    spec: options.SpecArgument,
    changes: options.SetOption = [],  # noqa: B006 - typer copies it
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
    """Train, evaluate and store what SPEC asks for and the database lacks.

    After any interruption the same command goes on.
    """
    from sweeper.spec.files import read_spec_file
    from sweeper.sweep import Sweep

    given = {
        "home": home, "db": db, "storage": storage, "executor": executor, "slots": slots,
        "ray_address": ray_address, "ray_dashboard": ray_dashboard, "grace": grace,
        "device": device,
    }  # fmt: skip
    settings = options.settings_of(given, spec.parent)
    command = " ".join(sys.argv)
    sweep = Sweep.of(read_spec_file(spec), changes, settings, command, same_code=same_code)
    execution.run(sweep)
