from __future__ import annotations

import itertools
import json
import math
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.analysis.group_tests import compare_groups
from results.analysis.two_samples import area_under_curve, mann_whitney_test, welch_test
from results.errors import NotTwoGroupsError, UnknownColumnError
from results.rendering.as_table import as_table
from results.rendering.text_table import text_table

LOW = [[79.0, 80.0, 81.0], [80.0, 81.0, 82.0], [81.0, 82.0, 83.0], [80.0, 82.0, 84.0]]
HIGH = [[88.0 + n, 89.0 + n, 90.0 + n] for n in range(6)]


@pytest.fixture(scope="module")
def networks(make):
    """Builds runs of several networks, each a list of its seeds' accuracies; None diverged."""
    numbers = itertools.count(1)

    def build(stable, accuracies, **changes):
        rows = []
        for seeds in accuracies:
            alpha = [float(next(numbers))]
            for seed, accuracy in enumerate(seeds):
                values = {
                    "seed": seed,
                    "alpha": alpha,
                    "scheme": f"scheme {alpha}",
                    "zero_stable": stable,
                    "test_accuracy": accuracy,
                    "diverged": accuracy is None,
                }
                rows.append(make.row(next(numbers), **(values | changes)))
        return rows

    return build


def noise(name, accuracy):
    return {"name": name, "kind": "gaussian", "level": 0.3, "accuracy": accuracy}


def close(found, expected):
    if found is None or expected is None:
        return found is expected
    return math.isclose(found, expected, rel_tol=1e-6, abs_tol=1e-9)


def only(test, level="networks", metric="test_accuracy"):
    (row,) = [r for r in test.rows() if (r["level"], r["metric"]) == (level, metric)]
    return row


def test_runs_and_networks_are_tested_as_separate_samples(networks):
    rows = networks(False, LOW) + networks(True, HIGH)
    test = compare_groups(rows, "zero_stable", ["test_accuracy"])
    over_runs, over_networks = only(test, "runs"), only(test)
    for row, low, high in (
        (over_runs, list(itertools.chain(*LOW)), list(itertools.chain(*HIGH))),
        (over_networks, [80, 81, 82, 82], [89, 90, 91, 92, 93, 94]),
    ):
        welch, ranked = welch_test(low, high), mann_whitney_test(low, high)
        assert (row["group1"], row["n1"], row["group2"], row["n2"]) == (
            False, len(low), True, len(high),
        )  # fmt: skip
        assert row["mean1"] == pytest.approx(sum(low) / len(low))
        assert row["difference"] == pytest.approx(91.5 - 81.25)
        assert (row["t"], row["df"], row["p"]) == (welch.t, welch.df, welch.p)
        assert (row["low"], row["high"]) == welch.interval
        assert (row["u"], row["u_p"], row["u_method"]) == (ranked.u, ranked.p, "exact")
        assert (row["auc"], row["auc_high"]) == (1, 1)
        assert 0.5 < row["auc_low"] < 1
        assert row["low1"] < row["mean1"] < row["high1"] < row["low2"]
        assert row["g_low"] < row["g"] < row["g_high"]
    assert over_runs["p"] < over_networks["p"]


def test_a_clear_difference_is_summarized_in_one_sentence(networks):
    rows = networks(False, LOW) + networks(True, HIGH)
    test = compare_groups(rows, "zero_stable", ["test_accuracy"])
    assert test.sentences == (
        "test_accuracy: 91.50 ± 1.95 % with zero_stable=true (18 runs of 6 networks), 81.25 ± 1.42"
        " % with zero_stable=false (12 of 4); difference over networks 10.25 points, 95 % CI 8.16"
        " to 12.34; Welch p = 4e-06; Mann-Whitney p = 0.0095; AUC 1.00 (0.63 to 1.00). The groups"
        " differ.",
    )
    assert (only(test)["verdict"], only(test, "runs")["verdict"]) == ("differ", None)


