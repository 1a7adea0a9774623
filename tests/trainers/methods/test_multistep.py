"""Schemes against the published table, the theorems, and an equation that they integrate."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from known_roots import expand
from sweep_plugins.schemes.exact_numbers import exact
from trainers.methods.multistep import (
    LinearMultistepScheme,
    lm_resnet,
    preresnet,
    scheme_of,
    zerosnet,
)

of = LinearMultistepScheme.of

# ZeroSNet, Table 10: alpha, beta, moduli as printed (in any order), zero stable.
TABLE_10 = [
    ((1, 1, 1), 1, (1.84, 0.74, 0.74), False),
    ((3.75, -4, 1.25), -0.5, (0.57, 1.00, 2.18), False),
    ((-3, 5, -1), 4, (4.24, 0.24, 1.00), False),
    ((-0.75, 2, -0.25), 2.5, (1.88, 0.13, 1.00), False),
    ((2.25, -2, 0.75), 0.5, (1.00, 0.87, 0.87), True),
    ((0.1, 0.2, 0.3), 0.4, (0.81, 0.61, 0.61), True),
    ((0.5, 0.3, 0.1), 0.1, (0.94, 0.33, 0.33), True),
    ((0.825, -0.1, 0.275), 1.45, (1.00, 0.52, 0.52), True),
    ((1, 0.3, -0.4), 1, (0.60, 0.82, 0.82), True),
    (("1/3", "5/9", "1/9"), "16/9", (0.33, 0.33, 1.00), True),
]

# Its rows that belong to the lambda family.
TABLE_10_LAMBDA = {1: "1/4", 2: "-1/5", 3: "-1/2", 4: "1/2", 7: 10, 9: "-9/5"}

# ZeroSNet-Opt's lambda (Theorem 3).
OPTIMAL = Fraction(-9, 5)

# The five-instant formula of Zhang dynamics: third order, zero stable.
THIRD_ORDER = of(("-1/8", "3/4", "5/8", "-1/4"), "9/4")
# The only three-step scheme of third order with one f; root -2.69.
UNSTABLE_THIRD_ORDER = of(("-3/2", 3, "-1/2"), 3)


@pytest.mark.parametrize(("alpha", "beta", "moduli", "stable"), TABLE_10)
def test_moduli_and_zero_stability_are_those_of_table_10(
    alpha: tuple[float | str, ...], beta: float | str, moduli: tuple[float, ...], stable: bool
) -> None:
    scheme = of(alpha, beta)
    assert list(scheme.root_moduli) == pytest.approx(sorted(moduli, reverse=True), abs=0.005)
    assert scheme.max_root_modulus == scheme.root_moduli[0]
    assert scheme.zero_stable is stable


@pytest.mark.parametrize("row", range(10))
def test_rows_of_table_10_are_consistent_if_they_have_a_lambda(row: int) -> None:
    alpha, beta, _, _ = TABLE_10[row]
    scheme = of(alpha, beta)
    if row in TABLE_10_LAMBDA:
        assert scheme == zerosnet(TABLE_10_LAMBDA[row])
        assert (scheme.consistent, scheme.order) == (True, 2)
    else:
        assert not scheme.consistent


def test_the_optimal_scheme_in_floats_equals_its_fractions() -> None:
    optimal = zerosnet(OPTIMAL)
    assert optimal == zerosnet(-1.8) == scheme_of((1 / 3, 5 / 9, 1 / 9), 16 / 9)
    assert optimal.alpha == (Fraction(1, 3), Fraction(5, 9), Fraction(1, 9))
    assert optimal.beta == Fraction(16, 9)
    assert str(optimal) == "1/3, 5/9, 1/9; 16/9"
    assert optimal.root_moduli == pytest.approx((1, 1 / 3, 1 / 3), abs=1e-12)


def test_the_taylor_scheme_is_zerosnet_with_lambda_1() -> None:
    assert zerosnet(1) == of((1.5, -1, 0.5), 1)
    assert zerosnet(1).root_moduli == pytest.approx((1, math.sqrt(0.5), math.sqrt(0.5)), abs=1e-12)


near_a_boundary = st.builds(
    lambda boundary, sign, distance: boundary + sign * Fraction(1, distance),
    st.sampled_from([Fraction(-1), Fraction(1, 3)]),
    st.sampled_from([-1, 1]),
    st.integers(2, 10**7),
)


@given(
    st.one_of(
        st.fractions(min_value=-50, max_value=50, max_denominator=10**4), near_a_boundary
    ).filter(bool)
)
@example(Fraction(-1))
@example(Fraction(1, 3))
@example(Fraction(-1) + Fraction(1, 10**7))
@example(Fraction(1, 3) - Fraction(1, 10**7))
@pytest.mark.slow
def test_zero_stability_follows_theorem_2_up_to_its_boundary(lambda_: Fraction) -> None:
    # At -1 the roots are 1, -1, 0: simple. At 1/3, 1 is a triple root.
    stable = lambda_ < -1 or lambda_ > Fraction(1, 3) or lambda_ == -1
    assert zerosnet(lambda_).zero_stable is stable


def test_at_lambda_one_third_the_root_1_is_triple() -> None:
    assert zerosnet("1/3").roots == (1, 1, 1)


@given(st.fractions(min_value=-3, max_value=3, max_denominator=1000))
@example(Fraction(-1))
@example(Fraction(1))
def test_lm_resnet_has_the_roots_one_and_minus_k(k: Fraction) -> None:
    scheme = lm_resnet(k)
    assert sorted(scheme.root_moduli) == pytest.approx(sorted((1, abs(k))), abs=1e-12)
    # For k = -1 the root 1 is double; for k = 1 the other one is -1.
    assert scheme.zero_stable is (-1 < k <= 1)
    # 2k + 1 meets beta = 1 + k only at k = 0, where it is forward Euler.
    assert scheme.order == (1 if k == 0 else 0)


@pytest.mark.parametrize(
    ("alpha", "stable"),
    [
        ((0, -2, 0, -1), False),  # (x^2 + 1)^2
        ((0, -1), True),  # x^2 + 1
        ((0, 0, 0, 1), True),  # x^4 - 1
        ((0, 2, 0, -1), False),  # (x^2 - 1)^2
        ((0, 0), True),  # x^2: repeated, but inside
        ((1, "-1/4"), True),  # (x - 1/2)^2
        ((1.2, -1), True),  # a simple pair on the circle, no root of unity
        ((2.4, -3.44, 2.4, -1), False),  # the same pair, double
        (("1000001/1000000",), False),
        (("999999/1000000",), True),
        ((2.1234567, -1.2469134, 0.1234567), False),  # (x - 1)^2 (x - 0.1234567)
        (("2.1234567", "-1.2469134", "0.1234567"), False),
        (("1.0000001",), False),
        (("1.00000000000000000001",), False),
        (("0.99999999999999999999",), True),
    ],
)
def test_roots_on_the_unit_circle_must_be_simple(
    alpha: tuple[float | str, ...], stable: bool
) -> None:
    assert of(alpha, 1).zero_stable is stable


def test_six_simple_roots_close_to_one_are_stable_and_shown_as_they_are() -> None:
    roots = [Fraction(n, 1000) for n in range(994, 1000)]
    alpha = tuple(-c for c in expand(dict.fromkeys(roots, 1))[1:])
    assert of(alpha, 1).zero_stable
    assert of(alpha, 1).root_moduli == pytest.approx(sorted(map(float, roots), reverse=True))


@pytest.mark.parametrize("lambda_", [0.33333334, "0.33333334", "100000001/300000000"])
def test_lambda_beyond_one_third_is_stable_however_little(lambda_: float | str) -> None:
    assert zerosnet(lambda_).zero_stable
    assert zerosnet(lambda_).order == 2


def test_an_order_condition_is_met_exactly_or_not() -> None:
    assert of(("1/3", "2/3"), "5/3").order == 1
    assert of(("0.33333333333", "0.66666666667"), "1.66666666667").order == 1
    assert of(("0.33333333333", "0.66666666666"), 1).order == -1


@pytest.mark.parametrize("alpha", [("1/3", "5/9", "1/9"), (2.625, -2.5, 0.875), (1,), (0, 1)])
def test_learned_coefficients_may_miss_a_scheme_by_the_rounding_of_float32(
    alpha: tuple[float | str, ...],
) -> None:
    exactly = of(alpha, sum(i * exact(a) for i, a in enumerate(alpha)) + 1)
    rounded = as_float32(exactly).as_learned()
    assert (rounded.zero_stable, rounded.order) == (exactly.zero_stable, exactly.order) != (
        False, -1,
    )  # fmt: skip


@pytest.mark.parametrize(
    "alpha",
    [(3, -3, 1), ("7/3", "-5/3", "1/3"), ("31/15", "-17/15", "1/15"), (2, -1), ("10001/10000",)],
)
def test_learned_coefficients_of_an_unstable_scheme_are_unstable(
    alpha: tuple[float | str, ...],
) -> None:
    assert not of(alpha, 1).zero_stable
    assert not as_float32(of(alpha, 1)).as_learned().zero_stable


def as_float32(scheme: LinearMultistepScheme) -> LinearMultistepScheme:
    rounded = [Fraction(float(np.float32(float(c)))) for c in (*scheme.alpha, scheme.beta)]
    return LinearMultistepScheme(tuple(rounded[:-1]), rounded[-1])


def test_roots_are_those_of_the_characteristic_polynomial() -> None:
    alpha = (0.7, -0.2, 0.4, 0.05)
    for root in of(alpha, 1).roots:
        assert root**4 == pytest.approx(
            sum(a * root ** (3 - i) for i, a in enumerate(alpha)), abs=1e-12
        )


@pytest.mark.parametrize(
    ("scheme", "order"),
    [
        (preresnet(), 1),
        (preresnet(0.9), -1),
        (of((1,), 2), 0),
        (lm_resnet(0.5), 0),
        (of((0, 1), 2), 2),  # the midpoint rule
        (zerosnet(-5), 2),
        (THIRD_ORDER, 3),
        (UNSTABLE_THIRD_ORDER, 3),
    ],
)
def test_order_and_consistency_match_known_schemes(
    scheme: LinearMultistepScheme, order: int
) -> None:
    assert (scheme.order, scheme.consistent) == (order, order >= 1)


def logistic(t: float) -> float:
    """Solves y' = y (1 - y)."""
    return 1 / (1 + 3 * math.exp(-t))


