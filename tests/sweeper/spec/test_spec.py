from __future__ import annotations

import random
import tempfile
from fractions import Fraction
from io import StringIO
from math import prod
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

import sweeper.spec.spec
from results.store.store import Store
from saved_specs import save_spec
from sweeper.errors import SpecError
from sweeper.spec.run_configs import resolve
from sweeper.spec.spec import load_spec, spec_from_text
from trainers.methods.multistep import zerosnet
from trainers.methods.scheme_config import SchemeConfig
from trainers.models import MODELS

BASE = "model: zerosnet\ndepth: 20\ndataset: digits\n"


def read(text: str, base: str = BASE):
    return spec_from_text(base + text, "s.yaml")


def configs(text: str, base: str = BASE):
    return read(text, base).configs


def ids(text: str, base: str = BASE) -> list[str]:
    return [config.run_id for config in configs(text, base)]


def test_a_spec_without_axes_is_one_run():
    (config,) = configs("seed: 3\n")
    assert (config.model.name, config.model.depth, config.seed) == ("zerosnet", 20, 3)


def test_the_grid_is_a_product_in_spec_order():
    found = configs("grid:\n  depth: [32, 20]\n  seed: [1, 0]\n")
    assert [(c.model.depth, c.seed) for c in found] == [(32, 1), (32, 0), (20, 1), (20, 0)]


def test_zipped_axes_vary_together():
    found = configs("zip:\n  depth: [20, 32, 44]\n  seed: [1, 2, 3]\n")
    assert [(c.model.depth, c.seed) for c in found] == [(20, 1), (32, 2), (44, 3)]


def test_zip_groups_are_crossed_with_each_other_and_the_grid():
    found = configs(
        "zip:\n"
        "  - {depth: [20, 32], seed: [1, 2]}\n"
        "  - {training.epochs: [5, 6], precision: [fp32, bf16]}\n"
        "grid:\n  training.batch_size: [64, 128]\n"
    )
    points = [
        (c.training.batch_size, c.model.depth, c.seed, c.training.epochs, c.precision)
        for c in found
    ]
    assert len(points) == 8
    assert points[:3] == [
        (64, 20, 1, 5, "fp32"),
        (64, 20, 1, 6, "bf16"),
        (64, 32, 2, 5, "fp32"),
    ]


def test_compile_can_be_an_axis_and_auto_is_decided_per_run():
    found = configs("grid:\n  compile: [false, true]\n  seed: [0, 1]\n")
    assert [c.compile for c in found] == [None, None, True, True]
    found = configs("compile: auto\ngrid:\n  training.epochs: [1, 100000]\n")
    assert [c.compile for c in found] == [None, True]


def test_probes_are_part_of_the_config_and_can_be_an_axis():
    (found,) = configs("probes: [runtime, {probe: feature_norms, every: 2}]\n")
    assert [probe.probe for probe in found.probes] == ["feature_norms", "runtime"]
    assert found.probes[0].every == 2
    found = configs("grid:\n  probes: [[], [runtime]]\n  seed: [0, 1]\n")
    assert [c.probes is None for c in found] == [True, True, False, False]
    assert len({c.run_id for c in found}) == 4
    (found,) = configs("probes: []\n")
    assert found.run_id == configs("")[0].run_id
    (excluding,) = configs(
        "grid:\n  probes: [[feature_norms], [runtime]]\nexclude: [{probes: [runtime]}]\n"
    )
    assert [probe.probe for probe in excluding.probes] == ["feature_norms"]


@pytest.mark.parametrize("nothing", ["", " {}", " []", " [{}]"])
def test_an_empty_zip_varies_nothing(nothing):
    assert len(configs(f"zip:{nothing}\n")) == 1


def test_any_setting_can_be_an_axis():
    found = configs(
        "grid:\n"
        "  training.optimizer.lr: [0.1, 1/20]\n"
        "  dataset.subset: [100, 200]\n"
        "  model.width: [8, 16]\n"
        "  precision: [fp32, bf16]\n"
        "  training.lr_schedule.milestones: [[1/2], [1/2, 3/4]]\n"
    )
    assert len(found) == 32
    assert {c.training.optimizer.lr for c in found} == {0.1, 0.05}
    assert {c.dataset.subset for c in found} == {100, 200}
    assert {c.model.width for c in found} == {8, 16}
    assert {c.precision for c in found} == {"fp32", "bf16"}
    assert {c.training.lr_schedule.milestones for c in found} == {(80,), (80, 120)}