def test_runs_of_trainers_without_networks_are_of_settings(networks):
    rows = networks(False, LOW, model=None) + networks(True, HIGH, model=None)
    test = compare_groups(rows, "zero_stable", ["test_accuracy"])
    assert "(18 runs of 6 settings)" in test.sentences[0]
    assert "difference over settings" in test.sentences[0]
    assert all([*row] == ["metric", "statistic", "settings", "runs"] for row in test.table())
    assert not any("network" in text for text in (*test.sentences, *test.notes))
    assert [row["level"] for row in test.rows()] == ["networks", "runs"], "as programs know it"
    assert [row["units"] for row in test.rows()] == ["settings", "runs"]


def test_an_own_metric_of_a_diverged_run_is_worst_unless_it_has_a_value(networks):
    def told(value, better):
        metric = {"name": "f1", "value": value, "unit": None, "decimals": None, "label": None}
        return {"metrics": [metric | {"better": better}], "diverged": value is None or value < 0}

    for better, auc in (("lower", 1), ("higher", 0.5), (None, 0.5)):
        rows = networks(False, [[80]], **told(None, better))
        rows += networks(False, [[80]], **told(-1.0, better))
        rows += networks(True, [[80]], **told(-2.0, better))
        row = only(compare_groups(rows, "zero_stable", ["f1"]), metric="f1")
        assert (row["n1"], row["not_finite1"]) == (1, 1)
        if better is not None:
            assert row["auc"] == auc
        else:
            assert row["auc"] == 0, "nobody knows what is worst"


def test_an_unclear_difference_reports_the_sample_size_needed_to_show_it(networks):
    rows = networks(False, [[80], [82], [84], [86]]) + networks(True, [[82], [84], [86], [88]])
    test = compare_groups(rows, "zero_stable", ["test_accuracy"])
    assert only(test)["verdict"] == "not shown"
    # (1.96 + 0.84)^2 * 2 * (20 / 3) / 2^2 + 0.96
    assert only(test)["needed"] == 28
    assert "about 28 networks a group would show it (80 % power)" in test.sentences[0]


def test_too_few_networks_are_reported_whatever_their_difference(networks):
    rows = networks(False, LOW[:3]) + networks(True, HIGH[:3])
    test = compare_groups(rows, "zero_stable", ["test_accuracy"])
    assert only(test)["verdict"] == "too few"
    assert only(test)["why"] == (
        "even groups that do not overlap give Mann-Whitney p = 0.1 with 3 and 3 networks"
    )
    assert "Too few networks to tell (even groups" in test.sentences[0]


def test_groups_of_one_network_each_are_compared_by_their_runs(networks):
    rows = networks(False, [[80, 81, 82, 83]]) + networks(True, [[90, 91, 92, 93]])
    test = compare_groups(rows, "zero_stable", ["test_accuracy"])
    assert (only(test)["verdict"], only(test, "runs")["verdict"]) == (None, "differ")
    assert "difference over runs 10.00 points" in test.sentences[0]


def test_the_default_metrics_are_test_accuracy_and_every_evaluation(networks):
    rows = networks(False, LOW, evaluations=[noise("gaussian[0.3]", 60.0)])
    rows += networks(True, HIGH, evaluations=[noise("uniform[-0.5,0.5]", 70.0)])
    test = compare_groups(rows, "zero_stable")
    names = ["test_accuracy", "gaussian[0.3]", "uniform[-0.5,0.5]"]
    assert [(row["metric"], row["level"]) for row in test.rows()] == [
        (name, level) for name in names for level in ("networks", "runs")
    ]
    assert [sentence.split(":")[0] for sentence in test.sentences] == names
    # Measured in one group only.
    assert only(test, metric="gaussian[0.3]")["why"] == "a group has no value"
    assert only(test, metric="gaussian[0.3]")["verdict"] == "too few"


def test_p_values_are_adjusted_for_the_number_of_metrics(networks):
    rows = networks(False, LOW) + networks(True, HIGH)
    alone = compare_groups(rows, "zero_stable", ["test_accuracy"])
    both = compare_groups(rows, "zero_stable", ["test_accuracy", "train_seconds"])
    assert only(alone)["p_holm"] == only(alone)["p"]
    # Equal train_seconds give no t test, but a rank test with p = 1.
    assert only(both)["p_holm"] == only(both)["p"]
    assert only(both)["u_p_holm"] == pytest.approx(2 * only(both)["u_p"])
    assert any("Holm-adjusted for 2 metrics" in note for note in both.notes)
    assert not any("Holm" in note for note in alone.notes)


