"""Explicit Runge-Kutta methods: Butcher tableaux, order conditions, stability polynomial.

    k_i = f(y_n + h sum_{j<i} a_ij k_j),    y_{n+1} = y_n + h sum_i b_i k_i

A residual block is one such step with h = 1; a step of another size is the tableau with a and b
multiplied by h. Coefficients are exact fractions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from trainers.methods.fractions import exact, format_number
from trainers.methods.multistep import CONSISTENCY_TOLERANCE, Coefficient
from trainers.methods.polynomials import Polynomial

Tree = tuple["Tree", ...]
"""A rooted tree as the trees that hang from its root; () is the root alone."""

_TREES: tuple[tuple[Tree, ...], ...] = (
    ((),),
    (((),),),
    (((), ()), (((),),)),
    (((), (), ()), ((), ((),)), (((), ()),), ((((),),),)),
)
"""The rooted trees of 1, 2, 3 and 4 nodes: 1, 1, 2 and 4 order conditions."""

HIGHEST_ORDER = len(_TREES)
"""`order` stops counting here."""


@dataclass(frozen=True)
class Tableau:
    """The coefficients of one explicit Runge-Kutta method of s stages, and what follows from them.

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
                    raise ValueError(
                        f"row {i + 1} of a has {format_number(row[j])} in column {j + 1}: an "
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

    @property
    def c(self) -> tuple[Fraction, ...]:
        """When each stage evaluates f, in steps: the row sums of a."""
        return tuple(sum(row, Fraction(0)) for row in self.a)

    @property
    def consistent(self) -> bool:
        """Whether the order is at least 1: the weights sum to 1."""
        return self.order >= 1

    @cached_property
    def order(self) -> int:
        """The largest p, up to HIGHEST_ORDER, for which the conditions of orders 1 .. p hold.

        One condition for each rooted tree t of at most p nodes, sum_i b_i phi_i(t) = 1 / gamma(t)
        (Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I, Theorem II.2.13).
        The first are sum b = 1; sum b c = 1/2; sum b c^2 = 1/3 and sum b a c = 1/6. The local error
        is then O(h^{p+1}). "Holds" means within CONSISTENCY_TOLERANCE.
        """
        for nodes, trees in enumerate(_TREES, start=1):
            for tree in trees:
                found = _dot(self.b, self._elementary_weights(tree))
                if abs(found - Fraction(1, _density(tree))) > CONSISTENCY_TOLERANCE:
                    return nodes - 1
        return HIGHEST_ORDER

    def _elementary_weights(self, tree: Tree) -> tuple[Fraction, ...]:
        """phi_i(t) of each stage i: the product of sum_j a_ij phi_j over the trees at the root."""
        weights = [Fraction(1)] * self.stages
        for branch in tree:
            below = self._elementary_weights(branch)
            for i, row in enumerate(self.a):
                weights[i] *= _dot(row, below)
        return tuple(weights)

    @property
    def stability_polynomial(self) -> Polynomial:
        """R of y_{n+1} = R(h lambda) y_n for y' = lambda y: s + 1 coefficients, highest first.

        R(z) = 1 + sum_k b a^{k-1} 1 z^k. A method of order p agrees with exp(z) up to z^p.
        """
        powers = tuple([Fraction(1)] * self.stages)
        coefficients = [Fraction(1)]
        for _ in range(self.stages):
            coefficients.append(_dot(self.b, powers))
            powers = tuple(_dot(row, powers) for row in self.a)
        return tuple(reversed(coefficients))


def _dot(left: tuple[Fraction, ...], right: tuple[Fraction, ...]) -> Fraction:
    return sum((x * y for x, y in zip(left, right, strict=True)), Fraction(0))


def _nodes(tree: Tree) -> int:
    return 1 + sum(map(_nodes, tree))


def _density(tree: Tree) -> int:
    """gamma(t): the number of nodes times the densities of the trees at the root."""
    density = _nodes(tree)
    for branch in tree:
        density *= _density(branch)
    return density


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
