"""Tags and notes of sweeps and runs.

Each function works inside a transaction of the caller, `results.store.store.Store`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Table, delete, false, func, insert, select

from results.database.dialects import upsert
from results.errors import UnknownLabelledError, UnknownRunError
from results.records import Note
from results.schema.tables import run_notes, run_tags, runs, sweep_notes, sweep_tags, sweeps
from results.store.sweeps import full_run_id


class Labelled(NamedTuple):
    """A sweep, or a run, that has tags and notes: its name or id, and its key in these tables."""

    shown: str
    key: int | str
    tags: Table
    notes: Table

    @property
    def column(self) -> str:
        """The name of the column with the key."""
        return "run_id" if self.tags is run_tags else "sweep_id"

    def is_in(self, table: Table) -> ColumnElement[bool]:
        """Whether a row is about it."""
        key: Column[int | str] = table.c[self.column]
        return key == self.key


def find_labelled(connection: Connection, name: str) -> Labelled:
    """The sweep of this name, or else the run whose id begins so; raises UnknownLabelledError."""
    sweep_id = connection.scalar(select(sweeps.c.id).where(sweeps.c.name == name))
    if sweep_id is not None:
        return Labelled(name, int(sweep_id), sweep_tags, sweep_notes)
    try:
        run_id = full_run_id(connection, name)
    except UnknownRunError as error:
        known = connection.scalars(select(sweeps.c.name))
        raise UnknownLabelledError(name, known, error) from None
    return Labelled(run_id, run_id, run_tags, run_notes)


def hold_labelled(connection: Connection, name: str) -> Labelled:
    """As `find_labelled`; a run cannot be deleted until the transaction ends."""
    found = find_labelled(connection, name)
    this = runs.c.run_id == found.key if found.tags is run_tags else false()
    connection.execute(select(runs.c.run_id).where(this).with_for_update())
    return found


def add_tags(connection: Connection, labelled: Labelled, tags: Sequence[str]) -> None:
    """Those that it has already stay."""
    rows = [{labelled.column: labelled.key, "tag": tag} for tag in dict.fromkeys(tags)]
    connection.execute(upsert(connection, labelled.tags).on_conflict_do_nothing(), rows)


def remove_tags(connection: Connection, labelled: Labelled, tags: Sequence[str]) -> None:
    """Those that it does not have are none to remove."""
    table = labelled.tags
    connection.execute(delete(table).where(labelled.is_in(table), table.c.tag.in_(tags)))


def tags_of(connection: Connection, labelled: Labelled) -> list[str]:
    """Its own tags, sorted."""
    table = labelled.tags
    query = select(table.c.tag).where(labelled.is_in(table)).order_by(table.c.tag)
    return list(connection.scalars(query))


def add_note(connection: Connection, labelled: Labelled, text: str, now: float) -> None:
    """After the notes that it has."""
    table = labelled.notes
    last = select(func.coalesce(func.max(table.c.number), 0)).where(labelled.is_in(table))
    number = connection.execute(last).scalar_one() + 1
    row = {labelled.column: labelled.key, "number": number, "text": text, "created_at": now}
    connection.execute(insert(table).values(row))


def notes_of(connection: Connection, labelled: Labelled) -> list[Note]:
    """Its own notes, in their order."""
    table = labelled.notes
    query = select(table).where(labelled.is_in(table)).order_by(table.c.number)
    return [Note(row.number, row.text, row.created_at) for row in connection.execute(query)]


def remove_note(connection: Connection, labelled: Labelled, number: int) -> bool:
    """The others keep their numbers. Whether there was one of this number."""
    table = labelled.notes
    this = delete(table).where(labelled.is_in(table), table.c.number == number)
    return connection.execute(this).rowcount > 0


def has_note(connection: Connection, labelled: Labelled, text: str, now: float) -> bool:
    """Whether this note was written at exactly this time."""
    table = labelled.notes
    same = select(table.c.number).where(
        labelled.is_in(table), table.c.text == text, table.c.created_at == now
    )
    return connection.execute(same).first() is not None