def test_a_difference_not_significant_after_holm_is_reported_as_not_shown(networks):
    rows = networks(False, [[80], [81], [82], [84]]) + networks(True, [[83], [84], [85], [86]])
    shown = compare_groups(rows, "zero_stable", ["test_accuracy"])
    for number, row in enumerate(rows):
        row["train_accuracy"] = 50.0 + 3 * number % 8
    hidden = compare_groups(rows, "zero_stable", ["test_accuracy", "train_accuracy"])
    assert only(shown)["p"] < 0.05 < only(hidden)["p_holm"]
    assert (only(shown)["verdict"], only(hidden)["verdict"]) == ("differ", "not shown")


def test_diverged_runs_are_excluded_from_means_but_ranked_worst(networks):
    low = [[80.0, None], [None, None], [None, None], [95.0, 96.0]]
    rows = networks(False, low) + networks(True, HIGH)
    test = compare_groups(rows, "zero_stable", ["test_accuracy"])
    over_runs, over_networks = only(test, "runs"), only(test)
    assert (over_runs["n1"], over_runs["diverged1"]) == (3, 5)
    assert over_runs["mean1"] == pytest.approx((80 + 95 + 96) / 3)
    # Two networks have a mean; three count as worst, for one seed or for both.
    assert (over_networks["n1"], over_networks["diverged1"]) == (2, 3)
    worst = -math.inf
    expected = mann_whitney_test([worst, worst, worst, 95.5], [row[1] for row in HIGH])
    assert (over_networks["u"], over_networks["u_p"]) == (expected.u, expected.p)
    assert over_networks["auc"] == pytest.approx(18 / 24)
    assert "(8 of 4, 5 diverged)" in test.sentences[0]
    (note,) = [note for note in test.notes if note.startswith("Diverged")]
    assert "0 of 18 runs with zero_stable=true, 5 of 8 with zero_stable=false" in note


def test_with_diverged_runs_the_verdict_comes_from_mann_whitney_not_welch(networks):
    rows = networks(False, [[None], [None], [None], [None], [90.0], [91.0]])
    rows += networks(True, [[90.0], [91.0], [92.0], [93.0], [91.0], [92.0]])
    row = only(compare_groups(rows, "zero_stable", ["test_accuracy"]))
    assert row["p"] > 0.05 > row["u_p"]
    assert row["verdict"] == "differ"


def test_a_diverged_run_is_ranked_worst_for_the_generalization_gap_too(networks):
    rows = networks(False, [[None]], generalization_gap=None)
    rows += networks(False, [[80], [81]], generalization_gap=5.0)
    rows += networks(True, [[82], [83], [84]], generalization_gap=9.0)
    test = compare_groups(rows, "zero_stable", ["generalization_gap"])
    row = only(test, metric="generalization_gap")
    # Less is better: 9 loses against 5 twice in three pairs, and wins against divergence.
    assert row["auc"] == pytest.approx(1 / 3)
    assert row["u"] == 6
    assert row["difference"] == 4
    assert any(note.startswith("Less is better in generalization_gap") for note in test.notes)


def test_samples_without_a_t_test_give_none_and_the_reason(networks):
    one = compare_groups(networks(False, [[80]]) + networks(True, HIGH), "zero_stable")
    flat = compare_groups(networks(False, [[80]] * 4) + networks(True, [[90]] * 4), "zero_stable")
    for test, why in ((one, "fewer than two measured values"), (flat, "no spread in either")):
        row = only(test)
        assert [row[key] for key in ("t", "df", "p", "p_holm", "low", "high", "g")] == [None] * 7
        assert "no t test: " in row["why"]
        assert why in row["why"]
        assert why in test.sentences[0]
    assert only(one)["std1"] is only(one)["low1"] is None
    assert (only(flat)["low1"], only(flat)["high1"]) == (80, 80)
    # Ranks need no spread: 2 / C(8, 4).
    assert (only(flat)["u_p"], only(flat)["verdict"]) == (pytest.approx(2 / 70), "differ")
    assert only(flat)["needed"] is None


