"""What a run of several processes may not ask for, and what is said to it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from small_networks import NO_DATA
from trainers.config.job import Member
from trainers.config.run import RunConfig, parse_run
from trainers.errors import TrainerError
from trainers.run import run

CONFIG: dict[str, Any] = {
    "model": {"name": "zerosnet", "depth": 8, "width": 4},
    "dataset": {"name": "digits", "subset": 160},
    "training": {"epochs": 1, "batch_size": 8, "data_parallel": 2},
    "seed": 0,
}


def with_recipe(**changes: Any) -> dict[str, Any]:
    return {**CONFIG, "training": CONFIG["training"] | changes}


@pytest.mark.parametrize(
    ("config", "where", "message"),
    [
        (with_recipe(mixup=0.2), ("training", "mixup"), "of which each process of data_parallel"),
        ({**CONFIG, "compile": True}, ("compile",), "compile: true is for one process"),
        (
            {**CONFIG, "trainer": "somebody:train"},
            ("training", "data_parallel"),
            "trainer somebody:train trains in one process",
        ),
    ],
    ids=["mixup", "compile", "a trainer of one's own"],
)
def test_what_several_processes_cannot_do_is_refused_by_name(
    config: dict[str, Any], where: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        parse_run(config)


def test_no_graph_is_compiled_where_that_is_left_open() -> None:
    long = with_recipe(epochs=100_000)
    assert RunConfig.model_validate({**long, "compile": "auto"}).compile is None
    long["training"].pop("data_parallel")
    assert RunConfig.model_validate({**long, "compile": "auto"}).compile is True


def test_one_process_has_no_others_to_synchronise_with() -> None:
    plain = RunConfig.model_validate({**CONFIG, "training": {"epochs": 1}})
    for changes in ({"data_parallel": 1}, {"sync_batch_norm": True}, {"sync_batch_norm": False}):
        recipe = {"epochs": 1, **changes}
        assert RunConfig.model_validate({**CONFIG, "training": recipe}).run_id == plain.run_id
    two = RunConfig.model_validate(CONFIG)
    synchronised = RunConfig.model_validate(with_recipe(sync_batch_norm=True))
    assert len({plain.run_id, two.run_id, synchronised.run_id}) == 3


@pytest.mark.parametrize(
    ("config", "member"),
    [
        (CONFIG, None),
        (CONFIG, Member(0, 3, "127.0.0.1:1")),
        (with_recipe(data_parallel=1), Member(1, 2, "127.0.0.1:1")),
    ],
)
def test_another_number_of_processes_than_the_run_says_is_an_error(
    config: dict[str, Any], member: Member | None
) -> None:
    with pytest.raises(TrainerError, match="start as many processes, each with its Member"):
        run(config, data_dir=NO_DATA, member=member)
