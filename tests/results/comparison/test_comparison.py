from __future__ import annotations

import json
import math
from dataclasses import asdict
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from results.comparison import compare
from results.comparison.agreement import joint_uncertainty
from results.errors import UnknownColumnError
from results.published import PUBLISHED, published_table
from results.published.units import UNITS
from sweeper.planning.plan import new_run
from sweeper.spec.spec import load_spec

SPECS = Path(__file__).parents[3] / "specs"
UNMEASURED = {
    "test_accuracy": None,
    "best_test_accuracy": None,
    "train_accuracy": None,
    "generalization_gap": None,
    "diverged": None,
    "train_seconds": None,
    "images_per_second": None,
    "attempts": 0,
}


@cache
def planned(name):
    spec = load_spec(SPECS / f"{name}.yaml")
    evaluations = [
        {"name": e.name, "kind": e.kind, "level": e.level, "accuracy": None}
        for e in spec.evaluations
    ]
    return [
        {**asdict(new_run(config)), "sweep": name, "state": "queued", **UNMEASURED}
        | {"evaluations": evaluations}
        for config in spec.configs
    ], spec.published


def queued(name):
    """The rows of a spec's runs, none of which has trained."""
    return [
        {**row, "evaluations": [dict(e) for e in row["evaluations"]]} for row in planned(name)[0]
    ]


def finished(name, accuracy=90.0):
    """The same, trained: seeds 0, 1, 2 have accuracies one point apart, evaluations too."""
    rows = queued(name)
    for row in rows:
        finish(row, accuracy)
        if row["dataset"] == "imagenet":
            top5(row, accuracy + 5)
    return rows


def finish(row, accuracy, spread=1.0):
    value = accuracy + spread * (row["seed"] - 1)
    row |= {
        "state": "done",
        "test_accuracy": value,
        "best_test_accuracy": value + 0.5,
        "train_accuracy": value + 5,
        "generalization_gap": 5.0,
        "diverged": False,
        "attempts": 1,
    }
    for evaluation in row["evaluations"]:
        evaluation["accuracy"] = value


def reproduced(name):
    """Runs of three seeds whose mean and standard deviation are those of the published table."""
    rows, table = queued(name), published_table(planned(name)[1])
    for published in table.rows:
        for row in runs_of(rows, published):
            value = published.mean + (published.std or 0.0) * (row["seed"] - 1)
            if published.evaluation is None:
                row |= {"state": "done", "diverged": False, published.metric: value}
            for evaluation in row["evaluations"]:
                if evaluation["name"] == published.evaluation:
                    evaluation["accuracy"] = value
    return rows, table


def runs_of(rows, published):
    """By another way than the code under test: the scheme's label, as plans print it."""
    wanted = published.network
    if wanted is None or published.not_comparable:
        return []
    return [
        row
        for row in rows
        if (row["model"], row["depth"], row["dataset"])
        == (wanted.model, published.depth, published.dataset)
        and row["trainable"] == (wanted.learned is not None)
        and (wanted.learned or [round(a, 6) for a in row["alpha"]] == rounded(wanted.alpha))
        and (wanted.learned or round(row["beta"], 6) == round(wanted.beta, 6))
    ]


def rounded(values):
    return [round(value, 6) for value in values]


def line(comparison, label, metric="test_accuracy"):
    (found,) = [
        row
        for row in comparison.compared
        if row.published.label == label and row.published.metric == metric
    ]
    return found


def states(comparison):
    return {s: comparison.count(s) for s in ("compared", "unfinished", "missing", "not comparable")}


# --- every spec against its table ---------------------------------------------------------------

EXPECTED = {
    "preresnet_alpha_table1": {"compared": 5},
    "lm_resnet_k_table2": {"compared": 4},
    "zero_stability_table3": {"compared": 30},
    "comparison_table4": {"compared": 36, "not comparable": 4},  # post-activation
    "robustness_table6": {"compared": 70},
    "generalization_gap_table7": {"compared": 45},
    "parameters_table8": {"compared": 15},
    # Post-activation; CIFAR-100 and other networks.
    "lm_resnet_cifar10": {"compared": 10, "missing": 28, "not comparable": 8},
    # FractalNet-40, DenseNet and DenseNet-BC; post-activation.
    "lm_resnet_table2": {"compared": 32, "missing": 6, "not comparable": 8},
    "lm_resnet_stochastic_depth_table4": {"compared": 4, "not comparable": 4},
    "newton_resnet_table1": {"compared": 8},
    "newton_resnet_linear_table2": {"compared": 8},
    "newton_resnet_cifar100_table4": {"compared": 4},
    "newton_resnet_linear_cifar100_table5": {"compared": 8},
    "tm_resnet": {"compared": 4},
    "imagenet_table5": {"compared": 12},
    # Other ResNets.
    "lm_resnet_imagenet_table3": {"compared": 4, "missing": 6},
    # The probe `runtime` measures the other six.
    "newton_resnet_imagenet_table6": {"compared": 6, "not comparable": 6},
    "newton_resnet_linear_imagenet_table7": {"compared": 4},
}

#: Of rows that print no number of runs, if not three.
OUR_SEEDS = {"imagenet_table5": 1, "lm_resnet_imagenet_table3": 1}


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.slow
def test_runs_of_each_spec_match_the_rows_of_its_published_table(name):
    rows, table = finished(name), published_table(planned(name)[1])
    comparison = compare(rows, table)
    none = dict.fromkeys(("compared", "unfinished", "missing", "not comparable"), 0)
    assert states(comparison) == none | EXPECTED[name]
    assert comparison.unmatched == ()
    for row in comparison.compared:
        if row.state == "compared" and row.published.metric != "parameters":
            assert row.ours.runs == (row.published.runs or OUR_SEEDS.get(name, 3))
            assert row.ours.datasets == (row.published.dataset,)


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.slow
def test_shipped_specs_train_under_the_papers_conditions(name):
    comparison = compare(finished(name), published_table(planned(name)[1]))
    unknown = "how the paper's networks were trained is not known"
    assert [c for c in comparison.conditions if not c.startswith(unknown)] == []
    for row in comparison.compared:
        if row.state == "compared" and row.published.metric != "parameters":
            known = row.published.recipe is not None
            assert row.same_conditions is (True if known else None)


