"""What the page of a report shows of the files that its runs keep."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sweeper.commands.bounded_reading import read_within_seconds

if TYPE_CHECKING:
    from results.html_report.content import Attempt, Section
    from results.queries.queries import Queries
    from results.records import Row, RunRow

MOST_PICTURES = 100
MOST_BYTES = 20_000_000
MOST_LISTED = 500
MOST_SENTENCES = 20

MOST_LOOKED_AT = 20_000
"""Files among which pictures are looked for."""

_RUNS_AT_ONCE = 100

_Picture = tuple[str, str, bytes, str]
"""The id of its run, its path there, content and media type."""


def files_of_runs(
    queries: Queries, sweeps: Sequence[str], where: Sequence[str], runs: Sequence[RunRow]
) -> tuple[list[Row], int]:
    """The files of the first of these runs, and how many all of them have."""
    count = queries.count_files(sweeps, where=where)
    rows: list[Row] = []
    run_ids = [run["run_id"] for run in runs]
    for start in range(0, len(run_ids) if count else 0, _RUNS_AT_ONCE):
        rows += queries.file_rows(run_ids=run_ids[start : start + _RUNS_AT_ONCE])
        if len(rows) >= MOST_LOOKED_AT:
            break
    return rows, count


def section_of_files(
    rows: Sequence[Row],
    count: int,
    runs: Sequence[RunRow],
    attempts: Iterable[Attempt],
    storage: str,
) -> Section | None:
    """A list of the files, with those of them that are pictures; None if there is nothing to say.

    Args:
        rows, count: as `files_of_runs` gives them.
        runs: with their config; rows of other runs have no place on the page.
        attempts: of the runs.
        storage: where files may lie that are not where an attempt wrote.
    """
    from dataclasses import asdict

    from results.html_report.content import CaptionedTable, Figure, Section

    made_it = {attempt.run_id: attempt for attempt in attempts if attempt.state == "done"}
    text = list(_left_out(made_it.values()))
    if not rows and not text:
        return None
    known = {run_id: asdict(attempt) for run_id, attempt in made_it.items()}
    pictures, unshown = _pictures(rows, known, storage)
    if unshown:
        least = "at least " if count > len(rows) else ""
        text.append(
            f"Pictures that are not shown: {least}{unshown}. `sweep files RUN` lists all files."
        )
    labels = _labels(runs)
    listed = [
        {
            "run": row["run_id"],
            "settings": labels[row["run_id"]],
            "path": row["path"],
            "bytes": row["size"],
        }
        for row in rows[:MOST_LISTED]
    ]
    notes = [f"and {count - MOST_LISTED:,} more"] if count > MOST_LISTED else []
    figures = [
        Figure(f"{path}: {labels[run_id]}", content, media_type, run_id)
        for run_id, path, content, media_type in pictures
    ]
    leads = {"run": "#run-"}
    tables = [CaptionedTable("Files that runs keep", listed, notes, leads=leads)] if rows else []
    return Section("Files", text=text, tables=tables, figures=figures)


def _labels(runs: Sequence[RunRow]) -> dict[str, str]:
    """What tells each run from the others of the page, by its id."""
    from results.trainer_label import MOST_COMPARED, TrainerLabels

    own = [run["config"] for run in runs if run["model"] is None]
    of_trainers = TrainerLabels(own[:MOST_COMPARED])
    return {
        run["run_id"]: of_trainers.label(run["config"], run["seed"]).short
        if run["model"] is None
        else f"{run['model']} ({run['scheme']}), depth {run['depth']}, seed {run['seed']}"
        for run in runs
    }


def _left_out(attempts: Iterable[Attempt]) -> Iterable[str]:
    from results.provenance import files_left_out

    count = 0
    for attempt in attempts:
        if told := files_left_out(attempt.provenance):
            count += 1
            if count <= MOST_SENTENCES:
                yield f"Not kept of run {attempt.run_id}: {'; '.join(told)}."
    if count > MOST_SENTENCES:
        yield f"So are files of {count - MOST_SENTENCES} more runs."


def _pictures(
    rows: Iterable[Row], attempts: Mapping[str, Mapping[str, Any]], storage: str
) -> tuple[list[_Picture], int]:
    """As many as are shown, and how many more there are."""
    from sweeper.run_files.pictures import may_be_picture

    found = [row for row in rows if may_be_picture(row["path"], row["size"])]
    found = [row for row in found if row["run_id"] in attempts]
    chosen: list[Row] = []
    room = MOST_BYTES
    for row in found:
        room -= row["size"]
        if room < 0 or len(chosen) == MOST_PICTURES:
            break
        chosen.append(row)
    pictures: list[_Picture] = []
    if chosen:
        read_within_seconds(_read, chosen, attempts, storage, pictures)
    shown = list(pictures)
    return shown, len(found) - len(shown)


def _read(
    rows: Sequence[Row],
    attempts: Mapping[str, Mapping[str, Any]],
    storage: str,
    pictures: list[_Picture],
) -> None:
    from sweeper.errors import ResourceError
    from sweeper.run_files.pictures import media_type_of
    from sweeper.run_files.reading import content_of, folders_of
    from trainers.errors import StorageError

    of_runs: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        of_runs[row["run_id"]].append(row)
    for run_id, files in of_runs.items():
        try:
            folders = folders_of(attempts[run_id], storage)
        except StorageError:
            continue
        for file in files:
            try:
                content = content_of(file, folders)
            except ResourceError:
                continue
            if (media_type := media_type_of(content)) is not None:
                pictures.append((run_id, file["path"], content, media_type))
