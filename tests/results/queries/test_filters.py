from __future__ import annotations

import math

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

import reference_report
from results.errors import BadFilterError
from results.queries.filters import TOLERANCE, Filter, close_to, read_filters
from results.queries.queries import Queries
from results.queries.row_columns import Columns
from results.store.store import Store
from stored_rows import replace_rows


@pytest.fixture
def kept(url, plain):
    """Stores rows and gives the seeds of those that the database, and Python, keep."""
    Store.open(url).close()

    def seeds(rows, *where):
        replace_rows(plain, rows)
        with Queries.open(url) as queries:
            found = [row["seed"] for row in queries.run_rows(where=where)]
        assert [row["seed"] for row in reference_report.select_rows(rows, where)] == found
        return found

    return seeds


@pytest.fixture(scope="module")
def mixed(make):
    thirds = [1 / 3, 5 / 9, 1 / 9]
    return [
        make.row(1, depth=20, beta=5 / 9, alpha=thirds, max_root_modulus=1 + 1e-13),
        make.row(2, depth=32, beta=1.0, zero_stable=False, alpha=[1.0, 1.0], model="preresnet"),
        make.row(3, depth=44, beta=None, zero_stable=None, alpha=None, max_root_modulus=1.5),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("where", "seeds"),
    [
        ("depth=32", [2]),
        ("depth!=32", [1, 3]),
        ("depth<32", [1]),
        ("depth<=32", [1, 2]),
        ("depth>32", [3]),
        ("depth>=32", [2, 3]),
        (" depth >= 32 ", [2, 3]),
        ("depth=32.0", [2]),
        ("depth<=65/2", [1, 2]),
        ("beta=5/9", [1]),
        ("beta!=5/9", [2, 3]),
        ("beta<1", [1]),
        ("beta>=5/9", [1, 2]),
        ("beta=null", [3]),
        ("beta!=null", [1, 2]),
        ("zero_stable=true", [1]),
        ("zero_stable=false", [2]),
        ("zero_stable!=true", [2, 3]),
        ("zero_stable=yes", [1]),
        ("zero_stable!=no", [1, 3]),
        ("zero_stable=null", [3]),
        ("model=preresnet", [2]),
        ("model!=preresnet", [1, 3]),
        ("scheme=1/3, 5/9, 1/9; 16/9", [1, 2, 3]),
        ("alpha=1/3,5/9,1/9", [1]),
        ("alpha=[1, 1]", [2]),
        ("alpha!=1,1", [1, 3]),
        ("alpha=null", [3]),
        ("max_root_modulus<=1", [1, 2]),
        ("max_root_modulus>1", [3]),
        ("max_root_modulus<1", []),
        ("training.optimizer.lr=1/10", [1, 2, 3]),
        ("training.optimizer.name=sgd", [1, 2, 3]),
        ("training.optimizer.name=adam", []),
    ],
)
def test_each_filter_keeps_the_expected_runs(kept, mixed, where, seeds):
    assert kept(mixed, where) == seeds


def test_a_run_must_match_all_filters(kept, mixed):
    assert kept(mixed, "depth>=32", "zero_stable=false") == [2]
    assert kept(mixed) == [1, 2, 3]


def test_large_integers_are_compared_exactly_in_filters(kept, make):
    rows = [make.row(1, seed=2**62), make.row(2, seed=2**62 + 1)]
    assert kept(rows, f"seed={2**62}") == [2**62]
    assert kept(rows, f"seed>{2**62}") == [2**62 + 1]
    assert kept(rows, f"seed<{2**63}") == kept(rows, f"seed>-{2**80}") == [2**62, 2**62 + 1]
    assert kept(rows, f"seed>={10**300}") == []


def test_evaluations_can_be_used_in_filters(kept, make):
    rows = [
        make.row(n, evaluations=[{"name": "u[-0.08,0]", "accuracy": 10.0 * n}]) for n in (1, 2, 3)
    ]
    assert kept(rows, "u[-0.08,0]>=20") == [2, 3]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("depth", "no key and operator"),
        ("=3", "no key and operator"),
        ("depth=", "no value"),
        ("depth=deep", "'deep' is not a number"),
        ("depth=1/0", "not a number"),
        ("depth<1e999999999", "not a number"),
        ("depth=nan", "not a number"),
        ("depth==32", "'=32' is not a number"),
        ("depth<null", "null has no order"),
        ("zero_stable=maybe", "use true, false or null"),
        ("zero_stable>=true", "no order"),
        ("model<zerosnet", "model holds text, which has no order"),
        ("alpha>1", "no order"),
        ("training.optimizer.name>a", "no order"),
    ],
)
def test_an_invalid_filter_error_names_it_and_what_is_allowed(kept, mixed, where, said):
    with pytest.raises(BadFilterError, match=said) as caught:
        kept(mixed, where)
    assert repr(where) in str(caught.value)


def test_filters_treat_unknown_values_as_null(kept, make):
    rows = [make.row(1), make.row(2, state="queued", test_accuracy=None, diverged=None)]
    assert kept(rows, "test_accuracy>0") == [1]
    assert kept(rows, "test_accuracy=null") == kept(rows, "diverged=null") == [2]


@pytest.mark.parametrize(
    "value", ["1e-999999999", "9" * 5000, f"{'9' * 400}/1", "[" * 100_000, "1e308", "\ud800", "\0"]
)
def test_filters_accept_values_of_any_size_and_content(kept, make, value):
    rows = [make.row(1, alpha=[1.0], config={"any": [1, "x"]}), make.row(2, config={"any": 3})]
    for name in ("alpha", "any", "model"):
        assert kept(rows, f"{name}={value}") == []
    try:
        assert kept(rows, f"depth={value}") == kept(rows, f"beta={value}") == []
    except BadFilterError as error:
        assert "not a number" in str(error)  # noqa: PT017 - either is right


magnitudes = st.floats(allow_nan=False, allow_infinity=False)


@given(magnitudes | st.integers(-(2**70), 2**70), st.floats(allow_nan=False) | st.integers(-30, 30))
@example(1_499_999_999 * 5e-324, 1)
def test_close_to_gives_the_bounds_of_equality(number, other):
    least, greatest = close_to(number)
    # A whole number of `other` is a number of floats away from one of the bounds.
    if isinstance(other, int):
        for bound in (least, greatest):
            assert_same(number, math.nextafter(bound, math.inf if other > 0 else -math.inf))
        other = float(number) * (1 + other * 1e-10)
    assert_same(number, other)


def test_a_whole_number_beyond_all_floats_equals_no_float():
    assert not Filter("=", 0.5).accepts(10**400)
    assert Filter("!=", 0.5).accepts(10**400)


def assert_same(number, value):
    least, greatest = close_to(number)
    assert Filter("=", number, TOLERANCE).accepts(value) == (least <= value <= greatest)
    assert Filter("<", number, TOLERANCE).accepts(value) == (value < least)
    assert Filter(">=", number, TOLERANCE).accepts(value) == (value >= least)


@given(st.floats(allow_nan=False, allow_infinity=False).map(float), st.sampled_from("=<>"))
def test_filters_read_back_the_exact_number_written(make, number, sign):
    column = Columns([make.row()]).find("beta")
    found = read_filters([f" beta {sign} {number!r} "], {"beta": column}.__getitem__)
    assert found == [(column, Filter(sign, number))]