def test_missing_rows_are_unsupported_networks_or_another_dataset():
    comparison = compare(finished("lm_resnet_cifar10"), published_table("lm_resnet/table2"))
    missing = [row for row in comparison.compared if row.state == "missing"]
    assert {row.published.dataset for row in missing} == {"cifar100"}
    reasons = {row.note.split(": add")[0].split("to add:")[0] for row in missing}
    assert any("this version has no DenseNet" in r for r in reasons)
    assert any("this version has no FractalNet of 40 layers" in r for r in reasons)
    assert line(comparison, "LM-ResNet (Ours), 110, pre-act").note == (
        "no such run; to add: lm_resnet {k: [-0.1, 0], trainable: true}, depth 110, cifar100"
    )


# --- agreement ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["zero_stability_table3", "robustness_table6"])
def test_a_perfect_reproduction_agrees_in_every_row(name):
    rows, table = reproduced(name)
    comparison = compare(rows, table)
    for row in comparison.compared:
        assert row.state == "compared"
        assert row.difference == pytest.approx(0, abs=1e-9)
        assert row.ours.std == pytest.approx(row.published.std)
        assert row.within is True
    assert len(comparison.ranks) == {"zero_stability_table3": 4, "robustness_table6": 7}[name]
    for rank in comparison.ranks:
        assert rank.tau == pytest.approx(1)
        assert rank.split_agrees is True
        assert rank.stable_better_here == rank.stable_better_published == rank.pairs
        assert rank.pairs == (216 if rank.depth is None else 24)
    assert comparison.conditions == ()


def test_a_difference_is_our_mean_minus_the_published_mean():
    rows, table = reproduced("zero_stability_table3")
    for row in rows:
        if (row["depth"], row["scheme"]) == (44, "1, 1, 1; 1"):
            row["test_accuracy"] += 5.5
    for row in compare(rows, table).compared:
        changed = row.published.label == "44 layers, roots 1.84 0.74 0.74"
        assert row.difference == pytest.approx(5.5 if changed else 0, abs=1e-9)
        assert row.within is not changed


def test_within_allows_welchs_interval_plus_half_a_printed_digit():
    # Both sides: three runs with standard deviation 0.17, hence 4 degrees of freedom.
    margin = 2.776445 * (2 * 0.17**2 / 3) ** 0.5
    for shift, within in [(margin + 0.0049, True), (margin + 0.0051, False)]:
        rows, table = reproduced("preresnet_alpha_table1")
        for row in rows:
            if row["alpha"] == [1.0]:
                row["test_accuracy"] -= shift
        found = line(compare(rows, table), "PreResNet-32, alpha 1")
        assert found.joint_uncertainty == pytest.approx(margin, abs=1e-5)
        assert found.within is within


@given(st.floats(0.01, 10), st.integers(2, 10), st.floats(0.01, 10), st.integers(2, 10))
def test_a_difference_at_the_joint_uncertainty_has_p_of_5_percent(std_a, runs_a, std_b, runs_b):
    margin = joint_uncertainty(std_a, runs_a, std_b, runs_b)
    found = stats.ttest_ind_from_stats(margin, std_a, runs_a, 0, std_b, runs_b, equal_var=False)
    assert found.pvalue == pytest.approx(0.05, rel=1e-6)
    assert joint_uncertainty(std_b, runs_b, std_a, runs_a) == pytest.approx(margin)


@pytest.mark.parametrize(
    "known", [(None, 3, 0.1, 3), (0.1, None, 0.1, 3), (0.1, 3, None, 1), (0.1, 3, 0.1, 1)]
)
def test_without_both_deviations_agreement_is_unknown(known):
    assert joint_uncertainty(*known) is None


def test_two_zero_deviations_have_no_joint_uncertainty():
    assert joint_uncertainty(0.0, 3, 0.0, 3) == 0.0


def test_agreement_with_a_single_run_or_number_is_unknown():
    rows = [row for row in finished("preresnet_alpha_table1") if row["seed"] == 0]
    comparison = compare(rows, published_table("zerosnet/table1"))
    assert {row.within for row in comparison.compared} == {None}
    assert comparison.conditions == ("seeds: 1 here, 3 in the paper",)
    comparison = compare(finished("lm_resnet_cifar10"), published_table("lm_resnet/table2"))
    assert line(comparison, "LM-ResNet (Ours), 20, pre-act").within is None


# --- ranks --------------------------------------------------------------------------------------


def ranked(accuracies):
    """The only rank agreement of Table 1, with our accuracies in its order of alpha."""
    by_alpha = dict(zip((2, 1.5, 0.5, 0.7, 1), accuracies, strict=True))
    rows = queued("preresnet_alpha_table1")
    for row in rows:
        finish(row, by_alpha[row["alpha"][0]], spread=0.1)
    (rank,) = compare(rows, published_table("zerosnet/table1")).ranks
    return rank


@pytest.mark.parametrize(
    ("accuracies", "tau", "stable_better", "split_agrees"),
    [
        ((80, 81, 82, 83, 84), 1.0, 6, True),
        ((80, 81, 82, 84, 83), 0.8, 6, True),  # one of ten pairs turned
        ((80, 82, 81, 83, 84), 0.8, 5, False),  # the one across the split
        ((84, 83, 82, 81, 80), -1.0, 0, False),
    ],
)
def test_rank_agreement_and_stability_split_match_a_hand_computation(
    accuracies, tau, stable_better, split_agrees
):
    rank = ranked(accuracies)
    assert (rank.metric, rank.dataset, rank.depth, rank.n) == ("test_accuracy", "cifar10", 32, 5)
    assert rank.tau == pytest.approx(tau)
    assert rank.p_value == pytest.approx({1.0: 1 / 60, 0.8: 5 / 60, -1.0: 1 / 60}[tau])
    assert (rank.pairs, rank.stable_better_published) == (6, 6)
    assert rank.stable_better_here == stable_better
    assert rank.split_agrees is split_agrees