def test_root_moduli_are_correlated_with_the_metric(networks):
    rows = networks(False, [[70]], root_moduli=[2.0, 1.0])
    rows += networks(False, [[60]], root_moduli=[3.0, 1.0])
    rows += networks(True, [[90]], root_moduli=[1.0, 0.9])
    rows += networks(True, [[92]], root_moduli=[1 + 1e-13, 0.5])
    rows += networks(True, [[91]], root_moduli=[1.0, 0.7])
    row = only(compare_groups(rows, "zero_stable", ["test_accuracy"]))
    # 90, 92 and 91 tie at 1: rho of ranks (4, 5, 2, 2, 2) and (2, 1, 3, 5, 4).
    assert row["rho1"] == pytest.approx(-0.894427, rel=1e-5)
    assert row["rho1_n"] == 5
    assert (row["rho2"], row["rho2_n"]) == (pytest.approx(-1), 3)
    assert row["rho2_p"] == pytest.approx(1 / 3)


def test_rows_without_root_moduli_have_no_rank_correlation(networks):
    rows = networks(False, LOW, root_moduli=None) + networks(True, HIGH, root_moduli=None)
    test = compare_groups(rows, "zero_stable")
    assert [only(test)[f"rho{n}{end}"] for n in (1, 2) for end in ("", "_p", "_n")] == [None] * 6
    assert not any("rho is" in note for note in test.notes)


def test_mixed_depths_are_noted_and_compared_within_strata(networks):
    # Zero-stable networks do better at each depth, but most of them are at the worse one.
    rows = networks(False, [[90, 91, 92]] * 5, depth=20)
    rows += networks(True, [[93, 94, 95]], depth=20)
    rows += networks(False, [[60, 61, 62]], depth=56)
    rows += networks(True, [[61, 62, 63]] * 5, depth=56)
    test = compare_groups(rows, "zero_stable", ["test_accuracy"])
    row = only(test)
    assert row["difference"] < 0 < row["within"]
    assert row["within"] == pytest.approx((3 + 1) / 2)
    assert (row["strata"], row["strata_agreeing"]) == (2, 2)
    assert "2.00 points within strata, of the same sign in 2 of 2" in test.sentences[0]
    (note,) = [note for note in test.notes if "within strata" in note.lower()]
    assert "also differ in depth (20, 56)" in note
    assert "--where 'depth=20'" in note


def test_strata_measured_in_one_group_only_do_not_count_as_differences_within(networks):
    rows = networks(False, [[90, 91]] * 2, depth=20) + networks(False, [[60, 61]] * 2, depth=56)
    deep = networks(True, [[65, 66]] * 2, depth=56)
    diverged = networks(True, [[None, None]] * 2, depth=20)
    one = only(compare_groups(rows + diverged + deep, "zero_stable", ["test_accuracy"]))
    assert (one["within"], one["strata"]) == (5, 1)
    for row in deep:
        row |= {"test_accuracy": None, "diverged": True}
    none = only(compare_groups(rows + diverged + deep, "zero_stable", ["test_accuracy"]))
    assert (none["within"], none["strata"]) == (None, None)


def test_settings_confounded_with_the_groups_are_noted(networks):
    rows = networks(False, LOW, model="preresnet") + networks(True, HIGH)
    test = compare_groups(rows, "zero_stable")
    (note,) = [note for note in test.notes if "differ throughout" in note]
    assert 'model ("preresnet", "zerosnet")' in note
    assert "scheme" not in note
    assert only(test)["within"] is None


def test_a_training_recipe_that_varies_is_noted_once(networks, make):
    config = make.row(1)["config"]
    config = {**config, "training": {"epochs": 9, "optimizer": {"name": "sgd", "lr": 0.5}}}
    rows = networks(False, LOW) + networks(True, HIGH)
    rows += networks(False, LOW, epochs=9, config=config)
    test = compare_groups(rows, "zero_stable")
    (note,) = [note for note in test.notes if "within strata" in note.lower()]
    # The learning rate divides the runs as the epochs do.
    assert "also differ in epochs (2, 9), which" in note


