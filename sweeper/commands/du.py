"""`sweep du`: what takes the space."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from sweeper.commands import options
from sweeper.commands.output import format_runs, say, write_table

if TYPE_CHECKING:
    from results.records import KeptRun, Row
    from sweeper.housekeeping.places import Places


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
    from sweeper.housekeeping.places import find_places

    laboratory = options.home_at(home, db, storage)
    with Queries.open(laboratory.database) as queries:
        kept, identity, size = queries.kept_runs(), queries.identity(), queries.size()
    places = find_places(kept, laboratory.storage, identity)
    found, attempts = usage.usage_of_runs(kept, places.found)
    kinds = [kind.name for kind in KINDS]
    rows: list[Row] = [
        {
            "sweep": one.name,
            "runs": one.runs,
            **{kind: one.sizes[kind] for kind in kinds},
            "total": one.total,
        }
        for one in found
    ]
    of_home = usage.usage_of_home(laboratory, size)
    empty = dict.fromkeys(kinds)
    rows += [
        {"sweep": f"({name})", "runs": None, **empty, "total": size}
        for name, size in of_home.items()
    ]
    total = sum(one.total for one in found) + sum(of_home.values())
    if format == "table":
        rows = _for_a_screen(rows, kinds)
    write_table(rows, format, output)
    if any(one.name == usage.SEVERAL for one in found):
        say(f"runs that sweeps share count once, as {usage.SEVERAL}")
    if any(one.name == usage.NONE for one in found):
        say(
            f"{usage.NONE}: `sweep gc{laboratory.options}` frees what no result needs, and"
            " --results all of it"
        )
    say_what_is_away(places, kept, attempts)
    say(f"{readable(total)} in all")


def _for_a_screen(rows: Sequence[Row], kinds: Sequence[str]) -> list[Row]:
    """With units, the total first, and without what nobody has."""
    used = [kind for kind in kinds if any(row[kind] for row in rows if row["runs"])]
    return [
        {"sweep": row["sweep"], "runs": row["runs"] or None, "total": readable(row["total"])}
        | {kind: readable(row[kind]) if row["runs"] else None for kind in used}
        for row in rows
        if row["total"] or row["sweep"][0] != "("
    ]


def say_what_is_away(
    places: Places, kept: Sequence[KeptRun], found: Collection[tuple[str, int]]
) -> None:
    """Which storages were not looked at; `found` as `Places.missing` has it."""
    for error in places.unreachable.values():
        say(f"not looked at: {error}")
    for where, runs in places.missing(kept, found).items():
        say(f"{where} has nothing of {format_runs(runs)} that wrote there; is its disk mounted?")
    for where in sorted(places.of_others):
        say(f"not looked at: {where} belongs to other databases")


def readable(size: int) -> str:
    """A number of bytes with a unit."""
    number = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 999.5:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:,.4g} TB"
