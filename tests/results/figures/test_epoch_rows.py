from __future__ import annotations

import pytest

from results.figures.epoch_rows import default_metric, epoch_values


def metric(name, better=None):
    return {"name": name, "value": 1.0, "better": better}


@pytest.mark.parametrize(
    ("accuracy", "metrics", "expected"),
    [
        (None, [], "test_accuracy"),
        (90.0, [metric("f1", "higher")], "test_accuracy"),
        (None, [metric("b"), metric("a")], "a"),
        (None, [metric("a"), metric("c", "lower"), metric("b", "higher")], "b"),
    ],
)
def test_the_default_metric_is_the_accuracy_or_the_first_that_the_trainer_judges(
    make, accuracy, metrics, expected
):
    assert default_metric([make.row(test_accuracy=accuracy, metrics=metrics)]) == expected


def test_epochs_have_the_metrics_that_were_asked_for(store, queries, make):
    make.save(store, "s", [make.run(1)])
    make.finish(store, make.run(1), **make.metrics(epochs=3, f1=0.5, other=1.0))
    rows = epoch_values(queries, ["s"], [], ["f1"])
    assert [row["test_accuracy"] for row in rows if "test_accuracy" in row] == [45.0, 90.0]
    assert [(row["epoch"], row["f1"]) for row in rows if "f1" in row] == [
        (1, 0.5), (2, 0.5), (3, 0.5),
    ]  # fmt: skip
    assert not any("other" in row for row in rows)
