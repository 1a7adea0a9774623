"""Whether the rows of an archive are what their configs say."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from sweeper.planning.archived import check_evaluation, check_run, complete_run
from sweeper.planning.plan import new_evaluation, new_runs
from sweeper.spec.spec import spec_from_text
from trainers.config.canonical import identity_of_json
from trainers.config.run import RunConfig

SPEC = """
name: mine
model: zerosnet
dataset: {name: digits, subset: 64}
training: {epochs: 3}
depth: 8
grid:
  scheme: [{lambda: -9/5}, {alpha: [0.1, 0.2, 0.7], beta: 1}, {lambda: 1, trainable: true}]
  seed: [0, 1]
evaluations:
  - {noise: gaussian, std: 0.1}
  - {noise: uniform, low: -0.08, high: 0}
  - {noise: constant, value: 0.3}
  - {attack: fgsm, epsilon: 8/255}
  - {attack: pgd, epsilon: 8/255, steps: 3}
"""


@pytest.fixture(scope="module")
def spec():
    return spec_from_text(SPEC, "s.yaml")


@pytest.fixture(autouse=True)
def uncounted(monkeypatch):
    """No network is counted, which takes torch."""
    monkeypatch.setattr(RunConfig, "parameters", 7)


@pytest.fixture
def row(spec):
    """A run of the spec as an archive has it."""
    return asdict(new_runs(spec.configs[:1])[0])


@pytest.fixture
def measured(spec):
    return asdict(new_evaluation(spec.evaluations[0]))


def of_another_id(row, key, config):
    return row | {"config": config, key: identity_of_json(config)}


def test_the_identity_of_json_is_that_of_the_config_it_was_made_of(spec):
    for config in spec.configs:
        assert identity_of_json(config.to_json()) == config.run_id
    for evaluation in spec.evaluations:
        assert identity_of_json(evaluation.config) == evaluation.evaluation_id


def test_a_run_that_is_what_its_config_says_stays_as_it_is(spec):
    for run in new_runs(spec.configs):
        check_run(asdict(run))
        assert complete_run(asdict(run)) == asdict(run)
    for evaluation in spec.evaluations:
        check_evaluation(asdict(new_evaluation(evaluation)))


def test_a_run_of_another_config_under_its_id_is_refused(row):
    training = row["config"]["training"] | {"optimizer": {"name": "sgd", "lr": 0.5}}
    with pytest.raises(ValueError, match=f"run {row['run_id']} is not what its config says"):
        check_run(row | {"config": row["config"] | {"training": training}})
    for config in ({}, {"seed": 2**60}, {"a": [float("nan")]}):
        with pytest.raises(ValueError, match=f"run {row['run_id']}"):
            check_run(row | {"config": config})


@pytest.mark.parametrize(
    ("column", "value"),
    [("model", "resnet"), ("depth", 20), ("dataset", "cifar10"), ("seed", 7), ("epochs", 160)],
)
def test_a_run_that_contradicts_its_config_is_refused(row, column, value):
    with pytest.raises(ValueError, match=f"{column}.*and its config says|{value} epochs, and its"):
        check_run(row | {column: value})


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("zero_stable", False), ("root_moduli", [9.0]), ("alpha", [1.0]), ("beta", None),
        ("scheme", "1, 1, 1; 1"), ("order", 9), ("trainable", True), ("consistent", None),
    ],
)  # fmt: skip
def test_what_follows_from_a_scheme_is_computed_and_not_believed(row, column, value):
    check_run(row | {column: value})
    assert complete_run(row | {column: value}) == row


@pytest.mark.parametrize(
    "change",
    [
        {"model": {"name": "of_a_plugin", "depth": 8}}, {"dataset": {"name": "of_a_plugin"}},
        {"scheme": {"of": "another version"}}, {"scheme": {"alpha": [1] * 1000, "beta": 1}},
        {"recipe_version": 99},
    ],
)  # fmt: skip
def test_a_config_that_cannot_be_read_here_is_taken_as_it_is(row, change):
    config = row["config"] | change
    names = {key: part["name"] for key, part in change.items() if "name" in dict_of(part)}
    odd = of_another_id(row, "run_id", config) | names
    check_run(odd)
    assert complete_run(odd) == odd
    with pytest.raises(ValueError, match="has seed 7"):
        check_run(odd | {"seed": 7})


def dict_of(value):
    return value if isinstance(value, dict) else {}


def test_no_part_of_a_foreign_config_makes_the_program_look_at_a_file(row, tmp_path, monkeypatch):
    def opened(*arguments, **options):
        raise AssertionError("a file was looked at")

    dataset = {"name": "image_folder", "folder": "a" * 200, "classes": 2, "size": 8}
    odd = of_another_id(row, "run_id", row["config"] | {"dataset": dataset})
    for name in ("open", "os.open", "os.stat", "os.scandir", "pathlib.Path.open"):
        target = f"builtins.{name}" if name == "open" else name
        monkeypatch.setattr(target, opened)
    try:
        with pytest.raises(ValueError, match="has dataset"):
            check_run(odd)
    finally:
        monkeypatch.undo()


@pytest.mark.parametrize(
    "change",
    [
        {"name": "gaussian[0.9]"}, {"kind": "uniform"}, {"level": 0.2}, {"level": None},
        {"name": "test_accuracy"}, {"name": ""},
    ],
)  # fmt: skip
def test_an_evaluation_that_is_called_otherwise_than_it_is_is_refused(measured, change):
    with pytest.raises(ValueError, match=f"evaluation {measured['evaluation_id']} .*config"):
        check_evaluation(measured | change)


def test_an_evaluation_of_another_config_under_its_id_is_refused(measured):
    with pytest.raises(ValueError, match="is not what its config says: the config's hash"):
        check_evaluation(measured | {"config": measured["config"] | {"std": 0.9}})


@pytest.mark.parametrize(
    ("config", "name", "kind", "is_fine"),
    [
        ({"noise": "of_a_plugin", "p": 1}, "of_a_plugin[1]", "of_a_plugin", True),
        ({"noise": "of_a_plugin", "p": 1}, "gaussian[0.1]", "of_a_plugin", False),
        ({"noise": "of_a_plugin", "p": 1}, "of_a_plugin[1]", "gaussian", False),
        ({"noise": "of_a_plugin", "p": 1}, "test_accuracy", "of_a_plugin", False),
        ({"noise": "gaussian", "of": "another version"}, "gaussian[0.1]", "gaussian", False),
        ({"noise": "of_a_plugin", "plugin_source": "a" * 64}, "of_a_plugin", "of_a_plugin", True),
        (
            {"noise": "gaussian", "std": 0.1, "seed": 1, "plugin_source": "a" * 64},
            *("gaussian[0.1]", "gaussian", False),
        ),
        ({"p": 1}, "p", "p", False),
        ({}, "", "", False),
    ],
)
def test_an_evaluation_that_is_unknown_here_takes_no_name_of_one_that_is_known(
    measured, config, name, kind, is_fine
):
    row = of_another_id(measured, "evaluation_id", config) | {"name": name, "kind": kind}
    if is_fine:
        check_evaluation(row)
    else:
        with pytest.raises(ValueError, match="is called"):
            check_evaluation(row)
