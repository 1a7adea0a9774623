"""Arguments and options that several commands share."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from results.database.inherited_password import keep
from sweep_plugins.url_secrets import HOLDS_SECRET, quotes_secret
from sweeper.commands.output import say
from sweeper.errors import RequestError
from sweeper.home import Home, expanded, is_sqlite
from sweeper.settings.names import DEFAULTS, VARIABLES, option_of
from sweeper.settings.resolve import Settings, resolve
from sweeper.settings.variables import of_environment


def not_empty(given: Any) -> str:
    """The text of an option; what `--db "$UNSET"` says is an error, and not the default."""
    if not str(given).strip():
        raise typer.BadParameter("an empty text; is it a variable that is not set?")
    return str(given)


def _path(given: str | Path) -> Path:
    """Raises RequestError for an unknown ~user."""
    return expanded(Path(not_empty(given)))


def path_argument(metavar: str, description: str) -> Any:
    """A file or folder among the arguments of a command; ~ is the user's own folder."""
    return typer.Argument(metavar=metavar, help=description, parser=_path)


def path_option(name: str, metavar: str, description: str, **settings: Any) -> Any:
    """A file or folder that an option names; ~ is the user's own folder, also after a `=`.

    A shell replaces ~ only where it begins a word.
    """
    return typer.Option(name, metavar=metavar, help=description, parser=_path, **settings)


SpecArgument = Annotated[
    Path, path_argument("SPEC", "a YAML file, or one of those that sweep specs lists")
]
SweepArgument = Annotated[str, typer.Argument(metavar="SWEEP", help="a sweep's name")]
SweepsArgument = Annotated[
    list[str], typer.Argument(metavar="[SWEEP]...", help="default: every run there is")
]
EverySweepArgument = Annotated[
    str | None, typer.Argument(metavar="[SWEEP]", help="default: every sweep")
]
SweepOrRunArgument = Annotated[
    str,
    typer.Argument(metavar="SWEEP|RUN", help="a sweep's name, or a run's id or the start of it"),
]
SetOption = Annotated[
    list[str], typer.Option("--set", metavar="PATH=VALUE", help="change the spec; repeatable")
]
SameCodeOption = Annotated[
    bool,
    typer.Option(
        "--same-code",
        help="accept results of code that was edited since, and say so in what trains now",
    ),
]
HomeOption = Annotated[
    Path | None,
    path_option(
        "--home",
        "PATH",
        f"folder for results, weights and data; default: {DEFAULTS['home']}",
        envvar=VARIABLES["home"],
    ),
]


def _refuse_password(context: typer.Context, url: str | None) -> str | None:
    """Raises RequestError for a password among the arguments, where every user can read it."""
    source = context.get_parameter_source("db")
    # By name, since some versions of typer bring a click of their own.
    typed = source is not None and source.name == "COMMANDLINE"
    if url is None or not typed or is_sqlite(url):
        return url
    from results.database.url import PostgresAddress, parse_address

    address = parse_address(url)
    if isinstance(address, PostgresAddress) and address.credentials:
        raise RequestError(
            "--db: a password on the command line is shown to every user of this machine; set"
            " SWEEP_DB to the URL instead, or leave the password out of it and keep it in"
            " ~/.pgpass or PGPASSWORD"
        )
    return url


DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="GPU",
        help='estimates are for this GPU, such as "RTX 2080 Ti"; default: what is there',
        parser=not_empty,
    ),
]
DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--db",
        envvar=VARIABLES["db"],
        show_envvar=True,
        metavar="URL",
        help="sqlite:///FILE or postgresql://USER@HOST/NAME; default: SQLite in the home",
        parser=not_empty,
        callback=_refuse_password,
    ),
]
StorageOption = Annotated[
    str | None,
    typer.Option(
        "--storage",
        envvar=VARIABLES["storage"],
        show_envvar=True,
        metavar="PATH_OR_URL",
        parser=not_empty,
        help="checkpoints and weights, where every worker sees them; default: runs in the home",
    ),
]
FormatOption = Annotated[
    str,
    typer.Option(
        "--format", help="table, json, csv, markdown, latex, html or parquet", metavar="FORMAT"
    ),
]
RawOption = Annotated[
    bool,
    typer.Option(
        "--raw", help="csv: no ' before text that a spreadsheet computes, as it begins with = + - @"
    ),
]
OutputOption = Annotated[Path | None, path_option("--output", "FILE", "write there, not to stdout")]
WhereOption = Annotated[
    list[str],
    typer.Option("--where", metavar="KEY=VALUE", help="also !=, <, <=, >, >=; repeatable"),
]
MetricOption = Annotated[
    list[str],
    typer.Option(
        "--metric",
        metavar="NAME",
        help="default: accuracies, gap and every noise, or what was reported",
    ),
]

RunsOption = Annotated[
    list[str],
    typer.Option("--run", metavar="RUN", help="only this run, by its id or the start of it"),
]

DEFAULT_HOME: Path | None = None
"""Then `home_at` looks for one."""

_used: Home | None = None


def home_at(folder: Path | None, database: str | None, storage: str | None = None) -> Home:
    """The home that the options name; as `settings_of`."""
    return settings_of({"home": folder, "db": database, "storage": storage}).home


def settings_of(given: Mapping[str, Any], beside: Path | None = None) -> Settings:
    """What holds for this command.

    The variables that may hold the database's password are taken out of the environment, so that
    no process started from here on, and nothing that prints an environment, has it.

    Args:
        given: the values of options; None for what was not given.
        beside: the folder of the spec that the command reads.

    Raises ResourceError if the current folder was deleted.
    """
    global _used
    variables = of_environment()

    def origin(name: str) -> str:
        # The options take the variables' values as their own.
        said = variables.get(VARIABLES.get(name, ""), "")
        is_variable = str(given[name]) == os.path.expanduser(said)
        return VARIABLES[name] if is_variable else option_of(name)

    settings = resolve(given, beside, origin)
    if settings.file is not None and settings.file.parent != Path():
        say(f"settings of {settings.file}")
    _used = settings.home
    if not _used.is_sqlite:
        keep()
    return settings


def home_in_use() -> Home | None:
    """The home of the command that runs, once it has read its options."""
    return _used


def refuse_secrets(arguments: Sequence[str]) -> None:
    """Raises RequestError for a URL with a password or token among the arguments of the program.

    Every user of the machine can read them, and they name the driver in the database. The value of
    --db is `_refuse_password`'s to judge.
    """
    for before, argument in zip(("", *arguments), arguments, strict=False):
        if before != "--db" and not argument.startswith("--db=") and quotes_secret(argument):
            option = re.match(r"--[a-z-]+", argument) or re.match(r"--[a-z-]+$", before)
            raise RequestError(
                f"{option[0] if option else 'an argument'} {HOLDS_SECRET}, and set the environment"
                " variables that are for it, such as AWS_SECRET_ACCESS_KEY for s3://"
            )


def keys_of(options: Sequence[str]) -> list[str]:
    """The keys in repeatable options of comma-separated keys. Raises RequestError for none."""
    found: list[str] = []
    for option in options:
        keys = [key.strip() for key in option.split(",") if key.strip()]
        if not keys:
            raise RequestError(f"{option!r} names no key; is it a variable that is not set?")
        found += keys
    return found
