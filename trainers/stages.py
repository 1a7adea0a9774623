"""Where in a run an error came up, which its class does not say.

A trainer, a network or a probe is anybody's code and may raise an error of any class, those of this
package included. Whether another machine, dataset or storage would help is known only from what was
being done.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

Stage = Literal["names", "dataset", "storage", "weights"]
"""Looking up what a config names, before any trainer is called; reading a dataset; using the
storage that the run was given; finding weights that are there to be evaluated."""

_KEY = "_stage_of_the_run"


@contextmanager
def during(stage: Stage, *errors: type[Exception]) -> Iterator[None]:
    """Errors of these classes that leave the block came up in this stage."""
    try:
        yield
    except errors as error:
        vars(error)[_KEY] = stage
        raise


def stage_of(error: BaseException) -> Stage | None:
    """The stage in which it came up; None for one that a trainer, or anything else, has raised."""
    found: Stage | None = vars(error).get(_KEY)
    return found