def test_equal_accuracies_have_no_rank_agreement():
    rank = ranked((80, 80, 80, 80, 80))
    assert (rank.tau, rank.p_value, rank.stable_better_here) == (None, None, 0)
    assert "no order to compare" in str(rank)


def test_a_single_compared_row_has_no_rank_agreement():
    rows = [row for row in finished("preresnet_alpha_table1") if row["alpha"] == [2.0]]
    comparison = compare(rows, published_table("zerosnet/table1"))
    assert comparison.count("compared") == 1
    assert comparison.ranks == ()


def test_rank_agreement_is_printed_as_one_sentence():
    assert str(ranked((80, 82, 81, 83, 84))) == (
        "test_accuracy, cifar10, depth 32: Kendall's tau 0.80 (n = 5, p = 0.083); the zero-stable"
        " one is better in 5 of 6 pairs here, in 6 in the paper"
    )


def test_ranks_are_taken_within_each_dataset_and_depth():
    comparison = compare(finished("comparison_table4"), published_table("zerosnet/table4"))
    sizes = {(rank.dataset, rank.depth): rank.n for rank in comparison.ranks}
    assert sizes[("cifar100", None)] == 20
    assert sizes[("cifar10", None)] == 16
    assert sizes[("cifar100", 20)] == 4
    assert sizes[("cifar10", 20)] == 3  # without the post-activation ResNet
    assert sizes[("cifar10", 110)] == 4
    assert {rank.pairs for rank in comparison.ranks} == {None}


def test_a_smaller_generalization_gap_ranks_better():
    rows, table = reproduced("generalization_gap_table7")
    ranks = {(rank.metric, rank.depth): rank for rank in compare(rows, table).ranks}
    assert ranks[("generalization_gap", None)].tau == pytest.approx(1)
    assert len(ranks) == 3 * 6


# --- what is not compared -----------------------------------------------------------------------


def test_without_runs_every_published_row_is_missing():
    for table in PUBLISHED.values():
        comparison = compare([], table)
        assert comparison.count("compared") == comparison.count("unfinished") == 0
        assert all(row.note for row in comparison.compared)
        assert comparison.ranks == comparison.conditions == comparison.unmatched == ()


def test_queued_running_and_failed_runs_make_a_row_unfinished():
    rows = queued("preresnet_alpha_table1")
    rows[0]["state"], rows[1]["state"] = "failed", "running"
    comparison = compare(rows, published_table("zerosnet/table1"))
    assert states(comparison)["unfinished"] == 5
    assert line(comparison, "PreResNet-32, alpha 2").note == "1 failed, 1 running, 1 queued"
    assert comparison.notes[0] == "5 published rows: 5 unfinished"


def test_a_partly_finished_row_is_compared_and_noted():
    rows = queued("preresnet_alpha_table1")
    finish(rows[0], 80)
    finish(rows[1], 80)
    found = line(compare(rows, published_table("zerosnet/table1")), "PreResNet-32, alpha 2")
    assert (found.state, found.ours.runs, found.ours.mean) == ("compared", 2, 79.5)
    assert found.note == "2 of 3 runs: 1 queued"


def test_diverged_runs_have_no_accuracy_and_are_noted():
    rows = finished("preresnet_alpha_table1")
    for row in rows[:3]:
        row |= {"test_accuracy": None, "diverged": True}
    rows[3] |= {"test_accuracy": None, "diverged": True}
    comparison = compare(rows, published_table("zerosnet/table1"))
    lost = line(comparison, "PreResNet-32, alpha 2")
    assert (lost.state, lost.ours) == ("not comparable", None)
    assert lost.note == "all 3 runs diverged, and have no test_accuracy"
    assert line(comparison, "PreResNet-32, alpha 1.5").note == "2 of 3 runs: 1 diverged"


def test_published_noise_is_compared_with_the_evaluation_of_its_name():
    rows = finished("robustness_table6", accuracy=60)
    for row in rows:
        row["evaluations"][0]["accuracy"] = 70.0  # uniform[-0.08,0]
    comparison = compare(rows, published_table("zerosnet/table6"))
    for row in comparison.compared:
        expected = 70.0 if row.published.evaluation == "uniform[-0.08,0]" else 60.0
        assert row.ours.mean == pytest.approx(expected)
    assert {rank.evaluation for rank in comparison.ranks} == {
        None,
        "uniform[-0.08,0]",
        "uniform[0,0.08]",
        "gaussian[0.01]",
        "gaussian[0.02]",
        "gaussian[0.04]",
        "constant[0.3]",
    }


def test_a_row_counts_the_runs_and_measurements_that_an_archive_brought():
    rows = finished("robustness_table6")
    for row in rows:
        row["imported"] = row["seed"] == 0
        row["evaluations"][0]["imported"] = row["seed"] < 2
    table = published_table("zerosnet/table6")
    for row in compare(rows, table).rows():
        noisy = row["evaluation"] == rows[0]["evaluations"][0]["name"]
        marks = (row["our_runs"], row["our_imported"], row["our_measured_elsewhere"])
        assert marks == (3, 1, int(noisy))
    rows[0] |= {"state": "queued", "imported": True}  # what has no value yet has no part in it
    counts = {(r["our_runs"], r["our_imported"]) for r in compare(rows, table).rows()}
    assert counts == {(3, 1), (2, 0) if rows[0]["seed"] == 0 else (2, 1)}


def test_noise_rows_are_missing_if_not_requested_and_unfinished_if_pending():
    table = published_table("zerosnet/table6")
    comparison = compare(finished("zero_stability_table3"), table)
    assert states(comparison) == {
        "compared": 10,
        "missing": 60,
        "unfinished": 0,
        "not comparable": 0,
    }
    noisy = line(comparison, "roots 0.33 0.33 1.00, gaussian[0.01]")
    assert noisy.note == "the runs lack the evaluation gaussian[0.01]: add it"
    rows = finished("robustness_table6")
    for row in rows:
        for evaluation in row["evaluations"]:
            evaluation["accuracy"] = None
    noisy = line(compare(rows, table), "roots 0.33 0.33 1.00, gaussian[0.01]")
    assert (noisy.state, noisy.note) == ("unfinished", "3 not measured yet")


