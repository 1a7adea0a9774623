from __future__ import annotations

import pytest

from results.errors import BadFilterError, UnknownColumnError
from results.filters import select_rows
from results.reports import report


def noise(name, accuracy):
    return {"name": name, "kind": "noise", "level": 0.1, "accuracy": accuracy}


def test_a_group_has_its_keys_counts_and_statistics_in_order(make):
    rows = [
        make.row(1, test_accuracy=90.0, evaluations=[noise("uniform[-0.08,0]", 80.0)]),
        make.row(2, test_accuracy=92.0, diverged=True, evaluations=[noise("g[1]", None)]),
    ]
    found = report(rows, ["zero_stable", "depth"])
    assert found.metrics == (
        "test_accuracy", "best_test_accuracy", "generalization_gap", "uniform[-0.08,0]", "g[1]",
    )  # fmt: skip
    (group,) = found.groups
    assert list(group)[:9] == [
        "zero_stable", "depth", "runs", "diverged", "unfinished",
        "test_accuracy_mean", "test_accuracy_std", "test_accuracy_min", "test_accuracy_max",
    ]  # fmt: skip
    assert (group["runs"], group["diverged"], group["unfinished"]) == (2, 1, 0)
    assert (group["test_accuracy_mean"], group["test_accuracy_std"]) == (
        91.0,
        pytest.approx(2**0.5),
    )
    assert (group["test_accuracy_min"], group["test_accuracy_max"]) == (90.0, 92.0)
    assert (group["uniform[-0.08,0]_mean"], group["uniform[-0.08,0]_std"]) == (80.0, None)
    assert group["g[1]_mean"] is group["g[1]_max"] is None


def test_a_partial_report_says_so(make):
    rows = [
        make.row(1),
        make.row(2, state="queued", test_accuracy=None),
        make.row(3, state="failed", depth=56, test_accuracy=None),
    ]
    found = report(rows, ["depth"])
    assert [(g["depth"], g["runs"], g["unfinished"]) for g in found.groups] == [(32, 1, 1)]
    assert (found.runs, found.unfinished) == (1, 2)
    # What is not measured cannot be ruled out; what is known beforehand can.
    assert report(rows, ["depth"], where=["test_accuracy>89"]).unfinished == 2
    assert report(rows, ["depth"], where=["depth=32"]).unfinished == 1
    assert report(rows, ["depth"], where=["state=done"]).unfinished == 0


def test_groups_sort_by_value_with_null_last(make):
    def order(key, *values):
        rows = [make.row(n, **{key: value}) for n, value in enumerate(values)]
        return [group[key] for group in report(rows, [key]).groups]

    assert order("depth", 110, 20, 56, 20) == [20, 56, 110]
    assert order("zero_stable", None, True, False) == [False, True, None]
    assert order("max_root_modulus", 1.84, None, 1, 0.5) == [0.5, 1, 1.84, None]
    assert order("model", "zerosnet", "preresnet") == ["preresnet", "zerosnet"]
    assert order("alpha", [10.0, 1.0], None, [2.0, 1.0], [2.0]) == [
        [2.0], [2.0, 1.0], [10.0, 1.0], None,
    ]  # fmt: skip


def test_several_keys_and_config_paths(make):
    def config(lr, width):
        return {"model": {"width": width}, "training": {"optimizer": {"lr": lr}}}

    rows = [
        make.row(1, config=config(0.1, 16)),
        make.row(2, config=config(0.05, 16)),
        make.row(3, config=config(0.1, 32)),
        make.row(4, config={"model": {}}),
    ]
    found = report(rows, ["training.optimizer.lr", "model.width"], ["model.width"])
    assert [(g["training.optimizer.lr"], g["model.width"], g["runs"]) for g in found.groups] == [
        (0.05, 16, 1), (0.1, 16, 1), (0.1, 32, 1), (None, None, 1),
    ]  # fmt: skip
    assert found.groups[2]["model.width_mean"] == 32


def test_without_keys_all_runs_are_one_group(make):
    assert [g["runs"] for g in report([make.row(1), make.row(2)], []).groups] == [2]
    assert report([], []).groups == []


def test_the_key_diverged_takes_the_place_of_the_count(make):
    rows = [make.row(1), make.row(2, diverged=True)]
    assert [g["diverged"] for g in report(rows, ["diverged"]).groups] == [False, True]


def test_true_and_one_are_different_keys(make):
    rows = [make.row(n, config={"flag": value}) for n, value in enumerate((True, 1, 1.0))]
    assert [(g["flag"], g["runs"]) for g in report(rows, ["flag"]).groups] == [(True, 1), (1, 2)]


@pytest.mark.parametrize(
    ("arguments", "name", "nearest"),
    [
        ((["zero_stabel"],), "zero_stabel", "zero_stable"),
        ((["training.optimizer.lrr"],), "training.optimizer.lrr", "training.optimizer.lr"),
        ((["training.optimizer"],), "training.optimizer", "training.optimizer"),
        ((["evaluations"],), "evaluations", ""),
        (([], ["gaussian[0.2]"]), "gaussian[0.2]", "gaussian[0.1]"),
        (([], ["test_acc"]), "test_acc", "test_accuracy"),
        (([], ["scheme"]), "scheme", ""),
        (([], ["zero_stable"]), "zero_stable", ""),
        (([], None, ["dept=3"]), "dept", "depth"),
    ],
)
def test_an_unknown_column_names_itself_its_nearest_and_all_others(make, arguments, name, nearest):
    rows = [make.row(1, evaluations=[noise("gaussian[0.1]", 1.0)])]
    with pytest.raises(UnknownColumnError) as caught:
        report(rows, *arguments)
    assert repr(name) in str(caught.value)
    if nearest:
        assert f"did you mean '{nearest}" in str(caught.value)
    for known in ("depth", "gaussian[0.1]", "training.optimizer.lr"):
        assert known in str(caught.value)
    assert name not in caught.value.known


def kept(rows, *where):
    return [row["seed"] for row in select_rows(rows, where)]


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
def test_filters(mixed, where, seeds):
    assert kept(mixed, where) == seeds


def test_all_filters_have_to_match(mixed):
    assert kept(mixed, "depth>=32", "zero_stable=false") == [2]
    assert kept(mixed) == [1, 2, 3]


def test_large_whole_numbers_are_compared_exactly(make):
    rows = [make.row(1, seed=2**62), make.row(2, seed=2**62 + 1)]
    assert kept(rows, f"seed={2**62}") == [2**62]
    assert kept(rows, f"seed>{2**62}") == [2**62 + 1]


def test_an_evaluation_can_be_filtered_by(make):
    rows = [make.row(n, evaluations=[noise("u[-0.08,0]", 10.0 * n)]) for n in (1, 2, 3)]
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
        ("zero_stable=yes", "use true, false or null"),
        ("zero_stable>=true", "no order"),
        ("model<zerosnet", "model holds text, which has no order"),
        ("alpha>1", "no order"),
        ("training.optimizer.name>a", "no order"),
    ],
)
def test_a_bad_filter_names_itself_and_what_is_allowed(mixed, where, said):
    with pytest.raises(BadFilterError, match=said) as caught:
        select_rows(mixed, [where])
    assert repr(where) in str(caught.value)
    with pytest.raises(BadFilterError):
        report(mixed, [], where=[where])
