from __future__ import annotations

from results.analysis.sort_keys import sort_key


def test_values_of_any_kind_have_one_order():
    ordered = [False, True, -1, 0.5, 1, "b", {"a": 1, "b": 2}, [1, 2], [{"a": 1}], [[1]], None]
    backwards = ordered[::-1]
    assert sorted(backwards, key=sort_key) == ordered
    assert sort_key({"b": 2, "a": 1}) == sort_key({"a": 1, "b": 2})
