"""The figures there are, by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from results.errors import FigureDataError, UnknownFigureError
from results.figures.data import EpochRow, ProbeRow, Selection, Undrawable, at_epochs, select
from results.queries.row_columns import Columns
from results.records import RunRow
from results.run_columns import DEFAULT_METRIC
from sweep_plugins import PluginError, Registry

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
        module: draws it, and says at its top what it shows; a name, because it needs matplotlib. A
            plug-in of one file says __name__.
        uses_probes: whether it shows what probes measured.
        of_unfinished: whether it can also show what unfinished runs have reported so far.
        of_networks: whether it shows what only networks have, so that nobody who trains something
            else is told why it cannot be drawn.
        of_metric: whether it shows the metric that is asked for, of runs or at their epochs; None:
            it is the same whichever that is.
    """

    title: str
    module: str
    uses_probes: bool = False
    of_unfinished: bool = False
    of_networks: bool = False
    of_metric: Literal["runs", "epochs"] | None = None

    def load(self) -> _Module:
        """Import its module, which imports matplotlib."""
        return cast(_Module, import_module(self.module))


FIGURES: Registry[FigureKind] = Registry(
    "figure",
    "sweep.figures",
    {
        "accuracy_by_scheme": FigureKind(
            "Accuracy by scheme", "results.figures.kinds.accuracy_by_scheme", of_metric="runs"
        ),
        "accuracy_by_parameters": FigureKind(
            "Accuracy against parameters",
            "results.figures.kinds.accuracy_by_parameters",
            of_networks=True,
            of_metric="runs",
        ),
        "accuracy_by_noise": FigureKind(
            "Accuracy against noise", "results.figures.kinds.accuracy_by_noise", of_networks=True
        ),
        "training_curves": FigureKind(
            "Training curves",
            "results.figures.kinds.training_curves",
            of_unfinished=True,
            of_metric="epochs",
        ),
        "roots": FigureKind(
            "Characteristic roots", "results.figures.kinds.roots", of_networks=True
        ),
        "lambda_line": FigureKind(
            "ZeroSNet(λ)", "results.figures.kinds.lambda_line", of_networks=True, of_metric="runs"
        ),
        "learned_coefficients": FigureKind(
            "Learned coefficients", "results.figures.kinds.learned_coefficients", of_networks=True
        ),
        "probes": FigureKind(
            "Probes", "results.figures.kinds.probes", uses_probes=True, of_networks=True
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
    """The figure of this name, from the done runs among `rows`; training curves of others if
    none is done.

    `rows` are as returned by `Queries.run_rows`, with `config` and `learned_coefficients`; `epochs`
    have `run_id`, `epoch`, accuracies and losses, or what a trainer reported (`epoch_rows`);
    `probes` are as returned by
    `Queries.probe_rows`, or those of them that are to be shown. `metric` is a numeric run key,
    config path, or name of an evaluation, of what a trainer reported, or of a further number that
    the rows were asked for.

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

    Those of networks that cannot be drawn are left out if no run has one. Raises UnknownColumnError
    for the metric.
    """
    selection = select(rows, epochs, metric, probes)
    reasons: dict[str, str | None] = {}
    for name in FIGURES:
        try:
            _collect(name, selection)
        except Undrawable as reason:
            if selection.networks or not FIGURES[name].of_networks:
                reasons[name] = str(reason)
        except PluginError as reason:
            reasons[name] = str(reason)
        else:
            reasons[name] = None
    return reasons


def shown_metric(name: str, rows: Sequence[RunRow], metric: str) -> str | None:
    """Of which metric the figure of this name is, if it is drawn for `metric`.

    Training curves are of accuracies where no epoch can have the metric. None: of none in
    particular, so that it is the same figure for all. Raises UnknownFigureError, PluginError, and
    UnknownColumnError.
    """
    kind = FIGURES[name]
    if kind.of_metric == "epochs":
        return at_epochs(Columns(rows).metric(metric))
    return metric if kind.of_metric == "runs" else None


def _collect(name: str, selection: Selection) -> Any:
    kind = FIGURES[name]
    if not selection.groups and not (kind.of_unfinished and selection.so_far):
        raise Undrawable("no run is done")
    return kind.load().collect(selection)
