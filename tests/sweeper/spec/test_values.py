"""One rule for booleans, one for numbers: the same in every part of a spec."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, product
from typing import Any, get_args

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from sweeper.errors import SpecError
from sweeper.spec.fault_policies import FaultPolicies
from sweeper.spec.resources import Resources
from sweeper.spec.spec import spec_from_text
from trainers.config.dataset import config_class
from trainers.config.evaluations import EVALUATIONS
from trainers.config.optimizers import OPTIMIZERS, SgdConfig
from trainers.config.probes import PROBES
from trainers.config.run import RunConfig
from trainers.config.schedules import SCHEDULES
from trainers.config.training import TrainingConfig
from trainers.data.datasets import DATASETS
from trainers.methods.scheme_config import SchemeConfig
from trainers.models import MODELS

BASE = "model: zerosnet\ndepth: 20\ndataset: digits\n"

NEVER: dict[type, list[Any]] = {
    bool: ["no", "off", "true", "", 0, 1, 0.0, 1.0],
    int: [True, False, "3", 3.0],
    float: [True, False, "", "no", "0,1"],
    str: [True, False, 0, 1, 0.0, 1.0, 3.0],
}
"""What no field of a type takes, though Python or pydantic would."""


def parts_of_a_spec() -> set[type[BaseModel]]:
    found: set[type[BaseModel]] = set()
    waiting: list[Any] = [RunConfig, TrainingConfig, SchemeConfig, Resources, FaultPolicies]
    waiting += [MODELS[name].options for name in MODELS.own]
    waiting += [config_class(name) for name in DATASETS.own]
    waiting += [EVALUATIONS[name].config for name in EVALUATIONS.own]
    waiting += OPTIMIZERS.values()
    waiting += SCHEDULES.values()
    waiting += [PROBES[name].config for name in PROBES.own]
    while waiting:
        part = waiting.pop()
        if isinstance(part, type) and issubclass(part, BaseModel):
            if part not in found:
                found.add(part)
                waiting += [field.annotation for field in part.model_fields.values()]
        else:
            waiting += get_args(part)
    return found


def scalars_of(annotation: Any) -> Iterator[type]:
    """The types of numbers, and bool, that are somewhere in it."""
    if annotation in NEVER:
        yield annotation
    for inside in get_args(annotation):
        yield from scalars_of(inside)


def fields() -> Iterator[tuple[str, FieldInfo]]:
    for part in parts_of_a_spec():
        for name, field in part.model_fields.items():
            if set(scalars_of(field.annotation)):
                yield f"{part.__name__}.{name}", field


def test_no_field_takes_a_text_or_number_for_a_boolean_or_a_boolean_for_a_number():
    found = dict(fields())
    assert len(found) > 60
    for name, field in found.items():
        adapter: TypeAdapter[Any] = TypeAdapter(field.rebuild_annotation())
        # Where a field takes several types, what none of them takes.
        wrong = [
            value
            for value in chain(*NEVER.values())
            if all(
                any(type(value) is type(never) and value == never for never in NEVER[kind])
                for kind in scalars_of(field.annotation)
            )
        ]
        assert wrong
        for value, length in product(wrong, range(4)):
            try:
                taken = adapter.validate_python([value] * length if length else value)
            except ValidationError:
                continue
            pytest.fail(f"{name} takes {value!r} as {taken!r}")


@pytest.mark.parametrize("written", ["no", "off", "yes", "ON", "y", '"true"', "1", "1.0", "null"])
def test_a_boolean_is_true_or_false_wherever_it_stands(written):
    for setting, allowed in {
        "training: {optimizer: {nesterov: %s}}": "neither true nor false",
        "scheme: {lambda: 1, trainable: %s}": "neither true nor false",
        "evaluations: [{attack: pgd, epsilon: 0.1, random_start: %s}]": "neither true nor false",
        "probes: [{probe: principal_angles, by_class: %s}]": "neither true nor false",
        "include: [{dataset: {name: digits, horizontal_flip: %s}}]": "neither true nor false",
        "compile: %s": "none of true, false and auto",
    }.items():
        if setting.startswith("compile") and written == "null":
            continue  # stands for absent, as at the top of a spec everywhere
        with pytest.raises(SpecError, match=allowed) as caught:
            spec_from_text(BASE + setting % written + "\n", "s.yaml")
        is_word = written.isalpha() and written != "null"
        assert ("in YAML 1.2, on, off, yes and no are texts" in str(caught.value)) == is_word


@pytest.mark.parametrize("written", ["true", "True", "TRUE"])
def test_true_has_the_three_spellings_of_yaml(written):
    (config,) = spec_from_text(
        f"{BASE}training: {{optimizer: {{nesterov: {written}}}}}\n", "s.yaml"
    ).configs
    optimizer = config.training.optimizer
    assert isinstance(optimizer, SgdConfig)
    assert optimizer.nesterov is True


ONE_VALUE = {
    "seed": "[0, 1]",
    "depth": "[20, 32]",
    "precision": "[fp32, bf16]",
    "compile": "[true, false]",
    "trainer": '["fake_trainers:quick", "fake_trainers:paced"]',
    "model": "[zerosnet, preresnet]",
    "model.width": "[8, 16]",
    "model.stage_change": "[project, restart]",
    "dataset": "[digits, mnist]",
    "dataset.name": "[digits, mnist]",
    "dataset.subset": "[100, 200]",
    "dataset.horizontal_flip": "[true, false]",
    "scheme": "[{lambda: 10}, {lambda: 2}]",
    "scheme.lambda": "[10, 2, 3]",
    "training": "[{epochs: 1}, {epochs: 2}]",
    "training.epochs": "[1, 2]",
    "training.optimizer.lr": "[0.1, 1/20]",
    "training.optimizer.nesterov": "[true, false]",
    "training.lr_schedule.gamma": "[0.1, 0.2]",
}


def spec_with(path: str, value: str) -> str:
    """A spec in which the value stands at the dotted path, outside of grid."""
    first, _, inside = path.partition(".")
    for key in reversed(inside.split(".") if inside else []):
        value = f"{{{key}: {value}}}"
    named = {"model": "zerosnet", "dataset": "digits"}.get(first)
    if named and inside and not value.startswith("{name"):
        value = f"{{name: {named}, {value[1:]}"
    base = "".join(line for line in BASE.splitlines(True) if not line.startswith(f"{first}:"))
    return f"{base}{first}: {value}\n"


@pytest.mark.parametrize("path", ONE_VALUE)
def test_a_list_where_one_value_stands_belongs_in_the_grid(path):
    values = ONE_VALUE[path]
    with pytest.raises(SpecError) as caught:
        spec_from_text(spec_with(path, values), "s.yaml")
    assert str(caught.value).endswith(f"; several values belong in grid: {{{path}: [...]}}")
    # What the message says to do is right.
    assert len(spec_from_text(f"{BASE}grid: {{{path}: {values}}}\n", "s.yaml").configs) >= 2


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("include: [{seed: [0, 1]}]", "belong in grid: {seed: [...]}"),
        ("grid: {seed: [[0, 1]]}", "belong in grid: {seed: [...]}"),
        ("evaluations: [{noise: gaussian, std: [0.1, 0.2]}]", "several values are one entry each"),
        ("training: {lr_schedule: {milestones: [80, 40]}}", "do not ascend"),
        ("scheme: {alpha: [[1], [2]]}", "is not a number or a fraction such as 5/9"),
        ("probes: [{probe: runtime, batches: [1, 2]}]", "should be a valid integer"),
        ("resources: {cpus: [1, 2]}", "should be a valid number"),
    ],
)
def test_the_grid_is_named_only_where_a_list_can_be_an_axis(wrong, says):
    with pytest.raises(SpecError) as caught:
        spec_from_text(f"{BASE}{wrong}\n", "s.yaml")
    assert str(caught.value).endswith(says)