def forced(t: float) -> float:
    """Solves y' = -y + cos t."""
    return (math.cos(t) + math.sin(t)) / 2 + math.exp(-t)


EQUATIONS: list[tuple[Callable[[float, float], float], Callable[[float], float]]] = [
    (lambda t, y: y * (1 - y), logistic),
    (lambda t, y: -y + math.cos(t), forced),
]


def global_error(
    scheme: LinearMultistepScheme,
    slope: Callable[[float, float], float],
    solution: Callable[[float], float],
    count: int,
) -> float:
    """At t = 2, after `count` steps from exact starting values."""
    h = 2 / count
    alpha, beta = [float(a) for a in scheme.alpha], float(scheme.beta)
    states = [solution(n * h) for n in range(scheme.steps)]
    for n in range(scheme.steps - 1, count):
        new = sum(a * states[-1 - i] for i, a in enumerate(alpha))
        states.append(new + beta * h * slope(n * h, states[-1]))
    return abs(states[-1] - solution(2))


def fitted_slope(steps: list[float], errors: list[float]) -> float:
    return float(np.polyfit(np.log(steps), np.log(errors), 1)[0])


@pytest.mark.parametrize("equation", EQUATIONS, ids=["logistic", "forced"])
@pytest.mark.parametrize(
    "scheme",
    [
        preresnet(),
        lm_resnet(0),
        of(("1/2", "1/2"), "3/2"),
        of((0.8, 0.3, -0.1), 1.1),
        zerosnet(OPTIMAL),
        zerosnet(-10),
        zerosnet("1/2"),
        zerosnet(1),
        zerosnet(10),
        THIRD_ORDER,
    ],
    ids=str,
)
def test_stable_consistent_schemes_converge_with_their_order(
    scheme: LinearMultistepScheme,
    equation: tuple[Callable[[float, float], float], Callable[[float], float]],
) -> None:
    assert scheme.zero_stable
    counts = [512, 1024, 2048, 4096]
    errors = [global_error(scheme, *equation, count) for count in counts]
    assert fitted_slope([2 / n for n in counts], errors) == pytest.approx(scheme.order, abs=0.15)


