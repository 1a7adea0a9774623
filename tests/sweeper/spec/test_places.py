"""Resources that runs of several processes can and cannot have."""

from __future__ import annotations

import pytest

from sweeper.errors import SpecError
from sweeper.spec.spec import spec_from_text

TEXT = """
name: places
model: zerosnet
dataset: digits
depth: 8
{more}
"""


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            "resources: {gpus: 8}",
            r"places.yaml:6:13: resources.gpus 8 is of each process, .*"
            r" training: {data_parallel: 8} and resources: {gpus: 1}",
        ),
        (
            "training: {data_parallel: 2}\nresources: {gpus: 1/4}",
            r"places.yaml:7:13: resources.gpus 0.25 is a part of a GPU, and each of the 2 pro",
        ),
        (
            "training: {data_parallel: 2}\nresources: {nodes: 3}",
            r"places.yaml:7:13: resources.nodes 3 is more than the 2 of training.data_parallel",
        ),
        ("resources: {nodes: 2}", r"resources.nodes 2 is more than the 1 of training"),
        (
            "trainer: fake_trainers:quick\ntraining: {data_parallel: 2}",
            r"places.yaml:7:12: training: trainer fake_trainers:quick trains in one process",
        ),
        ("resources: {nodes: 1.5}", r"resources.nodes: 1.5 is not allowed"),
    ],
)
def test_resources_that_no_run_can_use_are_refused_where_they_are(more: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        spec_from_text(TEXT.format(more=more), "places.yaml")


@pytest.mark.parametrize(
    "more",
    [
        "training: {data_parallel: 8}\nresources: {gpus: 1, nodes: 2}",
        "grid: {training.data_parallel: [1, 2, 4]}\nresources: {nodes: 4}",
        "trainer: fake_trainers:quick\nresources: {gpus: 8}",
        "resources: {nodes: 1, gpus: 0.5}",
    ],
)
def test_resources_of_each_process_are_taken(more: str) -> None:
    spec_from_text(TEXT.format(more=more), "places.yaml")


def test_where_a_run_trains_is_no_part_of_what_it_is() -> None:
    packed, spread = (
        spec_from_text(
            TEXT.format(more=f"training: {{data_parallel: 4}}\nresources: {{nodes: {nodes}}}"), "a"
        )
        for nodes in (1, 4)
    )
    assert [config.run_id for config in packed.configs] == [c.run_id for c in spread.configs]
