"""What a trainer says of itself before it trains: its options, what it uses, what it reports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from sweep_plugins.metric_name import MOST_DECIMALS, NAMES_OF_EVERY_RUN, why_no_metric
from trainers.errors import TrainerError
from trainers.own.reported import OF_ANOTHER

if TYPE_CHECKING:
    from pydantic import BaseModel

Part = Literal["model", "dataset", "training"]

PARTS: tuple[Part, ...] = ("model", "dataset", "training")
"""Of a run's config. With a model go its scheme, the dataset, training, precision and probes."""

_ATTRIBUTE = "__sweep_trainer__"

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


@dataclass(frozen=True)
class Reported:
    """What is known of a metric that a trainer reports under a name of its own.

    Raises TrainerError for what could not be stored with a result.

    Attributes:
        better: which values are the better ones; None: neither.
        unit: of its numbers, such as "points".
        decimals: that its numbers are shown with, at most 12; None: two for percent, and otherwise
            six significant digits, of a mean four.
        label: what an axis calls it; None: its name will do.
    """

    better: Literal["higher", "lower"] | None = None
    unit: str | None = None
    decimals: int | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        for key, fine, expected in (
            ("better", self.better in (None, "higher", "lower"), "'higher', 'lower' or None"),
            ("unit", _is_short(self.unit), _SHORT),
            ("decimals", _are_decimals(self.decimals), f"None or 0 to {MOST_DECIMALS}"),
            ("label", _is_short(self.label), _SHORT),
        ):
            if not fine:
                value = repr(getattr(self, key))
                raise TrainerError(f"Reported({key}={value:.80}): {expected} is expected")


_LONGEST = 100
"""Characters of a unit, and of a label."""

_SHORT = f"None or text of 1 to {_LONGEST} characters"


def _is_short(text: object) -> bool:
    return text is None or (isinstance(text, str) and 0 < len(text) <= _LONGEST)


def _are_decimals(count: object) -> bool:
    return count is None or (type(count) is int and 0 <= count <= MOST_DECIMALS)


@dataclass(frozen=True)
class Declaration:
    """What a trainer says of itself.

    Attributes:
        options: the pydantic model of its options; None: any.
        uses: the parts of a config that it reads; None: those that a spec gives.
        metrics: what is known of metrics that it reports; it may report others.
        sources: the files and folders that decide its results besides its own file, relative to
            that; without any, what `sweep_plugins.source.code_of` finds.
    """

    options: type[BaseModel] | None = None
    uses: frozenset[Part] | None = None
    metrics: Mapping[str, Reported] = field(default_factory=dict)
    sources: tuple[str, ...] = ()

    def metrics_as_json(self) -> dict[str, dict[str, Any]]:
        """What is known of the metrics, by name."""
        return {name: asdict(metric) for name, metric in self.metrics.items()}


def trainer(
    *,
    options: type[BaseModel] | None = None,
    uses: Iterable[Part] = (),
    metrics: Mapping[str, Reported] | None = None,
    sources: Iterable[str] = (),
) -> Callable[[FunctionT], FunctionT]:
    """A decorator by which a function of a `Job` says what a `Declaration` holds.

    A function without it trains as well: its options may then be any, and it gets the parts of a
    config that a spec has. Raises TrainerError if what is said makes no sense.
    """
    used = frozenset(uses)
    if not used <= set(PARTS):
        raise TrainerError(
            f"uses={sorted(map(str, used - set(PARTS)))}: a trainer can use {', '.join(PARTS)}"
        )
    said = Declaration(options, used, dict(metrics or {}), tuple(sources))
    for name, metric in said.metrics.items():
        if not isinstance(metric, Reported):
            raise TrainerError(f"metrics[{name!r}] is {metric!r:.80}, and not a Reported(...)")
        why_not = OF_ANOTHER if name in NAMES_OF_EVERY_RUN else why_no_metric(name)
        if why_not is not None:
            raise TrainerError(
                f"metrics has {name!r:.120}, which no metric can be called: {why_not}"
            )

    def decorated(function: FunctionT) -> FunctionT:
        setattr(function, _ATTRIBUTE, said)
        return function

    return decorated


def declaration_of(function: Any) -> Declaration:
    """What the trainer says of itself; nothing, if it was not decorated."""
    said = getattr(function, _ATTRIBUTE, None)
    return said if isinstance(said, Declaration) else Declaration()
