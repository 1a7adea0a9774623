"""What merging an archive into a database did, and what it left as it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from results.metrics import counted

_SHOWN = 10

ConflictKind = Literal["result", "config", "running", "measurement", "evaluation"]


@dataclass(frozen=True, slots=True)
class Counts:
    """The rows of one table of the archive, by what became of them; they add up to the table.

    `inserted` are new here. `completed` gave a row here what it lacked: a result to a run that
    had none, an end to an attempt. `already_here` have a row of the same key here, which stayed.
    `left_out` are rows about a run that could not take them (see Merged.conflicts), and attempts
    at a run that is done here by another attempt.
    """

    inserted: int = 0
    completed: int = 0
    already_here: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """One column, as it is here and as it is in the archive."""

    column: str
    here: Any
    archived: Any


@dataclass(frozen=True, slots=True)
class Conflict:
    """Something that database and archive say differently. What is here stayed.

    Kinds: two trainings of one run ended with different results ("result"); one run id stands
    for two configs ("config"); a driver works here on a run that the archive knows more of
    ("running"); one measurement has two values ("measurement"); one evaluation id has two
    meanings ("evaluation").
    """

    kind: ConflictKind
    run_id: str | None
    evaluation_id: str | None
    differences: tuple[Difference, ...] = ()

    def sentence(self) -> str:
        """The conflict in words."""
        differ = "; ".join(
            f"{d.column} {_short(d.here)} here, {_short(d.archived)} in the archive"
            for d in self.differences
        )
        match self.kind:
            case "result":
                return f"run {self.run_id} is done here with another result: {differ}"
            case "config":
                return f"run {self.run_id} has another config here; its rows were left out"
            case "running":
                return (
                    f"run {self.run_id} is running here, and was left alone: import again when it"
                    " has ended"
                )
            case "measurement":
                return (
                    f"evaluation {self.evaluation_id} of run {self.run_id} has another value"
                    f" here: {differ}"
                )
            case "evaluation":
                return f"evaluation {self.evaluation_id} is another one here: {differ}"


@dataclass(frozen=True, slots=True)
class Merged:
    """The outcome of merging an archive.

    `counts`: by table. `adopted`: ids of runs known here that were given the archive's result.
    `queued`: ids of runs that were running when the archive was written, and are queued here.
    `renamed`: sweeps by their name in the archive. `other_specs`: names here of sweeps whose
    newest spec differs from the archive's; both are kept as versions, and the one from here is
    still the newest.
    """

    counts: Mapping[str, Counts]
    adopted: tuple[str, ...]
    queued: tuple[str, ...]
    conflicts: tuple[Conflict, ...]
    renamed: Mapping[str, str]
    other_specs: tuple[str, ...]

    @property
    def changed(self) -> bool:
        """Whether the database is another than before."""
        return any(count.inserted or count.completed for count in self.counts.values())

    def sentences(self) -> list[str]:
        """The outcome in words, a sentence a line, without full stops."""
        runs, measured = self.counts["runs"], self.counts["evaluations"]
        lines = [
            f"{counted(runs.inserted, 'run')} added, {runs.completed} given the archive's result,"
            f" {runs.already_here} already here, {runs.left_out} left as they are here",
            f"{counted(measured.inserted, 'measurement')} added, {measured.already_here} already"
            f" here, {measured.left_out} left out",
        ]
        lines += [f"sweep {old} was imported as {new}" for old, new in self.renamed.items()]
        if self.queued:
            lines.append(
                "running elsewhere when the archive was written, and queued here:"
                f" {counted(len(self.queued), 'run')}"
            )
        lines += [
            f"sweep {name} has another spec in the archive: its runs were added to the sweep,"
            " its text is kept as an older version"
            for name in self.other_specs
        ]
        lines += [conflict.sentence() for conflict in self.conflicts[:_SHOWN]]
        if len(self.conflicts) > _SHOWN:
            lines.append(f"and {len(self.conflicts) - _SHOWN} more such differences")
        return lines


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
