"""What can be watched of a network while it trains: PROBES, by name.

A probe is measured before training, every so many epochs and after the last one, without changing
a bit of the run. Its config is free of torch, so that planning stays quick; what measures it is
found by name.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, SerializeAsAny

from trainers.config.probes import (
    ConditionNumbers,
    FeatureNorms,
    LearnedCoefficients,
    PrincipalAngles,
    ProbeConfig,
    Runtime,
)
from trainers.registry import Table


@dataclass(frozen=True)
class Probe:
    """How one probe is configured and measured.

    Attributes:
        config: the class that a spec's options are validated by.
        meter: "module:function"; called with a config and a `trainers.probes.subject.Subject`, the
            function returns a `trainers.probes.subject.Meter`. A name, because it needs torch.
    """

    config: type[ProbeConfig]
    meter: str

    def resolve(self) -> Callable[[Any, Any], Any]:
        """Imports the function that `meter` names."""
        function: Callable[[Any, Any], Any] = pkgutil.resolve_name(self.meter)
        return function


PROBES: Table[Probe] = Table(
    "probe",
    "sweep.probes",
    {
        # Median principal angles within and between classes (dynamical system, Definition 1).
        "principal_angles": Probe(PrincipalAngles, "trainers.probes.principal_angles:meter"),
        # Condition numbers of convolutions and blocks (dynamical system, eq. 2).
        "condition_numbers": Probe(ConditionNumbers, "trainers.probes.condition_numbers:meter"),
        # ||y_n||, which a root outside the unit circle makes grow (ZeroSNet, Condition 1).
        "feature_norms": Probe(FeatureNorms, "trainers.probes.feature_norms:meter"),
        # What each block learns of its scheme (Lu et al. 2018, Figure 4; ZeroSNet-Tra).
        "learned_coefficients": Probe(
            LearnedCoefficients, "trainers.probes.learned_coefficients:meter"
        ),
        # Seconds, images a second and megabytes (ZeroSNet, Table 9; Newton-ResNet, Table 6).
        "runtime": Probe(Runtime, "trainers.probes.runtime:meter"),
    },
)


def parse_probe(data: Any) -> ProbeConfig:
    """The config of one probe, from its name or {probe: name, option: ...}.

    Raises:
        pydantic.ValidationError: an option is unknown, or has a bad value.
        UnknownNameError: no such probe; the message has the nearest.
        ValueError: neither a name nor such a mapping.
    """
    if isinstance(data, ProbeConfig):
        return data
    if isinstance(data, str):
        data = {"probe": data}
    if not isinstance(data, dict) or not isinstance(data.get("probe"), str):
        raise ValueError(f"{data!r} is not a probe: give its name, or {{probe: name, ...}}")
    return PROBES[data["probe"]].config.model_validate(data)


def _none_twice(probes: tuple[ProbeConfig, ...]) -> tuple[ProbeConfig, ...]:
    names = [probe.probe for probe in probes]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name} is listed twice; keep one")
    # In one order, since two orders are one training.
    return tuple(sorted(probes, key=lambda probe: probe.probe))


def _is_list(data: Any) -> Any:
    if isinstance(data, Sequence) and not isinstance(data, str):
        return data
    raise ValueError(f"{data!r} is not a list of probes: write [{', '.join(PROBES)}], or some")


Probes = Annotated[
    tuple[Annotated[SerializeAsAny[ProbeConfig], BeforeValidator(parse_probe)], ...],
    BeforeValidator(_is_list),
    AfterValidator(_none_twice),
]
"""A pydantic field: the probes of a run, sorted by name, none twice."""

__all__ = ["PROBES", "Probe", "ProbeConfig", "Probes", "parse_probe"]
