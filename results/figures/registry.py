"""The figures there are, by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

from results.errors import FigureDataError, UnknownFigureError
from results.figures.data import EpochRow, ProbeRow, Selection, Undrawable, select
from results.records import RunRow
from sweep_plugins import PluginError, Registry

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DEFAULT_METRIC = "test_accuracy"


class _Module(Protocol):
    """What the module of a figure has: its data first, without drawing; then the picture."""

    def collect(self, selection: Selection) -> Any:
        """Raises Undrawable if the selection lacks what the figure shows."""

    def plot(self, data: Any) -> Figure:
        """Called inside `style.styled()`."""


@dataclass(frozen=True, slots=True)
class FigureKind:
    """One kind of figure.

    Attributes:
        title: as a heading.
        description: one line on what it shows.
        module: where it is drawn; a name, because the module needs matplotlib. A plug-in of one
            file says __name__.
        uses_probes: whether it shows what probes measured.
    """

    title: str
    description: str
    module: str
    uses_probes: bool = False

    def load(self) -> _Module:
        """Import its module, which imports matplotlib."""
        return cast(_Module, import_module(self.module))


FIGURES: Registry[FigureKind] = Registry(
    "figure",
    "sweep.figures",
    {
        "accuracy_by_scheme": FigureKind(
            title="Accuracy by scheme",
            description="mean and standard deviation, by largest root modulus (ZeroSNet, Figure 4)",
            module="results.figures.kinds.accuracy_by_scheme",
        ),
        "accuracy_by_parameters": FigureKind(
            title="Accuracy against parameters",
            description="one line for each scheme over its depths (LM-ResNet, Figure 2)",
            module="results.figures.kinds.accuracy_by_parameters",
        ),
        "accuracy_by_noise": FigureKind(
            title="Accuracy against noise",
            description="one panel for each kind of noise, from the clean images on",
            module="results.figures.kinds.accuracy_by_noise",
        ),
        "training_curves": FigureKind(
            title="Training curves",
            description="training and test accuracy by epoch, with the band of the seeds",
            module="results.figures.kinds.training_curves",
        ),
        "roots": FigureKind(
            title="Characteristic roots",
            description="in the complex plane, with the unit circle",
            module="results.figures.kinds.roots",
        ),
        "lambda_line": FigureKind(
            title="ZeroSNet(λ)",
            description="accuracy along λ, with the zero-stable region and the largest root"
            " modulus",
            module="results.figures.kinds.lambda_line",
        ),
        "learned_coefficients": FigureKind(
            title="Learned coefficients",
            description="what each block learned (LM-ResNet, Figure 4)",
            module="results.figures.kinds.learned_coefficients",
        ),
        "probes": FigureKind(
            title="Probes",
            description="one panel for each quantity: by epoch, or by layer after the last epoch",
            module="results.figures.kinds.probes",
            uses_probes=True,
        ),
    },
    instance_of=FigureKind,
    unknown=UnknownFigureError,
)


def draw(
    name: str,
    rows: Sequence[RunRow],
    epochs: Iterable[EpochRow] = (),
    probes: Iterable[ProbeRow] = (),
    *,
    metric: str = DEFAULT_METRIC,
) -> Figure:
    """The figure of this name, from the done runs among `rows`.

    `rows` are as returned by `Queries.run_rows`, with `config` and `learned_coefficients`; `epochs`
    have `run_id`, `epoch`, `train_accuracy` and `test_accuracy`; `probes` are as returned by
    `Queries.probe_rows`, or those of them that are to be shown. `metric` is a numeric run key,
    config path or evaluation name.

    Raises UnknownFigureError, PluginError, UnknownColumnError for the metric, and FigureDataError
    if the runs lack what the figure shows.
    """
    kind = FIGURES[name]
    selection = select(rows, epochs, metric, probes)
    try:
        data = _collect(name, selection)
    except Undrawable as reason:
        raise FigureDataError(name, str(reason)) from None
    from results.figures.drawing.style import styled

    with styled():
        figure = kind.load().plot(data)
    figure.set_label(kind.title)
    return figure


def possible(
    rows: Sequence[RunRow],
    epochs: Iterable[EpochRow] = (),
    probes: Iterable[ProbeRow] = (),
    *,
    metric: str = DEFAULT_METRIC,
) -> dict[str, str | None]:
    """For every figure None if `draw` can draw it from the same data, else the reason why not.

    Raises UnknownColumnError for the metric.
    """
    selection = select(rows, epochs, metric, probes)
    reasons: dict[str, str | None] = {}
    for name in FIGURES:
        try:
            _collect(name, selection)
        except (Undrawable, PluginError) as reason:
            reasons[name] = str(reason)
        else:
            reasons[name] = None
    return reasons


def _collect(name: str, selection: Selection) -> Any:
    if not selection.groups:
        raise Undrawable("no run is done")
    return FIGURES[name].load().collect(selection)
