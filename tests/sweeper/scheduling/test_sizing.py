from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from results.queries.queries import Queries
from results.store.store import Store
from sweeper.errors import ResourceError
from sweeper.executors.ray_slots import gpu_models
from sweeper.scheduling.sizing import Sizing
from sweeper.spec.spec import Spec, spec_from_text

SPEC = """\
dataset: cifar10
grid:
  model: [{name: zerosnet, depth: 8}, {name: resnext, depth: 29, cardinality: 16}]
resources: {gpus: 0.25}
"""


@pytest.fixture
def spec() -> Spec:
    return spec_from_text(SPEC, "s.yaml")


@pytest.fixture
def queries(tmp_path: Path) -> Iterator[Queries]:
    with Store.open(f"sqlite:///{tmp_path}/sweep.db") as store:
        yield Queries.of(store)


def multipliers(sizing: Sizing, spec: Spec) -> list[int]:
    estimates = [sizing.costs.estimate(config, 0) for config in spec.configs]
    return [estimate.multiplier for estimate in estimates if estimate is not None]


def test_what_needs_much_memory_is_told_once_when_the_gpu_is_known(
    spec: Spec, queries: Queries
) -> None:
    told: list[str] = []
    sizing = Sizing(spec, [], None, False, told.append)
    sizing.check(queries)
    assert told == []
    assert multipliers(sizing, spec) == [1, 4]
    sizing.found(["A100-80G"], queries)
    sizing.found(["A100-80G"], queries)
    (sentence,) = told
    assert sentence.startswith("1 run (resnext 29) begins with 2 times its resources")
    assert multipliers(sizing, spec) == [1, 2]


def test_runs_that_fit_no_gpu_are_refused_when_these_are_known(
    spec: Spec, queries: Queries
) -> None:
    sizing = Sizing(spec, [], None, False, lambda sentence: None)
    with pytest.raises(ResourceError, match=r"1 run \(resnext 29\) cannot train on one RTX 2080"):
        sizing.found(["NVIDIA GeForce RTX 2080 Ti"], queries)
    with pytest.raises(ResourceError, match=r"cannot train on one RTX 2080 Ti"):
        Sizing(spec, [], "RTX 2080 Ti", False, lambda sentence: None).check(queries)


def test_a_named_gpu_stands_whatever_is_there(spec: Spec, queries: Queries) -> None:
    sizing = Sizing(spec, [], "H200", False, lambda sentence: None)
    sizing.found(["T4"], queries)
    assert sizing.costs.slot.device.name == "H200"


def test_on_cpus_gpus_do_not_count(queries: Queries) -> None:
    spec = spec_from_text(SPEC.replace("0.25", "0"), "s.yaml")
    sizing = Sizing(spec, [], "RTX 2080 Ti", False, lambda sentence: None)
    sizing.found(["T4"], queries)
    assert sizing.costs.slot.on_cpu


def test_models_are_those_of_ray_nodes_that_are_alive_and_have_gpus() -> None:
    def node(alive: bool, **resources: float) -> dict[str, object]:
        return {"Alive": alive, "Resources": resources}

    nodes = [
        node(True, CPU=8, GPU=2, **{"accelerator_type:A100": 1}),
        node(True, CPU=8, GPU=2, **{"accelerator_type:A100": 1}),
        node(True, CPU=8, **{"accelerator_type:T4": 1}),
        node(False, CPU=8, GPU=2, **{"accelerator_type:V100": 1}),
        node(True, CPU=8),
    ]
    assert gpu_models(nodes) == ("A100",)
