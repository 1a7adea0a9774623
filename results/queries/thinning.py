"""Epochs of which there are more than anybody draws: some of them, chosen in the database."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Column, ColumnElement, func, select

from results.schema.tables import runs


def one_epoch_in(
    every: int, epoch: Column[int], passing: Iterable[ColumnElement[bool]]
) -> ColumnElement[bool]:
    """Whether a row is of the last epoch, or of one `every` so many before it.

    Counted are the different epochs of the rows that pass these conditions on them and on `runs`,
    so that runs which know the same epochs keep the same.
    """
    table = epoch.table
    of_runs = select(epoch).select_from(table.join(runs, runs.c.run_id == table.c.run_id))
    known = of_runs.where(*passing).distinct().subquery("known")
    place = func.row_number().over(order_by=known.c.epoch.desc())
    placed = select(known.c.epoch, place.label("place")).subquery("placed")
    return epoch.in_(select(placed.c.epoch).where(placed.c.place % every == 1 % every))
