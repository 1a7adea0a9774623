from __future__ import annotations

import pytest

from results.figures import epoch_rows
from results.figures.epoch_rows import epoch_values, metric_values


@pytest.fixture
def told(store, make):
    """Runs that know the epochs 1 to 3 and 1 to 5, and f1 at each of them."""
    runs = make.runs(2)
    make.save(store, "s", runs)
    for run, last in zip(runs, (3, 5), strict=True):
        (epoch, _) = make.result(run.run_id)["epochs"]
        epochs = [epoch | {"epoch": number} for number in range(1, last + 1)]
        values = [{"epoch": n, "values": {"f1": n / 10, "other": 1.0}} for n in range(1, last + 1)]
        make.finish(
            store, run, epochs=epochs, epoch_metrics=values, metrics={"f1": last / 10, "other": 1.0}
        )


def test_epochs_and_the_metric_that_was_asked_for_are_read(told, queries):
    rows, said = epoch_values(queries, ["s"], [])
    assert ([row["epoch"] for row in rows], said) == ([1, 2, 3, 1, 2, 3, 4, 5], None)
    rows, said = metric_values(queries, ["s"], ["seed=1"], "f1")
    assert ([(row["epoch"], row["f1"]) for row in rows], said) == (
        [(1, 0.1), (2, 0.2), (3, 0.3)],
        None,
    )
    assert metric_values(queries, ["s"], [], "test_accuracy") == ([], None)


@pytest.mark.parametrize(("most", "kept"), [(8, [1, 2, 3, 4, 5]), (7, [1, 3, 5]), (2, [1, 5])])
def test_of_too_many_epochs_all_runs_keep_the_same_and_the_last_is_there(
    told, queries, monkeypatch, most, kept
):
    monkeypatch.setattr(epoch_rows, "MOST_ROWS", most)
    expected = [epoch for last in (3, 5) for epoch in kept if epoch <= last]
    rows, said = epoch_values(queries, ["s"], [])
    assert [row["epoch"] for row in rows] == expected
    assert (said is None) == (most == 8)
    rows, said = metric_values(queries, ["s"], [], "f1")
    assert [(row["epoch"], row["f1"]) for row in rows] == [(e, e / 10) for e in expected]
    if said is not None:
        every = kept[1] - kept[0]
        assert said.startswith(f"training curves are drawn of one in {every} epochs with f1: ")
