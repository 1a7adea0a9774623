"""Specs given by Python code: as a dict, or as text."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.errors import RequestError, SpecError
from sweeper.spec.plain_data import as_spec_file, as_text, plain
from sweeper.spec.source import parse_spec, parse_value
from sweeper.spec.spec import read_spec
from sweeper.spec.yaml_text import WIDTH, lines_of
from trainers.config.run import RunConfig

SCHEME = {"alpha": [1 / 3, Fraction(2, 3)]}
SPEC = {
    "name": "mine",
    "model": "preresnet",
    "dataset": {"name": "digits", "subset": np.int64(100)},
    "training": {"epochs": 2, "optimizer": {"name": "sgd", "lr": np.float64(0.05)}},
    "grid": {
        "depth": range(8, 21, 6),
        "scheme": ({"alpha": [1 / 3, Fraction(2, 3)]}, {"alpha": 1}),
    },
}


def test_a_dict_is_the_spec_that_it_says():
    spec = read_spec(as_spec_file(SPEC))
    assert (spec.name, spec.source, len(spec.configs)) == ("mine", "<dict>", 6)
    config = spec.configs[0]
    assert isinstance(config, RunConfig)
    assert (config.model.depth, config.dataset.subset) == (8, 100)
    assert config.training.optimizer.lr == 0.05
    assert config.scheme.fixed.alpha == (Fraction(1, 3), Fraction(2, 3))
    text = read_spec(as_spec_file("\n".join(line for line, _ in lines_of(plain(SPEC)))))
    assert text.configs == spec.configs


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"training": {"epochs": {1, 2}}}, "training.epochs: {1, 2} is a set: a spec holds plain"),
        ({"grid": {"depth": [8, 1j]}}, "grid.depth.1: 1j is a complex"),
        ({"grid": {"seed": [0, 10**5000]}}, "grid.seed.1: this has more digits than any number"),
        ({1: 2}, "the spec: 1 is not a key: keys are text"),
        ({"description": "s3://me:hunter2@bucket"}, "<dict>: a URL holds what looks like"),
    ],
)
def test_what_no_spec_holds_is_named_with_its_path(change, says):
    with pytest.raises(RequestError) as caught:
        as_spec_file(SPEC | change)
    assert str(caught.value).startswith(says)
    assert "hunter2" not in str(caught.value)


def test_a_dict_inside_of_itself_is_refused():
    spec = dict(SPEC)
    spec["training"] = spec
    with pytest.raises(RequestError, match="nested too deeply"):
        as_spec_file(spec)


def test_a_dict_needs_a_name_and_its_errors_name_the_key():
    with pytest.raises(SpecError, match=r"^<dict>: it has no name: add name:"):
        read_spec(as_spec_file({key: at for key, at in SPEC.items() if key != "name"}))
    for wrong, says in (
        ({"training": {"epoch": 1}}, "<dict>: training.epoch: unknown key 'epoch' in training"),
        ({"exclude": [{"seed": 9}, {"sed": 1}]}, "<dict>: exclude.1.sed: 'sed' is not a key"),
        ({"dataset": "digitz"}, "<dict>: dataset: unknown dataset 'digitz'"),  # and only once
        ({"description": "a\0b"}, "<dict>: description: '\\x00'"),
    ):
        with pytest.raises(SpecError) as raised:
            read_spec(as_spec_file(SPEC | wrong))
        assert str(raised.value).startswith(says)


def test_the_order_of_axes_is_kept_and_long_values_are_broken_into_lines():
    data = {
        "z": {"b": 1, "a": [{"text": "word " * 12, "more": list(range(9))}] * 2},
        "description": "a sentence that is longer than a line " * 5 + "ends",
        "list": list(range(99)),
    }
    lines = [line for line, _ in lines_of(data)]
    assert parse_spec("\n".join(lines) + "\n", "s.yaml").data == data
    assert list(parse_spec("\n".join(lines), "s.yaml").data["z"]) == ["b", "a"]
    assert max(map(len, lines)) <= WIDTH


_SCALAR = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**60), 2**60),
    st.sampled_from([0.1, -2.5, 1e-5, 1e22, 0.1234567, float("inf")]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12),
    st.sampled_from(
        ["true", "No", "1/3", "1e3", "0x1", "~", "- a", "a: b", "#", "k:v", "1:30", ""]
    ),
)
_VALUE = st.recursive(
    _SCALAR,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("ab:- #1", min_size=1, max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=25, deadline=None)
@given(data=st.dictionaries(st.text("abc", min_size=1, max_size=3), _VALUE, min_size=1, max_size=4))
def test_plain_data_is_read_as_it_was_written(data):
    text = "".join(f"{line}\n" for line, _ in lines_of(plain(data)))
    assert parse_spec(text, "s.yaml").data == data
    assert parse_value(as_text(data), "s.yaml") == data
