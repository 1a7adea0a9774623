from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from results.schema.bounds import MOST_IN_JSON, is_plain, problem_inside

NUMBERS = st.one_of(
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(50, 80).flatmap(lambda n: st.integers(10**n, 10 ** (n + 1))),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=5)),
    lambda inside: st.one_of(st.lists(inside), st.dictionaries(st.text(max_size=5), inside)),
)


@given(JSON.map(json.dumps))
@example("[" * 50 + "]" * 50)
@example("[" * 51 + "]" * 51)
@example('{"a":' * 60 + "1" + "}" * 60)
@example("9" * 59 + "e9")
@example("1" + "0" * 76)
@example("-1E+76")
@example("1e00076")
@example("[" + "0," * MOST_IN_JSON + "0]")
@example('"' + "x" * (MOST_IN_JSON + 1) + '"')
def test_nothing_is_wrong_inside_of_what_is_plain_by_its_text(text: str) -> None:
    assert not is_plain(text) or problem_inside(json.loads(text)) is None


@pytest.mark.parametrize(
    "text", ["[]", '{"lr":0.1,"seeds":[0,1],"weight_decay":1e-05}', "9" * 59, '"abc"', "1e9"]
)
def test_what_configs_hold_is_plain(text: str) -> None:
    assert is_plain(text)