def test_an_optimizer_may_be_a_name_alone_and_its_options_an_axis():
    found = configs(
        "training: {optimizer: adamw}\n"
        "grid:\n  training.optimizer.betas: [[0.9, 0.99], [0.9, 0.999]]\n"
    )
    assert [c.training.optimizer.betas for c in found] == [(0.9, 0.99), (0.9, 0.999)]
    assert {c.training.optimizer.name for c in found} == {"adamw"}
    axis = "grid:\n  training.optimizer: [sgd, adam, {name: adam, lr: 0.1}]\n"
    assert [c.training.optimizer.name for c in configs(axis)] == ["sgd", "adam", "adam"]
    (left,) = configs(axis + "exclude: [{training.optimizer: adam}]\n")
    assert left.training.optimizer.name == "sgd"


def test_an_axis_leaves_sibling_settings_unchanged():
    found = configs(
        "training:\n  epochs: 3\n  optimizer: {momentum: 0.5}\n"
        "grid:\n  training.optimizer.lr: [0.1, 0.2]\n"
    )
    assert {(c.training.epochs, c.training.optimizer.momentum) for c in found} == {(3, 0.5)}


def test_another_model_on_an_axis_keeps_depth_and_has_its_default_scheme():
    found = configs("grid:\n  model: [preresnet, lm_resnet, zerosnet, tm_resnet]\n")
    assert [c.model.name for c in found] == ["preresnet", "lm_resnet", "zerosnet", "tm_resnet"]
    assert {c.model.depth for c in found} == {20}
    assert [c.scheme for c in found] == [
        SchemeConfig.model_validate(MODELS[c.model.name].default_scheme) for c in found
    ]
    assert [str(c.scheme) for c in found] == [
        "1; 1",
        "k_n from U[-0.1, 0]",
        "1/3, 5/9, 1/9; 16/9",
        "1.5, -1, 0.5; 1",
    ]


def test_a_model_on_an_axis_can_set_its_own_depth():
    found = configs("grid:\n  model: [preresnet, {name: zerosnet, depth: 32, width: 8}]\n")
    assert [(c.model.name, c.model.depth, c.model.width) for c in found] == [
        ("preresnet", 20, 16),
        ("zerosnet", 32, 8),
    ]


def test_a_scheme_given_once_applies_to_every_model():
    found = configs("scheme: {lambda: 10}\ngrid:\n  model: [preresnet, zerosnet]\n")
    assert len({str(c.scheme) for c in found}) == 1


def test_depth_can_be_given_inside_the_model():
    inside = "model: {name: zerosnet, depth: 20}\ndataset: {name: digits}\n"
    assert ids("", inside) == ids("")


def test_fractions_are_accepted_wherever_numbers_are():
    as_fractions = ids(
        "scheme: {alpha: [1/3, 5/9, 1/9], beta: 16/9}\n"
        "training:\n  optimizer: {lr: 1/10, momentum: 9/10, weight_decay: 1/10000}\n"
        "  lr_schedule: {milestones: [1/2, 3/4], gamma: 1/10}\n"
    )
    as_decimals = ids(
        "training:\n  optimizer: {lr: 0.1, momentum: 0.9, weight_decay: 1e-4}\n"
        "  lr_schedule: {milestones: [0.5, 0.75], gamma: 0.1}\n"
    )
    assert as_fractions == as_decimals == ids("scheme: {lambda: -9/5}\n") == ids("")


def test_coefficients_are_read_as_they_are_written_to_the_last_digit():
    written = [
        "1/3", "0.3333333333333333", "0.33333333333333333", "0.333333333333333333",
        "33333333333333333333/100000000000000000000",
    ]  # fmt: skip
    axis = "], [".join(written)
    found = configs(f"scheme: {{beta: 1}}\ngrid:\n  scheme.alpha: [[{axis}]]\n")
    assert [c.scheme.fixed.alpha[0] for c in found] == [Fraction(text) for text in written]
    assert len({c.run_id for c in found}) == len(written)
    lambda_ = configs("scheme: {lambda: 0.33333334}\n")[0].scheme.fixed
    assert lambda_ == zerosnet("0.33333334")


