"""Tableaux against the textbook, and against equations that they integrate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import pytest

from trainers.methods.runge_kutta import EULER, HEUN, MIDPOINT, NAMED, RK4, Tableau

of = Tableau.of

THREE_EIGHTHS = of([[], ["1/3"], ["-1/3", 1], [1, -1, 1]], ["1/8", "3/8", "3/8", "1/8"])

State = Sequence[Any]


def step(tableau: Tableau, f: Callable[[State], State], y: State, h: Any) -> State:
    """One step, written down once more; numbers may be floats or fractions."""
    number = type(h)
    slopes: list[State] = []
    for row in tableau.a:
        inner = [
            y[m] + h * sum(number(a) * k[m] for a, k in zip(row, slopes, strict=False))
            for m in range(len(y))
        ]
        slopes.append(f(inner))
    return [
        y[m] + h * sum(number(b) * k[m] for b, k in zip(tableau.b, slopes, strict=True))
        for m in range(len(y))
    ]


def gauss(y: State) -> State:
    """t' = 1, y' = 2 t y: y = exp(t^2). Not linear, so that it takes more than R(z)."""
    t, value = y
    return [1.0, 2 * t * value]


def error(tableau: Tableau, steps: int) -> float:
    """Of y(1) from y(0) = 1."""
    y: State = [0.0, 1.0]
    for _ in range(steps):
        y = step(tableau, gauss, y, 1 / steps)
    return abs(y[1] - math.e)


def conditions(tableau: Tableau) -> list[list[bool]]:
    """The textbook's eight sums, order by order (Hairer, Norsett and Wanner, Table II.2.2)."""
    a, b = tableau.a, tableau.b
    c = [sum(row, Fraction(0)) for row in a]
    s = range(tableau.stages)

    def holds(found: Fraction | int, wanted: str | int) -> bool:
        return abs(found - Fraction(wanted)) < Fraction(1, 10**9)

    ac = [sum((a[i][j] * c[j] for j in s), Fraction(0)) for i in s]
    return [
        [holds(sum(b), 1)],
        [holds(sum(b[i] * c[i] for i in s), "1/2")],
        [
            holds(sum(b[i] * c[i] ** 2 for i in s), "1/3"),
            holds(sum(b[i] * ac[i] for i in s), "1/6"),
        ],
        [
            holds(sum(b[i] * c[i] ** 3 for i in s), "1/4"),
            holds(sum(b[i] * c[i] * ac[i] for i in s), "1/8"),
            holds(sum(b[i] * a[i][j] * c[j] ** 2 for i in s for j in s), "1/12"),
            holds(sum(b[i] * a[i][j] * ac[j] for i in s for j in s), "1/24"),
        ],
    ]


@pytest.mark.parametrize(
    ("tableau", "order"), [(EULER, 1), (MIDPOINT, 2), (HEUN, 2), (RK4, 4), (THREE_EIGHTHS, 4)]
)
def test_known_runge_kutta_methods_have_their_order(tableau: Tableau, order: int) -> None:
    met = [all(of_one_order) for of_one_order in conditions(tableau)]
    assert met == [p <= order for p in range(1, 5)]
    observed = math.log2(error(tableau, 128) / error(tableau, 256))
    assert observed == pytest.approx(order, abs=0.1)


def test_tableau_floats_are_read_as_fractions() -> None:
    thirds = of([[], [1 / 3], [-1 / 3, 1], [1, -1, 1]], [0.125, 0.375, 0.375, 0.125])
    assert thirds == THREE_EIGHTHS


def test_named_runge_kutta_methods_are_the_classic_ones() -> None:
    assert list(NAMED) == ["euler", "midpoint", "heun", "rk4"]
    assert [tableau.stages for tableau in NAMED.values()] == [1, 2, 2, 4]


def test_tableau_rows_can_omit_trailing_zeros() -> None:
    whole = of([[0, 0, 0], [0.5, 0, 0], [0, 1, 0]], [0, 0, 1])
    assert of([[], ["1/2"], [0, 1]], [0, 0, 1]) == whole
    assert whole.a[1] == (Fraction(1, 2), 0, 0)


@pytest.mark.parametrize(
    ("a", "b", "complaint"),
    [
        ([], [], "b is empty: a tableau needs at least one stage"),
        ([[], [1]], [1], "a has 2 rows, but b has 1 weights"),
        ([[]], [0.5, 0.5], "a has 1 rows, but b has 2 weights"),
        ([[], [1, 0, 0]], [0, 1], "row 2 of a has 3 entries, not 2"),
        ([[1]], [1], "row 1 of a has 1 in column 1: an explicit method has zeros on and above"),
        ([[], [0, 0.5]], [0.5, 0.5], "row 2 of a has 0.5 in column 2"),
        ([[0, "1/3"], [1]], [0.5, 0.5], "row 1 of a has 1/3 in column 2"),
        ([[], [1]], [1, 0], "b has 0 for stage 2, and no later stage uses it: remove the stage"),
        ([[], [0]], [0, 1], "b has 0 for stage 1, and no later stage uses it"),
        ([[]], ["half"], "'half' is not a number"),
        ([[]], [math.nan], "nan is not a finite number"),
    ],
)
def test_malformed_tableaux_are_refused(a: Any, b: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        of(a, b)
