"""`sweep du`: what takes the space."""

from __future__ import annotations

from sweeper.commands import options
from sweeper.commands.output import say, write_table


def du(
    storage: options.StorageOption = None,
    home: options.HomeOption = options.DEFAULT_HOME,
    db: options.DatabaseOption = None,
    format: options.FormatOption = "table",  # noqa: A002
    output: options.OutputOption = None,
) -> None:
    """What takes the space, by sweep and by kind. A run that sweeps share counts once."""
    from results.queries.queries import Queries
    from sweeper.housekeeping import usage
    from sweeper.housekeeping.kinds import KINDS

    laboratory = options.home_at(home, db, storage)
    with Queries.open(laboratory.database) as queries:
        kept = queries.kept_runs()
    found = usage.usage_of_runs(kept, usage.storages_of(kept, laboratory.storage), say)
    rows = [
        {
            "sweep": one.name,
            "runs": one.runs,
            **{kind: one.sizes[kind] for kind in KINDS},
            "total": one.total,
        }
        for one in found
    ]
    of_home = usage.usage_of_home(laboratory)
    empty = dict.fromkeys(KINDS)
    rows += [
        {"sweep": f"({name})", "runs": None, **empty, "total": size}
        for name, size in of_home.items()
    ]
    total = sum(row["total"] for row in rows)
    if format == "table":
        for row in rows:
            row |= {k: readable(row[k]) for k in (*KINDS, "total") if row[k] is not None}
    write_table(rows, format, output)
    if any(one.name == usage.SEVERAL for one in found):
        say(f"runs that sweeps share count once, as {usage.SEVERAL}")
    if not laboratory.is_sqlite:
        say("the database is a server's, which knows its size")
    say(f"{readable(total)} in all")


def readable(size: int) -> str:
    """A number of bytes with a unit."""
    number = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:,.4g} TB"
