"""What the work of a sweep comes to, in sentences: hours of devices, and the memory it needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from results.metrics import counted
from sweeper.planning.cost import Estimate
from sweeper.planning.gpu_models import Choice
from sweeper.planning.slot import Slot
from sweeper.planning.step_time import bits_of
from trainers.config.run import RunConfig
from trainers.config.trainer_run import TrainerRun

_MOST_NAMED = 3

_LESS_MEMORY = (
    "a smaller training.batch_size with training.accumulation needs less (other statistics of BN)"
)


@dataclass(frozen=True)
class Work:
    """Runs that are yet to train, with what is known of the slots that they get.

    Attributes:
        slot: of a run that begins with one.
        gpu: which that is, and why; None for CPUs.
        runs: each with its estimate; None for a run whose work nobody can count.
    """

    slot: Slot
    gpu: Choice | None
    runs: Sequence[tuple[TrainerRun, Estimate | None]]

    def sentences(self) -> Iterator[str]:
        """What `sweep plan` says of them."""
        if processes := self._processes():
            yield processes
        if time := self._time():
            yield time
        yield from self.about_memory()

    def about_memory(self) -> Iterator[str]:
        """Which begin with more than one slot, and which will hardly fit."""
        if self.gpu is None or self.slot.memory is None:
            return
        large = [(config, e) for config, e in self._known() if e.multiplier > 1]
        if large:
            yield (
                f"{_named(large)} {_begin(large)}, for a memory of {_of_each(large)}: more than the"
                f" {_gib(self.slot.memory)} of {self.slot.devices:g} {self.slot.device.name}"
            )
        memory = self.slot.device.memory or 0
        too_large = [(config, e) for config, e in self._known() if _total(e) > memory]
        if too_large and self.refusal() is None:
            verb = "needs" if len(too_large) == 1 else "need"
            yield (
                f"{_named(too_large)} probably {verb} more memory than the {_gib(memory)} of one"
                f" {self.slot.device.name}: {_of_each(too_large)}; {_less_memory(too_large)}"
            )

    def refusal(self) -> str | None:
        """Why runs of it can never train on any of the GPUs; None if they can, or who knows."""
        if self.gpu is None or not self.gpu.certain or self.gpu.largest.memory is None:
            return None
        memory = self.gpu.largest.memory
        never = [
            (config, estimate)
            for config, estimate in self._known()
            if estimate.memory is not None and estimate.memory.least > memory
        ]
        if not never:
            return None
        least = max(e.memory.least for _, e in never if e.memory is not None)
        return (
            f"{_named(never)} cannot train on one {self.gpu.largest.name}: weights, gradients, the"
            f" optimizer and activations alone are up to {_gib(least)}, and it has"
            f" {_gib(memory)}; {_less_memory(never)}"
        )

    def _known(self) -> Iterable[tuple[TrainerRun, Estimate]]:
        return ((config, estimate) for config, estimate in self.runs if estimate is not None)

    def _processes(self) -> str | None:
        """In how many each run trains; None if all train in one."""
        counts = sorted({c.training.processes for c, _ in self.runs if isinstance(c, RunConfig)})
        if not counts or counts[-1] == 1:
            return None
        often = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        devices = f"{self.slot.devices:g} {'C' if self.slot.on_cpu else 'G'}PU"
        devices += "" if self.slot.devices == 1 else "s"
        return f"each run trains in {often} processes, of {devices} each; memory is that of one"

    def _time(self) -> str | None:
        """Such as "54 GPU-hours (24 to 128) on RTX 2080 Ti, by figures of the device"."""
        known = [estimate for _, estimate in self._known()]
        if not known:
            return None
        usual = sum(estimate.device_hours for estimate in known)
        low, high = (
            sum(e.device_hours * bound / e.seconds.usual for e, bound in bounds if e.seconds.usual)
            for bounds in (
                [(e, e.seconds.low) for e in known],
                [(e, e.seconds.high) for e in known],
            )
        )
        unit, size = _unit(usual)
        kind = "CPU" if self.slot.on_cpu else "GPU"
        hours = f"{_digits(usual / size)} {kind}-{unit}"
        hours += f" ({_digits(low / size)} to {_digits(high / size)})"
        if self.gpu is not None:
            hours += f" on {self.slot.device.name} ({self.gpu.why})"
        bases = Counter(estimate.basis for estimate in known).most_common()
        if len(bases) == 1:
            return f"{hours}, by {bases[0][0]}"
        return f"{hours}: " + ", ".join(f"{counted(n, 'run')} by {basis}" for basis, n in bases)


def _less_memory(runs: Sequence[tuple[TrainerRun, Estimate]]) -> str:
    """What can be changed of these, so that they fit."""
    wide = any(isinstance(config, RunConfig) and bits_of(config) > 16 for config, _ in runs)
    return f"{_LESS_MEMORY}, and so does precision: bf16" if wide else _LESS_MEMORY


def _total(estimate: Estimate) -> int:
    return 0 if estimate.memory is None else estimate.memory.total


def _of_each(runs: Sequence[tuple[TrainerRun, Estimate]]) -> str:
    """Such as "4.91 to 25 GiB"."""
    sizes = [_total(estimate) for _, estimate in runs]
    least, most = _gib(min(sizes)), _gib(max(sizes))
    return most if least == most else f"{least.removesuffix(' GiB')} to {most}"


def _named(runs: Sequence[tuple[TrainerRun, Estimate]]) -> str:
    """Such as "6 runs (preresnet 1001, resnext 29)"."""
    names = list(
        dict.fromkeys(
            f"{config.model.name} {config.model.depth}" if isinstance(config, RunConfig) else "?"
            for config, _ in runs
        )
    )
    more = len(names) - _MOST_NAMED
    named = ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"{counted(len(runs), 'run')} ({named})"


def _begin(runs: Sequence[tuple[TrainerRun, Estimate]]) -> str:
    verb = "begins" if len(runs) == 1 else "begin"
    times = sorted({estimate.multiplier for _, estimate in runs})
    often = f"{times[0]}" if len(times) == 1 else f"{times[0]} to {times[-1]}"
    return f"{verb} with {often} times {'its' if len(runs) == 1 else 'their'} resources"


def _gib(size: float) -> str:
    return f"{size / 2**30:.3g} GiB"


def _unit(hours: float) -> tuple[str, float]:
    for unit, size in (("hours", 1.0), ("minutes", 1 / 60)):
        if hours >= size:
            return unit, size
    return "seconds", 1 / 3600


def _digits(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.2g}"
