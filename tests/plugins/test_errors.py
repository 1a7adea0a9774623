"""What is suggested in place of an unknown name."""

from __future__ import annotations

import pytest

from sweep_plugins import did_you_mean, nearest, path_to


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("lr", ["l1", "training.optimizer.lr", "options.lr"], "options.lr"),
        ("optimizer.lr", ["options.lr", "training.optimizer.lr"], "training.optimizer.lr"),
        ("acuracy", ["accuracy", "options.accuracy"], "accuracy"),
        ("gaussian", ["gaussian[0.02]", "uniform[-0.08,0]"], "gaussian[0.02]"),
        ("f2", ["f1", "loss"], "f1"),
        ("lrr", ["order"], None),
        ("epochs", ["depth"], None),
        ("", ["depth"], None),
        ("x", [], None),
    ],
)
def test_the_nearest_name_is_a_path_that_ends_in_it_then_what_is_like_it(name, known, meant):
    assert nearest(name, known) == meant
    assert did_you_mean(name, known) == (f"; did you mean {meant!r}?" if meant else "")


def test_no_path_ends_in_a_part_of_a_key():
    assert path_to("lr", ["options.start_lr", "lr"]) is None
