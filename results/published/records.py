"""What a published table is: its source, and its printed numbers in our units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from results.published.units import UNITS, Unit


@dataclass(frozen=True, slots=True)
class Paper:
    """Where a table was printed. What the text at hand does not say is empty or None."""

    short: str
    title: str
    authors: tuple[str, ...] = ()
    year: int | None = None
    venue: str | None = None
    arxiv: str | None = None

    @property
    def citation(self) -> str:
        """Such as "A. Author, B. Author: Title. Venue, 2022"."""
        authors = ", ".join(self.authors) or "authors not named"
        place = self.venue or (f"arXiv {self.arxiv}" if self.arxiv else "no venue named")
        if self.year is not None and str(self.year) not in place:
            place += f", {self.year}"
        return f"{authors}: {self.title}. {place}"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the networks of a row were trained; None is what the paper leaves open.

    Fields have the names, and say what, options of ours do, but for these:

    Attributes:
        images_a_step: of all processes together, where the paper gives no other batch size.
        batch_size: of each of the `processes`.
        lr_batch: images a step for which `lr` is; in proportion for others.
        schedule, by, rate_at, warmup_epochs, warmup_start, milestones, gamma: of the learning rate;
            `milestones` are fractions of all epochs.
        size, resize: pixels a side of what a network is shown, and the shorter side of a test image
            whose centre that is.
        crop_area, crop_aspect, shorter_side: of the random crops of a training image, each from the
            one to the other.
        remark: what the fields cannot say.
    """

    epochs: int | None = None
    processes: int | None = None
    batch_size: int | None = None
    images_a_step: int | None = None
    optimizer: str | None = None
    lr: float | None = None
    lr_batch: int | None = None
    momentum: float | None = None
    nesterov: bool | None = None
    weight_decay: float | None = None
    decay_norms_and_biases: bool | None = None
    schedule: str | None = None
    by: str | None = None
    rate_at: str | None = None
    warmup_epochs: int | None = None
    warmup_start: float | None = None
    milestones: tuple[Fraction, ...] | None = None
    gamma: float | None = None
    crop_padding: int | None = None
    size: int | None = None
    resize: int | None = None
    crop_area: tuple[float, ...] | None = None
    crop_aspect: tuple[float, ...] | None = None
    shorter_side: tuple[float, ...] | None = None
    horizontal_flip: bool | None = None
    precision: str | None = None
    remark: str | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """What a run must have to belong to a row, apart from the row's depth and dataset.

    Attributes:
        model: the model's name; None for any.
        scheme: as a spec writes it, such as "{alpha: [1/3, 5/9, 1/9], beta: 16/9}"; None for a
            model that takes none.
        alpha, beta: fixed coefficients; None for any fixed ones, or where `learned` is set.
        learned: "k" or "lambda" if each block learns that parameter, else None.
        start: the interval that a learned parameter starts in, where the paper gives it.
        variant: model options that tell networks of one model and depth apart, such as
            `block: bottleneck`. A run with another value is another network. None is an
            option that must be left out: basic blocks, no stochastic depth.
        options: further model options that the paper or its released code settles. A run with
            another value belongs all the same, and the difference is named among the conditions.
    """

    model: str | None = None
    scheme: str | None = None
    alpha: tuple[float, ...] | None = None
    beta: float | None = None
    learned: str | None = None
    start: tuple[float, ...] | None = None
    variant: Mapping[str, Any] = field(default_factory=dict, hash=False)
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def named_options(self) -> Mapping[str, Any]:
        """What `variant` asks a spec to write: without the options that are to be left out."""
        return {option: value for option, value in self.variant.items() if value is not None}


@dataclass(frozen=True, slots=True)
class ProbeQuantity:
    """What a probe measures of a network, where a row prints that.

    Attributes:
        probe: the probe's name, such as "runtime".
        name: the quantity of the whole network, such as "train_seconds[128]".
        options: the probe's lists that must hold a value for it, such as `batch_sizes: 128`.
        spec: the probe as a spec asks for all quantities of the table.
    """

    probe: str
    name: str
    spec: str
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def asked_by(self, config: Mapping[str, Any]) -> bool:
        """Whether a run's config has the probe, with these options."""
        return any(
            probe["probe"] == self.probe
            and all(value in probe.get(option, ()) for option, value in self.options.items())
            for probe in config.get("probes", ())
        )


@dataclass(frozen=True, kw_only=True)
class PublishedRow:
    """One printed number in our units; a printed line with two metrics is two rows.

    Attributes:
        label: the line as the paper names it.
        metric: what it measures, by our names where a run has it ("test_accuracy").
        unit: what it is printed in, of UNITS; None for ours.
        mean: the mean over `runs`, or the only value printed.
        std: printed standard deviation; None if there is none. No paper says whether it divides
            by n - 1; it is taken so.
        resolution: one unit of the last printed digit.
        depth: layers, as printed.
        dataset: by our names, where this version has it; None if the paper does not say.
        network: what reproduces it; None if nothing in this version does.
        evaluation: the noise on the test images, as evaluations are named
            ("uniform[-0.08,0]"); None for clean images.
        quantity: what a probe measures of a run, and a run's own columns do not have; rows of one
            quantity, depth and dataset are compared by their ratios, to the first of them.
        runs: how many runs the mean is over; None if the paper does not say.
        root_moduli: printed moduli, largest first (papers leave them unordered).
        zero_stable: as printed.
        recipe: how the network was trained; None if the paper does not say.
        quoted_from: where the paper took the number from, if it did.
        note: a misprint, or what else a reader has to know.
        unavailable: what this version lacks for such a run.
        not_comparable: why a run that seems to match measures something else.
    """

    label: str
    metric: str
    unit: str | None = None
    mean: float
    std: float | None
    resolution: float
    depth: int | None = None
    dataset: str | None = None
    network: Network | None = None
    evaluation: str | None = None
    quantity: ProbeQuantity | None = None
    runs: int | None = None
    root_moduli: tuple[float, ...] | None = None
    zero_stable: bool | None = None
    recipe: Recipe | None = None
    quoted_from: str | None = None
    note: str | None = None
    unavailable: str | None = None
    not_comparable: str | None = None

    @property
    def printed_in(self) -> Unit:
        """The unit of this name."""
        return UNITS[self.unit] if self.unit else Unit()


@dataclass(frozen=True, kw_only=True)
class PublishedTable:
    """A table of a paper.

    Attributes:
        name: as a spec's `published:` has it, such as "zerosnet/table3".
        number: as printed, such as "Table 3"; None where it is not known.
        caption: what the table shows, in our words.
        rows: its numbers in our units, in the order of print; a line's metrics follow each other.
        notes: what a reader of any of its rows has to know.
    """

    name: str
    paper: Paper
    number: str | None
    caption: str
    rows: tuple[PublishedRow, ...]
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Such as "ZeroSNet, Table 3"."""
        return ", ".join(part for part in (self.paper.short, self.number) if part)
