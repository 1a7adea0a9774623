"""What one call of `run_sweep` did."""

from __future__ import annotations

from dataclasses import dataclass, field

from results.records import SweepChange


@dataclass
class Summary:
    """What one call of `run_sweep` did.

    Attributes:
        change: to the sweep's runs, against the database.
        adopted: results of an interrupted driver that were committed.
        trained: runs that finished now.
        evaluated: done runs that got evaluations they lacked.
        failed: runs that failed now.
        unmeasured: done runs that could not be evaluated.
        without_weights: others that could not, as their weights are gone.
        left_out: ids of runs that finished now, and do not keep all the files that they wrote.
        without_images: of such that left damaged images of their dataset out.
    """

    change: SweepChange
    adopted: int = 0
    trained: int = 0
    evaluated: int = 0
    failed: int = 0
    unmeasured: int = 0
    without_weights: int = 0
    left_out: list[str] = field(default_factory=list)
    without_images: list[str] = field(default_factory=list)

    @property
    def nothing_to_do(self) -> bool:
        """Whether every run was done before."""
        return not (
            self.adopted
            or self.trained
            or self.evaluated
            or self.failed
            or self.unmeasured
            or self.without_weights
        )