def test_runs_with_equal_settings_are_not_stratified(networks):
    test = compare_groups(networks(False, LOW) + networks(True, HIGH), "zero_stable")
    assert (only(test)["within"], only(test)["strata"]) == (None, None)
    assert not any("also differ" in note for note in test.notes)


def test_any_key_with_two_values_defines_the_groups(networks):
    rows = networks(None, LOW, depth=110) + networks(None, HIGH, depth=20)
    test = compare_groups(rows, "depth", ["test_accuracy"])
    assert test.values == (20, 110)
    assert only(test)["difference"] == pytest.approx(-10.25)
    said = "81.25 ± 1.42 % with depth=110 (12 runs of 4 networks), 91.50 ± 1.95 % with depth=20 ("
    assert said in test.sentences[0]


def test_schemes_in_both_groups_are_compared_within_the_same_scheme(make):
    rows = [
        make.row(n, depth=depth, alpha=[a], scheme=f"a {a}", test_accuracy=80 + 5 * a + gain)
        for n, (a, (depth, gain)) in enumerate(
            itertools.product([1.0, 2.0, 3.0, 4.0], [(20, 0.0), (32, 1.0)])
        )
    ]
    row = only(compare_groups(rows, "depth"))
    assert row["verdict"] == "not shown"
    assert (row["within"], row["strata"], row["strata_agreeing"]) == (pytest.approx(1), 4, 4)


def test_config_paths_and_text_columns_can_define_groups(networks, make):
    config = make.row(1)["config"]
    wide = {**config, "model": {"name": "zerosnet", "width": 32}}
    rows = networks(True, LOW) + networks(True, HIGH, config=wide)
    assert compare_groups(rows, "model.width").values == (16, 32)
    rows = networks(True, LOW, model="zerosnet") + networks(True, HIGH, model="preresnet")
    test = compare_groups(rows, "model")
    assert test.values == ("preresnet", "zerosnet")
    assert "with model=preresnet" in test.sentences[0]


def test_seeds_can_define_groups(networks):
    rows = networks(True, [[80.0, 81.0], [90.0, 92.0], [85.0, 86.0], [70.0, 71.0]])
    row = only(compare_groups(rows, "seed"))
    assert (row["n1"], row["n2"], row["within"]) == (4, 4, pytest.approx(1.25))


def test_runs_not_done_and_runs_without_the_key_are_left_out_and_counted(networks):
    rows = networks(False, LOW) + networks(True, HIGH)
    rows += networks(None, [[10.0]]) + networks(True, [[10.0, 11.0]], state="queued")
    rows += networks(True, [[10.0]], state="failed")
    test = compare_groups(rows, "zero_stable")
    assert only(test)["mean2"] == pytest.approx(91.5)
    assert "1 run left out: zero_stable is null." in test.notes
    assert "PARTIAL: 2 not done yet, 1 failed: left out." in test.notes


def test_networks_with_few_seeds_are_counted_in_a_note(networks):
    rows = networks(False, [[80], [81, 82, 83]]) + networks(True, [[90, 91]])
    notes = compare_groups(rows, "zero_stable").notes
    assert any(note.startswith("2 of 3 networks have fewer than 3 seeds") for note in notes)


def test_the_notes_explain_networks_versus_runs_and_p_values(networks):
    rows = networks(False, LOW) + networks(True, HIGH)
    text = "\n".join(compare_groups(rows, "zero_stable").notes)
    assert "(4 and 6 networks)" in text
    assert "seeds of one network are not independent samples of schemes" in text
    assert "chosen, not drawn at random" in text


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("model", "model has one value: zerosnet (3 runs)"),
        ("max_root_modulus", "max_root_modulus has no value"),
        ("depth", "depth has 3 values: 20 (1 run), 32 (1 run), 44 (1 run)"),
        ("alpha", "--where 'alpha!=[3.0]'"),
        ("depth", "leave out all but two with --where, such as --where 'depth<=32', or test"),
        ("model", "name more sweeps, drop a --where, or test another key"),
        ("epochs", "epochs has no value; did you mean 'training.epochs'?"),
    ],
)
def test_comparing_other_than_two_groups_is_an_error(make, by, said):
    rows = [
        make.row(n, depth=depth, alpha=[float(n)], max_root_modulus=None, epochs=None)
        for n, depth in ((1, 20), (2, 32), (3, 44))
    ]
    rows.append(make.row(4, state="queued", model="preresnet", depth=110))
    with pytest.raises(NotTwoGroupsError) as caught:
        compare_groups(rows, by)
    assert said in str(caught.value)


