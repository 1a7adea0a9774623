"""The command line: `sweep COMMAND`. The commands themselves are in `sweeper.commands`."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from typing import Any

import typer
import typer.core

from sweeper.commands import ask, keep, run
from sweeper.commands.options import home_in_use
from sweeper.commands.output import say
from sweeper.commands.password_in_argv import hide_database_url
from sweeper.errors import Interrupted, ResourceError, SweepError, as_sweep_error


class _Commands(typer.core.TyperGroup):
    """Runs a command; every known error becomes one message and its exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            say("interrupted")
            raise typer.Exit(Interrupted.exit_code) from None
        except BrokenPipeError:
            # The reader of a pipe has seen enough (`sweep report | head`); Python would complain
            # once more when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except Exception as error:
            known = as_sweep_error(error) or _damage()
            if known is None:
                raise
            say(f"{'' if isinstance(known, Interrupted) else 'error: '}{known}")
            raise typer.Exit(known.exit_code) from None


def _damage() -> SweepError | None:
    """What is wrong with the database, if that may be why a command failed as none should."""
    home = home_in_use()
    if home is None:
        return None
    from results.database.connect import connect
    from results.database.integrity import find_damage
    from results.errors import DatabaseError

    try:
        with closing(connect(home.database, "read")) as database:
            found, shown = find_damage(database), database.shown
    except DatabaseError as error:
        return as_sweep_error(error)
    if found is None:
        return None
    return ResourceError(
        f"{shown} is damaged: {found}; mend it by hand, or restore an older copy of the file"
    )


app = typer.Typer(
    name="sweep",
    cls=_Commands,
    help="Train grids of multistep residual networks, anywhere Ray runs, and ask what they show.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.command("run")(run.run)
app.command("plan")(run.plan)
app.command("resume")(run.resume)
app.command("status")(run.status)
app.command("retry")(run.retry)
app.command("cancel")(run.cancel)
app.command("report")(ask.report)
app.command("compare")(ask.compare)
app.command("plot")(ask.plot)
app.command("show")(ask.show)
app.command("export")(keep.export)
app.command("import")(keep.import_)

_database = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
_database.command("current")(keep.current)
_database.command("upgrade")(keep.upgrade)
app.add_typer(
    _database, name="db", help="The database's schema: which it is, and bring it up to date."
)


def main() -> None:
    """Entry point of the console script."""
    hide_database_url()
    app()
