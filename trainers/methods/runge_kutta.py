"""Explicit Runge-Kutta methods by their Butcher tableaux.

    k_i = f(y_n + h sum_{j<i} a_ij k_j),    y_{n+1} = y_n + h sum_i b_i k_i

A residual block is one such step with h = 1; a step of another size is the tableau with a and b
multiplied by h. Coefficients are exact fractions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from sweep_plugins.schemes.exact_numbers import exact, stored
from sweep_plugins.schemes.scheme_label import coefficient_text
from trainers.methods.multistep import Coefficient


@dataclass(frozen=True)
class Tableau:
    """The coefficients of one explicit Runge-Kutta method of s stages.

    Methods that are not consistent are allowed, as inconsistent multistep schemes are: what they
    do to a network is worth measuring.

    Attributes:
        a: s rows of s, zero on and above the diagonal.
        b: weights of the s slopes.

    Raises:
        ValueError: there is no stage, the sizes do not fit, the method is not explicit, or a stage
            is used by nothing that follows.
    """

    a: tuple[tuple[Fraction, ...], ...]
    b: tuple[Fraction, ...]

    def __post_init__(self) -> None:
        if not self.b:
            raise ValueError("b is empty: a tableau needs at least one stage")
        if len(self.a) != self.stages:
            raise ValueError(
                f"a has {len(self.a)} rows, but b has {self.stages} weights: a tableau has one of "
                "each for every stage"
            )
        for i, row in enumerate(self.a):
            if len(row) != self.stages:
                raise ValueError(f"row {i + 1} of a has {len(row)} entries, not {self.stages}")
            for j in range(i, self.stages):
                if row[j] != 0:
                    found = coefficient_text(stored(row[j]))
                    raise ValueError(
                        f"row {i + 1} of a has {found} in column {j + 1}: an "
                        "explicit method has zeros on and above the diagonal"
                    )
        for j in range(self.stages):
            if self.b[j] == 0 and all(row[j] == 0 for row in self.a):
                raise ValueError(
                    f"b has 0 for stage {j + 1}, and no later stage uses it: remove the stage"
                )

    @classmethod
    def of(cls, a: Sequence[Sequence[Coefficient]], b: Sequence[Coefficient]) -> Tableau:
        """From numbers or fractions as a user writes them.

        A row of `a` may leave out zeros at its end: [[], ["1/2"]] is [[0, 0], ["1/2", 0]].

        Raises:
            ValueError: see the class; or something is no number.
        """
        weights = tuple(exact(weight) for weight in b)
        rows = (tuple(exact(entry) for entry in row) for row in a)
        zero = Fraction(0)
        return cls(tuple((*row, *(zero,) * (len(weights) - len(row))) for row in rows), weights)

    @property
    def stages(self) -> int:
        """s: how often a step evaluates f."""
        return len(self.b)


EULER = Tableau.of([[]], [1])
"""y + h f(y): the plain residual block."""

MIDPOINT = Tableau.of([[], ["1/2"]], [0, 1])

HEUN = Tableau.of([[], [1]], ["1/2", "1/2"])
"""Heun's method of order 2, also called the improved Euler method and the explicit trapezoid."""

RK4 = Tableau.of([[], ["1/2"], [0, "1/2"], [0, 0, 1]], ["1/6", "1/3", "1/3", "1/6"])
"""Kutta's classic method of order 4."""

NAMED: dict[str, Tableau] = {"euler": EULER, "midpoint": MIDPOINT, "heun": HEUN, "rk4": RK4}
"""What a spec can call by name. A name added here changes the identity of runs that wrote the
same coefficients out."""
