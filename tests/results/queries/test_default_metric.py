from __future__ import annotations

import pytest

HIGHER, LOWER = {"better": "higher"}, {"better": "lower"}


@pytest.mark.parametrize(
    ("accuracy", "names", "said", "expected"),
    [
        (None, [], {}, "test_accuracy"),
        (90.0, ["f1"], {"f1": HIGHER}, "test_accuracy"),
        (None, ["b", "a"], {}, "a"),
        (None, ["a", "b", "c"], {"c": LOWER, "b": HIGHER}, "b"),
    ],
)
def test_it_is_the_accuracy_or_the_first_that_a_trainer_judges(
    store, queries, make, accuracy, names, said, expected
):
    make.save(store, "s", make.runs(2))
    make.finish(
        store,
        make.run(1),
        test_accuracy=accuracy,
        metric_definitions=said,
        **make.metrics(**dict.fromkeys(names, 1.0)),
    )
    assert queries.default_metric(["s"]) == expected
    assert queries.default_metric(["s"], where=["state!=done"]) == "test_accuracy"
