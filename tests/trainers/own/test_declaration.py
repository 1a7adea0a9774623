"""What a trainer says of itself: what makes no sense is an error before anything trains."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trainers.errors import TrainerError
from trainers.own.declaration import Reported, declaration_of, trainer


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"better": "max"}, r"better='max'\): 'higher', 'lower' or None is expected"),
        ({"decimals": 13}, r"decimals=13\): None or 0 to 12 is expected"),
        ({"decimals": -1}, r"decimals=-1\)"),
        ({"decimals": np.int64(2)}, r"decimals=.*2.*\): None or 0 to 12"),
        ({"decimals": True}, r"decimals=True\)"),
        ({"unit": ""}, r"unit=''\): None or text of 1 to 100 characters is expected"),
        ({"unit": 5}, r"unit=5\)"),
        ({"label": "x" * 101}, r"label='x+\): None or text"),
    ],
)
def test_what_no_result_could_have_of_a_metric_is_refused_where_it_is_said(
    said: dict[str, Any], problem: str
) -> None:
    with pytest.raises(TrainerError, match=problem):
        Reported(**said)


@pytest.mark.parametrize("name", ["val loss", "", "run_id", "tag", 5, "options.depth"])
def test_no_metric_is_declared_that_none_can_be_called(name: Any) -> None:
    with pytest.raises(TrainerError, match="which no metric can be called"):
        trainer(metrics={name: Reported()})


def test_what_makes_sense_is_kept() -> None:
    said = {"f1": Reported("higher", "points", 12, "F1"), "val/loss": Reported("lower")}

    @trainer(metrics=said, sources=["rates.json"], uses=["dataset"])
    def train(job: Any) -> None: ...

    found = declaration_of(train)
    assert (found.metrics, found.sources, found.uses) == (said, ("rates.json",), {"dataset"})
