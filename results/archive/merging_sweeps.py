"""Merging what an archive's sweeps consist of."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select, update

from results.archive.merging_labels import NAMED_AT_ONCE, merge_labels_of_sweep
from results.archive.reading import Archive
from results.database.dialects import rows_as_dicts
from results.records import Row
from results.schema.tables import sweep_evaluations, sweep_runs, sweep_specs, sweeps
from sweep_plugins.url_secrets import without_secrets


def names_here(archive: Archive, names: Mapping[str, str]) -> dict[str, str]:
    """Every sweep of the archive with the name it gets here; raises BadArchiveError."""
    for old, new in names.items():
        if old not in archive.sweeps:
            known = ", ".join(archive.sweeps) or "none"
            raise archive.bad(f"it holds no sweep {old!r} to be renamed (known: {known})")
        if not new or not new.isprintable():
            raise archive.bad(f"{new!r} is not a name for a sweep")
    renamed = {name: names.get(name, name) for name in archive.sweeps}
    for new, count in Counter(renamed.values()).items():
        if count > 1:
            raise archive.bad(
                f"{count} of its sweeps would be called {new!r}: give them other names"
            )
    return renamed


def merge_sweeps(
    connection: Connection,
    archive: Archive,
    import_id: int,
    renamed: Mapping[str, str],
    counts: Mapping[str, Counter[str]],
) -> list[str]:
    """Adds the archive's sweeps, under their names here; returns those whose spec differs.

    An unknown sweep is inserted with all versions of its spec, as one that `import_id` brought. A
    known one keeps its runs and evaluations in their order, followed by the archive's others in
    theirs. Texts (with their
    overrides) that it never had become versions before its newest one, which stays the newest and
    whose number rises. `counts` are raised by what became of the rows.
    """
    other_specs = []
    for row in archive.sweep_rows:
        name = renamed[row["name"]]
        found = connection.scalar(select(sweeps.c.id).where(sweeps.c.name == name))
        counts[sweeps.name]["inserted" if found is None else "already_here"] += 1
        sweep_id = found
        if sweep_id is None:
            new = {key: value for key, value in row.items() if key != "id"}
            new |= {"name": name, "import_id": import_id}
            inserted = insert(sweeps).values(new).returning(sweeps.c.id)
            sweep_id = connection.execute(inserted).scalar_one()
        specs = [
            spec | {"sweep_id": sweep_id, "source": without_secrets(spec["source"])}
            for batch in archive.batches(sweep_specs, sweep_specs.c.sweep_id == row["id"])
            for spec in batch
        ]
        if name != row["name"]:
            specs = [_under_name(spec, name) for spec in specs]
        if _merge_specs(connection, sweep_id, specs, counts[sweep_specs.name]):
            other_specs.append(name)
        for table in (sweep_runs, sweep_evaluations):
            _merge_members(
                connection, archive, table, row["id"], sweep_id, found is None, counts[table.name]
            )
        merge_labels_of_sweep(connection, archive, row["id"], sweep_id, counts)
    return other_specs


def _under_name(row: Row, name: str) -> Row:
    """The spec with an override of its name, so that going on with it means this sweep."""
    others = [override for override in row["overrides"] if not override.startswith("name=")]
    return row | {"overrides": [*others, f"name={json.dumps(name)}"]}


def _merge_specs(
    connection: Connection, sweep_id: int, archived: list[Row], tally: Counter[str]
) -> bool:
    """Whether the newest version here is another than the archive's."""
    here = rows_as_dicts(
        connection.execute(
            select(sweep_specs)
            .where(sweep_specs.c.sweep_id == sweep_id)
            .order_by(sweep_specs.c.version)
        )
    )
    known = {_text(row) for row in here}
    missing = [row for row in archived if _text(row) not in known]
    tally["already_here"] += len(archived) - len(missing)
    tally["inserted"] += len(missing)
    if not here:
        if missing:
            connection.execute(insert(sweep_specs), missing)
        return False
    newest = here[-1]["version"]
    if missing:
        connection.execute(
            update(sweep_specs)
            .where(sweep_specs.c.sweep_id == sweep_id, sweep_specs.c.version == newest)
            .values(version=newest + len(missing))
        )
        connection.execute(
            insert(sweep_specs),
            [row | {"version": version} for version, row in enumerate(missing, start=newest)],
        )
    return _text(here[-1]) != _text(archived[-1])


def _text(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return (row["text"], *row["overrides"])


def _merge_members(
    connection: Connection,
    archive: Archive,
    table: Table,
    archived_id: int,
    sweep_id: int,
    is_new: bool,
    tally: Counter[str],
) -> None:
    """Adds runs or evaluations to a sweep; those of one that is new here keep their places."""
    member = table.c["run_id" if table is sweep_runs else "evaluation_id"]
    of_sweep = table.c.sweep_id == sweep_id
    last = func.coalesce(func.max(table.c.position), -1)
    place = connection.execute(select(last).where(of_sweep)).scalar_one()
    archived = archive.batches(
        table, table.c.sweep_id == archived_id, table.c.position, at_once=NAMED_AT_ONCE
    )
    for batch in archived:
        rows = [row | {"sweep_id": sweep_id} for row in batch]
        if not is_new:
            ids = [row[member.name] for row in rows]
            here = select(member).where(of_sweep, member.in_(ids))
            known = set(connection.scalars(here))
            tally["already_here"] += len(known)
            rows = [row for row in rows if row[member.name] not in known]
            for row in rows:
                place += 1
                row["position"] = place
        if rows:
            connection.execute(insert(table), rows)
            tally["inserted"] += len(rows)