def test_a_run_written_twice_is_planned_once():
    found = configs(
        "grid:\n  scheme: [{lambda: -9/5}, {alpha: [1/3, 5/9, 1/9], beta: 16/9}]\n  seed: [0, 1]\n"
    )
    assert [c.seed for c in found] == [0, 1]


def test_include_adds_points_with_any_settings():
    found = configs(
        "grid:\n  seed: [0, 1]\n"
        "include:\n"
        "  - {seed: 7, training.epochs: 3, model: preresnet}\n"
        "  - {depth: 44, scheme: {lambda: 10}}\n"
    )
    assert len(found) == 4
    assert (found[2].seed, found[2].training.epochs, found[2].model.name) == (7, 3, "preresnet")
    assert found[2].model.depth == 20
    assert (found[3].seed, found[3].model.depth) == (0, 44)


def test_an_included_point_already_in_the_grid_is_planned_once():
    assert len(configs("grid:\n  seed: [0, 1]\ninclude:\n  - {seed: 1}\n")) == 2


def test_include_without_axes_gives_only_its_points():
    assert [c.seed for c in configs("include:\n  - {seed: 3}\n  - {seed: 4}\n")] == [3, 4]


def test_enclosing_settings_are_applied_first_in_any_order():
    first = ids("grid:\n  model: [preresnet, zerosnet]\n  model.width: [8]\n")
    second = ids("grid:\n  model.width: [8]\n  model: [preresnet, zerosnet]\n")
    assert first == second
    found = configs("grid:\n  model.width: [8]\n  model: [preresnet, zerosnet]\n")
    assert {c.model.width for c in found} == {8}
    assert ids("include:\n  - {model.width: 8, model: preresnet}\n") == first[:1]


@pytest.mark.parametrize(
    "entry",
    [
        "{scheme: {lambda: -9/5}}",
        "{scheme: {lambda: -1.8}}",
        "{scheme: {alpha: [1/3, 5/9, 1/9], beta: 16/9}}",
        "{scheme: {alpha: [3/9, 5/9, 1/9], beta: 16/9}}",
        "{scheme: [{lambda: 77}, {lambda: -9/5}]}",
        "{scheme: {lambda: -9/5}, depth: [20, 32, 44]}",
        "{scheme: null}",
    ],
)
def test_exclude_matches_equivalent_spellings(entry):
    found = configs(
        "grid:\n  scheme: [{lambda: 10}, {lambda: -9/5}]\n  depth: [20, 32]\n"
        f"exclude:\n  - {entry}\n"
    )
    assert [(str(c.scheme), c.model.depth) for c in found] == [
        ("0.825, -0.1, 0.275; 1.45", 20),
        ("0.825, -0.1, 0.275; 1.45", 32),
    ]


def test_exclude_needs_all_values_of_an_entry_to_match():
    found = configs(
        "grid:\n  depth: [20, 32]\n  seed: [0, 1]\nexclude:\n  - {depth: 20, seed: 1}\n"
    )
    assert [(c.model.depth, c.seed) for c in found] == [(20, 0), (32, 0), (32, 1)]


def test_many_entries_of_exclude_are_looked_up_and_not_tried_one_by_one(monkeypatch):
    rates, seeds, resolved = [0.1, 0.2, 0.3, 0.4], range(20), []
    left_out = [(rate, seed) for rate in rates for seed in seeds if (seed + rates.index(rate)) % 3]

    def count(point, own):
        if any(origin[0] == "exclude" for origin in point.origins.values()):
            resolved.append(point)
        return resolve(point, own)

    monkeypatch.setattr(sweeper.spec.spec, "resolve", count)
    entries = "".join(f"\n  - {{training.optimizer.lr: {r}, seed: {s}}}" for r, s in left_out)
    axes = f"grid:\n  training.optimizer.lr: {rates}\n  seed: {list(seeds)}\n"
    found = {(c.training.optimizer.lr, c.seed) for c in configs(f"{axes}exclude:{entries}\n")}
    assert found == {(rate, seed) for rate in rates for seed in seeds} - set(left_out)
    # Each rate in the place of each, once.
    assert len(resolved) == len(rates) ** 2


def test_exclude_lists_match_any_listed_value_or_the_list_itself():
    assert [
        c.seed for c in configs("grid:\n  seed: [0, 1, 2]\nexclude: [{seed: [0, 2, 9]}]\n")
    ] == [1]
    axis = "grid:\n  training.lr_schedule.milestones: [[1/2], [1/4]]\n"
    (left,) = configs(axis + "exclude: [{training.lr_schedule.milestones: [80]}]\n")
    assert left.training.lr_schedule.milestones == (40,)