def test_post_activation_rows_are_shown_but_not_counted():
    rows = finished("comparison_table4")
    comparison = compare(rows, published_table("zerosnet/table4"))
    shown = line(comparison, "ResNet, 32 layers, CIFAR-10")
    assert (shown.state, shown.ours.mean) == ("not comparable", 90.0)
    assert shown.difference is shown.within is None
    assert "ReLU after the addition" in shown.note
    assert line(comparison, "ResNet, 32 layers, CIFAR-100").state == "compared"
    quoted = line(comparison, "ResNet, 110 layers, CIFAR-10")
    assert (quoted.state, quoted.same_conditions) == ("compared", None)
    assert "He et al. (2016)" in quoted.note


@pytest.mark.parametrize("name", ["newton/table8", "newton/table9"])
def test_tables_of_unsupported_networks_say_so_in_every_row(name):
    comparison = compare(finished("comparison_table4"), published_table(name))
    assert comparison.count("missing") == len(comparison.compared) > 0
    assert all("this version has n" in row.note for row in comparison.compared)
    assert len(comparison.unmatched) == 120


def test_a_table_without_numbers_has_nothing_to_compare():
    comparison = compare(finished("comparison_table4"), published_table("lm_resnet/table1"))
    assert comparison.rows() == comparison.summary_rows() == []
    assert comparison.notes[-1] == "the table has words only, and nothing to compare"


# --- which runs belong --------------------------------------------------------------------------


def best_scheme(make, **changes):
    """A run of the last row of Table 3 at depth 32, or of something close to it."""
    config = {
        "scheme": {"alpha": [1 / 3, 5 / 9, 1 / 9], "beta": 16 / 9},
        "dataset": {"name": "cifar10"},
    }
    return make.row(**{"dataset": "cifar10", "config": config} | changes)


def belongs(row):
    comparison = compare([row], published_table("zerosnet/table3"))
    return comparison.count("compared") == 1 and comparison.unmatched == ()


def test_scheme_coefficients_match_to_the_last_digit(make):
    assert belongs(best_scheme(make))
    near = math.nextafter(1 / 3, 1)
    assert not belongs(best_scheme(make, alpha=[near, 5 / 9, 1 / 9]))
    assert not belongs(best_scheme(make, beta=1.0))
    assert not belongs(best_scheme(make, alpha=[1 / 3, 5 / 9]))


def test_a_different_model_depth_or_learned_scheme_does_not_match_a_row(make):
    assert not belongs(best_scheme(make, model="tm_resnet"))
    assert not belongs(best_scheme(make, depth=38))
    learned = {"scheme": {"learned": "coefficients"}, "dataset": {"name": "cifar10"}}
    assert not belongs(best_scheme(make, trainable=True, config=learned))
    assert not belongs(best_scheme(make, alpha=None, beta=None))


def has(row, options):
    return all(row["config"]["model"].get(key) == value for key, value in options.items())


def without(name, options):
    """The rows of a spec's runs, less those whose model has these options."""
    return [row for row in queued(name) if not has(row, options)]


def with_options(name, options, change):
    """The rows of a spec's runs; those whose model has these options have others instead."""
    rows = finished(name)
    for row in rows:
        model = row["config"]["model"]
        if has(row, options):
            changed = {key: value for key, value in (model | change).items() if value is not None}
            row["config"] = row["config"] | {"model": changed}
    return rows


@pytest.mark.parametrize(
    ("name", "options", "to_add"),
    [
        (
            "generalization_gap_table7",
            {"block": "bottleneck", "depth": 326},
            "{name: zerosnet, block: bottleneck} {lambda: 10}, depth 326, cifar100",
        ),
        (
            "lm_resnet_table2",
            {"cardinality": 16, "preactivation": True},
            "{name: lm_resnext, cardinality: 16, base_width: 64, preactivation: true}"
            " {k: [-0.1, 0], trainable: true}, depth 29, cifar100",
        ),
        ("lm_resnet_table2", {"name": "fractalnet"}, "{name: fractalnet, blocks: 5}, depth 20, "),
        (
            "lm_resnet_stochastic_depth_table4",
            {"survival": 0.8},
            "{name: lm_resnet, survival: 0.8} {k: [-0.1, 0], trainable: true}, depth 56, cifar10",
        ),
        (
            "newton_resnet_table1",
            {"name": "newton_resnet", "blocks": [3, 3, 2, 2]},
            "{name: newton_resnet, blocks: [3, 3, 2, 2], activation: relu}, cifar10",
        ),
        ("tm_resnet", {"name": "tm_resnet_wide"}, "tm_resnet_wide {lambda: 1}, depth 22, cifar10"),
    ],
)
def test_the_hint_for_a_missing_row_names_its_options(name, options, to_add):
    table = published_table(planned(name)[1])
    comparison = compare(without(name, options), table)
    notes = [row.note for row in comparison.compared if row.state == "missing"]
    assert any(f"no such run; to add: {to_add}" in note for note in notes), notes


