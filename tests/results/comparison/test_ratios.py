"""A table of what a probe measures: ours next to theirs, and the ratios of both networks."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.comparison import compare, probes_needed
from results.published import PUBLISHED, published_table
from sweeper.planning.plan import new_run
from sweeper.spec.spec import load_spec

TABLE = published_table("zerosnet/table9")
SPEC = load_spec(Path(__file__).parents[3] / "specs" / "runtime_table9.yaml")
SIZES = (128, 512, 4096)
WHY = "a runtime of the authors' server, not a property of the network"
ADD = "add the probe {probe: runtime, batch_sizes: [128, 512, 4096]}"


def runs(state="done", **settings):
    """PreResNet20 and ZeroSNet20 as the spec has them, but for these parts of their configs."""
    rows = [asdict(new_run(config)) for config in SPEC.configs]
    for row in rows:
        row |= {
            "sweep": "s",
            "state": state,
            "evaluations": [],
            "metrics": [],
            "diverged": False,
            "attempts": 1,
        }
        row["config"] |= settings
    return rows


def values(run, seconds, *, sizes=SIZES, parts=("train", "test"), epoch=1):
    return [
        {
            "run_id": run["run_id"], "probe": "runtime", "quantity": f"{part}_seconds[{size}]",
            "epoch": epoch, "layer": "", "value": seconds,
        }
        for part in parts
        for size in sizes
    ]  # fmt: skip


def line(comparison, label):
    (found,) = [row for row in comparison.compared if row.published.label == label]
    return found


def test_each_runtime_row_names_a_quantity_the_specs_probe_measures():
    assert probes_needed(TABLE) == ("runtime",)
    assert [name for name in PUBLISHED if probes_needed(PUBLISHED[name])] == [
        "zerosnet/table9",
        "newton/table6",
    ]
    names = {row.label: row.quantity.name for row in TABLE.rows}
    assert len(names) == 12
    assert names["PreResNet20, training, batch size 128"] == "train_seconds[128]"
    assert names["ZeroSNet20, test, batch size 4096"] == "test_seconds[4096]"
    for row in TABLE.rows:
        assert all(row.quantity.asked_by(config.to_json()) for config in SPEC.configs)
        assert not row.quantity.asked_by({"model": {"name": "preresnet"}})


def test_runtimes_are_shown_next_to_the_published_ones_without_a_difference():
    pre, zero = runs()
    comparison = compare([pre, zero], TABLE, probes=values(pre, 8.0) + values(zero, 10.0))
    assert comparison.count("not comparable") == 12
    found = line(comparison, "ZeroSNet20, test, batch size 512")
    assert (found.published.mean, found.ours.mean, found.ours.runs) == (143, 10.0, 1)
    assert found.difference is found.within is found.joint_uncertainty is None
    assert found.note == WHY
    assert comparison.unmatched == ()
    assert comparison.ranks == comparison.conditions == ()


def test_runtime_ratios_relate_both_networks_in_the_same_quantity():
    pre, zero = runs()
    probes = values(pre, 8.0) + values(zero, 10.0)
    comparison = compare([pre, zero], TABLE, probes=probes)
    assert [ratio.quantity for ratio in comparison.ratios] == [
        f"{part}_seconds[{size}]" for part in ("train", "test") for size in SIZES
    ]
    assert {(ratio.model, ratio.over) for ratio in comparison.ratios} == {("zerosnet", "preresnet")}
    assert [ratio.published for ratio in comparison.ratios] == [
        1662 / 1532, 829 / 829, 928 / 913, 151 / 142, 143 / 140, 220 / 212,
    ]  # fmt: skip
    assert {ratio.here for ratio in comparison.ratios} == {1.25}
    # 829 s are printed for both: no direction that ours could have.
    assert [ratio.agrees for ratio in comparison.ratios] == [True, None, True, True, True, True]
    assert [str(ratio) for ratio in comparison.ratios[:2]] == [
        "zerosnet over preresnet, train_seconds[128]: 1.085 in the paper, 1.250 here; the same"
        " direction",
        "zerosnet over preresnet, train_seconds[512]: 1.000 in the paper, 1.250 here; the paper's"
        " numbers are equal, so that there is no direction",
    ]
    assert any("on the same machine" in note for note in comparison.notes)


PAIR = runs()


@given(st.floats(0.01, 1e4), st.floats(0.01, 1e4))
def test_the_ratio_agrees_if_the_same_network_takes_longer(preresnet, zerosnet):
    pre, zero = PAIR
    probes = values(pre, preresnet) + values(zero, zerosnet)
    ratio = compare(PAIR, TABLE, probes=probes).ratios[0]
    assert ratio.here == pytest.approx(zerosnet / preresnet)
    # In the paper ZeroSNet does.
    assert ratio.agrees == (ratio.here > 1)
    assert ("the same direction" in str(ratio)) == ratio.agrees


def test_the_runtime_ratio_is_of_means_over_seeds():
    rows = []
    probes = []
    for seed, (one, other) in enumerate([(4.0, 6.0), (6.0, 9.0)]):
        for run, seconds in zip(runs(seed=seed), (one, other), strict=True):
            rows.append(run | {"run_id": f"{seed}{run['model']}", "seed": seed})
            probes += values(rows[-1], seconds)
    comparison = compare(rows, TABLE, probes=probes)
    found = line(comparison, "PreResNet20, training, batch size 128")
    assert (found.ours.mean, found.ours.runs) == (5.0, 2)
    assert {ratio.here for ratio in comparison.ratios} == {1.5}


def test_runtime_ratios_use_the_last_epochs_whole_network_value():
    pre, zero = runs()
    early = values(pre, 99.0, epoch=0)
    layer = [{**row, "layer": "block1", "epoch": 7} for row in values(pre, 77.0)]
    comparison = compare([pre, zero], TABLE, probes=layer + values(pre, 8.0) + early)
    assert line(comparison, "PreResNet20, test, batch size 128").ours.mean == 8.0
    # Without the other network there is no ratio, and nothing to say of machines.
    assert comparison.ratios == ()
    assert not any("same machine" in note for note in comparison.notes)


def test_runs_without_the_probe_or_batch_size_say_what_to_add():
    pre, zero = runs()
    probes = values(pre, 8.0, sizes=(128,)) + values(zero, 10.0, sizes=(128, 512))
    comparison = compare([pre, zero], TABLE, probes=probes)
    assert line(comparison, "PreResNet20, test, batch size 128").note == WHY
    lacking = line(comparison, "PreResNet20, test, batch size 512")
    assert (lacking.state, lacking.ours) == ("not comparable", None)
    assert lacking.note == f"{WHY}; the runs lack test_seconds[512]: {ADD}"
    assert {ratio.quantity for ratio in comparison.ratios} == {
        "train_seconds[128]",
        "test_seconds[128]",
    }
    without = compare([pre, zero], TABLE)
    assert {row.note for row in without.compared} == {
        f"{WHY}; the runs lack {part}_seconds[{size}]: {ADD}"
        for part in ("train", "test")
        for size in SIZES
    }


def test_unfinished_runs_say_what_to_add_before_they_train():
    found = compare(runs("queued"), TABLE)
    assert found.count("unfinished") == 12
    assert found.compared[0].note == f"{WHY}; 1 queued"
    one_size = [{"probe": "runtime", "batch_sizes": [512], "batches": 5}]
    found = compare(runs("queued", probes=one_size), TABLE)
    assert found.count("unfinished") == 4
    first = line(found, "PreResNet20, training, batch size 128")
    assert (first.state, first.note) == (
        "not comparable",
        f"{WHY}; the runs lack train_seconds[128]: {ADD}",
    )
    assert line(found, "PreResNet20, training, batch size 512").state == "unfinished"


def test_runs_without_the_probe_do_not_hide_those_with_it():
    pre, zero = runs()
    bare = {**pre, "run_id": "f" * 16, "config": {**pre["config"]}}
    del bare["config"]["probes"]
    found = compare([bare, pre, zero], TABLE, probes=values(pre, 8.0) + values(zero, 10.0))
    first = line(found, "PreResNet20, training, batch size 128")
    assert first.ours.mean == 8.0
    assert first.note == f"{WHY}; 1 run under other settings left out"
    assert len(found.ratios) == 6


@pytest.mark.parametrize(
    ("diverged", "reason"),
    [
        (True, "its run diverged, and has no runtime"),
        (False, "no run has a finite runtime: 1 not finite"),
    ],
)
def test_a_runtime_that_is_not_finite_has_no_ratio(diverged, reason):
    pre, zero = runs()
    zero["diverged"] = diverged
    found = compare([pre, zero], TABLE, probes=values(pre, 8.0) + values(zero, None))
    assert line(found, "ZeroSNet20, test, batch size 128").note == f"{WHY}; {reason}"
    assert line(found, "PreResNet20, test, batch size 128").ours.mean == 8.0
    assert found.ratios == ()


def test_networks_run_under_two_settings_have_no_ratio():
    (pre, _), (_, zero) = runs(), runs(precision="bf16")
    found = compare([pre, zero], TABLE, probes=values(pre, 8.0) + values(zero, 10.0))
    assert len(found.ratios) == 6
    assert {(r.here, r.agrees, r.differing) for r in found.ratios} == {(None, None, ("precision",))}
    assert str(found.ratios[0]) == (
        "zerosnet over preresnet, train_seconds[128]: 1.085 in the paper, unknown here, as the"
        " runs differ in precision"
    )


def test_runtimes_on_another_dataset_note_it_as_a_condition():
    rows = runs(dataset={"name": "digits", "crop_padding": 4, "horizontal_flip": True})
    rows = [row | {"dataset": "digits"} for row in rows]
    probes = [value for row in rows for value in values(row, 8.0, sizes=(128,))]
    found = compare(rows, TABLE, probes=probes)
    assert found.conditions == ("dataset: digits here, cifar10 in the paper",)
    assert any(note.startswith("conditions differ from the paper's") for note in found.notes)
    assert [ratio.agrees for ratio in found.ratios] == [False, False]  # equal here


def test_comparison_rows_and_json_include_the_ratios():
    pre, zero = runs()
    found = compare([pre, zero], TABLE, probes=values(pre, 8.0) + values(zero, 10.0))
    by_label = {row["label"]: row for row in found.rows()}
    first = by_label["PreResNet20, training, batch size 128"]
    assert (first["quantity"], first["our_mean"]) == ("train_seconds[128]", 8.0)
    assert first["ratio_to"] is first["published_ratio"] is first["our_ratio"] is None
    other = by_label["ZeroSNet20, training, batch size 128"]
    assert (other["ratio_to"], other["our_ratio"], other["ratio_agrees"]) == (
        "preresnet", 1.25, True,
    )  # fmt: skip
    assert other["published_ratio"] == pytest.approx(1662 / 1532)
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert document["ratios"][0] == {
        "model": "zerosnet",
        "over": "preresnet",
        "quantity": "train_seconds[128]",
        "published": 1662 / 1532,
        "here": 1.25,
        "agrees": True,
        "differing": [],
    }
    assert f"ratios: {found.ratios[0]}" in found.sentences()
