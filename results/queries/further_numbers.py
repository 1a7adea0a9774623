"""Names of numbers that run rows do not have, because few ask for them.

`train_loss`, `test_loss`, `best_epoch` and `diverged_epoch` are the run's. `gaussian[0.02].loss`
is the loss under an evaluation. `feature_norms.norm@block1` is what a probe measured last of a
quantity in a layer; `runtime.model_megabytes`, without a layer, what it measured of the whole
network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

from results.metrics import Metric
from results.queries.layer_order import layer_key, quantity_key
from results.run_columns import COLUMN, MEASURED

OF_RUN = tuple(column.name for column in MEASURED if column.numeric and not column.key)
"""Those of the run itself."""

_LOSS = ".loss"


class Probed(NamedTuple):
    """A quantity of a probe in a layer; the layer is empty for the whole network."""

    probe: str
    quantity: str
    layer: str

    @property
    def name(self) -> str:
        """What it is asked for by."""
        return f"{self.probe}.{self.quantity}" + (f"@{self.layer}" if self.layer else "")


def loss_of(evaluation: str) -> str:
    """What the loss under the evaluation of this name is asked for by."""
    return evaluation + _LOSS


def evaluation_of(name: str) -> str | None:
    """The evaluation whose loss this would be, if it may be one."""
    return name.removesuffix(_LOSS) if name.endswith(_LOSS) else None


def probed(name: str) -> Probed | None:
    """What this would be, if it may be a quantity of a probe."""
    probe, _, rest = name.partition(".")
    quantity, _, layer = rest.partition("@")
    return Probed(probe, quantity, layer) if probe and quantity else None


def listed(found: Iterable[Probed]) -> Iterator[str]:
    """The names of these; of each quantity only in the first and the last of its layers."""

    def order(one: Probed) -> tuple[Any, ...]:
        return (one.probe, quantity_key(one.quantity), layer_key(one.layer))

    for _, layers in groupby(sorted(found, key=order), key=lambda one: one[:2]):
        first, *others = layers
        yield first.name
        yield from (one.name for one in others[-1:])


def metric_of(name: str) -> Metric:
    """What is known of the number of this name, one of the above."""
    if name in OF_RUN:
        return COLUMN[name]
    evaluation = evaluation_of(name)
    if evaluation is None:
        return Metric(name, mean_decimals=None, number=True)
    return Metric(
        name,
        label=f"Loss under {evaluation}",
        better="lower",
        mean_decimals=None,
        diverged_is_worst=True,
        number=True,
    )