@pytest.mark.parametrize(
    ("name", "options", "change", "lost"),
    [
        # 164 and 326 layers are those of basic blocks too.
        ("generalization_gap_table7", {"block": "bottleneck"}, {"block": None}, 18),
        ("generalization_gap_table7", {"depth": 44}, {"block": "bottleneck"}, 9),
        ("zero_stability_table3", {"depth": 32}, {"survival": 0.5}, 10),
        ("lm_resnet_table2", {"name": "resnext", "preactivation": True}, {"cardinality": 8}, 2),
        ("lm_resnet_table2", {"name": "lm_resnext", "cardinality": 16}, {"base_width": 4}, 2),
        ("lm_resnet_table2", {"name": "fractalnet"}, {"drop_path": 0.15}, 2),
        (
            "lm_resnet_stochastic_depth_table4",
            {"survival": 0.5, "depth": 110},
            {"survival": 0.6},
            2,
        ),
        ("lm_resnet_stochastic_depth_table4", {"name": "lm_resnet"}, {"survival": None}, 2),
        ("newton_resnet_table1", {"blocks": [2, 2, 1, 1]}, {"blocks": [2, 1, 2, 1]}, 2),
        ("newton_resnet_linear_table2", {"name": "resnet"}, {"activation": "relu"}, 2),
        ("newton_resnet_cifar100_table4", {"name": "newton_resnet"}, {"activation": "none"}, 2),
        (
            "newton_resnet_linear_cifar100_table5",
            {"blocks": [3, 3, 3, 3]},
            {"blocks": [3, 3, 3]},
            2,
        ),
    ],
)
def test_a_run_with_another_distinguishing_option_does_not_match(name, options, change, lost):
    table = published_table(planned(name)[1])
    before = compare(finished(name), table)
    after = compare(with_options(name, options, change), table)
    gone = [
        (one.published.label, other.state, other.ours)
        for one, other in zip(before.compared, after.compared, strict=True)
        if one.ours != other.ours
    ]
    assert len(gone) == lost
    assert {state for _, state, _ in gone} <= {"missing", "not comparable"}
    assert all(ours is None for *_, ours in gone)
    assert len(after.unmatched) > 0 == len(before.unmatched)


def test_rows_differing_in_one_option_match_different_runs():
    rows = finished("lm_resnet_stochastic_depth_table4")
    for row in rows:
        row["test_accuracy"] = 90 + 10 * row["config"]["model"].get("survival", 0)
    found = {
        row.published.label: row.ours.mean
        for row in compare(rows, published_table("lm_resnet/table4")).compared
    }
    assert found["ResNet(Huang et al. (2016b)), 56, stochastic depth"] == pytest.approx(95)
    assert found["ResNet(Our Implement), 56,pre-act, stochastic depth"] == pytest.approx(98)
    assert found["ResNet(He et al. (2016)), 110,pre-act"] == pytest.approx(90)
    assert found["ResNet(Huang et al. (2016b)), 110, stochastic depth"] == pytest.approx(95)


def test_options_no_row_names_are_conditions_and_do_not_affect_matching():
    rows = with_options("newton_resnet_table1", {}, {"x_proj": 2, "tanh": "always", "width": 32})
    comparison = compare(rows, published_table("newton/table1"))
    assert comparison.unmatched == ()
    assert "width: 32 here, 64 in the paper" in comparison.conditions
    assert "x proj: 2 here, 1 in the paper (4 of 8 rows)" in comparison.conditions
    assert not any("tanh" in condition for condition in comparison.conditions)


def test_unmatched_runs_are_named_with_the_tables_distinguishing_options():
    comparison = compare(queued("newton_resnet_table1"), published_table("newton/table2"))
    (note,) = [note for note in comparison.notes if "belong to no row" in note]
    assert "resnet (blocks: [2, 2, 2, 2], activation: relu), depth 18, on cifar10; " in note
    comparison = compare(queued("newton_resnet_table1"), published_table("zerosnet/table1"))
    (note,) = [note for note in comparison.notes if "belong to no row" in note]
    assert ": resnet, depth 18, on cifar10; newton_resnet, depth 14, on cifar10; " in note


def test_published_runtimes_are_never_comparable():
    comparison = compare(finished("comparison_table4"), published_table("zerosnet/table9"))
    assert comparison.count("not comparable") == 12
    found = line(comparison, "PreResNet20, training, batch size 128", "runtime")
    assert found.note == (
        "a runtime of the authors' server, not a property of the network; the runs lack"
        " train_seconds[128]: add the probe {probe: runtime, batch_sizes: [128, 512, 4096]}"
    )


def test_runs_matching_no_row_are_listed(make):
    stranger = best_scheme(make, model="tm_resnet", run_id="f" * 16)
    comparison = compare([best_scheme(make), stranger], published_table("zerosnet/table3"))
    assert comparison.unmatched == ("f" * 16,)
    place = "tm_resnet (1/3, 5/9, 1/9; 16/9), depth 32, on cifar10"
    assert f"1 run belongs to no row of the table: {place}" in comparison.notes
    many = finished("comparison_table4")
    notes = compare(many, published_table("zerosnet/table3")).notes
    (found,) = [note for note in notes if "belong to no row" in note]
    assert found.startswith("111 runs belong to no row of the table: preresnet (1; 1), depth 20, ")
    assert found.endswith("; and 32 more networks")


def test_runs_on_the_tables_own_dataset_are_preferred():
    table = published_table("zerosnet/table3")
    own, other = finished("zero_stability_table3"), finished("quickstart", accuracy=50)
    comparison = compare([*own, *other], table)
    assert comparison.count("compared") == 30
    assert {row.ours.datasets for row in comparison.compared} == {("cifar10",)}
    assert len(comparison.unmatched) == len(other)
    deeper = [row for row in own if row["depth"] == 56]
    comparison = compare([*deeper, *other], table)
    assert comparison.count("compared") == 10
    assert comparison.count("missing") == 20


def test_runs_on_another_dataset_are_compared_and_the_differences_noted():
    rows = finished("zero_stability_fashion_mnist")
    comparison = compare(rows, published_table("zerosnet/table3"))
    assert comparison.count("compared") == 10
    assert comparison.count("missing") == 20
    assert comparison.unmatched == ()
    assert comparison.conditions == (
        "dataset: fashion_mnist here, cifar10 in the paper",
        "training images: a subset of 10,000 here, all in the paper",
        "epochs: 4 here, 160 in the paper",
        "precision: bf16 here, fp32 in the paper",
    )
    assert any(note.startswith("conditions differ from the paper's") for note in comparison.notes)
    found = line(comparison, "32 layers, roots 0.33 0.33 1.00")
    assert found.same_conditions is False
    assert found.difference == pytest.approx(90 - 93.28)


