"""A scheme as a spec writes it, and as a run's config holds it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sweep_plugins.schemes.exact_numbers import exact, stored, to_float
from sweep_plugins.schemes.scheme_label import scheme_label
from trainers.errors import ConfigError
from trainers.methods import multistep
from trainers.methods.booleans import boolean
from trainers.methods.fractions import ExactNumber, Number
from trainers.methods.multistep import LinearMultistepScheme

Learned = Literal["k", "lambda", "coefficients"]

LONGEST_SCHEME = 32

_FORMS = (
    "a scheme is {alpha: [...], beta: b}, {k: ...} (LM-ResNet) or {lambda: ...} (ZeroSNet), "
    "each optionally with trainable: true"
)


class SchemeConfig(BaseModel):
    """The scheme of one run, resolved: fixed coefficients, or how learned ones start.

    Attributes:
        learned: None for fixed coefficients; else what each multistep block learns:
            "k": one k_n, with alpha = (1 - k_n, k_n), beta = 1 (Lu et al. 2018, eq. 1);
            "lambda": one lambda_n of ZeroSNet eq. 10 (ZeroSNet-Tra);
            "coefficients": its own alpha and beta.
        alpha, beta: the coefficients, or for learned "coefficients" their start.
        start: for "k" and "lambda": each block's parameter is drawn uniformly from this
            [low, high] at initialisation.

    It may be made from any form that a spec knows (see `_FORMS`), so that lambda = -9/5 and its
    coefficients written out are one run. Fixed coefficients are kept exactly: as a float where that
    stands for the number (see `exact`), else as the text of a fraction.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    learned: Learned | None = None
    alpha: (
        Annotated[tuple[ExactNumber, ...], Field(min_length=1, max_length=LONGEST_SCHEME)] | None
    ) = None
    beta: ExactNumber | None = None
    start: tuple[Number, Number] | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_spec(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            raise ValueError(f"{data!r} is not a scheme: {_FORMS}")
        if "learned" in data:
            return data
        trainable = data.get("trainable", False)
        try:
            boolean(trainable)
        except ValueError as error:
            raise ConfigError("trainable", f"trainable {error}") from None
        given = {key: value for key, value in data.items() if key != "trainable"}
        if set(given) == {"k"}:
            return _one_parameter_family("k", given["k"], trainable)
        if set(given) == {"lambda"}:
            return _one_parameter_family("lambda", given["lambda"], trainable)
        if "alpha" in given and set(given) <= {"alpha", "beta"}:
            alpha = given["alpha"]
            if not isinstance(alpha, (list, tuple)):
                alpha = [alpha]
            if not alpha:
                raise ConfigError(
                    "alpha", "alpha is empty: a scheme needs at least one coefficient"
                )
            kept = _float if trainable else _stored
            return {
                "learned": "coefficients" if trainable else None,
                "alpha": [kept("alpha", a) for a in alpha],
                "beta": kept("beta", given.get("beta", 1)),
            }
        raise ValueError(f"keys {sorted(map(str, data))} do not make a scheme: {_FORMS}")

    @model_validator(mode="after")
    def _whole(self) -> SchemeConfig:
        """A resolved form, as stored, has what its kind needs and nothing else."""
        one_parameter = self.learned in ("k", "lambda")
        has_start = self.start is not None
        has_coefficients = self.alpha is not None and self.beta is not None
        has_no_coefficients = self.alpha is None and self.beta is None
        if one_parameter and not (has_start and has_no_coefficients):
            raise ValueError(f"learned {self.learned!r} goes with start: [low, high] alone")
        if not one_parameter and (has_start or not has_coefficients):
            raise ValueError("a scheme needs alpha and beta")
        if self.start is not None:
            _check_range(self.learned or "", *self.start)
        return self

    @property
    def steps(self) -> int:
        """d, how many states a step combines."""
        if self.learned == "k":
            return 2
        if self.learned == "lambda":
            return 3
        assert self.alpha is not None
        return len(self.alpha)

    @property
    def fixed(self) -> LinearMultistepScheme | None:
        """The scheme, where it is known before training; None where it is learned."""
        if self.learned is not None:
            return None
        assert self.alpha is not None
        assert self.beta is not None
        return multistep.scheme_of(self.alpha, self.beta)

    @property
    def floats(self) -> tuple[float, ...] | None:
        """(alpha ..., beta) as a network computes with them; None where a block draws its own."""
        if self.alpha is None or self.beta is None:
            return None
        return tuple(to_float(exact(value)) for value in (*self.alpha, self.beta))

    def __str__(self) -> str:
        """Such as "1/3, 5/9, 1/9; 16/9" or "lambda_n from 1"."""
        return scheme_label(self.model_dump(exclude_none=True))


def _one_parameter_family(parameter: str, value: Any, trainable: bool) -> dict[str, Any]:
    if not trainable:
        family = multistep.lm_resnet if parameter == "k" else multistep.zerosnet
        if isinstance(value, (list, tuple)):
            raise ConfigError(
                parameter,
                f"{parameter} {value!r} is a range to start from, so it needs trainable: true",
            )
        try:
            scheme = family(value)
            return {"alpha": [stored(a) for a in scheme.alpha], "beta": stored(scheme.beta)}
        except ValueError as error:
            raise ConfigError(parameter, str(error)) from error
    bounds = list(value) if isinstance(value, (list, tuple)) else [value, value]
    if len(bounds) != 2:
        raise ConfigError(
            parameter, f"{parameter} {value!r} is neither a number nor a range [low, high]"
        )
    low, high = (_float(parameter, bound) for bound in bounds)
    return {"learned": parameter, "start": [low, high]}


def _float(key: str, value: Any) -> float:
    try:
        return to_float(exact(value))
    except ValueError as error:
        raise ConfigError(key, str(error)) from error


def _stored(key: str, value: Any) -> float | str:
    try:
        return stored(value)
    except ValueError as error:
        raise ConfigError(key, str(error)) from error


def _check_range(parameter: str, low: float, high: float) -> None:
    if low > high:
        raise ConfigError(
            parameter, f"{parameter} range [{low:g}, {high:g}] is empty: low exceeds high"
        )
    if parameter == "lambda" and low <= 0 <= high:
        raise ConfigError(
            parameter, "lambda must not be 0, nor start in a range that holds 0 (eq. 10)"
        )
