"""Any optimizer of torch.optim, as training uses ours.

The first of them that is made in a process imports torch's compiler, which takes a second or two.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from trainers.errors import TrainerError
from trainers.optim.base import Optimizer

_OURS = {"name", "decay_norms_and_biases"}
"""Keys of a config that are no options of torch's."""


class TorchOptimizer(Optimizer):
    """An optimizer of torch.optim, with the options of its config and none of torch's own choice.

    Raises TrainerError if this version of torch has no such optimizer, or other options.
    """

    @override
    def _begin(self) -> None:
        self._optimizer = self._of(self._parameters)

    def _of(self, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        options = self._recipe.model_dump(exclude=_OURS)
        decayed: list[Tensor] = []
        undecayed: list[Tensor] = []
        for parameter, decays in zip(parameters, self._decayed, strict=True):
            (decayed if decays else undecayed).append(parameter)
        groups: list[dict[str, Any]] = [{"params": decayed}] if decayed else []
        if undecayed:
            groups.append({"params": undecayed, "weight_decay": 0.0})
        try:
            made: torch.optim.Optimizer = _CLASSES[self._recipe.name](groups, **options)
        except (KeyError, TypeError) as error:
            raise TrainerError(
                f"torch {torch.__version__} has no optimizer {self._recipe.name} with the options"
                f" {', '.join(options)}: {error}"
            ) from error
        return made

    @property
    @override
    def param_groups(self) -> list[dict[str, Any]]:
        """Torch's own."""
        return self._optimizer.param_groups

    @override
    def zero_grad(self) -> None:
        """Forget all gradients."""
        self._optimizer.zero_grad(set_to_none=True)

    @override
    def step(self, learning_rate: float) -> None:
        """One step along the current gradients."""
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        self._optimizer.step()

    @override
    def state_dict(self) -> dict[str, Any]:
        """What it keeps of each parameter, and the names of what is kept on the CPU for a GPU's."""
        on_cpu = {
            key
            for parameter, entry in self._optimizer.state.items()
            for key, value in entry.items()
            if isinstance(value, Tensor) and value.device != parameter.device
        }
        return {"state": self._optimizer.state_dict()["state"], "on_cpu": sorted(on_cpu)}

    @override
    def takes(self, state: object) -> bool:
        """Whether `load_state_dict` takes this: what a step of its own would leave, in kind.

        That is found out on a copy of the weights.
        """
        if not isinstance(state, dict) or not isinstance(state.get("state"), dict):
            return False
        on_cpu = state.get("on_cpu")
        if not isinstance(on_cpu, list) or not all(isinstance(key, str) for key in on_cpu):
            return False
        copies = [parameter.detach().clone() for parameter in self._parameters]
        rehearsed = self._of(copies)
        for copied in copies:
            copied.grad = torch.zeros_like(copied)
        rehearsed.step()
        own = rehearsed.state_dict()["state"]
        return all(
            index in own
            and isinstance(entry, dict)
            and entry.keys() == own[index].keys()
            and all(_same_kind(value, own[index][key]) for key, value in entry.items())
            for index, entry in state["state"].items()
        )

    @override
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Loads what `state_dict` gave, each tensor to the device where it was."""
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": state["state"], "param_groups": groups})
        for entry in self._optimizer.state.values():
            for key in entry.keys() & set(state["on_cpu"]):
                entry[key] = entry[key].cpu()


def _same_kind(found: object, expected: object) -> bool:
    if isinstance(expected, Tensor):
        return (
            isinstance(found, Tensor)
            and found.shape == expected.shape
            and found.dtype == expected.dtype
        )
    return type(found) is type(expected)


_CLASSES: dict[str, type[Any]] = {
    name.lower(): found
    for name, found in vars(torch.optim).items()
    if isinstance(found, type) and issubclass(found, torch.optim.Optimizer)
}