def test_runs_under_the_papers_settings_are_preferred():
    rows, others = finished("preresnet_alpha_table1"), finished("preresnet_alpha_table1", 70)
    for row in others:
        optimizer = row["config"]["training"]["optimizer"] | {"weight_decay": 5e-4}
        training = row["config"]["training"] | {"optimizer": optimizer}
        row |= {"run_id": "w" + row["run_id"][1:], "config": row["config"] | {"training": training}}
    table = published_table("zerosnet/table1")
    for row in compare([*others, *rows], table).compared:
        assert (row.ours.mean, row.same_conditions) == (90.0, True)
        assert row.note == "3 runs under other settings left out"
    alone = compare(others, table)
    assert alone.conditions == ("weight decay: 0.0005 here, 0.0001 in the paper",)
    for row in others:
        row["config"] = row["config"] | {"precision": "bf16"}
    third = finished("preresnet_alpha_table1", 60)
    for row in third:
        row["config"] = row["config"] | {"precision": "bf16"}
    for row in compare([*others, *third[1:]], table).compared:
        assert row.state == "not comparable"
        assert row.note == (
            "its runs differ in training.optimizer.weight_decay, not only in the seed: select those"
            " to compare"
        )


def test_milestones_are_compared_as_fractions_of_the_epochs():
    rows = finished("preresnet_alpha_table1")
    for row in rows:
        schedule = row["config"]["training"]["lr_schedule"] | {"milestones": [5.0, 7.0]}
        training = {**row["config"]["training"], "epochs": 10, "lr_schedule": schedule}
        row["config"] = row["config"] | {"training": training}
    table = published_table("zerosnet/table1")
    assert compare(rows, table).conditions == ("epochs: 10 here, 160 in the paper",)
    for row in rows:
        row["config"]["training"]["lr_schedule"]["milestones"] = [5.0, 9.0]
    assert compare(rows, table).conditions == (
        "epochs: 10 here, 160 in the paper",
        "learning rate decays after: 5, 9 epochs here, 1/2, 3/4 of all epochs in the paper",
    )


def test_options_that_no_paper_has_are_conditions_of_ours():
    rows = finished("preresnet_alpha_table1")
    for row in rows:
        changes = {"lr_schedule": {"name": "cosine"}, "mixup": 0.2, "ema_decay": 0.99}
        row["config"] = row["config"] | {"training": row["config"]["training"] | changes}
    assert compare(rows, published_table("zerosnet/table1")).conditions == (
        "schedule: cosine here, step in the paper",
        "mixup: 0.2 here, none in the paper",
        "averaging of weights: 0.99 here, none in the paper",
    )


@pytest.mark.parametrize(
    ("epochs", "milestones", "decays"),
    [
        (1, [1.0, 1.0], ()),
        (2, [1.0], ()),
        (2, [1.0, 1.0], ("1, 1",)),  # a hundredth of the rate in the second epoch
        (4, [2.0, 3.0, 4.0, 9.0], ()),
    ],
)
def test_milestones_are_compared_by_what_they_do(epochs, milestones, decays):
    rows = finished("preresnet_alpha_table1")
    for row in rows:
        schedule = row["config"]["training"]["lr_schedule"] | {"milestones": milestones}
        training = {**row["config"]["training"], "epochs": epochs, "lr_schedule": schedule}
        row["config"] = row["config"] | {"training": training}
    comparison = compare(rows, published_table("zerosnet/table1"))
    assert comparison.conditions == (
        f"epochs: {epochs} here, 160 in the paper",
        *(
            f"learning rate decays after: {here} epochs here, 1/2, 3/4 of all epochs in the paper"
            for here in decays
        ),
    )


def test_network_options_and_learned_start_values_are_conditions():
    rows = [row for row in finished("comparison_table4") if row["depth"] == 20]
    for row in rows:
        row["config"] = row["config"] | {"model": row["config"]["model"] | {"width": 32}}
        if row["model"] == "lm_resnet":
            row["config"] = row["config"] | {"scheme": {"learned": "k", "start": [-0.5, 0.0]}}
    comparison = compare(rows, published_table("zerosnet/table4"))
    assert "width: 32 here, 16 in the paper" in comparison.conditions
    assert (
        "start of k_n: [-0.5, 0] here, [-0.1, 0] in the paper (2 of 7 rows)"
        in comparison.conditions
    )


# --- which accuracy -----------------------------------------------------------------------------


def test_compare_uses_the_last_epochs_accuracy_unless_asked_for_the_best():
    rows, table = finished("robustness_table6"), published_table("zerosnet/table6")
    last, best = compare(rows, table), compare(rows, table, accuracy="best_test_accuracy")
    for a, b in zip(last.compared, best.compared, strict=True):
        clean = a.published.evaluation is None
        assert b.ours.mean - a.ours.mean == (0.5 if clean else 0)
    assert "our clean test accuracies are the last epoch's" in last.notes
    assert "our clean test accuracies are the best epoch's" in best.notes
    with pytest.raises(UnknownColumnError, match="unknown accuracy 'train_accuracy'"):
        compare(rows, table, accuracy="train_accuracy")


# --- parameters and roots -----------------------------------------------------------------------


def test_parameters_are_compared_as_printed_whatever_the_run_state():
    comparison = compare(queued("comparison_table4"), published_table("zerosnet/table8"))
    assert comparison.count("compared") == 15
    disagree = [row.published.label for row in comparison.compared if not row.within]
    assert disagree == ["PreResNet, 32 layers", "PreResNet, 56 layers", "LM-ResNet, 110 layers"]
    best = line(comparison, "ZeroSNet, 20 layers", "parameters")
    assert (best.ours.mean, best.difference) == (277_402, -2_598)
    assert best.note is None  # to nearest
    up = line(comparison, "PreResNet, 20 layers", "parameters")
    assert (up.ours.mean, up.note) == (272_282, "printed is our count rounded up")
    misprint = line(comparison, "LM-ResNet, 110 layers", "parameters")
    assert (misprint.ours.mean, misprint.within) == (1_730_669, False)
    assert misprint.note.startswith("misprint: ")
    assert comparison.ranks == ()


