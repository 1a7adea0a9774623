"""`sweep import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sweeper.commands.options import (
    DEFAULT_HOME,
    DatabaseOption,
    HomeOption,
    home_at,
    path_argument,
)
from sweeper.commands.output import say
from sweeper.errors import RequestError


def import_(
    archive: Annotated[
        Path, path_argument("FILE", "what `sweep export` wrote, or another SQLite database")
    ],
    names: Annotated[
        list[str],
        typer.Option(
            "--as",
            metavar="NAME",
            help="import its sweep under this name; OLD=NEW if it has several",
        ),
    ] = [],  # noqa: B006
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
) -> None:
    """Add the sweeps of an archive to the database; nothing there is changed or duplicated."""
    from results.archive.plain_file import sha256_of
    from results.archive.reading import Meaning, open_archive
    from results.store.store import Store
    from sweeper.planning.archived import check_evaluation, check_run, complete_run
    from sweeper.spec.spec import SWEEP_NAME

    database = home_at(home, db).database
    with open_archive(archive, Meaning(check_run, complete_run, check_evaluation)) as opened:
        digest = sha256_of(opened.path)
        renamed = _renamed(names, opened.sweeps)
        for name in [renamed.get(sweep, sweep) for sweep in opened.sweeps]:
            if not SWEEP_NAME.fullmatch(name):
                raise RequestError(
                    f"{name!r} is not a name for a sweep: use letters, digits, '_', '-' and '.'"
                    " (--as gives a sweep of the archive another name)"
                )
        with Store.open(database) as store:
            merged = store.merge(opened, renamed)
    say(f"{archive}: SHA-256 {digest}")
    for sentence in merged.sentences():
        say(sentence)


def _renamed(names: list[str], sweeps: tuple[str, ...]) -> dict[str, str]:
    """What `--as` says: one new name for the only sweep, or OLD=NEW for each."""
    if len(names) == 1 and len(sweeps) == 1 and "=" not in names[0]:
        return {sweeps[0]: names[0]}
    renamed: dict[str, str] = {}
    for name in names:
        old, sign, new = name.partition("=")
        if not sign:
            raise RequestError(
                f"--as {name!r}: the archive has the sweeps {', '.join(sweeps)}; write OLD=NEW"
            )
        renamed[old] = new
    return renamed