def test_exclude_treats_a_full_subset_as_no_subset():
    found = configs("grid:\n  dataset.subset: [100, 1297]\nexclude: [{dataset: {name: digits}}]\n")
    assert [c.dataset.subset for c in found] == [100]


@pytest.mark.parametrize(
    "entry", ["model: preresnet", "model: [preresnet, tm_resnet]", "model.name: preresnet"]
)
def test_excluding_a_model_by_name_ignores_its_options(entry):
    found = configs(
        "grid:\n  model: [preresnet, zerosnet]\n  model.width: [8, 16]\n"
        f"exclude:\n  - {{{entry}, model.width: 8}}\n"
    )
    assert [(c.model.name, c.model.width) for c in found] == [
        ("preresnet", 16),
        ("zerosnet", 8),
        ("zerosnet", 16),
    ]


def test_excluding_a_dataset_by_name_ignores_its_options():
    found = configs(
        "grid:\n  dataset: [{name: digits, subset: 9}, fashion_mnist]\n"
        "exclude: [{dataset: digits}]\n"
    )
    assert [c.dataset.name for c in found] == ["fashion_mnist"]


def test_exclude_also_removes_included_points():
    found = configs("grid:\n  seed: [0, 1]\ninclude: [{seed: 5}]\nexclude: [{seed: 5}]\n")
    assert [c.seed for c in found] == [0, 1]


def test_a_spec_keeps_description_evaluations_and_resources():
    spec = read(
        "description: about\npublished: zerosnet/table3\n"
        "evaluations:\n  - {noise: uniform, low: -2/25, high: 0}\n  - {noise: constant, mu: 0.3}\n"
        "resources: {cpus: 3/2, gpus: 1/4}\n"
    )
    assert (spec.description, spec.published) == ("about", "zerosnet/table3")
    assert [e.name for e in spec.evaluations] == ["uniform[-0.08,0]", "constant[0.3]"]
    assert (spec.resources.cpus, spec.resources.gpus, spec.resources.threads) == (1.5, 0.25, 1)
    assert [c.run_id for c in spec.configs] == ids("")


def test_empty_spec_keys_count_as_absent():
    keys = "name description published scheme seed training precision trainer grid zip include"
    text = "".join(f"{key}:\n" for key in (*keys.split(), "exclude", "evaluations", "resources"))
    spec = read(text)
    assert [c.run_id for c in spec.configs] == ids("")
    assert spec.name == "s"
    assert spec.resources.cpus == 1


def test_a_sweep_is_named_after_its_file_unless_given(tmp_path):
    path = tmp_path / "table3.v2.yaml"
    path.write_text(BASE)
    spec = load_spec(path)
    assert (spec.name, spec.text, spec.source) == ("table3.v2", BASE, str(path))
    path.write_text(BASE + "name: mine\n")
    assert load_spec(path).name == "mine"


def test_every_shipped_spec_can_be_planned():
    specs = sorted((Path(__file__).parents[3] / "specs").glob("*.yaml"))
    assert specs
    for path in specs:
        spec = load_spec(path)
        assert spec.name == path.stem
        assert len({c.run_id for c in spec.configs}) == len(spec.configs)


AXES = {
    "depth": [20, 26, 32],
    "seed": [0, 1, 2, 3],
    "scheme": [{"lambda": 10}, {"lambda": "-9/5"}, {"k": "1/4"}, {"alpha": [1, 1, 1], "beta": 1}],
    "model": ["preresnet", "zerosnet"],
    "model.width": [8, 16],
    "precision": ["fp32", "bf16"],
    "training.optimizer.lr": [0.1, "1/20"],
    "dataset.subset": [100, 200],
}


def dump(data: dict) -> str:
    stream = StringIO()
    YAML(typ="safe", pure=True).dump(data, stream)
    return stream.getvalue()


@st.composite
def grids(draw):
    names = draw(st.lists(st.sampled_from(sorted(AXES)), unique=True, min_size=1, max_size=4))
    return {
        name: draw(
            st.lists(st.sampled_from(range(len(AXES[name]))), unique=True, min_size=1, max_size=3)
        )
        for name in names
    }


