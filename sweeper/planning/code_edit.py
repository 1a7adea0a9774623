"""One edit of code: what was stored under the earlier version, and how it is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from results.metrics import counted
from results.queries.sources import STAGES

_MOST_NAMED = 5

Code = Mapping[str, str]
"""SHA-256 of code, by kind and name, as `TrainerRun.code` has it."""


@dataclass(frozen=True)
class Edited:
    """Code of which there are runs or results under an earlier version, that this version has not.

    Attributes:
        now: of what was edited.
        earlier: the code of the same names under which most of these are; what it lacks is not
            known, since it is from before there were such digests.
        stages: how many runs there are that have come so far, or "done" measurements of an
            evaluation.
        changed: the names of the files that differ; None if they are not known.
    """

    now: Code
    earlier: Code
    stages: Counter[str]
    changed: tuple[str, ...] | None

    def sentence(self) -> str:
        """What the edit means for the sweep, and the way out."""
        begin = f"the code of {self._names} was edited{self._files}: {self._counts}"
        one = self.stages.total() == 1
        if self._of_evaluation:
            return (
                f"{begin} by the earlier code ({self._digests}) {'stays' if one else 'stay'}, and"
                f" {'is' if one else 'are'} made again by this one; --same-code accepts"
                f" {'it' if one else 'them'} instead"
            )
        if self._all_done:
            way_out = f"accepts {'its result' if one else 'their results'}"
        else:
            way_out = f"keeps {'it' if one else 'them'}"
        return (
            f"{begin} under the earlier code ({self._digests})"
            f" {'is another run' if one else 'are other runs'} now; --same-code {way_out}"
        )

    def accepted(self) -> str:
        """The same where they were accepted."""
        if not self._all_done:
            return (
                f"--same-code: {self._counts} under other code of {self._names} ({self._digests})"
                f"{self._files}: kept"
            )
        many = counted(self.stages.total(), "measurement" if self._of_evaluation else "run")
        results = many if self._of_evaluation else f"results of {many}"
        return (
            f"--same-code: {results} accepted that {self._names} made under other code"
            f" ({self._digests}){self._files}"
        )

    @property
    def _of_evaluation(self) -> bool:
        return next(iter(self.now)).startswith("evaluation ")

    @property
    def _names(self) -> str:
        *others, last = self.now
        return f"{', '.join(others)} and {last}" if others else last

    @property
    def _all_done(self) -> bool:
        return self.stages.keys() == {"done"}

    @property
    def _counts(self) -> str:
        if self._of_evaluation:
            return counted(self.stages.total(), "measurement")
        (furthest, many), *others = (
            (stage, self.stages[stage]) for stage in reversed(STAGES) if self.stages[stage]
        )
        more = (f"{number} {stage}" for stage, number in others)
        return ", ".join([f"{counted(many, 'run')} {furthest}", *more])

    @property
    def _digests(self) -> str:
        pairs = {
            f"{self.earlier[name][:12] if name in self.earlier else 'unknown'}, now {sha256[:12]}"
            for name, sha256 in self.now.items()
        }
        return "; ".join(sorted(pairs))

    @property
    def _files(self) -> str:
        if not self.changed:
            return ""
        more = len(self.changed) - _MOST_NAMED
        named = ", ".join(self.changed[:_MOST_NAMED])
        return f" ({named}{f' and {more} more' if more > 0 else ''})"
