"""`sweep db`: the revision of the database's schema."""

from __future__ import annotations

import typer

from sweeper.commands.options import DEFAULT_HOME, DatabaseOption, HomeOption, home_at
from sweeper.commands.output import say

commands = typer.Typer(
    help="The database's schema: which it is, and bring it up to date.",
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
    print(found)
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
