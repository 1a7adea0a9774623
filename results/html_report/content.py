"""What a page shows, as plain data that its maker fills in.

Any text may hold anything: it is shown as it is. Points in time are seconds since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from results.records import Failure, Note, RunRow
from results.rendering.tabular import Tabular


@dataclass(frozen=True, slots=True)
class CaptionedTable:
    """A table with its caption.

    `notes` are sentences below it. `runs` are the runs that a report or pivot table was made
    from, after its filters, with their config if a key is a config path: the page then lists the
    run ids of every group. `leads` has, by the header of a column, where its cells lead to, less
    their text.
    """

    caption: str
    data: Tabular
    notes: Sequence[str] = ()
    runs: Sequence[RunRow] = ()
    leads: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture; the caption is also its text for screen readers. `run` is the id of its run, one
    of the page, if it is of one.
    """

    caption: str
    content: bytes
    media_type: str = "image/svg+xml"
    run: str | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """Paragraphs, then tables, then figures, under one heading."""

    heading: str
    text: Sequence[str] = ()
    tables: Sequence[CaptionedTable] = ()
    figures: Sequence[Figure] = ()


@dataclass(frozen=True, slots=True)
class StoredSweep:
    """A sweep as the database has it: its newest spec, a row of `Queries.spec_rows`; its runs by
    state; failures; how many of its done runs were imported; its own tags and notes.
    """

    spec: Mapping[str, Any]
    counts: Mapping[str, int]
    failures: Sequence[Failure] = ()
    imported: int = 0
    tags: Sequence[str] = ()
    notes: Sequence[Note] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One execution of a run; `provenance` is what the worker said of its machine, if it did.

    `imported_from` is the name of the archive that says all of this, if one brought it. `storage`
    is where the run's folder lies, and `last_lines` are those of the log of an attempt that failed.
    """

    run_id: str
    attempt: int
    state: str
    started_at: float
    finished_at: float | None
    error: str | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    imported_from: str | None = None
    storage: str | None = None
    last_lines: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Everything on the page.

    `command` is what made it, `database` the address without its password. `runs` are as
    returned by `Queries.run_rows`, and `attempts` those of these runs.
    """

    title: str
    made_at: float
    command: str
    database: str
    sweeps: Sequence[StoredSweep]
    sections: Sequence[Section]
    runs: Sequence[RunRow]
    attempts: Sequence[Attempt]
