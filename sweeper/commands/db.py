"""`sweep db`: the revision of the database's schema, backups, and filling it again."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from sweeper.commands.options import (
    DEFAULT_HOME,
    DatabaseOption,
    HomeOption,
    StorageOption,
    home_at,
    path_argument,
)
from sweeper.commands.output import say, write_text
from sweeper.errors import RequestError

commands = typer.Typer(
    help="The database: its schema, backups, and filling it again from stored results.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@commands.command()
def current(home: HomeOption = DEFAULT_HOME, db: DatabaseOption = None) -> None:
    """Say which revision of the schema the database has, and which this program needs."""
    from results.database import migrations
    from results.errors import DatabaseError
    from results.schema.revisions import require_current

    found = migrations.current(home_at(home, db).database)
    write_text(f"{found}\n", None)
    try:
        require_current(found, "this database")
    except DatabaseError as error:
        say(str(error))


@commands.command()
def upgrade(home: HomeOption = DEFAULT_HOME, db: DatabaseOption = None) -> None:
    """Upgrade the database's schema, keeping all results; atomic."""
    from results.database import migrations

    before, after = migrations.upgrade(home_at(home, db).database)
    say(f"schema {after} already" if before == after else f"schema {before} upgraded to {after}")


@commands.command()
def backup(
    file: Annotated[Path, path_argument("FILE", "a file that does not exist yet")],
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
) -> None:
    """Copy the SQLite database, whole, as one file; also while a sweep runs."""
    from results.database import backups

    laboratory = home_at(home, db)
    backups.backup(laboratory.database, file)
    named = shlex.quote(str(file))
    say(f"{file}: `sweep db restore {named}{laboratory.options}` puts it back")


@commands.command()
def restore(
    file: Annotated[Path, path_argument("FILE", "what `sweep db backup` wrote")],
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
) -> None:
    """Put a backup in the place of the SQLite database, which is moved aside."""
    from results.database import backups

    aside = backups.restore(home_at(home, db).database, file)
    say("restored" if aside is None else f"restored; the former database is {aside}")


@commands.command()
def rebuild(
    specs: Annotated[
        list[Path],
        path_argument("[SPEC]...", "sweeps besides those that the storage knows"),
    ] = [],  # noqa: B006 - typer copies it
    storage: StorageOption = None,
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
) -> None:
    """Fill the database with the sweeps and finished runs that the storage has.

    For a database that was lost: what is there already stays as it is.
    """
    from results.store.store import Store
    from sweeper.scheduling import rebuilding
    from sweeper.spec.spec import load_spec
    from trainers.models.counting import read_counts, write_counts
    from trainers.storage import open_folder

    laboratory = home_at(home, db, storage)
    read_counts(laboratory.networks)
    loaded = [load_spec(spec) for spec in specs]
    if not loaded and not open_folder(laboratory.storage).names():
        raise RequestError(
            f"{laboratory.storage} has nothing to fill a database from: --home or --storage names"
            " the place where the sweeps wrote"
        )
    with Store.open(laboratory.database) as store:
        found = rebuilding.rebuild(store, laboratory.storage, loaded, " ".join(sys.argv))
    write_counts(laboratory.networks)
    for sweep in found:
        for problem in sweep.refused:
            say(problem)
        rest = (
            ""
            if sweep.done == sweep.runs
            else f"; the rest: sweep resume {sweep.sweep}{laboratory.options}"
        )
        say(f"{sweep.sweep}: {sweep.done} of {sweep.runs} runs done{rest}")
