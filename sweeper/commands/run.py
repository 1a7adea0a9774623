"""`sweep run`: train, evaluate and store what a spec asks for."""

from __future__ import annotations

from sweeper.commands import execution, options


def run(
    spec: options.SpecArgument,
    changes: options.SetOption = [],  # noqa: B006 - typer copies it
    executor: execution.ExecutorOption = "ray",
    ray_address: execution.AddressOption = None,
    slots: execution.SlotsOption = None,
    ray_dashboard: execution.DashboardOption = False,
    grace: execution.GraceOption = execution.GRACE_SECONDS,
    storage: options.StorageOption = None,
    home: options.HomeOption = options.DEFAULT_HOME,
    db: options.DatabaseOption = None,
) -> None:
    """Train, evaluate and store what SPEC asks for and the database lacks.

    After any interruption the same command goes on.
    """
    from sweeper.spec.spec import load_spec
    from trainers.models.counting import read_counts

    laboratory = options.home_at(home, db, storage)
    read_counts(laboratory.networks)
    where = execution.Execution(executor, ray_address, slots, ray_dashboard, grace)
    execution.run_spec(load_spec(spec, changes), laboratory, where)
