"""The command line: `sweep COMMAND`. The commands themselves are in `sweeper.commands`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Annotated, Any

import typer
import typer.core

from sweep_plugins import PluginError
from sweep_plugins.plain_text import visible
from sweeper.commands import COMMANDS
from sweeper.commands.hints import with_options
from sweeper.commands.options import home_in_use, refuse_secrets
from sweeper.commands.output import say, write_text
from sweeper.errors import Interrupted, as_sweep_error
from sweeper.permissions import private_files
from trainers.streams import UnreadAnswerError, UnwrittenAnswerError


@cache
def _listed(name: str) -> Any:
    """The command as `sweep --help` shows it, for which no plug-in is imported."""
    if name in COMMANDS.own:
        return _built(name, COMMANDS.shipped(name))
    try:
        origin = f"from {COMMANDS.package(name)}"
    except PluginError:
        origin = "cannot be used: several packages have it"
    return typer.core.TyperCommand(name, help=origin, rich_markup_mode=None)


def _built(name: str, command: Any) -> Any:
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    if isinstance(command, typer.Typer):
        alone.add_typer(command, name=name)
    else:
        alone.command(name)(command)
    built = typer.main.get_group(alone).commands[name]
    for each in (built, *getattr(built, "commands", {}).values()):
        # The first sentence in full: by itself click cuts it off where a line ends.
        each.short_help = " ".join((each.help or "").split()).partition(". ")[0].rstrip(".")
    return built


@contextmanager
def _visible_usage_errors() -> Iterator[None]:
    """Of click's own errors, which show what was typed, or what a shell made of a pattern."""
    try:
        yield
    except _CLICK_ERROR as error:
        error.message = visible(error.message)
        raise


# The base of click's errors, of the click that some versions of typer bring with them.
_CLICK_ERROR: Any = typer.BadParameter.__mro__[2]


class _Commands(typer.core.TyperGroup):
    """Runs a command; every known error becomes one message and its exit code."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**settings, "commands": dict.fromkeys(COMMANDS)})

    def get_command(self, ctx: Any, name: str) -> Any:
        # What is not asked for is neither imported nor its options looked at.
        return _listed(name) if name in COMMANDS else None

    def invoke(self, ctx: Any) -> Any:
        try:
            refuse_secrets(ctx.meta[__name__])
            with private_files(), _visible_usage_errors():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            say("interrupted")
            raise typer.Exit(Interrupted.exit_code) from None
        except (typer.Exit, typer.Abort, UnreadAnswerError, UnwrittenAnswerError):
            raise
        except Exception as error:
            home = home_in_use()
            known = as_sweep_error(error) or (home.damage() if home is not None else None)
            if known is None:
                raise
            said = with_options(str(known), home.options if home is not None else "")
            say(f"{'' if isinstance(known, Interrupted) else 'error: '}{said}")
            raise typer.Exit(known.exit_code) from None

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        ctx.meta[__name__] = list(args)
        with _visible_usage_errors():
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, listed, rest = super().resolve_command(ctx, args)
        command = COMMANDS[args[0]]
        return name, listed if args[0] in COMMANDS.own else _built(args[0], command), rest


app = typer.Typer(
    name="sweep",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _tell_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        write_text(f"sweep {version('multistep-sweep')}\n", None)
        raise typer.Exit


@app.callback()
def _sweep(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_tell_version,
            is_eager=True,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    """Train grids of multistep residual networks, anywhere Ray runs, and ask what they show."""


def main() -> None:
    """Run the command that is typed; raises SystemExit unless all is done."""
    app()
