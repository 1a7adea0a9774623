"""Arguments and options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from sweeper.errors import RequestError
from sweeper.home import Home

SpecArgument = Annotated[
    Path, typer.Argument(metavar="SPEC", help="a YAML file, or one of those that sweep specs lists")
]
SweepArgument = Annotated[str, typer.Argument(metavar="SWEEP", help="a sweep's name")]
SweepsArgument = Annotated[
    list[str], typer.Argument(metavar="[SWEEP]...", help="default: every run there is")
]
EverySweepArgument = Annotated[
    str | None, typer.Argument(metavar="[SWEEP]", help="default: every sweep")
]
SetOption = Annotated[
    list[str], typer.Option("--set", metavar="PATH=VALUE", help="change the spec; repeatable")
]
HomeOption = Annotated[
    Path, typer.Option("--home", envvar="SWEEP_HOME", help="folder for results, weights and data")
]


def _refuse_password(context: typer.Context, url: str | None) -> str | None:
    """Raises RequestError for a password among the arguments, where every user can read it."""
    source = context.get_parameter_source("db")
    # By name, since some versions of typer bring a click of their own.
    typed = source is not None and source.name == "COMMANDLINE"
    if url is None or not typed or url.startswith("sqlite:"):
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


DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--db",
        envvar="SWEEP_DB",
        show_envvar=True,
        metavar="URL",
        help="sqlite:///FILE or postgresql://USER@HOST/NAME; default: SQLite in the home",
        callback=_refuse_password,
    ),
]
StorageOption = Annotated[
    str | None,
    typer.Option(
        "--storage",
        envvar="SWEEP_STORAGE",
        show_envvar=True,
        metavar="PATH_OR_URL",
        help="checkpoints and weights, where every worker sees them; default: runs in the home",
    ),
]
FormatOption = Annotated[
    str,
    typer.Option(
        "--format", help="table, json, csv, markdown, latex, html or parquet", metavar="FORMAT"
    ),
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", metavar="FILE", help="write there, not to stdout")
]
WhereOption = Annotated[
    list[str],
    typer.Option("--where", metavar="KEY=VALUE", help="also !=, <, <=, >, >=; repeatable"),
]
MetricOption = Annotated[
    list[str],
    typer.Option("--metric", metavar="NAME", help="default: accuracies, gap and every noise"),
]

RunsOption = Annotated[
    list[str],
    typer.Option("--run", metavar="RUN", help="only this run, by its id or the start of it"),
]

DEFAULT_HOME = Path(".sweep")

_used: Home | None = None


def home_at(folder: Path, database: str | None, storage: str | None = None) -> Home:
    """The home that the options name.

    The variable that may hold a password is taken out of the environment, so that no process
    started from here on, and nothing that prints an environment, has it.
    """
    global _used
    os.environ.pop("SWEEP_DB", None)
    _used = Home.at(folder, database, storage)
    return _used


def home_in_use() -> Home | None:
    """The home of the command that runs, once it has read its options."""
    return _used


def keys_of(options: Sequence[str]) -> list[str]:
    """The keys in repeatable options of comma-separated keys."""
    return [key.strip() for option in options for key in option.split(",") if key.strip()]