@pytest.mark.parametrize(
    "scheme", [lm_resnet("1/2"), of((0.5, 0.3, 0.1), 0.1), of((1, 0.3, -0.4), 1)], ids=str
)
def test_inconsistent_schemes_do_not_converge_on_an_ode(scheme: LinearMultistepScheme) -> None:
    assert scheme.zero_stable
    assert not scheme.consistent
    errors = [global_error(scheme, *EQUATIONS[1], count) for count in (128, 512, 2048)]
    assert min(errors) > 0.05
    assert errors[-1] > 0.8 * errors[0]


@pytest.mark.parametrize("scheme", [zerosnet("1/4"), UNSTABLE_THIRD_ORDER], ids=str)
def test_consistent_but_unstable_schemes_do_not_converge(
    scheme: LinearMultistepScheme,
) -> None:
    assert scheme.consistent
    assert not scheme.zero_stable
    errors = [global_error(scheme, *EQUATIONS[0], count) for count in (64, 128)]
    assert not errors[1] < errors[0]


@pytest.mark.parametrize(
    "scheme",
    [
        preresnet(),
        lm_resnet("1/2"),
        zerosnet("1/4"),
        zerosnet(OPTIMAL),
        UNSTABLE_THIRD_ORDER,
        THIRD_ORDER,
    ],
    ids=str,
)
def test_the_local_error_is_one_order_higher_than_the_global(scheme: LinearMultistepScheme) -> None:
    steps = [0.04, 0.02, 0.01, 0.005]
    residuals = []
    for h in steps:
        predicted = sum(float(a) * logistic(1 - i * h) for i, a in enumerate(scheme.alpha))
        predicted += float(scheme.beta) * h * logistic(1) * (1 - logistic(1))
        residuals.append(abs(predicted - logistic(1 + h)))
    assert fitted_slope(steps, residuals) == pytest.approx(scheme.order + 1, abs=0.15)


def test_a_scheme_needs_a_coefficient_and_lambda_is_not_zero() -> None:
    with pytest.raises(ValueError, match="at least one alpha"):
        of((), 1)
    with pytest.raises(ValueError, match="lambda must not be 0"):
        zerosnet(0)
