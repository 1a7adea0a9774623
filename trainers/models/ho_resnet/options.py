"""HO-ResNet as a spec sees it: options, and the plan of its steps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from sweep_plugins import UnknownNameError
from sweep_plugins.schemes.exact_numbers import to_float
from trainers.methods.fractions import Number, Whole
from trainers.methods.runge_kutta import NAMED, Tableau
from trainers.models.architecture import Architecture, ModelOptions
from trainers.models.depths import count_of

STAGES = 3
"""Widths of the network, each with half the resolution of the one before. The stages of a
Runge-Kutta step, which have the same name in their own field, are called evaluations here."""

MOST_EVALUATIONS = 32

_FORMS = f"a tableau is one of {', '.join(NAMED)}, or {{a: [[], [1/2], ...], b: [...]}}"


class TableauConfig(BaseModel):
    """A tableau without a name: see Tableau. Rows of `a` are whole, zeros included."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    a: tuple[tuple[Number, ...], ...] = Field(max_length=MOST_EVALUATIONS)
    b: tuple[Number, ...] = Field(max_length=MOST_EVALUATIONS)


class HighOrderOptions(ModelOptions):
    """Options of HO-ResNet.

    Attributes:
        depth: the layers that one image passes: stem, classifier, and two convolutions for every
            evaluation of f. With s evaluations a step, n steps in each of the three stages and
            weights of their own, it is 6sn + 2, and the network has as many layers, evaluations
            and parameters as preresnet of the same depth. With shared weights a step that changes
            the stage evaluates f once, so that depth is 6sn + 2 - 4(s - 1); the network has the
            parameters of preresnet of depth 6n + 2.
        width: channels of the first stage; the next two have twice and four times as many.
        tableau: the Runge-Kutta method: a name in NAMED, or {a, b} with fractions as numbers. A
            method that has a name is kept by it, however it was written.
        weights: "own" for an f of its own for every evaluation in a step, which is what the
            HO-ResNet paper compares ("with the same settings and parameters") and its released
            code builds; "shared" for one f, evaluated s times, of which each has running
            statistics of its own.
    """

    width: Whole = Field(default=16, ge=1, le=4096)
    tableau: str | TableauConfig = "rk4"
    weights: Literal["own", "shared"] = "own"

    @field_validator("tableau", mode="before")
    @classmethod
    def _canonical(cls, given: Any) -> str | TableauConfig:
        if isinstance(given, str):
            if given not in NAMED:
                raise UnknownNameError("tableau", given, NAMED)
            return given
        if not isinstance(given, (dict, TableauConfig)):
            raise ValueError(f"{given!r} is not a tableau: {_FORMS}")
        written = TableauConfig.model_validate(given)
        tableau = Tableau.of(written.a, written.b)
        for name, known in NAMED.items():
            if tableau == known:
                return name
        return TableauConfig(
            a=tuple(tuple(map(to_float, row)) for row in tableau.a),
            b=tuple(map(to_float, tableau.b)),
        )


@lru_cache(maxsize=4096)
def tableau_of(options: HighOrderOptions) -> Tableau:
    """The method of every step."""
    if isinstance(options.tableau, str):
        return NAMED[options.tableau]
    return Tableau.of(options.tableau.a, options.tableau.b)


@dataclass(frozen=True)
class Step:
    """One residual block: a Runge-Kutta step from y_n to y_{n+1}.

    Attributes:
        inputs: channels of y_n.
        outputs: channels of y_{n+1}.
        changes_stage: the first evaluation of f has stride 2, and y_n passes a 1x1 convolution of
            stride 2 before anything is added to it.
        evaluations: how often f is evaluated: s, or 1 where one f cannot map from both widths.
        functions: how many f there are, each with weights of its own.
    """

    inputs: int
    outputs: int
    changes_stage: bool
    evaluations: int
    functions: int


def steps_per_stage(depth: int, evaluations: int, shared: bool) -> int:
    """n of the depth; see HighOrderOptions.

    Args:
        evaluations: s, of f in one step.
        shared: whether they share their weights.

    Raises:
        ValueError: no such n >= 1; names the nearest depths.
    """
    # Two steps change the stage, and do without s - 1 evaluations of two layers each.
    offset = 2 - (4 * (evaluations - 1) if shared else 0)
    sharing = ", which share their weights" if shared else ""
    times = "once" if evaluations == 1 else f"{evaluations} times"
    step = f" steps a stage, each of which evaluates f {times}{sharing}"
    return count_of(depth, 2 * STAGES * evaluations, offset, of=step)


@lru_cache(maxsize=4096)
def layout_of(options: HighOrderOptions) -> tuple[Step, ...]:
    """The steps of the network. Raises ValueError if its depth fits no number of them."""
    shared = options.weights == "shared"
    evaluations = tableau_of(options).stages
    n = steps_per_stage(options.depth, evaluations, shared)
    steps = []
    for index in range(STAGES * n):
        stage, within = divmod(index, n)
        changes_stage = stage > 0 and within == 0
        once = shared and changes_stage
        steps.append(
            Step(
                inputs=options.width * 2 ** (stage - (1 if changes_stage else 0)),
                outputs=options.width * 2**stage,
                changes_stage=changes_stage,
                evaluations=1 if once else evaluations,
                functions=1 if shared else evaluations,
            )
        )
    return tuple(steps)


def _complete(options: HighOrderOptions, scheme: None) -> HighOrderOptions:
    if tableau_of(options).stages == 1:
        # One evaluation has nothing to share its weights with.
        options = options.model_copy(update={"weights": "own"})
    layout_of(options)
    return options


HO_RESNET = Architecture(
    options=HighOrderOptions,
    complete=_complete,
    builder="trainers.models.ho_resnet.network:HighOrderNetwork",
)
"""Luo et al. (2021), residual blocks as steps of higher-order methods."""