def spec_data(grid, **more):
    axes = {name: [AXES[name][i] for i in chosen] for name, chosen in grid.items()}
    return {"model": "zerosnet", "depth": 44, "dataset": "digits", "grid": axes, **more}


def expand(data, source="s.yaml"):
    return spec_from_text(dump(data), source)


@settings(max_examples=40, deadline=None)
@given(grids(), st.lists(st.integers(100, 104), max_size=4), st.data())
def test_runs_are_grid_plus_include_minus_exclude(grid, included, data):
    lengths = {name: len(values) for name, values in grid.items()}
    expected = prod(lengths.values())
    exclude = []
    name = data.draw(st.sampled_from(sorted(grid)))
    if lengths[name] > 1 and data.draw(st.booleans()):
        exclude = [{name: AXES[name][grid[name][0]]}]
        expected -= expected // lengths[name]
        # An included point has a value on every axis too, that of the base.
        base = {"model": "zerosnet", "model.width": 16, "precision": "fp32", "scheme": "-9/5"}
        base |= {"training.optimizer.lr": 0.1}
        value = exclude[0][name]
        if (value.get("lambda") if isinstance(value, dict) else value) == base.get(name):
            included = []
    spec = expand(spec_data(grid, include=[{"seed": s} for s in included], exclude=exclude))
    assert len(spec.configs) == expected + len(set(included))
    assert len({c.run_id for c in spec.configs}) == len(spec.configs)


def shuffled(value, rng: random.Random):
    if isinstance(value, dict):
        items = list(value.items())
        rng.shuffle(items)
        return {key: shuffled(item, rng) for key, item in items}
    return value


@settings(max_examples=30, deadline=None)
@given(grids(), st.randoms(use_true_random=False))
@pytest.mark.slow
def test_run_ids_do_not_depend_on_the_order_of_axes_values_or_keys(grid, rng):
    data = spec_data(grid, training={"epochs": 3, "optimizer": {"momentum": 0.5, "lr": 0.3}})
    other = shuffled(data, rng)
    for values in other["grid"].values():
        rng.shuffle(values)
    first, second = expand(data), expand(other)
    assert {c.run_id for c in first.configs} == {c.run_id for c in second.configs}


@settings(max_examples=15, deadline=None)
@given(grids(), st.sampled_from([(), ("training.epochs=2",), ("seed=[5, 6]", "precision=bf16")]))
@pytest.mark.slow
def test_expanding_and_saving_a_spec_again_adds_nothing(grid, overrides):
    evaluations = [{"noise": "gaussian", "std": 0.1}]
    first = spec_from_text(dump(spec_data(grid, evaluations=evaluations)), "s.yaml", overrides)
    second = spec_from_text(first.text, first.source, first.overrides)
    assert second == first

    with (
        tempfile.TemporaryDirectory() as folder,
        Store.open(f"sqlite:///{folder}/sweep.db") as store,
    ):
        assert save_spec(store, first).added == len(first.configs)
        stored = store.stored_spec("s")
        third = spec_from_text(stored.text, stored.source, stored.overrides)
        assert third == first
        change = save_spec(store, third)
        assert (change.added, change.removed, change.spec_changed) == (0, 0, False)
        assert change.already_known == len(first.configs)


def test_how_many_files_are_kept_is_no_part_of_a_run() -> None:
    text = "model: preresnet\ndepth: 8\ndataset: digits\n"
    plain, bounded = (
        spec_from_text(text + more, "s.yaml")
        for more in ("", "files: {max_bytes: 1.5GiB, max_count: 0}")
    )
    assert (plain.file_limits.max_bytes, plain.file_limits.max_count) == (100_000_000, 1_000)
    assert (bounded.file_limits.max_bytes, bounded.file_limits.max_count) == (3 * 2**29, 0)
    assert plain.configs == bounded.configs


@pytest.mark.parametrize("size", ["many", "-1", "true", "[1]", "2TiB", ".nan"])
def test_a_size_that_is_none_is_an_error_at_its_place(size: str) -> None:
    text = f"model: preresnet\nfiles: {{max_bytes: {size}}}\n"
    problem = "^s.yaml:2:9: files.max_bytes: .* is no size: a number of bytes up to a TiB"
    with pytest.raises(SpecError, match=problem):
        spec_from_text(text, "s.yaml")
