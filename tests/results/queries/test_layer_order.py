from __future__ import annotations

from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from results.queries.layer_order import layer_key, quantity_key

NETWORK = [
    "", "stem", "block1", "block1.conv1", "block1.conv2", "block2.conv1", "block10.conv1",
    "stage1", "stage2", "stage10", "fc", "pool",
]  # fmt: skip


def shuffled(names):
    return Random(0).sample(names, len(names))


def test_layers_are_sorted_in_network_order():
    assert sorted(shuffled(NETWORK), key=layer_key) == NETWORK


def test_quantities_are_sorted_by_their_numbers():
    known = ["between", "between[2,10]", "between[10,2]", "within", "within[3]", "within[10]"]
    assert sorted(shuffled(known), key=quantity_key) == known


@given(st.lists(st.text("ab1²٣ .[]", max_size=5)))
def test_any_layer_and_quantity_names_can_be_sorted(names):
    for key in (layer_key, quantity_key):
        keys = [key(name) for name in sorted(names, key=key)]
        assert all(first <= second for first, second in pairwise(keys))
