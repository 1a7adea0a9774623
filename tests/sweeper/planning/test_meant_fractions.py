"""What plans say of decimals that stand for fractions, and are none."""

from __future__ import annotations

from sweeper.planning.meant_fractions import meant_fractions
from sweeper.planning.plan import facts_of_scheme
from sweeper.spec.spec import spec_from_text
from trainers.methods.scheme_config import SchemeConfig


def said_of(*schemes: str) -> str | None:
    axis = ", ".join(schemes)
    text = (
        f"model: zerosnet\ndepth: 20\ndataset: digits\ngrid: {{scheme: [{axis}], seed: [0, 1]}}\n"
    )
    return meant_fractions(spec_from_text(text, "s.yaml").configs)


def test_decimals_that_are_no_fractions_are_told_with_the_fractions():
    said = said_of(
        "{alpha: [5/3, -2/3], beta: 1/3}",
        "{alpha: [1.6666666666666667, -0.6666666666666666], beta: 0.3333333333333333}",
    )
    assert said is not None
    assert "write 5/3 for 1.6666666666666667, -2/3 for -0.6666666666666666, 1/3 for 0.33" in said


def test_numbers_that_are_what_they_look_like_are_not_told():
    assert said_of("{alpha: [5/3, -2/3], beta: 0.1}", "{alpha: [2.1234567, 0.5], beta: 1}") is None
    assert said_of("{lambda: 1, trainable: true}", "{alpha: [1e300, 0.1], beta: 1}") is None


def test_a_scheme_whose_roots_are_not_found_is_planned_without_them():
    written = {"alpha": ["1.5e308", "-1e154", "5e-324"], "beta": "1"}
    facts = facts_of_scheme(SchemeConfig.model_validate(written))
    assert (facts["root_moduli"], facts["max_root_modulus"]) == (None, None)
    assert facts["zero_stable"] is False
