"""Tableaux against the textbook, and against equations that they integrate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from trainers.methods.runge_kutta import EULER, HEUN, MIDPOINT, NAMED, RK4, Tableau

of = Tableau.of

RALSTON = of([[], ["2/3"]], ["1/4", "3/4"])
HEUN_3 = of([[], ["1/3"], [0, "2/3"]], ["1/4", 0, "3/4"])
KUTTA_3 = of([[], ["1/2"], [-1, 2]], ["1/6", "2/3", "1/6"])
THREE_EIGHTHS = of([[], ["1/3"], ["-1/3", 1], [1, -1, 1]], ["1/8", "3/8", "3/8", "1/8"])
# Three of Euler's steps in one: consistent, and no better for it.
THREE_EULER_STEPS = of([[], ["1/3"], ["1/3", "1/3"]], ["1/3", "1/3", "1/3"])
# Kutta's weights and times, but another way to the last stage: one condition of order 3 fails.
SECOND_OF_THREE = of([[], ["1/2"], [0, 1]], ["1/6", "2/3", "1/6"])
INCONSISTENT = of([[], [1]], ["1/2", "1/4"])

ORDERS = [
    (EULER, 1),
    (MIDPOINT, 2),
    (HEUN, 2),
    (RALSTON, 2),
    (HEUN_3, 3),
    (KUTTA_3, 3),
    (RK4, 4),
    (THREE_EIGHTHS, 4),
    (THREE_EULER_STEPS, 1),
    (SECOND_OF_THREE, 2),
]

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


@pytest.mark.parametrize(("tableau", "order"), ORDERS)
def test_the_order_is_the_observed_one(tableau: Tableau, order: int) -> None:
    assert tableau.order == order
    assert tableau.consistent
    observed = math.log2(error(tableau, 128) / error(tableau, 256))
    assert observed == pytest.approx(order, abs=0.1)


def test_an_inconsistent_method_does_not_converge() -> None:
    assert INCONSISTENT.order == 0
    assert not INCONSISTENT.consistent
    assert error(INCONSISTENT, 256) > 0.1


def test_each_condition_counts() -> None:
    """Weights for arbitrary times and links that meet all eight conditions, or all but one."""
    a = np.tril(np.random.default_rng(0).uniform(-1, 1, (8, 8)), -1)
    c = a.sum(axis=1)
    rows = [c**0, c, c**2, a @ c, c**3, c * (a @ c), a @ c**2, a @ (a @ c)]
    wanted = 1 / np.array([1, 2, 3, 6, 4, 8, 12, 24])

    def order(right: np.ndarray) -> int:
        return of(a.tolist(), np.linalg.solve(np.array(rows), right).tolist()).order

    assert order(wanted) == 4
    changed = [order(wanted + 1e-3 * unit) for unit in np.eye(8)]
    assert changed == [0, 1, 2, 2, 3, 3, 3, 3]


def conditions(tableau: Tableau) -> list[list[bool]]:
    """The textbook's eight sums, order by order (Hairer, Norsett and Wanner, Table II.2.2)."""
    a, b, c = tableau.a, tableau.b, tableau.c
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


small = st.fractions(min_value=-3, max_value=3, max_denominator=12)


@st.composite
def tableaux(draw: st.DrawFn) -> Tableau:
    """Arbitrary methods, and known ones with one coefficient changed, or none."""
    if draw(st.booleans()):
        stages = draw(st.integers(1, 5))
        rows = [draw(st.lists(small, min_size=i, max_size=i)) for i in range(stages)]
        weights = draw(st.lists(small.filter(bool), min_size=stages, max_size=stages))
        return of(rows, weights)
    known, _ = draw(st.sampled_from(ORDERS))
    changed = [list(row) for row in (*known.a, known.b)]
    row = draw(st.integers(1, known.stages))
    column = draw(st.integers(0, row - 1))
    changed[row][column] += draw(st.sampled_from([Fraction(0), Fraction(1, 7), Fraction(-2)]))
    try:
        return of(changed[:-1], changed[-1])
    except ValueError:
        assume(False)
        raise


@given(tableaux())
def test_the_order_is_that_of_the_textbooks_sums(tableau: Tableau) -> None:
    met = [all(of_one_order) for of_one_order in conditions(tableau)]
    assert tableau.order == (met.index(False) if False in met else len(met))


@given(small.filter(bool))
@example(Fraction(1, 2))
@example(Fraction(1))
def test_two_stages_reach_the_second_order_and_no_more(time: Fraction) -> None:
    last = 1 / (2 * time)
    assert of([[], [time]], [1 - last, last]).order == 2


@given(small.filter(bool), small.filter(bool))
def test_three_stages_reach_the_third_order_and_no_more(second: Fraction, third: Fraction) -> None:
    assume(second not in (third, Fraction(2, 3)))
    last = (2 - 3 * second) / (6 * third * (third - second))
    middle = (3 * third - 2) / (6 * second * (third - second))
    link = third * (third - second) / (second * (2 - 3 * second))
    tableau = of([[], [second], [third - link, link]], [1 - middle - last, middle, last])
    assert tableau.order == 3
    assert tableau.c == (0, second, third)


def test_the_orders_hold_for_floats_too() -> None:
    thirds = of([[], [1 / 3], [-1 / 3, 1], [1, -1, 1]], [0.125, 0.375, 0.375, 0.125])
    assert thirds == THREE_EIGHTHS
    # Gill's coefficients are irrational.
    root = math.sqrt(0.5)
    gill = of(
        [[], [0.5], [root - 0.5, 1 - root], [0, -root, 1 + root]],
        [1 / 6, (1 - root) / 3, (1 + root) / 3, 1 / 6],
    )
    assert gill.order == 4
    rounded = of([[], [0.5], [0, 0.5], [0, 0, 1]], [0.1667, 0.3333, 0.3333, 0.1667])
    assert rounded.order == 2


@given(tableaux(), small)
def test_the_stability_polynomial_is_one_step_of_the_linear_equation(
    tableau: Tableau, z: Fraction
) -> None:
    polynomial = tableau.stability_polynomial
    assert len(polynomial) == tableau.stages + 1
    value = sum(c * z**power for power, c in enumerate(reversed(polynomial)))
    assert value == step(tableau, lambda y: [z * y[0]], [Fraction(1)], Fraction(1))[0]


@pytest.mark.parametrize(("tableau", "order"), ORDERS)
def test_it_agrees_with_the_exponential_up_to_the_order(tableau: Tableau, order: int) -> None:
    lowest_first = tableau.stability_polynomial[::-1]
    series = [Fraction(1, math.factorial(k)) for k in range(order + 2)]
    assert list(lowest_first[: order + 1]) == series[: order + 1]


def test_known_stability_polynomials() -> None:
    assert EULER.stability_polynomial == (1, 1)
    assert MIDPOINT.stability_polynomial == HEUN.stability_polynomial == (Fraction(1, 2), 1, 1)
    expected = (Fraction(1, 24), Fraction(1, 6), Fraction(1, 2), 1, 1)
    assert RK4.stability_polynomial == THREE_EIGHTHS.stability_polynomial == expected


def test_the_classic_methods_by_name() -> None:
    assert list(NAMED) == ["euler", "midpoint", "heun", "rk4"]
    assert [tableau.stages for tableau in NAMED.values()] == [1, 2, 2, 4]
    assert RK4.c == (0, Fraction(1, 2), Fraction(1, 2), 1)


def test_a_row_may_leave_out_its_zeros() -> None:
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