def test_comparing_groups_without_runs_is_an_error():
    with pytest.raises(NotTwoGroupsError):
        compare_groups([], "zero_stable")


def test_unknown_group_keys_and_metrics_are_refused_with_a_suggestion(networks):
    rows = networks(False, LOW) + networks(True, HIGH)
    with pytest.raises(UnknownColumnError, match="did you mean 'zero_stable'"):
        compare_groups(rows, "zero_stabel")
    with pytest.raises(UnknownColumnError, match="metric"):
        compare_groups(rows, "zero_stable", ["scheme"])


def test_only_computed_numbers_that_are_equal_up_to_rounding_form_one_group(networks):
    near, far = {"max_root_modulus": 1 - 2**-53}, {"max_root_modulus": 1.5}
    rows = networks(True, LOW, max_root_modulus=1.0) + networks(True, HIGH[:3], **near)
    rows += networks(True, HIGH[3:], **far)
    assert compare_groups(rows, "max_root_modulus").values == (1.0, 1.5)
    rows = networks(True, LOW, beta=0.3) + networks(True, HIGH, beta=0.1 + 0.2)
    assert compare_groups(rows, "beta").values == (0.3, 0.1 + 0.2)


def test_a_group_comparison_can_be_pickled(networks):
    test = compare_groups(networks(False, LOW) + networks(True, HIGH), "zero_stable")
    assert pickle.loads(pickle.dumps(test)) == test


def test_the_printed_table_shows_the_comparison_rounded(networks):
    rows = networks(False, LOW) + networks(True, HIGH)
    alone = compare_groups(rows, "zero_stable", ["test_accuracy"]).table()
    assert {row["metric"] for row in alone} == {"test_accuracy"}
    assert {row["statistic"]: row["networks"] for row in alone} == {
        "zero_stable=false": "81.25 ± 0.96 (4)",
        "zero_stable=true": "91.50 ± 1.87 (6)",
        "difference": "10.25",
        "difference 95 % CI": "8.16 to 12.34",
        "Welch p": "4e-06",
        "Mann-Whitney p": "0.0095",
        "Hedges g": "5.82",
        "AUC": "1.00",
        "AUC 95 % CI": "0.63 to 1.00",
        "verdict": "differ",
    }
    assert [alone[i]["runs"] for i in (0, -1)] == ["81.25 ± 1.42 (12)", "-"]
    assert max(map(len, as_table(text_table(alone)).splitlines())) <= 80
    both = compare_groups(rows, "zero_stable", ["test_accuracy", "train_seconds"]).table()
    assert [row["metric"] for row in both] == ["test_accuracy"] * 10 + ["train_seconds"] * 10
    assert both[5]["statistic"] == "Mann-Whitney p (Holm)"
    assert both[5]["networks"] == "0.0095 (0.019)"


def test_the_printed_table_has_no_difference_to_a_group_that_diverged(networks):
    rows = networks(False, [[None] * 3] * 4) + networks(True, HIGH)
    found = compare_groups(rows, "zero_stable", ["test_accuracy"]).table()
    assert {row["statistic"]: row["networks"] for row in found}["difference"] == "-"


def test_what_was_measured_is_no_key_to_split_by_and_a_few_of_its_values_are_said(networks):
    rows = networks(False, LOW, beta=1.0) + networks(True, HIGH, beta=2.0)
    with pytest.raises(NotTwoGroupsError) as caught:
        compare_groups(rows, "test_accuracy")
    assert str(caught.value).endswith(
        "test_accuracy has 14 values, from 79.00 to 95.00; test a key that has two values, such as"
        " zero_stable"
    )
    rows = [row | {"seed": n} for n, row in enumerate(rows)]
    with pytest.raises(NotTwoGroupsError, match=r"30 values, from 0 to 29; leave .* 'seed<=1', or"):
        compare_groups(rows, "seed")
    rows = [row | {"dataset": f"{n:02}"} for n, row in enumerate(rows)]
    with pytest.raises(NotTwoGroupsError, match=r"05 \(1 run\), and 24 more; .* 'dataset!=29', or"):
        compare_groups(rows, "dataset")