def test_zerosnet_table_8_prints_parameters_for_100_classes():
    rows = [row for row in queued("comparison_table4") if row["dataset"] == "cifar100"]
    comparison = compare(rows, published_table("zerosnet/table8"))
    for row in comparison.compared:
        if row.published.label.startswith("PreResNet"):
            hundredth = row.published.resolution
            assert -(-row.ours.mean // hundredth) * hundredth == row.published.mean


def test_lm_resnet_parameters_are_rounded_down_in_their_paper():
    comparison = compare(queued("comparison_table4"), published_table("lm_resnet/table2"))
    ours = [
        row
        for row in comparison.compared
        if row.published.metric == "parameters" and row.state == "compared"
    ]
    assert len(ours) == 7
    assert all(row.within for row in ours)
    assert "rounded down" in line(comparison, "LM-ResNet (Ours), 32, pre-act", "parameters").note


def test_a_row_whose_runs_differ_in_parameters_is_not_comparable():
    rows = queued("comparison_table4")
    for row in rows:
        if (row["model"], row["seed"], row["depth"]) == ("lm_resnet", 0, 20):
            row["parameters"] += 1
    found = line(
        compare(rows, published_table("zerosnet/table8")), "LM-ResNet, 20 layers", "parameters"
    )
    assert found.state == "not comparable"
    assert found.note == "its runs have 272,385 and 272,384 parameters"


@pytest.mark.parametrize("name", ["zero_stability_table3", "quickstart"])
def test_roots_agree_with_zerosnet_table_10(name):
    comparison = compare(queued(name), published_table("zerosnet/table10"))
    assert comparison.count("compared") == 10
    assert all(row.within for row in comparison.compared)
    assert all(abs(row.difference) < 0.005 for row in comparison.compared)
    assert comparison.conditions == comparison.unmatched == ()


def test_wrong_roots_or_stability_disagree_with_zerosnet_table_10():
    rows = queued("quickstart")
    for row in rows:
        row["zero_stable"] = True
        if row["scheme"] == "1, 0.3, -0.4; 1":
            row["root_moduli"] = [0.82, 0.82, 0.62]
    comparison = compare(rows, published_table("zerosnet/table10"))
    wrong = {row.published.label: row.note for row in comparison.compared if not row.within}
    assert len(wrong) == 5
    assert wrong["1.0, 0.3, -0.4; 1.0"] is None
    assert wrong["1.0, 1.0, 1.0; 1.0"] == (
        "printed as not zero stable, computed here as zero stable"
    )


def test_runs_without_roots_do_not_agree_with_printed_ones():
    rows = queued("quickstart")
    for row in rows:
        row["root_moduli"] = None
    compared = compare(rows, published_table("zerosnet/table10")).compared
    agreeing = [row.published.label for row in compared if row.state == "compared" and row.within]
    assert agreeing == []


def test_a_metric_that_no_run_has_is_not_comparable():
    rows = finished("comparison_table4")
    for row in rows:
        del row["test_accuracy"]
    found = line(compare(rows, published_table("zerosnet/table4")), "ResNet, 32 layers, CIFAR-100")
    assert (found.state, found.ours) == ("not comparable", None)
    assert "runs have no test_accuracy" in found.note


# --- output -------------------------------------------------------------------------------------


def test_comparison_rows_are_flat_json_values():
    for name in ("comparison_table4", "quickstart"):
        for table in PUBLISHED.values():
            comparison = compare(finished(name), table)
            rows = comparison.rows()
            assert len({tuple(row) for row in rows}) <= 1
            assert not any(isinstance(value, dict) for row in rows for value in row.values())
            text = json.dumps(comparison.to_json(), allow_nan=False)
            assert json.loads(text)["rows"] == rows


def test_a_comparison_serializes_to_the_documented_json():
    document = compare(
        finished("preresnet_alpha_table1"), published_table("zerosnet/table1")
    ).to_json()
    assert list(document) == [
        "table",
        "title",
        "caption",
        "citation",
        "accuracy",
        "rows",
        "ranks",
        "ratios",
        "conditions",
        "notes",
        "unmatched",
    ]
    assert (document["table"], document["title"]) == ("zerosnet/table1", "ZeroSNet, Table 1")
    row = document["rows"][4]
    assert (row["label"], row["scheme"]) == ("PreResNet-32, alpha 1", "{alpha: 1}")
    assert (row["published_mean"], row["published_std"], row["published_runs"]) == (93.19, 0.17, 3)
    assert (row["our_mean"], row["our_std"], row["our_runs"]) == (90.0, 1.0, 3)
    assert document["ranks"][0]["tau"] is None  # all of ours are equal


def test_the_comparison_summary_has_readable_values():
    comparison = compare(finished("preresnet_alpha_table1"), published_table("zerosnet/table1"))
    assert comparison.summary_rows()[-1] == {
        "row": "PreResNet-32, alpha 1",
        "published": "93.19 ± 0.17 (n=3)",
        "here": "90.00 ± 1.00 (n=3)",
        "difference": "-3.19 ± 2.39",
        "within": "no",
        "state": "compared",
    }
    table8 = compare(queued("comparison_table4"), published_table("zerosnet/table8"))
    assert table8.summary_rows()[0]["published"] == "270,000"
    assert table8.summary_rows()[0]["difference"] == "+2,384"
    table10 = compare(queued("quickstart"), published_table("zerosnet/table10"))
    assert table10.summary_rows()[1]["here"] == "2.18, 1.00, 0.57"
    assert table10.summary_rows()[1]["difference"] == "+0.00"
    table7 = compare(queued("generalization_gap_table7"), published_table("zerosnet/table7"))
    assert [row["metric"] for row in table7.summary_rows()[:3]] == [
        "train_accuracy",
        "test_accuracy",
        "generalization_gap",
    ]


def test_errors_are_shown_as_printed_and_kept_as_accuracies():
    comparison = compare(finished("lm_resnet_cifar10"), published_table("lm_resnet/table2"))
    (accuracy, size) = [
        row for row in comparison.summary_rows() if row["row"] == "LM-ResNet (Ours), 20, pre-act"
    ]
    assert accuracy == {
        "row": "LM-ResNet (Ours), 20, pre-act",
        "metric": "test_error",
        "published": "8.33",
        "here": "10.00 ± 1.00 (n=3)",
        "difference": "+1.67",
        "within": "unknown",
        "state": "compared",
        "note": None,
    }
    assert (size["metric"], size["published"]) == ("parameters", "270,000")
    found = next(row for row in comparison.rows() if row["label"] == accuracy["row"])
    assert (found["metric"], found["unit"]) == ("test_accuracy", "percent wrong")
    assert (found["published_as_printed"], found["published_mean"]) == (8.33, 91.67)
    assert (found["our_as_printed"], found["our_mean"]) == (10, 90)
    assert found["difference"] == pytest.approx(-1.67)
    rank = comparison.ranks[0]
    assert (rank.metric, rank.tau) == ("test_accuracy", None)


def test_a_table_of_nothing_but_errors_says_that_they_are():
    compared = compare(
        finished("lm_resnet_stochastic_depth_table4"), published_table("lm_resnet/table4")
    )
    rows = compared.summary_rows()
    assert {row["metric"] for row in rows} == {"test_error"}
    assert rows[-1]["published"] == f"{100 - compared.compared[-1].published.mean:.2f}"


def test_a_number_is_printed_as_it_was_read():
    for table in PUBLISHED.values():
        for row in compare([], table).rows():
            unit = UNITS[row["unit"]]
            printed = row["published_as_printed"]
            assert unit.value(repr(printed)) == pytest.approx(row["published_mean"], rel=1e-12)
            assert row["our_as_printed"] is None


def test_comparison_sentences_name_source_conditions_and_ranks():
    rows, table = finished("zero_stability_fashion_mnist"), published_table("zerosnet/table3")
    sentences = compare(rows, table).sentences()
    assert sentences[:2] == [
        "ZeroSNet, Table 3: Ten third-order schemes at three depths, on CIFAR-10",
        "conditions: dataset: fashion_mnist here, cifar10 in the paper",
    ]
    assert sum(sentence.startswith("ranks: test_accuracy, cifar10") for sentence in sentences) == 1
    assert "30 published rows: 10 compared, 20 missing" in sentences


# --- ImageNet -----------------------------------------------------------------------------------


def top5(row, value):
    """What a trainer reports beside the accuracy."""
    said = {"better": "higher", "unit": "percent", "decimals": 2, "label": None}
    row["metrics"] = [{"name": "test_top5_accuracy", "value": value, **said}]


def test_top1_and_top5_are_shown_beside_the_published_ones_as_errors_where_they_print_errors():
    rows = queued("newton_resnet_imagenet_table6")
    for row, error in zip(rows, (23.5, 22.9, 22.0), strict=True):
        finish(row, 100 - error, spread=0)
        top5(row, 100 - error / 4)
    comparison = compare(rows, published_table("newton/table6"))
    assert states(comparison)["compared"] == 6
    assert comparison.conditions == ()
    first, second, *_ = comparison.summary_rows()
    assert {key: first[key] for key in ("metric", "published", "here", "difference")} == {
        "metric": "test_error",
        "published": "23.570 (n=1)",
        "here": "23.500 (n=1)",
        "difference": "-0.070",
    }
    assert (second["metric"], second["published"]) == ("test_top5_error", "6.838 (n=1)")
    assert (second["here"], second["difference"]) == ("5.875 (n=1)", "-0.963")
    assert {rank.metric: rank.tau for rank in comparison.ranks} == {
        "test_accuracy": pytest.approx(1),
        "test_top5_accuracy": pytest.approx(1),
    }


def test_runs_that_are_not_done_may_still_report_a_metric():
    rows = queued("imagenet_table5")
    table = published_table("zerosnet/table5")
    assert states(compare(rows, table))["unfinished"] == 12
    for row in rows:
        finish(row, 70)
    assert line(compare(rows, table), "PreResNet-18", "test_top5_accuracy").note == (
        "runs have no test_top5_accuracy"
    )
    for row in rows:
        row |= {"test_accuracy": None, "diverged": True}
    assert line(compare(rows, table), "PreResNet-18", "test_top5_accuracy").note == (
        "its run diverged, and has no test_top5_accuracy"
    )


def test_images_a_second_and_megabytes_are_compared_by_the_ratios_of_the_networks():
    rows = finished("newton_resnet_imagenet_table6")
    values = {"model_megabytes": (102, 140, 178), "test_images_per_second[256]": (4000, 3000, 2800)}
    probes = [
        {"run_id": row["run_id"], "probe": "runtime", "quantity": quantity, "epoch": 90,
         "layer": "", "value": value}
        for quantity, measured in values.items()
        for row, value in zip(rows, measured, strict=True)
    ]  # fmt: skip
    comparison = compare(rows, published_table("newton/table6"), probes=probes)
    assert [str(ratio) for ratio in comparison.ratios] == [
        "newton_resnet over resnet, test_images_per_second[256]: 0.882 in the paper, 0.750 here;"
        " the same direction",
        "ResNet101, inference over ResNet50, inference, test_images_per_second[256]: 0.729 in the"
        " paper, 0.700 here; the same direction",
        "newton_resnet over resnet, model_megabytes: 1.369 in the paper, 1.373 here; the same"
        " direction",
        "ResNet101, size over ResNet50, size, model_megabytes: 1.744 in the paper, 1.745 here; the"
        " same direction",
    ]
    shown = {row["row"]: row for row in comparison.summary_rows()}
    assert shown["ResNet50, inference"]["here"] == "4000.00 (n=1)"
    without = compare(rows, published_table("newton/table6"))
    assert line(without, "ResNet50, inference", "inference_speed").note.endswith(
        "the runs lack test_images_per_second[256]: add the probe {probe: runtime, batch_sizes:"
        " [256]}"
    )


def test_a_run_of_the_resnet_of_another_body_is_another_network():
    rows = finished("newton_resnet_imagenet_table6")
    for row in rows:
        row["dataset"] = "digits"
    comparison = compare(rows, published_table("newton/table1"))
    assert comparison.count("missing") == 8
    assert len(comparison.unmatched) == 3
