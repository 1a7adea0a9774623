from __future__ import annotations

from fractions import Fraction

import hypothesis.strategies as st
import pytest
from hypothesis import given

from sweep_plugins.schemes.exact_text import exact_text
from sweep_plugins.schemes.scheme_label import scheme_label


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1.0, "1"), (3, "3"), (3.75, "3.75"), (16 / 9, "16/9"), (0.3, "0.3"), (-0.0, "0"),
        (0.1 + 0.2, "0.30000000000000004"), (1.0000001, "1.0000001"), (1e-300, "1e-300"),
        (1.2345678e300, "1.2345678e+300"), (5e-324, "5e-324"), (123456.0, "123456"),
    ],
)  # fmt: skip
def test_a_number_is_written_as_the_shortest_text_that_names_it(number, text):
    assert exact_text(number) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_number_reads_back_as_it(number):
    text = exact_text(number)
    assert float(Fraction(text)) == number
    assert len(text) < 26


numbers = st.sampled_from([1.0, 1.0000001, 1 / 3, 0.3, 0.1 + 0.2]) | st.floats(-3, 3)
schemes = st.fixed_dictionaries({"alpha": st.lists(numbers, min_size=1), "beta": numbers})


@given(schemes, schemes)
def test_schemes_share_a_label_only_if_they_are_equal(one, other):
    assert (scheme_label(one) == scheme_label(other)) == (one == other)


@pytest.mark.parametrize(
    ("scheme", "label"),
    [
        ({"alpha": [1 / 3, 5 / 9, 1 / 9], "beta": 16 / 9}, "1/3, 5/9, 1/9; 16/9"),
        ({"alpha": ["1123456789/164609052"], "beta": 1}, "1123456789/164609052; 1"),
        ({"learned": "coefficients", "alpha": [1.0], "beta": 1.0}, "learned from 1; 1"),
        ({"learned": "k", "start": [0.0, 1.0000001]}, "k_n from U[0, 1.0000001]"),
        ({"learned": "lambda", "start": [1.0, 1.0]}, "lambda_n from 1"),
        ({"alpha": "x", "beta": None}, '{"alpha": "x", "beta": null}'),
        ({"alpha": [True], "beta": 1}, '{"alpha": [true], "beta": 1}'),
        ({"alpha": [1], "beta": 1, "of": 2}, '{"alpha": [1], "beta": 1, "of": 2}'),
    ],
)
def test_each_kind_of_scheme_has_a_label(scheme, label):
    assert scheme_label(scheme) == label


def test_a_fraction_of_300_digits_has_a_short_label_of_its_own():
    one, other = ({"alpha": [f"{7 * 10**299 + last}/3"], "beta": 1} for last in (1, 2))
    assert scheme_label(one).startswith("2.33333e+299@")
    assert scheme_label(one) != scheme_label(other)
    assert len(scheme_label(one)) < 30
