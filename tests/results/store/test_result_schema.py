"""Whatever a result says, it is rows that every database takes, or a BadResultError."""

from __future__ import annotations

import copy
import json
import math
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.errors import BadResultError
from results.json_values import to_json
from results.schema.bounds import LONGEST_NAME, RANGES
from results.schema.tables import epoch_metrics, metrics
from results.store.result_schema import CheckedResult, check_evaluations, check_result

RUN = f"{1:016x}"


def nested(levels: int):
    value: object = 1
    for level in range(levels):
        value = [value] if level % 2 else {"x": value}
    return value


# Python writes no number of 5,000 digits, nor does anything that shows an example.
HUGE = st.sampled_from([400, 5000]).map(lambda digits: 10**digits)
WHOLE = st.integers() | st.sampled_from([2**31, 2**63, -(2**63) - 1]) | HUGE
NUMBERS = WHOLE | st.floats() | st.sampled_from([1e300, -1e300, 1e100, 101.0, -0.0])
TEXTS = st.text(max_size=12) | st.sampled_from(
    ["\0", "\udc80", "\u202e", "\x1b[2J", "x" * 5000, "e" * 16, RUN, "9" * 5000]
)
DEEP = st.sampled_from([60, 900, 5000]).map(nested)
ANY = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS | DEEP,
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(TEXTS, inside, max_size=4),
    max_leaves=6,
)


def places(value, path=()):
    """The path to everything in it."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        if isinstance(item, dict | list):
            yield from places(item, (*path, key))
        else:
            yield (*path, key)


def require_storable(checked: CheckedResult) -> None:
    """Numbers within bounds, text that is not too long, and JSON that can be written and read."""
    evaluations = [row for e in checked.evaluations for row in (e.config, e.measured)]
    rows = [row for rows in checked.rows.values() for row in rows]
    for row in (checked.columns, *rows, *evaluations):
        for value in row.values():
            if isinstance(value, bool) or value is None:
                continue
            if isinstance(value, int):
                assert -(2**63) <= value < 2**63
            elif isinstance(value, float):
                assert math.isfinite(value)
                assert abs(value) <= 1e100
            elif isinstance(value, str):
                assert len(value) <= LONGEST_NAME
            else:
                json.loads(to_json(value))
    json.loads(to_json([checked.told.own, checked.told.code]))


@settings(max_examples=120)
@given(data=st.data())
def test_a_result_with_anything_in_any_place_is_rows_or_an_error(make, data):
    result = make.result(
        RUN,
        probes=[make.probe()],
        blocks=[make.block()],
        learned_coefficients=[[1.0, None]],
        evaluations=[make.measured(make.evaluation(), 1.0)],
    )
    for path in data.draw(st.lists(st.sampled_from(list(places(result))), min_size=1, max_size=3)):
        target = result
        try:
            for key in path[:-1]:
                target = target[key]
            target[path[-1]] = data.draw(ANY)
        except (TypeError, KeyError, IndexError):
            continue  # the place was replaced before
    try:
        checked = check_result(RUN, 1, copy.copy(result))
    except BadResultError as error:
        said = str(error)
    else:
        require_storable(checked)
        said = ""
    assert len(said) < 2000


@settings(max_examples=60)
@given(ANY)
def test_anything_else_than_a_result_is_an_error(anything):
    with pytest.raises(BadResultError, match="is malformed"):
        check_result(RUN, 1, anything)
    with pytest.raises(BadResultError, match="is malformed"):
        check_evaluations(RUN, [anything])


def test_a_result_is_read_with_little_stack_left(make):
    """A driver that is deep in its own calls reads the deepest that it accepts."""
    result = make.result(RUN, provenance={"note": nested(48)})

    def deep(calls: int) -> CheckedResult:
        return deep(calls - 1) if calls else check_result(RUN, 1, result)

    assert deep(sys.getrecursionlimit() - 300).told.own == {"note": nested(48)}


def test_every_number_of_a_result_has_a_bound(make):
    """A new column of numbers gets one by its kind."""
    assert all(low < high and abs(low) <= 1e100 >= high for low, high in RANGES.values())


@pytest.fixture
def read(make):
    """The rows of a table for a result with these parts."""

    def read(table, **parts):
        return check_result(RUN, 1, make.result(RUN, **parts)).rows[table]

    return read


def test_metrics_are_rows_with_what_was_said_of_them(read):
    rows = read(
        metrics,
        metrics={"f1": 0.5, "val/loss": math.nan},
        metric_definitions={"f1": {"better": "higher", "unit": "points", "decimals": 3}},
    )
    unsaid = {"better": None, "unit": None, "decimals": None, "label": None}
    assert rows == [
        {"run_id": RUN, "name": "f1", "value": 0.5}
        | {"better": "higher", "unit": "points", "decimals": 3, "label": None},
        {"run_id": RUN, "name": "val/loss", "value": None} | unsaid,
    ]


def test_metrics_of_epochs_are_a_row_a_value(read):
    history = [{"epoch": 0, "values": {"f1": 1}}, {"epoch": 7, "values": {"f1": None, "g": 2.5}}]
    rows = read(epoch_metrics, epoch_metrics=history)
    assert [(row["name"], row["epoch"], row["value"]) for row in rows] == [
        ("f1", 0, 1.0),
        ("f1", 7, None),
        ("g", 7, 2.5),
    ]


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({"metrics": {"run_id; drop table runs": 1.0}}, "is no name of a metric"),
        ({"metrics": {"": 1.0}}, "is no name of a metric"),
        ({"metrics": {"options.lr": 1.0}}, "metrics.options.lr is no name .* hide options.lr of"),
        ({"metrics": {"seed": 1.0}}, "metrics.seed is the name of something else"),
        ({"metrics": {"f1": "good"}}, "metrics.f1 is 'good', where a number or null"),
        ({"metrics": {"f1": True}}, "metrics.f1 is True, where a number or null"),
        ({"metrics": {"f1": 1e80}}, r"metrics.f1 is 1e\+80, where a number from"),
        ({"metrics": [1.0]}, "metrics is not a JSON object"),
        ({"metrics": {f"m{i}": 1 for i in range(10_001)}}, "has 10,001 names"),
        ({"epoch_metrics": [{"epoch": -1, "values": {}}]}, r"epoch is -1, where at least 0"),
        ({"epoch_metrics": [{"epoch": 1, "values": {}}] * 2}, "epoch is 1 a second time"),
        ({"epoch_metrics": [{"epoch": 1, "values": {"depth": 1}}]}, "values.depth is the name of"),
    ],
)
def test_a_metric_that_cannot_be_stored_is_refused_by_its_place(read, parts, problem):
    with pytest.raises(BadResultError, match=problem):
        read(metrics, **parts)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"better": "up"}, "better is 'up', where 'higher' or 'lower' or null is expected"),
        ({"decimals": 13}, "decimals is 13, where at most 12"),
        ({"unit": ""}, "unit is empty"),
        ({"colour": "red"}, "'colour' is unknown"),
    ],
)
def test_a_definition_that_cannot_be_stored_is_refused_by_its_place(read, said, problem):
    with pytest.raises(BadResultError, match=problem):
        read(metrics, metrics={"f1": 0.5}, metric_definitions={"f1": said})
