"""The options that `sweep run` and `sweep resume` share, and their exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sweeper.commands.options import not_empty
from sweeper.errors import RunsFailedError
from sweeper.settings.names import DEFAULTS

if TYPE_CHECKING:
    from sweeper.sweep import Sweep

ExecutorOption = Annotated[
    str | None,
    typer.Option(
        "--executor",
        parser=not_empty,
        metavar="NAME",
        help=f"ray, or inline: no Ray at all; default: {DEFAULTS['executor']}",
    ),
]
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
    bool | None,
    typer.Option(
        "--ray-dashboard/--no-ray-dashboard",
        help="also start Ray's web page (needs ray[default])",
    ),
]
SlotsOption = Annotated[
    int | None, typer.Option("--slots", min=1, help="at most this many runs at a time")
]
GraceOption = Annotated[
    float | None,
    typer.Option(
        "--grace",
        metavar="SECONDS",
        min=0,
        help=f"after SIGTERM, time for the current epochs to end; default: {DEFAULTS['grace']:g}",
    ),
]


def run(sweep: Sweep) -> None:
    """Bring the sweep to its end. Raises typer.Exit if some are not done, which it has told."""
    try:
        sweep.run()
    except RunsFailedError as error:
        raise typer.Exit(error.exit_code) from None