ACCURACIES = st.lists(
    st.lists(st.none() | st.integers(0, 800).map(lambda n: n / 8), min_size=1, max_size=3),
    min_size=1,
    max_size=4,
)


@settings(deadline=None, max_examples=60)
@given(ACCURACIES, ACCURACIES)
@pytest.mark.slow
def test_rows_of_any_comparison_are_valid_json_without_nan(networks, low, high):
    rows = networks(False, low) + networks(True, high, root_moduli=[1.0, 0.5])
    test = compare_groups(rows, "zero_stable", ["test_accuracy", "train_seconds"])
    assert json.loads(json.dumps(test.rows(), allow_nan=False)) == test.rows()
    assert len({tuple(row) for row in test.rows()}) == 1
    assert len(test.sentences) == 2
    text = "\n".join([*test.sentences, *test.notes])
    assert "nan" not in text
    assert "None" not in text


@settings(deadline=None, max_examples=40)
@given(ACCURACIES, ACCURACIES)
def test_swapping_the_groups_flips_signs_and_keeps_p_values(networks, low, high):
    ahead = compare_groups(networks(False, low) + networks(True, high), "zero_stable")
    back = compare_groups(networks(True, low) + networks(False, high), "zero_stable")
    for one, other in zip(ahead.rows(), back.rows(), strict=True):
        for key in ("difference", "t", "g"):
            assert close(other[key], None if one[key] is None else -one[key])
        for key in ("p", "u_p", "df", "p_holm", "u_p_holm", "needed", "rho1"):
            assert close(other[key], one[key])
        assert other["verdict"] == one["verdict"]
        assert other["auc"] == pytest.approx(1 - one["auc"], abs=1e-9)
        assert other["auc_low"] == pytest.approx(1 - one["auc_high"], abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(ACCURACIES, ACCURACIES, st.integers(-400, 400).map(lambda n: n / 8))
def test_adding_a_constant_to_all_runs_changes_only_the_means(networks, low, high, shift):
    def moved(accuracies):
        return [[None if a is None else a + shift for a in seeds] for seeds in accuracies]

    before = compare_groups(networks(False, low) + networks(True, high), "zero_stable")
    after = compare_groups(networks(False, moved(low)) + networks(True, moved(high)), "zero_stable")
    for one, other in zip(before.rows(), after.rows(), strict=True):
        for key in ("p", "u_p", "t", "g", "difference", "auc", "auc_low"):
            assert close(other[key], one[key])


@settings(deadline=None, max_examples=40)
@given(ACCURACIES, ACCURACIES)
def test_the_auc_over_runs_equals_the_auc_of_the_pooled_runs(networks, low, high):
    rows = networks(False, low) + networks(True, high)
    ranked = [[-math.inf if a is None else a for s in group for a in s] for group in (low, high)]
    found = only(compare_groups(rows, "zero_stable"), "runs")
    assert found["auc"] == area_under_curve(*ranked).value


def test_runs_in_both_of_two_sweeps_are_left_out_of_a_test_between_them(networks):
    rows = networks(True, LOW, sweep="monday") + networks(True, HIGH, sweep="tuesday")
    shared = networks(True, LOW[:1], sweep="monday,tuesday")
    found = compare_groups([*rows, *shared], "sweep")
    assert found.values == ("monday", "tuesday")
    assert found.comparisons == compare_groups(rows, "sweep").comparisons
    said = f"{len(shared)} runs left out, in both sweep=monday and sweep=tuesday"
    assert any(note.startswith(said) for note in found.notes)
    with pytest.raises(NotTwoGroupsError, match="sweep has one value: tuesday"):
        compare_groups([*rows[len(LOW) * 3 :], *shared], "sweep")
