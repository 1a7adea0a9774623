"""The columns of a run, in one table: what each of them is, and all that follows from that.

The tables and views of the database, the keys of a run in JSON, the check of a worker's result,
filters, frames, Parquet, tables, figures and the page of a run are made from it. One more thing
that a trainer reports is one more row here, and a key in the trainer's result; a database that
exists already needs a migration for it.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from results.metrics import Metric
from sweep_plugins.metric_name import why_no_metric

#: "whole" and "number" are whole and other numbers, "percent" numbers from 0 to 100, "numbers"
#: lists of numbers, "list" lists of anything, "time" points in time in seconds since the epoch.
Kind = Literal["text", "whole", "number", "percent", "flag", "numbers", "list", "time"]

Source = Literal["plan", "result", "store"]
Reported = Literal["always", "or null"]


@dataclass(frozen=True, slots=True)
class RunColumn(Metric):
    """One column of a run; what it has from `Metric` is about its numbers, if it has any.

    Attributes:
        source: who knows it: the plan, before the run is trained; the result, which a worker
            writes, so that it is null until the run is done; or the store, which notes what
            becomes of the run.
        stored_as: its name in the table `runs`, where that is another.
        key: whether it is a key of the run in JSON; the others are given for a single run only.
        reported: whether a worker's result has to give it always, or may say null; None: it has
            no place there.
        nullable: whether the database takes null for it.
        wide: whole numbers of 64 bits, not of 32.
        check: an SQL condition on it, and the name of that constraint. Percent and flags have
            their own.
        reproducible: equal for two trainings of one run.
        identifies: part of what people call the run.
        computed: numbers that rounding may change in their last digits; the others of a plan are
            as the spec has them.
        of_scheme: follows from a scheme's coefficients; of a learned one, each block has its own.
        repeated: views repeat it next to the measurements of the run.
        config_path: where the config says the same.
        by_default: in a report where no metric is named.
        of_others: there too, where a trainer of somebody's own gave it a value.
        on_page: on the page of the run.
    """

    kind: Kind
    source: Source
    _: KW_ONLY
    stored_as: str | None = None
    key: bool = True
    reported: Reported | None = None
    nullable: bool = True
    wide: bool = False
    check: tuple[str, str] | None = None
    reproducible: bool = False
    identifies: bool = False
    computed: bool = False
    of_scheme: bool = False
    repeated: bool = False
    config_path: str | None = None
    by_default: bool = False
    of_others: bool = False
    on_page: bool = True

    @property
    def stored(self) -> str:
        """The name of its column in the table `runs`."""
        return self.stored_as or self.name

    @property
    def measured(self) -> bool:
        """Whether it is null until the run is done."""
        return self.source == "result"

    @property
    def numeric(self) -> bool:
        """Whether it holds single numbers, so that it can be a metric."""
        return self.kind in ("whole", "number", "percent")


def _whole(name: str, source: Source, **more: Any) -> RunColumn:
    return RunColumn(name, "whole", source, whole=True, **more)


def _identifying(name: str, kind: Kind, config_path: str, *, wide: bool = False) -> RunColumn:
    return RunColumn(
        name, kind, "plan",
        whole=kind == "whole", wide=wide, nullable=name != "seed", identifies=True, repeated=True,
        config_path=config_path,
    )  # fmt: skip


def _result(name: str, kind: Kind, *, reported: Reported = "or null", **more: Any) -> RunColumn:
    return RunColumn(name, kind, "result", whole=kind == "whole", reported=reported, **more)


def _accuracy(name: str, label: str, **more: Any) -> RunColumn:
    return _result(
        name,
        "percent",
        label=f"{label} (%)",
        unit="percent",
        better="higher",
        decimals=2,
        diverged_is_worst=True,
        reproducible=True,
        **more,
    )


def _loss(name: str, label: str) -> RunColumn:
    return _result(
        name, "number",
        label=label, better="lower", mean_decimals=None, diverged_is_worst=True, key=False,
        on_page=False, of_others=True,
    )  # fmt: skip


#: In the order of the keys in JSON. `sweep` is the only one that the table `runs` does not have.
RUN_COLUMNS = (
    RunColumn("run_id", "text", "store"),
    RunColumn("sweep", "text", "store"),
    RunColumn("state", "text", "store"),
    _identifying("model", "text", "model.name"),
    _identifying("scheme", "text", "scheme"),
    _identifying("depth", "whole", "model.depth"),
    _identifying("dataset", "text", "dataset.name"),
    _identifying("seed", "whole", "seed", wide=True),
    RunColumn("alpha", "numbers", "plan", of_scheme=True, on_page=False),
    RunColumn("beta", "number", "plan", of_scheme=True, on_page=False),
    RunColumn("trainable", "flag", "plan", repeated=True, on_page=False),
    RunColumn("root_moduli", "numbers", "plan", decimals=2, of_scheme=True, computed=True),
    RunColumn(
        "max_root_modulus", "number", "plan",
        label="Largest root modulus", decimals=2, of_scheme=True, repeated=True, on_page=False,
        computed=True,
    ),
    RunColumn("zero_stable", "flag", "plan", of_scheme=True, repeated=True),
    RunColumn("consistent", "flag", "plan", of_scheme=True, repeated=True),
    _whole("order", "plan", of_scheme=True, repeated=True),
    _whole(
        "parameters", "plan",
        label="Parameters", unit="count", wide=True, reported="or null",
        check=("parameters >= 0", "counted"), repeated=True, of_others=True,
    ),
    _whole(
        "epochs", "plan",
        unit="count", check=("epochs >= 0", "epochs"), repeated=True,
        config_path="training.epochs",
    ),
    _accuracy("test_accuracy", "Test accuracy", by_default=True),
    _accuracy("best_test_accuracy", "Best test accuracy", by_default=True),
    _result("best_epoch", "whole", key=False),
    _accuracy("train_accuracy", "Training accuracy", of_others=True),
    _result(
        "generalization_gap", "number",
        label="Generalization gap (points)", unit="percent", better="lower", decimals=2,
        diverged_is_worst=True, by_default=True,
    ),
    _loss("train_loss", "Training loss"),
    _loss("test_loss", "Test loss"),
    _result("diverged", "flag", reported="always", reproducible=True),
    _result("diverged_epoch", "whole", key=False),
    _result(
        "train_seconds", "number",
        label="Training time (s)", unit="seconds", better="lower",
    ),
    _result(
        "images_per_second", "number",
        label="Training speed (images/s)", unit="images/s", better="higher",
        of_others=True,
    ),
    _result("weights_sha256", "text", key=False, reproducible=True),
    _result("learned_coefficients", "list", key=False),
    _whole("attempts", "store", stored_as="attempt", unit="count"),
    RunColumn("imported", "flag", "store", nullable=False),
    RunColumn("error", "text", "store", key=False),
    RunColumn("created_at", "time", "store", key=False),
    RunColumn("finished_at", "time", "store", key=False),
)  # fmt: skip

COLUMN = {column.name: column for column in RUN_COLUMNS}

PLANNED = tuple(column for column in RUN_COLUMNS if column.source == "plan")
MEASURED = tuple(column for column in RUN_COLUMNS if column.measured)
REPORTED = tuple(column for column in RUN_COLUMNS if column.reported is not None)
OF_SCHEME = tuple(column for column in RUN_COLUMNS if column.of_scheme)
IDENTIFYING = tuple(column for column in RUN_COLUMNS if column.identifies)

#: The keys of a run that can be named; its evaluations and metrics are named one by one.
NAMED_KEYS = tuple(column.name for column in RUN_COLUMNS if column.key)

#: What a filter or a group calls the key `tags`, of which a run may have several.
TAG = RunColumn("tag", "text", "store", key=False)

#: The keys of a run in JSON, in order.
RUN_KEYS = (*NAMED_KEYS, "evaluations", "metrics", "tags")

#: What follows the keys, the config among them, where one run is shown in full.
DETAIL_KEYS = ("config", *(column.name for column in RUN_COLUMNS if not column.key))


def problem_of_metric(name: str) -> str | None:
    """Why nothing of a run beside these columns can have this name; None if it can."""
    if name in COLUMN or name == TAG.name:
        return "is the name of something else that every run has"
    why_not = why_no_metric(name)
    return None if why_not is None else f"is no name of a metric: {why_not}"


#: The metric of a figure or a test of networks that names none.
DEFAULT_METRIC = "test_accuracy"

#: The metrics of a report of networks that names none, in addition to the evaluations.
DEFAULT_METRICS = tuple(column.name for column in RUN_COLUMNS if column.by_default)

#: What is one of them too where a trainer of somebody's own reported it.
OF_OTHER_TRAINERS = tuple(column.name for column in RUN_COLUMNS if column.of_others)
