from __future__ import annotations

import pytest

from results.analysis.replicates import identity, replicate_key


def test_runs_differing_only_in_seed_share_a_replicate_key(make):
    assert replicate_key(make.row(1)) == replicate_key(make.row(2))
    assert replicate_key(make.row(1, test_accuracy=50.0, scheme="relabelled")) == replicate_key(
        make.row(1)
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"depth": 20},
        {"model": "preresnet"},
        {"dataset": "fashion_mnist"},
        {"alpha": [1.0, 1.0, 1.0]},
        {"trainable": True},
        {"config": {"seed": 1, "precision": "bf16"}},
    ],
)
def test_any_difference_but_the_seed_changes_the_replicate_key(make, changes):
    assert replicate_key(make.row(1, **changes)) != replicate_key(make.row(1))


def test_rows_without_config_get_replicate_keys_from_their_columns(make):
    def bare(**changes):
        row = make.row(1, **changes)
        del row["config"]
        return replicate_key(row)

    assert bare(seed=1) == bare(seed=2)
    assert bare(epochs=2) != bare(epochs=4)
    # A learned scheme has no coefficients before training, only a label.
    learned = {"alpha": None, "beta": None}
    assert bare(scheme="k_n from 0", **learned) != bare(scheme="lambda_n from 1", **learned)


def test_identity_tells_values_apart_to_the_last_digit():
    assert identity([0.1 + 0.2, 1]) != identity([0.3, 1])
    assert identity([2**60 + 1]) != identity([2**60])
    assert identity([0.3, 1, -0.0]) == identity([0.3, 1.0, 0])
    assert identity({"a": 1, "b": 2}) == identity({"b": 2, "a": 1})
    assert identity(1) != identity(True)
    assert identity("1") != identity(1)
    assert identity(None) != identity(0)
